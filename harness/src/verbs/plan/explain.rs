//! `harness plan explain`: a plan as it was executed, as text and as a picture.

use plan_executor::{Bundle, Step, Telemetry};

use super::folders::find;
use super::{ExplainArgs, line};
use crate::experiment::executor::Equipped;
use crate::files::NewFile;
use crate::verbs::Ending;
use registry::EXECUTORS;
use report::charts::{scale, steps};

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
    let bench = Equipped::new(name, &args.common.equipment()?).map_err(Ending::Usage)?;
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
        bench.title(),
        bench.threads
    );
    line(&title)?;
    let placed = placed(&execution.telemetry);
    for placed in &placed {
        lines(placed).iter().try_for_each(|text| line(text))?;
    }
    if let Some(file) = svg {
        let drawn: Vec<_> = placed.iter().map(drawn).collect();
        file.write(&steps::draw(&title, &drawn))
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

/// A step as it is drawn.
fn drawn(placed: &Placed<'_>) -> steps::Step {
    steps::Step {
        depth: placed.depth,
        heading: heading(placed.step),
        caption: caption(placed.step),
        seconds: placed.step.seconds(),
        bytes: placed.step.bytes,
    }
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
