//! The tables of the page.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::charts::{scale, threads_text};
use crate::record::{Environment, JOIN, Run, Toggles};
use crate::stats::{self, Interval, Verdict};
use crate::summary::{Ablation, AgainstPeer, CellSummary, Summary};
use crate::table::{Table, Text};

/// Times over the fastest of each workload, all at their best number of threads. Medians alone: the intervals stand in the
/// charts and in [`results`].
pub fn overview(run: &Run, summary: &Summary) -> Table {
    let workloads = run.workloads.iter().filter(|w| w.group.is_none());
    let cells: Vec<(&str, Vec<&CellSummary>)> = workloads
        .map(|w| (&*w.name, summary.at_best(&w.name)))
        .filter(|(_, cells)| !cells.is_empty())
        .collect();
    let columns = cells.iter().map(|(workload, _)| format!("#{workload}"));
    let columns: Vec<String> = std::iter::once("variant".to_owned())
        .chain(columns)
        .collect();
    let mut table = Table::new(&columns);
    for variant in &run.variants {
        let times = cells.iter().map(|(_, cells)| {
            let own = cells.iter().find(|cell| cell.variant == variant.name)?;
            let ratio = own.seconds.median / cells[0].seconds.median;
            Some(match ratio == 1.0 {
                true => Text::bold_if(true, scale::seconds(own.seconds.median)),
                false => Text::plain(scale::times(ratio)),
            })
        });
        let times: Vec<Option<Text>> = times.collect();
        if times.iter().any(Option::is_some) {
            let mut row = vec![Text::plain(&variant.name)];
            row.extend(times.into_iter().map(Option::unwrap_or_default));
            table.texts(row);
        }
    }
    table
}

/// The fastest variant of each workload, and every engine's time over its, at the best setting and number of threads of
/// either. Bold: the fastest engine.
pub fn engines(summary: &Summary) -> Table {
    let engines: BTreeSet<&str> = summary.against_peers.iter().map(|a| &*a.engine).collect();
    let columns = [
        "workload",
        "fastest of ours",
        "#threads",
        "#time",
        "#over the limit",
    ];
    let of_engines = engines.iter().map(|engine| format!("#{engine}"));
    let columns: Vec<String> = columns
        .map(str::to_owned)
        .into_iter()
        .chain(of_engines)
        .collect();
    let mut table = Table::new(&columns);
    for fastest in &summary.fastest {
        let against: Vec<&AgainstPeer> = summary.against(&fastest.workload).collect();
        if against.is_empty() {
            continue;
        }
        let mut row = vec![
            Text::plain(&fastest.workload),
            Text::plain(fastest.name()),
            Text::plain(fastest.threads),
            Text::plain(scale::seconds(fastest.seconds.median)),
            Text::plain(fastest.limit_ratio.map_or_else(String::new, scale::times)),
        ];
        row.extend(engines.iter().map(|engine| {
            let found = against.iter().position(|against| against.engine == *engine);
            found.map_or_else(Text::default, |at| {
                let AgainstPeer {
                    peer,
                    peer_threads,
                    ratio,
                    ..
                } = against[at];
                let setting = &peer[engine.len()..];
                let with = threads_text(*peer_threads);
                Text::bold_if(
                    at == 0,
                    format!("{}, {with}{setting}", scale::ratio(*ratio)),
                )
            })
        }));
        table.texts(row);
    }
    table
}

