//! `harness sql run`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use datafusion::common::DataFusionError;
use harness::experiment::folder::Asked;
use harness::experiment::{Budget, Progress, Runner, Stop, session};
use harness::machine::{self, limits};
use harness::peers::Found;
use harness::size::Size as Bytes;
use harness::verbs::{Ending, interrupt_flag};
use joinery_datafusion::{Mode, Without};
use joinery_tpch::Benchmark;
use report::plans::{PlanRun, ordered_name};
use report::record::{Run, SQL, Size, VariantRecord, WorkloadRecord, read_run};
use report::stats::median;

use crate::bench::{LIMIT, Queries};
use crate::orders::permuted;
use crate::profile::{self, Executions};
use crate::query::cores;
use crate::session::{Joins, Setting, runtime};
use crate::suite::{Files, Query, Suite};
use crate::workers::{Workers, said};

/// The verb by which a run starts the process that has its sessions, with its own arguments.
pub(crate) const SERVE: &str = "__serve";

/// Arguments of `sql run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// tpch, ssb, or a folder of Parquet and CSV files with its queries in queries/*.sql
    pub suite: String,
    /// The scale of tpch and ssb: 1 is 1 GB as text of tpch
    #[arg(long, default_value_t = 1.0, value_name = "SCALE")]
    pub scale: f64,
    /// Modes of Joinery that take part [default: tree,join,streaming; on workers streaming]
    #[arg(long, value_delimiter = ',', value_name = "MODE")]
    pub modes: Option<Vec<Mode>>,
    /// Measure trees without each of these techniques, too [default: all of them]
    #[arg(long, num_args = 0.., value_delimiter = ',', value_name = "TECHNIQUE")]
    pub ablate: Option<Vec<String>>,
    /// Other engines that take part, such as duckdb
    #[arg(long, value_delimiter = ',', value_name = "PEER")]
    pub peers: Vec<String>,
    /// Read Parquet and CSV files in each query instead of holding tables in memory, as workers always do
    #[arg(long)]
    pub parquet: bool,
    /// Folder that tpch or ssb is written to once, for peers and --parquet [default: one among the files that are built]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Measure each query in so many random orders of its FROM, and without what is known of columns: how much do times depend
    /// on estimates?
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        conflicts_with_all = ["parquet", "workers"]
    )]
    pub orders: u32,
    /// Only these queries, by number or name
    #[arg(long, value_delimiter = ',', value_name = "1,9,21")]
    pub queries: Vec<String>,
    /// Threads of this process; workers have their own [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub workers: Workers,
    /// Numbers of workers that are compared, the first so many of --workers; 0 is this process without any
    /// [default: all of them]
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "0,2,4",
        requires = "workers"
    )]
    pub clusters: Vec<usize>,
    /// Measure workers with semi-join filters before shuffles, too
    #[arg(long, requires = "workers")]
    pub filters: bool,
    /// Bytes that queries may reserve, such as 512M or 8G
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
    /// Seconds that loading all tables may take, or answering a query, after which an engine is stopped and has failed
    /// [default: 600, or what a peer's description says]
    #[arg(long, value_name = "SECONDS")]
    pub limit: Option<NonZeroU32>,
    /// Instead of rounds, measure each query in processes of its own: processor time, by operators as well, and peak memory. With
    /// --out, profile.csv is written there
    #[arg(
        long,
        conflicts_with_all = ["peers", "orders", "workers", "resume", "seed"]
    )]
    pub profile: bool,
    /// Samples a query, after a first cold run
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub samples: u32,
    /// Folder of the report [default: reports/ and the time]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run of the same command line
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Seed of the order of measurements
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Measure in an unoptimised build
    #[arg(long)]
    pub allow_unoptimised: bool,
}

