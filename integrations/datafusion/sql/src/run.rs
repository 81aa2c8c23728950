//! `harness sql run`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::common::DataFusionError;
use harness::experiment::folder::Asked;
use harness::experiment::{Budget, Progress, Runner, Stop, session};
use harness::machine::{self, limits};
use harness::peers::Found;
use harness::size::Size as Bytes;
use harness::verbs::{Ending, interrupt_flag};
use report::record::{Run, Size, VariantRecord, WorkloadRecord, read_run};
use report::stats::median;

use crate::bench::Queries;
use crate::query::cores;
use crate::session::{Engine, Joins};
use crate::suite::{Query, Suite};

/// What records call this experiment.
const SQL: &str = "sql";

/// Arguments of `sql run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// tpch, or a folder of Parquet and CSV files with its queries in queries/*.sql
    pub suite: String,
    /// The scale of tpch: 1 is 1 GB as text
    #[arg(long, default_value_t = 1.0, value_name = "SCALE")]
    pub scale: f64,
    /// Only these queries, by number or name
    #[arg(long, value_delimiter = ',', value_name = "1,9,21")]
    pub queries: Vec<String>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Bytes that queries may reserve, such as 512M or 8G
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
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
    fn suite(&self) -> Result<Suite, Ending> {
        match &*self.suite {
            "tpch" if self.scale > 0.0 && self.scale.is_finite() => Ok(Suite::Tpch(self.scale)),
            "tpch" => Err(Ending::Usage(format!(
                "--scale {}: give a number above 0",
                self.scale
            ))),
            folder => Ok(Suite::Folder(folder.into())),
        }
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
    let threads = args.threads.unwrap_or_else(cores);
    let memory = args.memory.map(|Bytes(bytes)| bytes as usize);
    let engine = Engine::new(threads, memory).map_err(refused)?;
    let sessions = [Joins::Stock, Joins::Joinery].map(|joins| engine.session(joins));
    let tables = engine
        .runtime
        .block_on(suite.tables(&sessions[0]))
        .map_err(refused)?;
    for session in &sessions {
        tables.register(session).map_err(refused)?;
    }
    let threads = threads.get() as u32;
    let mut bench = Queries::new(&engine, sessions, threads);
    let environment = machine::environment(harness::verbs::ALLOCATOR);
    let interrupted = interrupt_flag();
    let asked = Asked {
        out: args.out.as_deref(),
        resume: args.resume.as_deref(),
        seed: args.seed,
        size: Size::Full,
        modes: vec![SQL.to_owned()],
        threads: vec![threads],
        peers: &Found::default(),
        environment: &environment,
    };
    let budget = Budget::Samples {
        variant: args.samples,
        peer: args.samples,
    };
    let measure = |runner: &mut Runner<'_>| -> Result<(), Stop> {
        session::variants(runner, [Joins::Stock, Joins::Joinery].map(variant))?;
        println!(
            "{:<12} {:>14} {:>14} {:>8}",
            "query", "datafusion ms", "joinery ms", "ratio"
        );
        for query in &queries {
            let case = case(&suite, query);
            runner.case_unless_measured(&case, bench.on(&query.text), budget)?;
            if let Ok(run) = read_run(runner.folder()) {
                println!("{}", told(&run, &case.name));
            }
        }
        Ok(())
    };
    let finished = session::run(&asked, budget, Progress::silent, &interrupted, measure);
    let finished = finished.map_err(Ending::Usage)?;
    finished.say_page()?;
    finished.failures()
}

fn variant(joins: Joins) -> VariantRecord {
    let description = match joins {
        Joins::Stock => "DataFusion 55.2.0 as it is",
        Joins::Joinery => "DataFusion 55.2.0 with Joinery's joins in the place of its hash joins",
    };
    VariantRecord {
        name: joins.name().to_owned(),
        family: SQL.to_owned(),
        build: None,
        probe: None,
        description: description.to_owned(),
        definition: None,
    }
}

fn case(suite: &Suite, query: &Query) -> WorkloadRecord {
    let sentence = match suite {
        Suite::Tpch(scale) => format!("TPC-H {} at scale {scale}, tables in memory", query.name),
        Suite::Folder(folder) => format!("{} over the files of {}", query.name, folder.display()),
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

/// A line of medians.
fn told(run: &Run, case: &str) -> String {
    let of = |joins: Joins| {
        let samples = run.samples.iter();
        let own =
            samples.filter(|sample| sample.workload == case && sample.variant == joins.name());
        median(&own.map(|sample| sample.seconds).collect::<Vec<_>>())
    };
    match (of(Joins::Stock), of(Joins::Joinery)) {
        (Some(stock), Some(joinery)) => {
            let (stock, own) = (stock * 1e3, joinery * 1e3);
            format!("{case:<12} {stock:>14.2} {own:>14.2} {:>8.2}", own / stock)
        }
        _ => format!("{case:<12} failed"),
    }
}
