//! `sql run --profile`: where the processor time of queries goes, and how much memory they take. A query has a process of its own
//! for each session, so that nothing of what others have left in memory counts for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use harness::machine::system::{Start, Watch};
use harness::peers::{Fault, Process};
use harness::verbs::Ending;
use report::stats::median;
use report::table::Table;
use serde::{Deserialize, Serialize};

use crate::session::Setting;
use crate::suite::Query;

/// What operators are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    Joins,
    Repartitioning,
    Coalescing,
    Scans,
    Filters,
    Projections,
    Aggregates,
    Sorting,
    Others,
}

impl Class {
    /// All of them, with what they are called.
    const ALL: [(Self, &str); 9] = [
        (Self::Joins, "joins"),
        (Self::Repartitioning, "repartitioning"),
        (Self::Coalescing, "coalescing"),
        (Self::Scans, "scans"),
        (Self::Filters, "filters"),
        (Self::Projections, "projections"),
        (Self::Aggregates, "aggregates"),
        (Self::Sorting, "sorting"),
        (Self::Others, "others"),
    ];

    /// That of an operator of this name.
    fn of(operator: &str) -> Self {
        match operator {
            "JoineryExec" | "JoineryTreeExec" => Self::Joins,
            "RepartitionExec" => Self::Repartitioning,
            "CoalescePartitionsExec" | "CoalesceBatchesExec" | "SortPreservingMergeExec" => {
                Self::Coalescing
            }
            "DataSourceExec" => Self::Scans,
            "FilterExec" => Self::Filters,
            "ProjectionExec" => Self::Projections,
            "AggregateExec" => Self::Aggregates,
            "SortExec" | "PartialSortExec" => Self::Sorting,
            join if join.ends_with("JoinExec") => Self::Joins,
            _ => Self::Others,
        }
    }

    /// Whether an engine's joins decide how much of it there is.
    fn is_for_joins(self) -> bool {
        matches!(self, Self::Joins | Self::Repartitioning | Self::Coalescing)
    }
}

/// What one execution of a query took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Processor time of the process, planning included, in seconds.
    cpu_seconds: f64,
    /// Resident bytes at most, beyond those that there were before; none where the system does not tell.
    peak_bytes: Option<u64>,
    /// Seconds by the operators' own clocks.
    operators: BTreeMap<Class, f64>,
}

impl Profile {
    /// Processor time that no operator counts but those for joins, in seconds: finding and gathering rows on whichever threads,
    /// repartitioning, coalescing, and what the runtime takes.
    fn of_joins(&self) -> f64 {
        let others = self.operators.iter();
        let others = others.filter(|(class, _)| !class.is_for_joins());
        self.cpu_seconds - others.map(|(_, seconds)| seconds).sum::<f64>()
    }

    /// The medians of several.
    fn median(all: &[Self]) -> Self {
        let of = |value: &dyn Fn(&Self) -> f64| {
            median(&all.iter().map(value).collect::<Vec<_>>()).unwrap_or_default()
        };
        let operators = Class::ALL.iter().map(|&(class, _)| {
            let seconds = |profile: &Self| profile.operators.get(&class).copied();
            (class, of(&|profile| seconds(profile).unwrap_or_default()))
        });
        Self {
            cpu_seconds: of(&|profile| profile.cpu_seconds),
            peak_bytes: all.iter().find_map(|profile| profile.peak_bytes),
            operators: operators.collect(),
        }
    }
}

/// Measures an execution in this process.
pub(crate) struct Meter {
    watch: Watch,
    start: Start,
    resident: Option<u64>,
}

impl Meter {
    /// To be called before it.
    pub(crate) fn start() -> Self {
        // What loading took at most does not count; where it cannot be forgotten it is told as if it did.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let mut watch = Watch::own();
        Self {
            start: watch.start(),
            watch,
            resident: status("VmRSS"),
        }
    }

    /// To be called after it.
    pub(crate) fn stop(mut self, plan: &Arc<dyn ExecutionPlan>) -> Profile {
        let used = self.watch.since(&self.start);
        let peak = status("VmHWM").zip(self.resident);
        let mut operators = BTreeMap::new();
        add(plan, &mut operators);
        Profile {
            cpu_seconds: used.cpu_seconds,
            peak_bytes: peak.map(|(peak, before)| peak.saturating_sub(before)),
            operators,
        }
    }
}

