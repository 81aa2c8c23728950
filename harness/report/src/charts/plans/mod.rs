//! Charts of whole plans. Each is a function of what was measured alone.

use super::csv::Csv;
use super::style::Styles;
use super::{Chart, LeftOut};
use crate::plans::{Arm, Kind, PlanRun};
use crate::stats;

mod against;
mod techniques;
mod times;
mod totals;

/// Draws every chart that the run has data for.
pub(crate) fn draw_all(run: &PlanRun) -> Vec<Result<Chart, LeftOut>> {
    let data = Data::new(run);
    [totals::draw, times::draw, against::draw, techniques::draw]
        .map(|draw| draw(&data))
        .into()
}

/// What charts are made from.
struct Data<'a> {
    run: &'a PlanRun,
    /// Executors and peers.
    engines: Vec<&'a Arm>,
    styles: Styles,
    /// How far the first executor is from itself, over all plans.
    floor: f64,
}

impl<'a> Data<'a> {
    fn new(run: &'a PlanRun) -> Self {
        let engines = run.arms.iter().filter(|arm| {
            matches!(arm.kind, Kind::Executor | Kind::Peer) && arm.summary.bundles > 0
        });
        let peers: Vec<&str> = run.of(Kind::Peer).map(|arm| &*arm.name).collect();
        let control = run.of(Kind::Control).next();
        Self {
            run,
            engines: engines.collect(),
            styles: Styles::new(run.arms.iter().map(|arm| &*arm.name), &peers),
            floor: control
                .and_then(|arm| arm.summary.over_first)
                .map_or(0.0, |over| stats::floor(over.geometric_mean)),
        }
    }

    /// Every plan with every engine.
    fn csv(&self) -> String {
        let mut table = Csv::new(&["plan", "engine", "rows", "cold", "value", "low", "high"]);
        for arm in &self.engines {
            for one in arm.bundles.iter().flatten() {
                let times = [
                    one.cold_seconds,
                    one.seconds.median,
                    one.seconds.low,
                    one.seconds.high,
                ];
                let names = [one.bundle.clone(), arm.name.clone(), one.rows.to_string()];
                table.row(
                    names
                        .into_iter()
                        .chain(times.map(|seconds| seconds.to_string())),
                );
            }
        }
        table.finish()
    }

    /// What the others are compared with.
    fn first(&self) -> &'a Arm {
        &self.run.arms[0]
    }
}
