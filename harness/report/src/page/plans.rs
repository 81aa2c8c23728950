//! Whole plans: their part of a run's page.

use crate::charts::scale;
use crate::plans::{Arm, Kind, PlanRun};
use crate::stats::Interval;
use crate::table::{Table, Text};

/// What the numbers of plans are.
pub(super) const INTRODUCTION: &str = "<p>Plans of scans and joins over paged tables, to a paged result; a peer makes a table of its own in memory. Each \
     execution starts from the tables: nothing that was read or built is kept, but memory is. All take turns on a plan; a \
     turn begins with executions of at least 10 ms that do not count. Answers (rows and checksum) are equal, or stand \
     below as failures.</p>";

/// All arms, and every plan.
pub(super) fn tables(run: &PlanRun) -> String {
    format!(
        "<h3>All plans together</h3>\n{}{}<details><summary>Every plan: medians in ms with 95 % intervals</summary>\n{}\
         </details>\n",
        arms(run).html(),
        by_results(run),
        plans(run)
    )
}

/// All arms, each over the plans that it has.
pub(crate) fn arms(run: &PlanRun) -> Table {
    let mut table = Table::new(&[
        "executor",
        "#plans",
        "#total",
        "#geometric mean",
        "#cold total",
        "#peak",
        "#total : first",
        "#geometric mean : first",
    ]);
    for arm in &run.arms {
        let summary = &arm.summary;
        let ratio = |of: Option<Interval>| of.map_or_else(String::new, scale::ratio);
        let peak = arm
            .bundles
            .iter()
            .flatten()
            .filter_map(|measured| measured.peak_bytes);
        table.row(&[
            &arm.name,
            &summary.bundles,
            &scale::seconds(summary.total_seconds),
            &scale::seconds(summary.geometric_mean_seconds),
            &scale::seconds(summary.cold_total_seconds),
            &peak
                .max()
                .map_or_else(String::new, |bytes| scale::bytes(bytes as f64)),
            &ratio(summary.over_first.map(|over| over.total)),
            &ratio(summary.over_first.map(|over| over.geometric_mean)),
        ]);
    }
    table
}

/// The ratios of plans whose results have rows and of the others, where there are both: an executor that ends early where
/// nothing can come of a plan shows it on the others alone.
fn by_results(run: &PlanRun) -> String {
    let [some, none] = [true, false].map(|has_rows| run.with_rows(has_rows));
    let [with, without] = [&some, &none].map(|run| run.arms[0].summary.bundles);
    if with == 0 || without == 0 {
        return String::new();
    }
    let mut table = Table::new(&[
        "executor",
        "#total : first, with rows",
        "#geometric mean : first",
        "#total : first, without",
        "#geometric mean : first",
    ]);
    for (a, b) in some.arms.iter().zip(&none.arms) {
        let over = [a, b].map(|arm| arm.summary.over_first);
        if let [Some(with), Some(without)] = over {
            table.row(&[
                &a.name,
                &scale::ratio(with.total),
                &scale::ratio(with.geometric_mean),
                &scale::ratio(without.total),
                &scale::ratio(without.geometric_mean),
            ]);
        }
    }
    format!(
        "<h3>{with} plans with result rows, {without} without</h3>\n{}",
        table.html()
    )
}

fn plans(run: &PlanRun) -> String {
    let engines: Vec<&Arm> = run
        .arms
        .iter()
        .filter(|arm| matches!(arm.kind, Kind::Executor | Kind::Peer))
        .collect();
    let names = engines.iter().map(|arm| format!("#{}", arm.name));
    let head: Vec<String> = ["plan", "#rows", "checksum"]
        .map(str::to_owned)
        .into_iter()
        .chain(names)
        .collect();
    let mut table = Table::new(&head);
    for (at, first) in run.arms[0].bundles.iter().enumerate() {
        let Some(first) = first else { continue };
        let times = engines.iter().map(|arm| {
            arm.bundles[at]
                .as_ref()
                .map_or_else(String::new, |measured| {
                    scale::interval(measured.seconds.scaled(1e3))
                })
        });
        let mut row = vec![
            Text::plain(&first.bundle),
            Text::plain(first.rows),
            Text::plain(first.checksum),
        ];
        row.extend(times.map(Text::plain));
        table.texts(row);
    }
    table.html()
}
