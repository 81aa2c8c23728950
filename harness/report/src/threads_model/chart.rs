//! The chart of a prediction: by threads, where their time goes, and by morsel, what a shared counter bears.

use std::fmt::Write as _;

use super::{Choices, Machine, Part, Rates, Sides, Spent, measured, predict};
use crate::charts::canvas::{Anchor, Canvas, Colour, GREY, GRID, INK};
use crate::charts::frame::{self, LINE, MARGIN, WIDTH};
use crate::charts::scale::{self, Axis};
use crate::charts::style::{MUTED, REST};
use crate::record::{Run, WorkloadRecord};

/// Threads that are predicted.
const THREADS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// log2 of the rows of morsels that are shown.
const MORSEL_BITS: std::ops::RangeInclusive<u32> = 4..=18;

/// Height of the plots.
const PLOT: f64 = 230.0;
/// Room left of a plot for its ticks.
const TICKS: f64 = 46.0;
/// Room above a plot for its title.
const TITLE: f64 = 30.0;
/// Room between two plots.
const GAP: f64 = 26.0;

/// One workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its name.
    pub name: String,
    /// Its name and sizes.
    pub title: String,
    /// Threads and what is predicted.
    pub predicted: Vec<(usize, Spent)>,
    /// Threads and seconds, as measured.
    pub measured: Vec<(usize, f64)>,
    /// Rows of a morsel and seconds, at the most threads.
    pub morsels: Vec<(usize, f64)>,
}

/// The panels of a run's workloads whose sides are partitioned.
pub fn panels(run: &Run, rates: &Rates, machine: &Machine) -> Vec<Panel> {
    let of = |workload| Panel::of(run, workload, rates, machine);
    run.workloads.iter().filter_map(of).collect()
}

/// What the panels show by threads, with seconds of all threads by part.
pub fn csv(panels: &[Panel]) -> String {
    let parts = Part::ALL.map(Part::name).join(",");
    let mut csv = format!("workload,threads,seconds,measured,{parts}\n");
    for panel in panels {
        for (threads, spent) in &panel.predicted {
            let measured = panel.measured.iter().find(|(n, _)| n == threads);
            let measured =
                measured.map_or_else(String::new, |(_, seconds)| format!("{seconds:.6}"));
            // Writing to a string cannot fail.
            let _ = write!(
                csv,
                "{},{threads},{:.6},{measured}",
                panel.name, spent.seconds
            );
            for part in spent.parts {
                let _ = write!(csv, ",{part:.6}");
            }
            csv.push('\n');
        }
    }
    csv
}

fn colour(part: Part) -> Colour {
    match part {
        Part::Work => REST,
        Part::Memory => MUTED[1],
        Part::Counters => MUTED[4],
        Part::Lists => MUTED[3],
        Part::Phases => MUTED[5],
        Part::Alone => MUTED[0],
        Part::Waiting => MUTED[2],
    }
}

/// Draws the panels side by side, and below them what morsels of other lengths would take.
pub fn draw(panels: &[Panel]) -> String {
    let mut canvas = Canvas::default();
    let y = frame::header(
        &mut canvas,
        "partitioned-join by threads, simulated",
        "Bars: the time of all threads together, over that of one thread, so a bar of 1 scales perfectly and a bar of 2 \
         wastes every second core; its parts say where the time goes, the label above it is the wall time in \
         milliseconds. Rings: measured. Below: wall time at the most threads with morsels of other lengths; the dashed line is the length \
         that the code takes.",
    );
    let keys: Vec<_> = Part::ALL
        .map(|part| (colour(part), part.name().to_owned()))
        .into();
    let top = frame::keys(&mut canvas, (MARGIN, y), WIDTH - 2.0 * MARGIN, &keys) + 8.0;
    let count = panels.len().max(1) as f64;
    let width = (WIDTH - 2.0 * MARGIN - GAP * (count - 1.0)) / count;
    let below = top + TITLE + PLOT + 58.0;
    for (nth, panel) in panels.iter().enumerate() {
        let left = MARGIN + (width + GAP) * nth as f64 + TICKS;
        let across = (left, left + width - TICKS);
        panel.bars(&mut canvas, across, top);
        panel.curve(&mut canvas, across, below);
    }
    canvas.finish(WIDTH, below + TITLE + PLOT + 48.0)
}

