//! Whole plans: their part of a run's page.

use std::fmt::Display;

use crate::charts::scale;
use crate::plans::{Arm, ArmSummary, Kind, Measured, PlanRun};
use crate::stats::Interval;
use crate::table::{Table, Text};

/// What the numbers of plans are.
pub(super) const INTRODUCTION: &str = "<p>Plans of scans and joins over paged tables, to a paged result; a peer makes a table of its own in memory. Each \
     execution starts from the tables: nothing that was read or built is kept, but memory is. All take turns on a plan; a \
     turn begins with executions of at least 10 ms that do not count. Answers (rows and checksum) are equal, or stand \
     below as failures.</p>";

/// What the numbers of plans are that were executed once in a process.
pub(super) const ONCE: &str = "<p>Each plan once in a process, one plan after the other. A round has a fresh process of each executor and peer, in an \
     order of its own; the order of the plans is the same in all processes of a round. Our processes open all bundles before \
     their first execution, and what else they do before it stands among the findings. Nothing of that is in a time, nor is the \
     checking of an answer between two executions. A peer loads a plan's tables right before it executes the plan, which is in \
     no time either; so they may still lie in its caches. A total is the sum over the plans.</p>";

/// What the numbers of queries are.
pub(super) const QUERIES: &str = "<p>SQL over the same tables, in an engine with its own joins and with others in their place. A time is from the text of \
     a query to its last row, planning included. Answers are alike, or stand below as failures: rows in any order, \
     floating-point numbers to nine digits. These are not results of a benchmark as its owner defines it.</p>";

/// All engines, and every query.
pub(super) fn query_tables(run: &PlanRun) -> String {
    format!(
        "<h3>All queries together</h3>\n{}<details><summary>Every query: medians in ms with 95 % intervals</summary>\n{}\
         </details>\n",
        arms(run).html(),
        plans(run, None)
    )
}

/// All arms, and every plan.
pub(super) fn tables(run: &PlanRun) -> String {
    all_tables(run, &arms(run), &plans(run, None))
}

/// All arms, and every plan, each once and then warm.
pub(super) fn once_tables(run: &PlanRun, warm: Option<&PlanRun>) -> String {
    all_tables(run, &once_arms(run, warm), &plans(run, warm))
}

fn all_tables(run: &PlanRun, arms: &Table, plans: &str) -> String {
    format!(
        "<h3>All plans together</h3>\n{}{}<details><summary>Every plan: medians in ms with 95 % intervals</summary>\n{plans}\
         </details>\n",
        arms.html(),
        by_results(run),
    )
}

/// All arms, each over the plans that it has: each once, and warm beside it.
pub(crate) fn once_arms(run: &PlanRun, warm: Option<&PlanRun>) -> Table {
    let mut table = Table::new(&[
        "executor",
        "#plans",
        "#total, once",
        "#geometric mean",
        "#total : first",
        "#geometric mean : first",
        "#total, warm",
        "#geometric mean",
        "#total : first",
        "#geometric mean : first",
        "#peak",
    ]);
    for arm in &run.arms {
        let measured = warm.and_then(|warm| warm.arm(&arm.name));
        let [once, warm] = [Some(arm), measured].map(|arm| sums(arm.map(|arm| &arm.summary)));
        let (plans, peak) = (arm.summary.bundles, peak(arm));
        let mut row: Vec<&dyn Display> = vec![&arm.name, &plans];
        row.extend(once.iter().chain(&warm).map(|text| text as &dyn Display));
        row.push(&peak);
        table.row(&row);
    }
    table
}

/// Total and geometric mean, and both against the first arm; nothing of one that was not measured.
fn sums(summary: Option<&ArmSummary>) -> [String; 4] {
    let summary = summary.filter(|summary| summary.bundles > 0);
    let over = summary.and_then(|summary| summary.over_first);
    let seconds = |of: fn(&ArmSummary) -> f64| {
        summary.map_or_else(String::new, |summary| scale::seconds(of(summary)))
    };
    [
        seconds(|summary| summary.total_seconds),
        seconds(|summary| summary.geometric_mean_seconds),
        ratio(over.map(|over| over.total)),
        ratio(over.map(|over| over.geometric_mean)),
    ]
}

fn ratio(of: Option<Interval>) -> String {
    of.map_or_else(String::new, scale::ratio)
}

/// The most memory that an execution of any plan held.
fn peak(arm: &Arm) -> String {
    let measured = arm.bundles.iter().flatten();
    let peaks = measured.filter_map(|measured| measured.peak_bytes);
    let peak = peaks.max();
    peak.map_or_else(String::new, |bytes| scale::bytes(bytes as f64))
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
        table.row(&[
            &arm.name,
            &summary.bundles,
            &scale::seconds(summary.total_seconds),
            &scale::seconds(summary.geometric_mean_seconds),
            &scale::seconds(summary.cold_total_seconds),
            &peak(arm),
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

/// Every plan with the time of every engine, and its warm one where that stands beside.
fn plans(run: &PlanRun, warm: Option<&PlanRun>) -> String {
    let engines: Vec<&Arm> = run
        .arms
        .iter()
        .filter(|arm| matches!(arm.kind, Kind::Executor | Kind::Peer))
        .collect();
    let beside = |arm: &Arm| warm.and_then(|warm| warm.arm(&arm.name));
    let names = engines.iter().flat_map(|arm| {
        let warm = beside(arm).map(|_| format!("#{}, warm", arm.name));
        [format!("#{}", arm.name)].into_iter().chain(warm)
    });
    let head: Vec<String> = ["plan", "#rows", "checksum"]
        .map(str::to_owned)
        .into_iter()
        .chain(names)
        .collect();
    let mut table = Table::new(&head);
    for (at, first) in run.arms[0].bundles.iter().enumerate() {
        let Some(first) = first else { continue };
        let time = |measured: Option<&Measured>| {
            measured.map_or_else(String::new, |measured| {
                scale::interval(measured.seconds.scaled(1e3))
            })
        };
        let times = engines.iter().flat_map(|arm| {
            let warm = beside(arm).map(|warm| time(warm.measured(&first.bundle)));
            [time(arm.bundles[at].as_ref())].into_iter().chain(warm)
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
