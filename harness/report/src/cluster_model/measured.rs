//! What queries took, and sent, in one process and on workers.

use std::fmt;

use super::Moved;
use crate::record::Run;
use crate::stats::median;
use crate::table::Table;

/// What a stage sent to the next one, between processes.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSent {
    /// Its number, as plans show it.
    pub stage: usize,
    /// How many tasks it was divided into.
    pub tasks: usize,
    /// Bytes, as they were encoded.
    pub bytes: usize,
    /// `shuffled`, `broadcast` or `gathered`.
    pub way: String,
    /// What receiving and decoding them took, in all processes together.
    pub ms: f64,
}

/// As a sample notes it.
impl fmt::Display for StageSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            tasks,
            bytes,
            way,
            ms,
        } = self;
        write!(
            f,
            "stage {stage} of {tasks} tasks: {bytes} bytes {way}, received in {ms:.3} ms"
        )
    }
}

impl StageSent {
    /// What a sample's note says, if it is one of these.
    pub fn of(note: &str) -> Option<Self> {
        let (stage, rest) = note.strip_prefix("stage ")?.split_once(" of ")?;
        let (tasks, rest) = rest.split_once(" tasks: ")?;
        let (bytes, rest) = rest.split_once(" bytes ")?;
        let (way, rest) = rest.split_once(", received in ")?;
        Some(Self {
            stage: stage.parse().ok()?,
            tasks: tasks.parse().ok()?,
            bytes: bytes.parse().ok()?,
            way: way.to_owned(),
            ms: rest.strip_suffix(" ms")?.parse().ok()?,
        })
    }
}

/// Whose joins: DataFusion's, and those in their place.
const ENGINES: [&str; 2] = ["datafusion", "datafusion+joinery/streaming"];

/// A row for each query of a run, and one for all: the time in one process, what others take of it, and the bytes that go
/// between workers, without and with filters before the shuffle. `None` where none of it ran on workers.
pub fn table(run: &Run) -> Option<Table> {
    let clusters = clusters(run);
    if clusters.is_empty() {
        return None;
    }
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
        row(&mut table, short(&query.name), &seconds, &bytes);
    }
    row(&mut table, "all", &all.0, &all.1);
    Some(table)
}

/// The stages of a run's queries that sent the most on its largest number of workers, at the medians of their samples; `None`
/// where none ran on workers.
pub fn stages(run: &Run) -> Option<Table> {
    const SHOWN: usize = 10;
    let workers = *clusters(run).last()?;
    let name = on(ENGINES[1], workers);
    let mut all = Vec::new();
    for query in &run.workloads {
        let samples = run.samples.iter();
        let samples = samples.filter(|s| s.workload == query.name && s.variant == name);
        let notes = samples.flat_map(|sample| &sample.notes);
        let sent: Vec<StageSent> = notes.filter_map(|note| StageSent::of(note)).collect();
        let last = sent.iter().map(|sent| sent.stage).max().unwrap_or(0);
        let seconds = seconds(run, &query.name, &name).unwrap_or(0.0);
        for stage in 1..=last {
            let of_it = || sent.iter().filter(|sent| sent.stage == stage);
            let figure = |of: fn(&StageSent) -> f64| median(&of_it().map(of).collect::<Vec<_>>());
            if let (Some(bytes), Some(ms), Some(first)) = (
                figure(|sent| sent.bytes as f64),
                figure(|sent| sent.ms),
                of_it().next(),
            ) {
                all.push((bytes, ms, seconds, first.clone(), short(&query.name)));
            }
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut table = Table::new(&[
        "query",
        "#stage",
        "",
        "#MB",
        "#received in, ms",
        "#query, ms",
    ]);
    for (bytes, ms, seconds, sent, query) in all.into_iter().take(SHOWN) {
        table.row(&[
            &query,
            &sent.stage,
            &sent.way,
            &format!("{:.1}", bytes / 1e6),
            &format!("{ms:.0}"),
            &format!("{:.0}", seconds * 1e3),
        ]);
    }
    Some(table)
}

/// The numbers of workers of a run, from few to many.
fn clusters(run: &Run) -> Vec<u32> {
    let named = run.variants.iter().filter_map(|variant| {
        let workers = variant.name.strip_prefix(ENGINES[0])?.strip_prefix('/')?;
        workers.strip_suffix("-workers")?.parse::<u32>().ok()
    });
    let mut clusters: Vec<u32> = named.collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters
}

/// What records call an engine on so many workers.
fn on(engine: &str, workers: u32) -> String {
    match workers {
        0 => engine.to_owned(),
        workers => format!("{engine}/{workers}-workers"),
    }
}

/// The query without its suite.
fn short(query: &str) -> &str {
    query.rsplit('/').next().unwrap_or(query)
}

/// What it costs to divide queries among processes of one machine, which have its cores in common, by what they did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overhead {
    /// Seconds a task.
    pub task: f64,
    /// Seconds a byte between processes.
    pub byte: f64,
}

impl Overhead {
    /// What DataFusion's queries took on so many workers beyond their time in one process, as tasks and bytes explain it best
    /// (least squares). `None` where there are no two queries that differ in both.
    pub fn of(run: &Run, workers: u32) -> Option<Self> {
        let figures = run.workloads.iter();
        let figures = figures.filter_map(|query| Divided::of(run, &query.name, workers));
        let figures: Vec<Divided> = figures.collect();
        let sum = |of: &dyn Fn(&Divided) -> f64| -> f64 { figures.iter().map(of).sum() };
        let (tasks, both) = (sum(&|f| f.tasks * f.tasks), sum(&|f| f.tasks * f.bytes));
        let bytes = sum(&|f| f.bytes * f.bytes);
        let [by_task, by_byte] = [sum(&|f| f.tasks * f.beyond), sum(&|f| f.bytes * f.beyond)];
        let determinant = tasks * bytes - both * both;
        (determinant > 0.0).then(|| Self {
            task: (by_task * bytes - by_byte * both) / determinant,
            byte: (by_byte * tasks - by_task * both) / determinant,
        })
    }

    /// Seconds of so many tasks and bytes.
    pub fn seconds(&self, tasks: f64, bytes: f64) -> f64 {
        self.task * tasks + self.byte * bytes
    }
}

/// A query that was divided among workers, at the medians of its samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divided {
    /// Of all stages.
    pub tasks: f64,
    /// Between processes.
    pub bytes: f64,
    /// Seconds beyond the time in one process.
    pub beyond: f64,
}

impl Divided {
    /// Of DataFusion's samples.
    pub fn of(run: &Run, query: &str, workers: u32) -> Option<Self> {
        let name = on(ENGINES[0], workers);
        let mut samples = run.samples.iter();
        let sample = samples.find(|s| s.workload == query && s.variant == name)?;
        let stages = sample.notes.iter().filter_map(|note| StageSent::of(note));
        Some(Self {
            tasks: stages.map(|sent| sent.tasks as f64).sum(),
            bytes: Moved::measured(run, query, &name)?.all(),
            beyond: seconds(run, query, &name)? - seconds(run, query, ENGINES[0])?,
        })
    }
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
