//! `harness sql query`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::common::{DataFusionError, Result, config_datafusion_err};
use datafusion::execution::context::SQLOptions;
use harness::verbs::Ending;
use joinery_datafusion::Mode;
use joinery_distributed::{Cluster, explained};

use crate::session::{Engine, Joins};
use crate::suite::file;
use crate::workers::{Workers, said};

/// Arguments of `sql query`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A query, which only reads
    pub query: String,
    /// A table and the Parquet or CSV file that it is in
    #[arg(long, value_name = "NAME=FILE", value_parser = table)]
    pub table: Vec<(String, PathBuf)>,
    /// Show the plan, and which joins are whose, instead of rows
    #[arg(long)]
    pub explain: bool,
    /// What takes the place of DataFusion's hash joins: tree, join, streaming or off [default: tree; on workers join]
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// A setting of the session, such as joinery.filters_before_shuffle=true; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    #[command(flatten)]
    pub workers: Workers,
    /// Send keys of left sides to all workers before right sides are shuffled
    #[arg(long, requires = "workers")]
    pub filters: bool,
}

fn table(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text
        .split_once('=')
        .ok_or("give a name and a file, such as orders=orders.parquet")?;
    Ok((name.to_owned(), file.into()))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("give a name and a value, such as joinery.mode=off")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    let cluster = args.workers.cluster()?;
    let answered = answer(args, cluster.as_ref());
    answered.map_err(|error| Ending::Usage(said(&error)))
}

fn answer(args: &Args, cluster: Option<&Cluster>) -> Result<(), DataFusionError> {
    let threads = args.threads.unwrap_or_else(cores);
    let engine = Engine::new(threads, None)?;
    let mode = args.mode.unwrap_or_else(|| match cluster {
        None => Mode::default(),
        Some(_) => Mode::Join,
    });
    let joins = Joins::in_mode(mode);
    let context = match cluster {
        None => engine.session(&joins),
        Some(cluster) => engine.session_on(&joins, cluster, args.filters)?,
    };
    let state = context.state_ref();
    for (name, value) in &args.set {
        let mut state = state.write();
        let set = state.config_mut().options_mut().set(name, value);
        set.map_err(|error| config_datafusion_err!("--set {name}={value}: {}", said(&error)))?;
    }
    engine.runtime.block_on(async {
        if let Some(cluster) = cluster {
            cluster.greet().await?;
        }
        for (name, path) in &args.table {
            let table = file(&context, path).await?;
            context.register_table(name.as_str(), table)?;
        }
        let reads = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let frame = context.sql_with_options(&args.query, reads).await?;
        match (args.explain, cluster) {
            (false, _) => frame.show().await,
            (true, None) => frame.explain(false, false)?.show().await,
            (true, Some(_)) => {
                let plan = frame.create_physical_plan().await?;
                let config = context.copied_config();
                print!("{}", explained(plan, config.options())?);
                Ok(())
            }
        }
    })
}

/// Logical processors.
pub(crate) fn cores() -> NonZeroUsize {
    NonZeroUsize::new(harness::machine::cores() as usize).unwrap_or(NonZeroUsize::MIN)
}