impl Panel {
    fn of(run: &Run, workload: &WorkloadRecord, rates: &Rates, machine: &Machine) -> Option<Self> {
        let sides = Sides::of(workload);
        let time = |threads, choices| predict(rates, machine, sides, threads, choices);
        let [build, probe] = [workload.build_rows, workload.probe_rows].map(scale::rows);
        let predicted = THREADS.iter().map(|&threads| {
            let spent = time(threads, Choices::default())?;
            Some((threads, spent))
        });
        let measured = THREADS.iter().filter_map(|&threads| {
            let seconds = measured(run, &workload.name, threads as u32)?;
            Some((threads, seconds))
        });
        let most = THREADS[THREADS.len() - 1];
        let morsels = MORSEL_BITS.map(|bits| {
            let choices = Choices {
                morsel: Some(1 << bits),
                ..Choices::default()
            };
            Some((1 << bits, time(most, choices)?.seconds))
        });
        Some(Self {
            name: workload.name.clone(),
            title: format!("{}: {build} ⋈ {probe} rows", workload.name),
            predicted: predicted.collect::<Option<_>>()?,
            measured: measured.collect(),
            morsels: morsels.collect::<Option<_>>()?,
        })
    }

    fn bars(&self, canvas: &mut Canvas, (left, right): (f64, f64), y: f64) {
        let Some((_, one)) = self.predicted.first() else {
            return;
        };
        canvas.heading(&self.title, left - TICKS, y + 6.0, 12.5);
        let (top, bottom) = (y + TITLE, y + TITLE + PLOT);
        let times = |threads: usize, seconds: f64| threads as f64 * seconds / one.seconds;
        let predicted = self.predicted.iter().map(|(n, s)| times(*n, s.seconds));
        let highest = predicted.fold(1.0, f64::max);
        // Room for a label.
        let up = Axis::from_zero([highest * 1.08], bottom, top);
        ticks(canvas, &up, (left, right), 28.0, scale::times);
        let step = (right - left) / self.predicted.len() as f64;
        for (nth, (threads, spent)) in self.predicted.iter().enumerate() {
            let middle = left + step * (nth as f64 + 0.5);
            let mut sum = 0.0;
            for part in Part::ALL {
                let from = up.at(sum);
                sum += spent.of(part) / one.seconds;
                let to = up.at(sum);
                canvas.rect(
                    middle - step * 0.36,
                    to,
                    step * 0.72,
                    from - to,
                    colour(part),
                );
            }
            let label = threads.to_string();
            canvas.text(&label, middle, bottom + 10.0, Anchor::Middle, INK);
            let mut above = up.at(sum);
            for (_, seconds) in self.measured.iter().filter(|(n, _)| n == threads) {
                let at = up.at(times(*threads, *seconds));
                canvas.disc(middle, at, 4.5, INK);
                canvas.disc(middle, at, 2.5, (255, 255, 255));
                above = above.min(at - 3.0);
            }
            let label = scale::short(spent.seconds * 1e3);
            canvas.text(&label, middle, above - 8.0, Anchor::Middle, INK);
        }
        let middle = (left + right) / 2.0;
        canvas.text("threads", middle, bottom + 27.0, Anchor::Middle, GREY);
    }

    fn curve(&self, canvas: &mut Canvas, (left, right): (f64, f64), y: f64) {
        let Some((threads, chosen)) = self.predicted.last() else {
            return;
        };
        let title = format!("by rows per morsel, {threads} threads");
        canvas.heading(&title, left - TICKS, y + 6.0, 12.5);
        let (top, bottom) = (y + TITLE, y + TITLE + PLOT);
        let across = Axis::log(self.morsels.iter().map(|m| m.0 as f64), 1.2, left, right);
        let seconds = self.morsels.iter().map(|m| m.1).chain([chosen.seconds]);
        let up = Axis::log(seconds, 1.3, bottom, top);
        ticks(canvas, &up, (left, right), 28.0, scale::seconds);
        for power in across.powers_of_two(30.0) {
            let at = across.at(2f64.powi(power as i32));
            canvas.line(&[(at, top), (at, bottom)], GRID, 1.0, None);
            let label = format!("2^{power}");
            canvas.text(&label, at, bottom + 10.0, Anchor::Middle, INK);
        }
        let path: Vec<_> = self
            .morsels
            .iter()
            .map(|(rows, seconds)| (across.at(*rows as f64), up.at(*seconds)))
            .collect();
        canvas.line(&path, colour(Part::Counters), 2.0, None);
        let at = up.at(chosen.seconds);
        canvas.line(&[(left, at), (right, at)], GREY, 1.0, Some((6.0, 4.0)));
        let middle = (left + right) / 2.0;
        canvas.text("rows", middle, bottom + LINE + 11.0, Anchor::Middle, GREY);
    }
}

/// Ticks of a vertical axis.
fn ticks(
    canvas: &mut Canvas,
    up: &Axis,
    (left, right): (f64, f64),
    room: f64,
    unit: fn(f64) -> String,
) {
    for value in up.ticks(room) {
        let at = up.at(value);
        canvas.line(&[(left, at), (right, at)], GRID, 1.0, None);
        canvas.text(&unit(value), left - 6.0, at, Anchor::End, INK);
    }
    canvas.line(&[(left, up.from), (right, up.from)], GREY, 1.0, None);
}
