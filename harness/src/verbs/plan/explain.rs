//! `harness plan explain`: a plan as it was executed, as text and as a picture.

use plan_executor::{Bundle, Step, Telemetry};

use super::executor::Bench;
use super::executors::EXECUTORS;
use super::folders::find;
use super::{ExplainArgs, line};
use crate::charts::canvas::{Anchor, Canvas, GREY, GRID, INK, SMALL};
use crate::charts::{scale, text};
use crate::files::NewFile;
use crate::verbs::Ending;

/// Pixels of a line of the picture, and of its parts from left to right.
const ROW: f64 = 34.0;
const INDENT: f64 = 18.0;
const LEFT: f64 = 12.0;
const BAR: f64 = 190.0;
const LABEL: f64 = 150.0;

/// The colour of a step's time.
const TIME: (u8, u8, u8) = (70, 120, 180);

/// Levels that text is indented by at most: a plan may have very many.
const INDENTED: usize = 64;

/// A step and how deep in the tree it stands.
struct Placed<'t> {
    step: &'t Step,
    depth: usize,
    /// For each ancestor below the root, of the last [`INDENTED`], whether more of its siblings follow.
    more: Vec<bool>,
}

/// Executes one bundle twice, and shows what the second, warm execution did.
pub(super) fn run(args: &ExplainArgs) -> Result<(), Ending> {
    let name = args.executor.as_deref().unwrap_or(EXECUTORS[0].name);
    let bench = Bench::new(name, &args.common)?;
    let folders = find(&args.common.bundles)?;
    let [folder] = &folders[..] else {
        return Err(Ending::Usage(format!(
            "{} bundles are named, but one is drawn at a time; name a single bundle",
            folders.len()
        )));
    };
    let bundle = Bundle::open(folder).map_err(Ending::usage)?;
    let svg = args.svg.as_deref().map(NewFile::create).transpose();
    let svg = svg.map_err(|error| Ending::Usage(format!("--svg: {error}")))?;
    let execute = || {
        let executed = bench.execute(&bundle);
        executed.map_err(|error| Ending::Usage(format!("{}: {error}", folder.display())))
    };
    execute()?;
    let (execution, _) = execute()?;
    let title = format!(
        "{}, {}, {} threads",
        bundle.name(),
        bench.name,
        bench.threads
    );
    line(&title)?;
    let steps = placed(&execution.telemetry);
    for placed in &steps {
        lines(placed).iter().try_for_each(|text| line(text))?;
    }
    if let Some(file) = svg {
        file.write(&picture(&title, &steps))
            .map_err(|error| Ending::Usage(format!("--svg: {error}")))?;
    }
    Ok(())
}

/// The steps as a tree, from the last one down; then those that led nowhere, because a result without rows was known.
fn placed(telemetry: &Telemetry) -> Vec<Placed<'_>> {
    let steps = &telemetry.steps;
    let mut is_child = vec![false; steps.len()];
    for &child in steps.iter().flat_map(|step| &step.children) {
        is_child[child] = true;
    }
    let mut placed = Vec::new();
    let mut open: Vec<(usize, usize, Vec<bool>)> = (0..steps.len())
        .filter(|&step| !is_child[step])
        .map(|step| (step, 0, Vec::new()))
        .collect();
    while let Some((number, depth, more)) = open.pop() {
        let step = &steps[number];
        for (place, &child) in step.children.iter().enumerate().rev() {
            let mut more = more[more.len().saturating_sub(INDENTED - 1)..].to_vec();
            more.push(place + 1 < step.children.len());
            open.push((child, depth + 1, more));
        }
        placed.push(Placed { step, depth, more });
    }
    placed
}

/// One line for the step, one for each of its filters.
fn lines(placed: &Placed<'_>) -> Vec<String> {
    let step = placed.step;
    let mut lead = String::new();
    let mut below = String::new();
    if placed.depth > placed.more.len() {
        lead = format!("{} levels, then ", placed.depth - placed.more.len());
    }
    for (nth, &more) in placed.more.iter().enumerate() {
        let last = nth + 1 == placed.more.len();
        lead.push_str(match (last, more) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        });
        below.push_str(if more { "│  " } else { "   " });
    }
    let name = format!("{lead}{}", heading(step));
    let pad = 52_usize.saturating_sub(name.chars().count());
    let mut lines = vec![format!("{name}{}  {}", " ".repeat(pad), numbers(step))];
    for filter in &step.filters {
        lines.push(format!(
            "{below}     {}: {} of {}",
            filter.name, filter.rows_out, filter.rows_in
        ));
    }
    lines
}

fn heading(step: &Step) -> String {
    match &step.detail[..] {
        "" => step.name.clone(),
        detail => format!("{} ({detail})", step.name),
    }
}

fn numbers(step: &Step) -> String {
    let build = step.build_rows.map(|rows| format!(" with {rows}"));
    format!(
        "{} rows{} -> {}, {}, {}",
        step.rows_in,
        build.unwrap_or_default(),
        step.rows_out,
        scale::bytes(step.bytes as f64),
        scale::seconds(step.seconds()),
    )
}

/// The tree with a bar of time beside each step.
fn picture(title: &str, steps: &[Placed<'_>]) -> String {
    let mut canvas = Canvas::default();
    canvas.heading(title, LEFT, 20.0, 15.0);
    let top = 44.0;
    let longest = steps.iter().map(|placed| placed.step.seconds());
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let lengths = steps.iter().map(|placed| {
        let longer = text::width(&caption(placed.step), SMALL, false).max(text::width(
            &heading(placed.step),
            SMALL,
            false,
        ));
        INDENT * placed.depth as f64 + longer
    });
    let bars = LEFT + lengths.fold(0.0, f64::max) + 16.0;
    // Where the last step of each depth stands: the line of a child begins there.
    let mut last_of_depth: Vec<f64> = Vec::new();
    for (nth, placed) in steps.iter().enumerate() {
        let y = top + ROW * nth as f64 + ROW / 2.0;
        let x = LEFT + INDENT * placed.depth as f64;
        last_of_depth.truncate(placed.depth);
        if let Some(&parent) = last_of_depth.last() {
            let elbow = [
                (x - INDENT + 4.0, parent + 14.0),
                (x - INDENT + 4.0, y),
                (x - 3.0, y),
            ];
            canvas.line(&elbow, GREY, 1.0, None);
        }
        last_of_depth.push(y);
        let step = placed.step;
        canvas.text(&heading(step), x, y - 7.0, Anchor::Start, INK);
        canvas.text(&caption(step), x, y + 8.0, Anchor::Start, GREY);
        let width = BAR * step.seconds() / longest;
        canvas.rect(bars, y - 8.0, BAR, 16.0, GRID);
        canvas.rect(bars, y - 8.0, width.max(0.5), 16.0, TIME);
        let label = format!(
            "{}, {}",
            scale::seconds(step.seconds()),
            scale::bytes(step.bytes as f64)
        );
        canvas.text(&label, bars + BAR + 8.0, y, Anchor::Start, INK);
    }
    canvas.finish(bars + BAR + LABEL, top + ROW * steps.len() as f64 + 10.0)
}

/// Rows, and what the filters left of them.
fn caption(step: &Step) -> String {
    let mut caption = format!("{} -> {} rows", step.rows_in, step.rows_out);
    for filter in &step.filters {
        let share = filter.rows_out as f64 / filter.rows_in.max(1) as f64;
        caption.push_str(&format!("; {} {}", filter.name, scale::percent(share)));
    }
    caption
}