/// Adds what the operators of a plan have counted.
fn add(plan: &Arc<dyn ExecutionPlan>, operators: &mut BTreeMap<Class, f64>) {
    if let Some(metrics) = plan.metrics() {
        let named = |name| metrics.sum_by_name(name).map_or(0, |time| time.as_usize());
        let class = Class::of(plan.name());
        // What these two do is timed by other names.
        let nanoseconds = metrics.elapsed_compute().unwrap_or_default()
            + match class {
                Class::Repartitioning => named("repartition_time"),
                Class::Scans => named("time_elapsed_processing"),
                _ => 0,
            };
        *operators.entry(class).or_default() += nanoseconds as f64 / 1e9;
    }
    for child in plan.children() {
        add(child, operators);
    }
}

/// A field of this process' status, in bytes.
fn status(field: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib = line.strip_prefix(':')?.trim().strip_suffix("kB")?.trim();
    Some(kib.parse::<u64>().ok()? << 10)
}

/// How queries are executed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Executions {
    /// After a first one.
    pub(crate) samples: u32,
    pub(crate) threads: u32,
    /// What loading all tables may take, or one of them.
    pub(crate) limit: Duration,
}

/// A query in a session.
struct Row {
    query: String,
    session: usize,
    seconds: f64,
    profile: Profile,
}

/// Executes each query in each session, first once for the memory that it takes, then as often as is asked for; `server` starts the
/// process of a session. Prints the table, and returns it as CSV.
///
/// # Errors
///
/// If a query fails or is answered differently: at the end, in one line for each.
pub(crate) fn run(
    queries: &[Query],
    settings: &[Setting],
    executions: Executions,
    server: impl Fn() -> Command,
    interrupted: &AtomicBool,
) -> Result<String, Ending> {
    let mut rows: Vec<Row> = Vec::new();
    let mut failures = Vec::new();
    for query in queries {
        let mut expected = None;
        for (session, setting) in settings.iter().enumerate() {
            let measured = measure((&query.text, session), executions, &server, interrupted);
            let (answer, seconds, profile) = match measured {
                Ok(measured) => measured,
                Err(Fault::Interrupted) => {
                    return Err(Ending::Interrupted("interrupted".to_owned()));
                }
                Err(Fault::Failed(error)) => {
                    failures.push(format!("{}, {}: {error}", query.name, setting.name()));
                    continue;
                }
            };
            if *expected.get_or_insert(answer) != answer {
                let name = setting.name();
                failures.push(format!("{}, {name}: another answer", query.name));
            }
            let mib = profile.peak_bytes.map_or(f64::NAN, mib);
            println!(
                "{:<8} {:<28} {:>9.2} ms  {:>9.2} ms of processors, {:>9.2} for joins  {mib:>8.1} MiB",
                query.name,
                setting.name(),
                seconds * 1e3,
                profile.cpu_seconds * 1e3,
                profile.of_joins() * 1e3,
            );
            rows.push(Row {
                query: query.name.clone(),
                session,
                seconds,
                profile,
            });
        }
    }
    println!("{}", table(&rows, settings).markdown());
    match failures.is_empty() {
        true => Ok(csv(&rows, settings)),
        false => Err(Ending::Wrong(failures.join("\n"))),
    }
}

/// The answer's rows and checksum, the median time, and the profile.
type Measured = ((u64, u64), f64, Profile);

fn measure(
    (query, session): (&str, usize),
    executions: Executions,
    server: &impl Fn() -> Command,
    interrupted: &AtomicBool,
) -> Result<Measured, Fault> {
    let mut process = Process::start(server()).map_err(Fault::Failed)?;
    // The server has been told its tables already.
    let Executions {
        samples,
        threads,
        limit,
    } = executions;
    process.load_tables(threads, &BTreeMap::new(), true, limit, interrupted)?;
    let mut execute = || {
        let answered = process.query((query, Some(session)), None, limit, interrupted)?;
        let profile = answered
            .notes
            .first()
            .map(|note| serde_json::from_str(note));
        match profile {
            Some(Ok(profile)) => Ok((answered.rows, answered.checksum, answered.seconds, profile)),
            _ => Err(Fault::Failed("its profile does not come".to_owned())),
        }
    };
    let (rows, checksum, _, first): (_, _, _, Profile) = execute()?;
    let mut seconds = Vec::new();
    let mut profiles = Vec::new();
    for _ in 0..samples {
        let (_, _, time, profile) = execute()?;
        seconds.push(time);
        profiles.push(profile);
    }
    let profile = Profile {
        peak_bytes: first.peak_bytes,
        ..Profile::median(&profiles)
    };
    let checksum = checksum.map_or(0, |checksum| checksum.0);
    let seconds = median(&seconds).unwrap_or_default();
    Ok(((rows, checksum), seconds, profile))
}

