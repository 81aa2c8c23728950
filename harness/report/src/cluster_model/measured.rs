//! What queries took, and sent, in one process and on workers.

use super::Moved;
use crate::record::Run;
use crate::stats::median;
use crate::table::Table;

/// Whose joins: DataFusion's, and those in their place.
const ENGINES: [&str; 2] = ["datafusion", "datafusion+joinery/streaming"];

/// A row for each query of a run, and one for all: the time in one process, what others take of it, and the bytes that go
/// between workers, without and with filters before the shuffle. `None` where none of it ran on workers.
pub fn table(run: &Run) -> Option<Table> {
    let named = run.variants.iter().filter_map(|variant| {
        let workers = variant.name.strip_prefix(ENGINES[0])?.strip_prefix('/')?;
        workers.strip_suffix("-workers")?.parse::<u32>().ok()
    });
    let mut clusters: Vec<u32> = named.collect();
    clusters.sort_unstable();
    clusters.dedup();
    if clusters.is_empty() {
        return None;
    }
    let on = |engine: &str, workers: u32| match workers {
        0 => engine.to_owned(),
        workers => format!("{engine}/{workers}-workers"),
    };
    let everywhere = || std::iter::once(0).chain(clusters.iter().copied());
    let timed: Vec<String> = ENGINES
        .iter()
        .flat_map(|engine| everywhere().map(|workers| on(engine, workers)))
        .collect();
    let sent: Vec<String> = clusters
        .iter()
        .flat_map(|&workers| {
            let ours = on(ENGINES[1], workers);
            [ours.clone(), format!("{ours}/filters")]
        })
        .collect();

    let mut columns = vec!["query".to_owned(), "#DataFusion, ms".to_owned()];
    columns.extend(
        clusters
            .iter()
            .map(|workers| format!("#on {workers} workers")),
    );
    columns.push("#Joinery".to_owned());
    columns.extend(
        clusters
            .iter()
            .map(|workers| format!("#on {workers} workers")),
    );
    columns.extend(
        clusters
            .iter()
            .flat_map(|workers| [format!("#MB between {workers}"), "#with filters".to_owned()]),
    );
    let mut table = Table::new(&columns);
    let mut all = (vec![Some(0.0); timed.len()], vec![Some(0.0); sent.len()]);
    for query in &run.workloads {
        let seconds = timed.iter().map(|name| seconds(run, &query.name, name));
        let seconds: Vec<Option<f64>> = seconds.collect();
        let bytes = sent.iter().map(|name| {
            let moved = Moved::measured(run, &query.name, name)?;
            Some(moved.all())
        });
        let bytes: Vec<Option<f64>> = bytes.collect();
        add(&mut all.0, &seconds);
        add(&mut all.1, &bytes);
        let name = query.name.rsplit('/').next().unwrap_or(&query.name);
        row(&mut table, name, &seconds, &bytes);
    }
    row(&mut table, "all", &all.0, &all.1);
    Some(table)
}

/// The median of a query's samples.
fn seconds(run: &Run, query: &str, variant: &str) -> Option<f64> {
    let samples = run.samples.iter();
    let samples = samples.filter(|s| s.workload == query && s.variant == variant);
    median(&samples.map(|sample| sample.seconds).collect::<Vec<_>>())
}

fn add(all: &mut [Option<f64>], each: &[Option<f64>]) {
    for (sum, value) in all.iter_mut().zip(each) {
        *sum = sum.zip(*value).map(|(sum, value)| sum + value);
    }
}

fn row(table: &mut Table, name: &str, seconds: &[Option<f64>], bytes: &[Option<f64>]) {
    let missing = || "–".to_owned();
    let mut cells = vec![name.to_owned()];
    let first = seconds[0];
    cells.push(first.map_or_else(missing, |seconds| format!("{:.0}", seconds * 1e3)));
    cells.extend(seconds[1..].iter().map(|seconds| {
        let ratio = seconds.zip(first).map(|(seconds, first)| seconds / first);
        ratio.map_or_else(missing, |ratio| format!("×{ratio:.2}"))
    }));
    cells.extend(
        bytes
            .iter()
            .map(|bytes| bytes.map_or_else(missing, |bytes| format!("{:.1}", bytes / 1e6))),
    );
    let cells: Vec<&dyn std::fmt::Display> = cells.iter().map(|cell| cell as _).collect();
    table.row(&cells);
}