/// Every cell of one workload in the default configuration.
pub fn results(summary: &Summary, workload: &str) -> String {
    let mut columns = vec![
        "variant",
        "#threads",
        "#time",
        "#95 % interval",
        "#M tuples/s",
        "#: limit",
        "#peak memory",
        "#table",
        "#samples",
    ];
    let of_workload = summary.results.iter().filter(|r| r.workload == workload);
    let counters: BTreeSet<&String> = of_workload
        .flat_map(|r| r.counters_per_tuple.keys())
        .collect();
    let names = counters
        .iter()
        .map(|name| format!("#{} per tuple", name.replace('_', " ")));
    let names: Vec<String> = names.collect();
    columns.extend(names.iter().map(String::as_str));
    columns.push("what it chose");
    let mut table = Table::new(&columns);
    let mut cells: Vec<&CellSummary> = summary
        .results
        .iter()
        .chain(&summary.peers)
        .filter(|r| r.workload == workload && r.toggles.is_empty())
        .collect();
    cells.sort_by(|a, b| {
        let threads = b.threads.cmp(&a.threads);
        threads.then(a.seconds.median.total_cmp(&b.seconds.median))
    });
    let bytes = |bytes: Option<u64>| bytes.map_or(String::new(), |b| scale::bytes(b as f64));
    for cell in cells {
        let counted = counters.iter().map(|name| {
            let value = cell.counters_per_tuple.get(*name);
            value.map_or(String::new(), |value| scale::short(*value))
        });
        let counted: Vec<String> = counted.collect();
        let [seconds, interval, rate, limit, peak, table_bytes] = [
            scale::seconds(cell.seconds.median),
            ends(cell.seconds, scale::seconds),
            scale::short(cell.tuples_per_second / 1e6),
            cell.limit_ratio.map_or(String::new(), scale::times),
            bytes(cell.peak_bytes),
            bytes(cell.table_bytes),
        ];
        let mut row: Vec<&dyn Display> = vec![
            &cell.variant,
            &cell.threads,
            &seconds,
            &interval,
            &rate,
            &limit,
            &peak,
            &table_bytes,
            &cell.samples,
        ];
        row.extend(counted.iter().map(|text| text as &dyn Display));
        let notes = cell.notes.join("; ");
        row.push(&notes);
        table.row(&row);
    }
    table.html()
}

/// Every effect at the most threads: a setting a row, a workload a column. Bold: beyond the noise.
pub fn ablations(run: &Run, summary: &Summary) -> Table {
    let most = summary.ablations.iter().map(|a| a.threads).max();
    let all = summary.ablations.iter().filter(|a| Some(a.threads) == most);
    let all: Vec<&Ablation> = all.collect();
    let names = run.workloads.iter().map(|w| w.name.as_str());
    let workloads: Vec<&str> = names
        .filter(|name| all.iter().any(|a| a.workload == *name))
        .collect();
    let mut settings: Vec<(&str, &str, &str)> = all
        .iter()
        .map(|a| (a.toggle.as_str(), a.setting.as_str(), a.variant.as_str()))
        .collect();
    settings.sort_unstable();
    settings.dedup();
    let mut columns = vec!["setting".to_owned(), "variant".to_owned()];
    columns.extend(workloads.iter().map(|w| format!("#{w}")));
    let mut table = Table::new(&columns);
    for key in settings {
        let (toggle, setting, variant) = key;
        let mut row = vec![
            Text::plain(format!("{toggle} = {setting}")),
            Text::plain(variant),
        ];
        row.extend(workloads.iter().map(|workload| {
            let mut own = all.iter().filter(|a| a.workload == *workload);
            let found = own.find(|a| (&*a.toggle, &*a.setting, &*a.variant) == key);
            found.map_or_else(Text::default, |a| {
                let floor = summary.noise_floor.of(workload, a.threads);
                let beyond = stats::verdict(a.ratio, floor) != Verdict::WithinNoise;
                Text::bold_if(beyond, scale::ratio(a.ratio))
            })
        }));
        table.texts(row);
    }
    table
}

/// Every control.
pub fn controls(summary: &Summary) -> Table {
    let mut table = Table::new(&[
        "workload",
        "variant",
        "#threads",
        "#A : A′ (95 %)",
        "#floor",
    ]);
    for c in &summary.noise_floor.controls {
        let (ratio, floor) = (scale::ratio(c.ratio), scale::percent(c.floor));
        table.row(&[&c.workload, &c.variant, &c.threads, &ratio, &floor]);
    }
    table
}