impl Args {
    pub(crate) fn suite(&self) -> Result<Suite, Ending> {
        let mut benchmarks = Benchmark::ALL.into_iter();
        match benchmarks.find(|benchmark| benchmark.name() == self.suite) {
            None => Ok(Suite::Folder((&self.suite).into())),
            Some(benchmark) if self.scale > 0.0 && self.scale.is_finite() => {
                Ok(Suite::Made(benchmark, self.scale))
            }
            Some(_) => Err(Ending::Usage(format!(
                "--scale {}: give a number above 0",
                self.scale
            ))),
        }
    }

    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or_else(cores)
    }

    /// Bytes.
    pub(crate) fn memory(&self) -> Option<usize> {
        self.memory.map(|Bytes(bytes)| bytes as usize)
    }

    fn limit(&self) -> Option<Duration> {
        let seconds = self.limit.map(|seconds| seconds.get().into());
        seconds.map(Duration::from_secs)
    }

    /// The tables as files, where anybody asks for them.
    pub(crate) fn files(&self, suite: &Suite) -> Result<Files, DataFusionError> {
        let in_memory = !self.reads_files();
        match suite {
            Suite::Folder(folder) => Files::of(folder, in_memory),
            Suite::Made(..) if in_memory && self.peers.is_empty() => Ok(Files {
                tables: BTreeMap::new(),
                in_memory,
            }),
            Suite::Made(benchmark, scale) => {
                let folder = self.data.clone();
                let folder = folder.unwrap_or_else(|| {
                    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");
                    PathBuf::from(target).join(format!("{}-{scale}", benchmark.name()))
                });
                Files::of_benchmark(&folder, *benchmark, *scale, in_memory)
            }
        }
    }

    /// Whether queries read files.
    pub(crate) fn reads_files(&self) -> bool {
        self.parquet || !self.workers.workers.is_empty()
    }

    /// DataFusion's own joins and those that take part, on each number of workers: a session for each.
    pub(crate) fn settings(&self) -> Result<Vec<Setting>, Ending> {
        let all = self.workers.workers.len();
        let clusters = match self.clusters.is_empty() {
            true => vec![all],
            false => self.clusters.clone(),
        };
        let there_is = |workers: &usize| *workers == 0 || (2..=all).contains(workers);
        if let Some(wrong) = clusters.iter().find(|workers| !there_is(workers)) {
            return Err(Ending::Usage(format!(
                "--clusters {wrong}: give 0, or 2 to {all}, which --workers names"
            )));
        }
        let joins = self.joins()?;
        let mut settings = Vec::new();
        for workers in clusters {
            for joins in &joins {
                let setting = Setting {
                    joins: joins.clone(),
                    workers,
                    filters: false,
                };
                settings.push(setting.clone());
                if self.filters && workers > 0 && *joins != Joins::Stock {
                    settings.push(Setting {
                        filters: true,
                        ..setting
                    });
                }
            }
        }
        Ok(settings)
    }

    /// DataFusion's own joins and those that take part.
    fn joins(&self) -> Result<Vec<Joins>, Ending> {
        let on_workers = !self.workers.workers.is_empty();
        let chosen = self.modes.clone().unwrap_or_else(|| match on_workers {
            false => vec![Mode::Tree, Mode::Join, Mode::Streaming],
            true => vec![Mode::Streaming],
        });
        if on_workers && chosen.contains(&Mode::Tree) {
            return Err(Ending::usage(
                "--modes tree: in a stage that was sent to a worker no operator can take the place of several; give streaming or join",
            ));
        }
        let modes = chosen.iter().filter(|&&mode| mode != Mode::Off);
        let mut joins = vec![Joins::Stock];
        joins.extend(modes.map(|&mode| Joins::in_mode(mode)));
        let without: Vec<String> = match &self.ablate {
            None => Vec::new(),
            Some(named) if named.is_empty() => {
                let all = Without::techniques().map(|(name, _)| name);
                all.map(str::to_owned).collect()
            }
            Some(named) => named.clone(),
        };
        if !without.is_empty() && !chosen.contains(&Mode::Tree) {
            return Err(Ending::usage(
                "--ablate: techniques are those of trees; add tree to --modes",
            ));
        }
        for name in without {
            let without = Without::one(&name).ok_or_else(|| {
                let all: Vec<&str> = Without::techniques().map(|(name, _)| name).collect();
                Ending::Usage(format!(
                    "--ablate {name}: there is no such technique; there are {}",
                    all.join(", ")
                ))
            })?;
            joins.push(Joins::Joinery(Mode::Tree, without));
        }
        Ok(joins)
    }

    /// The queries that are asked for.
    fn chosen(&self, all: Vec<Query>) -> Result<Vec<Query>, Ending> {
        let is = |query: &Query, asked: &String| {
            query.name == *asked || query.name == format!("q{asked}")
        };
        for asked in &self.queries {
            if !all.iter().any(|query| is(query, asked)) {
                let names: Vec<&str> = all.iter().map(|query| query.name.as_str()).collect();
                return Err(Ending::Usage(format!(
                    "--queries {asked}: there is no such query; there are {}",
                    names.join(", ")
                )));
            }
        }
        let wanted = |query: &Query| {
            self.queries.is_empty() || self.queries.iter().any(|asked| is(query, asked))
        };
        Ok(all.into_iter().filter(wanted).collect())
    }
}

