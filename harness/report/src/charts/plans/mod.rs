//! Charts of whole plans. Each is a function of what was measured alone.

use super::csv::Csv;
use super::style::Styles;
use super::{Chart, LeftOut};
use crate::plans::{Arm, Kind, PlanRun};
use crate::stats::{self, Interval};

mod against;
mod techniques;
mod times;
mod totals;

/// Draws every chart that the run has data for.
pub(crate) fn draw_all(run: &PlanRun) -> Vec<Result<Chart, LeftOut>> {
    draw(&Data::new(run, Executions::Warm))
}

/// Draws every chart of plans that were executed once in a process, beside the warm executions of the same run.
pub(crate) fn draw_once(run: &PlanRun, warm: Option<&PlanRun>) -> Vec<Result<Chart, LeftOut>> {
    draw(&Data::new(run, Executions::Once { warm }))
}

fn draw(data: &Data<'_>) -> Vec<Result<Chart, LeftOut>> {
    [totals::draw, times::draw, against::draw, techniques::draw]
        .map(|draw| draw(data))
        .into()
}

/// Which executions are drawn.
#[derive(Clone, Copy)]
enum Executions<'a> {
    /// Those of processes that are warm.
    Warm,
    /// The one of each process.
    Once {
        /// The warm ones of the same plans.
        warm: Option<&'a PlanRun>,
    },
}

/// What charts are made from.
struct Data<'a> {
    run: &'a PlanRun,
    executions: Executions<'a>,
    /// Executors and peers.
    engines: Vec<&'a Arm>,
    styles: Styles,
    /// How far the first executor is from itself, over all plans.
    floor: f64,
}

impl<'a> Data<'a> {
    fn new(run: &'a PlanRun, executions: Executions<'a>) -> Self {
        let engines = run.arms.iter().filter(|arm| {
            matches!(arm.kind, Kind::Executor | Kind::Peer) && arm.summary.bundles > 0
        });
        let peers: Vec<&str> = run.of(Kind::Peer).map(|arm| &*arm.name).collect();
        let control = run.of(Kind::Control).next();
        Self {
            run,
            executions,
            engines: engines.collect(),
            styles: Styles::new(run.arms.iter().map(|arm| &*arm.name), &peers),
            floor: control
                .and_then(|arm| arm.summary.over_first)
                .map_or(0.0, |over| stats::floor(over.geometric_mean)),
        }
    }

    /// Every plan with every engine, and its time in the other kind of executions.
    fn csv(&self) -> String {
        let other = self.of("cold", "warm");
        let mut table = Csv::new(&["plan", "engine", "rows", other, "value", "low", "high"]);
        for arm in &self.engines {
            for one in arm.bundles.iter().flatten() {
                let other = match self.executions {
                    Executions::Warm => Some(one.cold_seconds),
                    Executions::Once { .. } => self.warm_median(arm, &one.bundle),
                };
                let Interval { median, low, high } = one.seconds;
                let names = [one.bundle.clone(), arm.name.clone(), one.rows.to_string()];
                let other = other.map_or_else(String::new, |seconds| seconds.to_string());
                let times = [median, low, high].map(|seconds| seconds.to_string());
                table.row(names.into_iter().chain([other]).chain(times));
            }
        }
        table.finish()
    }

    /// One of two texts: that for warm executions, or that for those of which each process has one.
    fn of<T>(&self, warm: T, once: T) -> T {
        match self.executions {
            Executions::Warm => warm,
            Executions::Once { .. } => once,
        }
    }

    /// The title of a chart that is called so where executions are warm.
    fn title(&self, title: &str) -> String {
        self.of(title.to_owned(), format!("{title}, each once"))
    }

    /// How plans were executed.
    fn how(&self) -> &'static str {
        self.of("warm", "each once in a process")
    }

    /// The warm executions beside those of which each process has one.
    fn warm(&self) -> Option<&'a PlanRun> {
        match self.executions {
            Executions::Warm => None,
            Executions::Once { warm } => warm,
        }
    }

    /// The median of an arm's warm executions of a plan, where they stand beside.
    fn warm_median(&self, arm: &Arm, bundle: &str) -> Option<f64> {
        let measured = self.warm()?.arm(&arm.name)?.measured(bundle)?;
        Some(measured.seconds.median)
    }

    /// What the others are compared with.
    fn first(&self) -> &'a Arm {
        &self.run.arms[0]
    }
}