/// Every cell that failed.
pub fn failures(summary: &Summary) -> String {
    let mut table = Table::new(&[
        "workload", "variant", "setting", "#threads", "#times", "error",
    ]);
    for f in &summary.failures {
        let setting = setting(&f.toggles);
        table.row(&[
            &f.workload,
            &f.variant,
            &setting,
            &f.threads,
            &f.times,
            &f.error,
        ]);
    }
    table.html()
}

/// Workloads with their sizes and what they show.
pub fn workloads(run: &Run) -> String {
    let mut table = Table::new(&[
        "workload",
        "#build rows",
        "#probe rows",
        "#result rows",
        "keys",
        "what it shows",
    ]);
    for w in run.workloads.iter().filter(|w| w.experiment == JOIN) {
        table.row(&[
            &w.name,
            &w.build_rows,
            &w.probe_rows,
            &w.expected
                .map_or_else(String::new, |answer| answer.rows.to_string()),
            &w.key_type,
            &w.sentence,
        ]);
    }
    table.html()
}

/// Variants with what they are.
pub fn variants(run: &Run) -> String {
    let mut table = Table::new(&["variant", "family", "what it is"]);
    for v in &run.variants {
        table.row(&[&v.name, &v.family, &v.description]);
    }
    table.html()
}

/// The machine and the build.
pub fn environment(run: &Run) -> String {
    let mut table = machine(&run.run.environment);
    table.row(&[&"seed", &run.run.seed]);
    table.row(&[&"sizes", &run.run.size]);
    table.row(&[&"started", &run.run.started]);
    let finished = run.finished.as_deref().unwrap_or("interrupted");
    table.row(&[&"finished", &finished]);
    table.html()
}

/// The machine and the build.
pub fn machine(e: &Environment) -> Table {
    let caches: Vec<String> = e
        .caches
        .iter()
        .map(|c| format!("L{} {}", c.level, scale::bytes(c.bytes as f64)))
        .collect();
    let build = if e.optimised {
        "optimised"
    } else {
        "not optimised: times mean nothing"
    };
    let tree = if e.dirty {
        "with changes beside it"
    } else {
        "clean"
    };
    let mut table = Table::new(&["what", "value"]);
    table.row(&[&"processor", &format!("{}, {} cores", e.cpu, e.cores)]);
    table.row(&[&"caches", &caches.join(", ")]);
    table.row(&[&"memory", &scale::bytes(e.memory_bytes as f64)]);
    table.row(&[&"kernel", &e.kernel]);
    table.row(&[&"transparent huge pages", &e.huge_pages]);
    table.row(&[&"allocator", &e.allocator]);
    table.row(&[&"compiler", &e.rustc]);
    table.row(&[&"profile", &format!("{} ({build})", e.profile)]);
    table.row(&[&"revision", &format!("{} ({tree})", e.commit)]);
    table.row(&[&"harness", &e.harness_version]);
    table.row(&[&"hardware counters", &e.counters]);
    table
}

/// What the memory can do.
pub fn limits(run: &Run) -> String {
    let mut table = Table::new(&["limit", "#threads", "#array", "huge pages", "#per second"]);
    for l in &run.limits {
        let value = if l.what.contains("bytes") {
            scale::bytes(l.value)
        } else {
            format!("{} M", scale::short(l.value / 1e6))
        };
        let what = l.what.replace("_per_second", "").replace('_', " ");
        let pages = if l.huge_pages { "yes" } else { "no" };
        table.row(&[
            &what,
            &l.threads,
            &scale::bytes(l.array_bytes as f64),
            &pages,
            &value,
        ]);
    }
    table.html()
}

/// The ends of an interval, where there is one.
fn ends(interval: Interval, unit: fn(f64) -> String) -> String {
    if !interval.is_wide() {
        return "none".to_owned();
    }
    format!("{} … {}", unit(interval.low), unit(interval.high))
}

fn setting(toggles: &Toggles) -> String {
    let settings: Vec<String> = toggles.iter().map(|(t, s)| format!("{t} = {s}")).collect();
    settings.join(", ")
}