impl Args {
    /// The queries, each in the random orders that are asked for.
    fn in_orders(&self, queries: Vec<Query>) -> Result<Vec<Query>, DataFusionError> {
        if self.orders == 0 {
            return Ok(queries);
        }
        let (mut all, mut alone) = (Vec::new(), Vec::new());
        for query in queries {
            for order in 1..=self.orders {
                match permuted(&query.text, self.seed, order)? {
                    Some(text) => all.push(Query {
                        name: ordered_name(&query.name, order),
                        text,
                        written: Some(query.text.clone()),
                    }),
                    None => {
                        alone.push(query.name);
                        break;
                    }
                }
            }
        }
        if !alone.is_empty() {
            println!(
                "left out, since no FROM of theirs has several tables: {}",
                alone.join(", ")
            );
        }
        Ok(all)
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    if !machine::optimised() && !args.allow_unoptimised {
        return Err(Ending::usage(limits::Error::Unoptimised));
    }
    if args.samples == 0 {
        return Err(Ending::usage("--samples 0: give at least 1"));
    }
    let refused = |error: DataFusionError| Ending::usage(error.strip_backtrace());
    let suite = args.suite()?;
    let queries = args.chosen(suite.queries().map_err(refused)?)?;
    let queries = args.in_orders(queries).map_err(refused)?;
    let settings = args.settings()?;
    if let Some(cluster) = args.workers.cluster()? {
        let runtime = runtime(args.threads()).map_err(Ending::usage)?;
        let greeted = runtime.block_on(cluster.greet());
        greeted.map_err(|error| Ending::Usage(said(&error)))?;
    }
    let threads = args.threads().get() as u32;
    let interrupted = interrupt_flag();
    let program = std::env::current_exe().map_err(Ending::usage)?;
    let words: Vec<OsString> = std::env::args_os().skip(2).collect();
    let server = move || {
        let mut command = Command::new(&program);
        command.arg(SERVE).args(&words);
        command
    };
    if args.profile {
        return profiled(args, &suite, &queries, &settings, server, &interrupted);
    }
    let environment = machine::environment(harness::verbs::ALLOCATOR);
    let peers = Found::of_queries(&args.peers, &environment).map_err(Ending::Usage)?;
    let files = args.files(&suite).map_err(refused)?;
    if let Some(path) = files.tables.values().next().and_then(|path| path.parent()) {
        println!("tables: {}", path.display());
    }
    let bench = Queries::new(
        &settings,
        server,
        &peers.setups,
        &files,
        (threads, args.limit()),
        &interrupted,
    );
    let mut bench = bench.map_err(Ending::usage)?;
    let asked = Asked {
        out: args.out.as_deref(),
        resume: args.resume.as_deref(),
        seed: args.seed,
        size: Size::Full,
        modes: vec![SQL.to_owned()],
        threads: vec![threads],
        peers: &peers,
        environment: &environment,
    };
    let budget = Budget::Samples {
        variant: args.samples,
        peer: args.samples,
    };
    let names: Vec<String> = names(&settings, &peers);
    let measure = |runner: &mut Runner<'_>| -> Result<(), Stop> {
        session::variants(runner, settings.iter().map(variant))?;
        println!("medians in ms, and their ratio to DataFusion's");
        for query in &queries {
            let case = case(&suite, query, args);
            runner.case_unless_measured(&case, bench.on(query), budget)?;
            if let Ok(run) = read_run(runner.folder()) {
                println!("{}", told(&run, &case.name, &names));
            }
        }
        if let Ok(run) = read_run(runner.folder())
            && let Some(told) = told_of_orders(&run, &names)
        {
            println!("{told}");
        }
        Ok(())
    };
    let finished = session::run(&asked, budget, Progress::silent, &interrupted, measure);
    let finished = finished.map_err(Ending::Usage)?;
    finished.say_page()?;
    finished.failures()
}

/// Measures queries in processes of their own, and writes what came out.
fn profiled(
    args: &Args,
    suite: &Suite,
    queries: &[Query],
    settings: &[Setting],
    server: impl Fn() -> Command,
    interrupted: &AtomicBool,
) -> Result<(), Ending> {
    // Files are written before the first process looks for them.
    let refused = |error: DataFusionError| Ending::usage(error.strip_backtrace());
    args.files(suite).map_err(refused)?;
    let executions = Executions {
        samples: args.samples,
        threads: args.threads().get() as u32,
        limit: args.limit().unwrap_or(LIMIT),
    };
    let csv = profile::run(queries, settings, executions, server, interrupted)?;
    let Some(folder) = &args.out else {
        return Ok(());
    };
    let path = folder.join("profile.csv");
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, csv));
    written.map_err(|error| Ending::Usage(format!("{}: {error}", path.display())))?;
    println!("{}", path.display());
    Ok(())
}

/// Those whose medians are told: everyone with all of their techniques.
fn names(settings: &[Setting], peers: &Found) -> Vec<String> {
    let whole = settings.iter().filter(|setting| match &setting.joins {
        Joins::Stock => true,
        Joins::Joinery(_, without) => without.names().next().is_none(),
    });
    let peers = peers.setups.iter().map(|setup| setup.name.clone());
    whole.map(Setting::name).chain(peers).collect()
}