/// Totals of sessions over the queries that all of them have answered, and their ratios to those of the first one.
fn table(rows: &[Row], settings: &[Setting]) -> Table {
    let answered = |row: &&Row| {
        let of_query = rows.iter().filter(|other| other.query == row.query);
        of_query.count() == settings.len()
    };
    let rows: Vec<&Row> = rows.iter().filter(answered).collect();
    let names = settings.iter().map(Setting::name);
    let mut table = Table::new(&["".to_owned()].into_iter().chain(names).collect::<Vec<_>>());
    let mut line = |name: &str, told: &dyn Fn(usize) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend((0..settings.len()).map(told));
        table.row(&cells.iter().map(|cell| cell as _).collect::<Vec<_>>());
    };
    let mut seconds = |name: &str, of: &dyn Fn(&Row) -> f64| {
        let total = |session| {
            let own = rows.iter().filter(|row| row.session == session);
            own.map(|row| of(row)).sum::<f64>()
        };
        line(name, &|session| {
            let (own, stock) = (total(session), total(0));
            match stock == 0.0 {
                true => format!("{own:.3} s"),
                false => format!("{own:.3} s (×{:.2})", own / stock),
            }
        });
    };
    seconds("time", &|row| row.seconds);
    seconds("processors", &|row| row.profile.cpu_seconds);
    seconds("of which no other operator counts", &|row| {
        row.profile.of_joins()
    });
    for (class, name) in Class::ALL {
        let name = match class.is_for_joins() {
            true => format!("{name}, by their clocks"),
            false => name.to_owned(),
        };
        seconds(&name, &|row| {
            row.profile
                .operators
                .get(&class)
                .copied()
                .unwrap_or_default()
        });
    }
    line("peak memory, geometric mean of ratios", &|session| {
        let peak = |row: &&Row| row.profile.peak_bytes.map(mib);
        let of = |session| rows.iter().filter(move |row| row.session == session);
        let ratios = of(session).zip(of(0));
        let logs = ratios.filter_map(|(own, stock)| Some((peak(own)? / peak(stock)?).ln()));
        let logs: Vec<f64> = logs.filter(|log| log.is_finite()).collect();
        format!(
            "×{:.2}",
            (logs.iter().sum::<f64>() / logs.len() as f64).exp()
        )
    });
    table
}

fn csv(rows: &[Row], settings: &[Setting]) -> String {
    let mut csv =
        String::from("query,contender,without,seconds,cpu_seconds,of_joins_seconds,peak_bytes");
    for (_, name) in Class::ALL {
        let _ = write!(csv, ",{name}");
    }
    csv.push('\n');
    for row in rows {
        let setting = &settings[row.session];
        let profile = &row.profile;
        let peak = profile.peak_bytes.map(|bytes| bytes.to_string());
        let _ = write!(
            csv,
            "{},{},{},{},{},{},{}",
            row.query,
            setting.name(),
            setting.without().collect::<Vec<_>>().join(" "),
            row.seconds,
            profile.cpu_seconds,
            profile.of_joins(),
            peak.unwrap_or_default(),
        );
        for (class, _) in Class::ALL {
            let seconds = profile.operators.get(&class).copied();
            let _ = write!(csv, ",{}", seconds.unwrap_or_default());
        }
        csv.push('\n');
    }
    csv
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(cpu_seconds: f64, operators: &[(Class, f64)]) -> Profile {
        Profile {
            cpu_seconds,
            peak_bytes: Some(1),
            operators: operators.iter().copied().collect(),
        }
    }

    #[test]
    fn joins_are_charged_with_what_no_other_operator_counts() {
        let clocks = [
            (Class::Scans, 0.5),
            (Class::Joins, 9.0),
            (Class::Sorting, 0.25),
        ];
        assert_eq!(profile(2.0, &clocks).of_joins(), 1.25);
    }

    #[test]
    fn operators_have_classes() {
        for (operator, class) in [
            ("HashJoinExec", Class::Joins),
            ("NestedLoopJoinExec", Class::Joins),
            ("JoineryTreeExec", Class::Joins),
            ("RepartitionExec", Class::Repartitioning),
            ("CoalescePartitionsExec", Class::Coalescing),
            ("CooperativeExec", Class::Others),
        ] {
            assert_eq!(Class::of(operator), class, "{operator}");
        }
    }

    #[test]
    fn a_class_that_an_execution_lacks_counts_as_nothing() {
        let all = [
            profile(1.0, &[(Class::Scans, 3.0)]),
            profile(2.0, &[]),
            profile(4.0, &[]),
        ];
        let median = Profile::median(&all);
        assert_eq!(
            (median.cpu_seconds, median.operators[&Class::Scans]),
            (2.0, 0.0)
        );
    }
}