fn variant(setting: &Setting) -> VariantRecord {
    let mut description = match &setting.joins {
        Joins::Stock => "DataFusion 55.2.0 as it is".to_owned(),
        Joins::Joinery(mode, _) => format!(
            "DataFusion 55.2.0 with Joinery's joins in the place of its hash joins, in mode {mode}"
        ),
    };
    if setting.workers > 0 {
        description += &format!(
            ", by DataFusion Distributed 4.0.0 on {} workers",
            setting.workers
        );
    }
    if setting.filters {
        description += ", which are sent keys of left sides before right sides are shuffled";
    }
    VariantRecord {
        name: setting.name(),
        family: SQL.to_owned(),
        build: None,
        probe: None,
        description,
        definition: None,
    }
}

fn case(suite: &Suite, query: &Query, args: &Args) -> WorkloadRecord {
    let tables = match (args.reads_files(), args.orders) {
        (true, _) => "from files",
        (false, 0) => "tables in memory",
        (false, _) => "tables in memory, of whose columns nothing is known",
    };
    let sentence = match suite {
        Suite::Made(benchmark, scale) => {
            let (title, name) = (benchmark.title(), &query.name);
            format!("{title}, {name}, at scale {scale}, {tables}")
        }
        Suite::Folder(folder) => format!("{} over {}, {tables}", query.name, folder.display()),
    };
    WorkloadRecord {
        name: format!("{}/{}", suite.name(), query.name),
        group: Some(suite.name()),
        experiment: SQL.to_owned(),
        join_kind: None,
        condition: None,
        payload_bytes: None,
        sentence,
        build_rows: 0,
        probe_rows: 0,
        key_type: String::new(),
        build_bytes: 0,
        probe_bytes: 0,
        expected: None,
        keys: None,
    }
}

/// A line of medians, and of their ratios to the first one.
fn told(run: &Run, case: &str, names: &[String]) -> String {
    let of = |name: &String| {
        let samples = run.samples.iter().filter(|sample| {
            sample.workload == case && sample.variant == *name && sample.toggles.is_empty()
        });
        median(&samples.map(|sample| sample.seconds).collect::<Vec<_>>())
    };
    let stock = names.first().and_then(of);
    let told = names.iter().map(|name| match (of(name), stock) {
        (None, _) => format!("{name} failed"),
        (Some(seconds), Some(stock)) if name != &names[0] => {
            format!("{name} {:.2} ({:.2})", seconds * 1e3, seconds / stock)
        }
        (Some(seconds), _) => format!("{name} {:.2}", seconds * 1e3),
    });
    format!("{case:<12} {}", told.collect::<Vec<_>>().join("  "))
}

/// A line for each query that was measured in several orders of its tables: how far times lie apart. None where no query was.
fn told_of_orders(run: &Run, names: &[String]) -> Option<String> {
    let plans = PlanRun::queries(run)?;
    let orders = plans.orders();
    let lines = orders.iter().map(|(query, places)| {
        let engines = names.iter().filter_map(|name| {
            let spread = plans.arm(name)?.spread(places)?;
            let missing = match spread.missing {
                0 => String::new(),
                missing => format!(", {missing} failed"),
            };
            Some(format!("{name} {:.2}{missing}", spread.ratio()))
        });
        format!("{query:<12} {}", engines.collect::<Vec<_>>().join("  "))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| {
        let title = "largest over smallest time, by medians, over the orders of its tables";
        format!("{title}\n{}", lines.join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::{Cli, Verb};

    /// The names of the queries that a command line asks for.
    fn asked(words: &[&str]) -> Vec<String> {
        let words = ["sql", "run"].iter().chain(words);
        let Verb::Run(args) = Cli::try_parse_from(words).unwrap().verb else {
            panic!("another verb");
        };
        let queries = args.suite().unwrap().queries().unwrap();
        let queries = args.chosen(queries).unwrap();
        let queries = args.in_orders(queries).unwrap();
        queries.into_iter().map(|query| query.name).collect()
    }

    #[test]
    fn queries_are_asked_for_by_number_and_in_orders() {
        assert_eq!(asked(&["ssb"]).len(), 13);
        assert_eq!(asked(&["ssb", "--queries", "2.1,q4.3"]), ["q2.1", "q4.3"]);
        let orders = ["q4.1, order 1", "q4.1, order 2"];
        assert_eq!(asked(&["ssb", "--queries", "4.1", "--orders", "2"]), orders);
        // Q1 and Q6 are of one table.
        let of_tpch = asked(&["tpch", "--queries", "1,5,6", "--orders", "3"]);
        assert!(
            of_tpch.len() == 3 && of_tpch[0] == "q5, order 1",
            "{of_tpch:?}"
        );
    }
}
