//! `harness sql query`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use harness::verbs::Ending;
use joinery_datafusion::Mode;

use crate::session::{Engine, Joins};
use crate::suite::file;

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
    /// What takes the place of DataFusion's hash joins: tree, join, streaming or off
    #[arg(long, default_value_t)]
    pub mode: Mode,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

fn table(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text
        .split_once('=')
        .ok_or("give a name and a file, such as orders=orders.parquet")?;
    Ok((name.to_owned(), file.into()))
}

pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    answer(args).map_err(|error| Ending::usage(error.strip_backtrace()))
}

fn answer(args: &Args) -> Result<(), DataFusionError> {
    let threads = args.threads.unwrap_or_else(cores);
    let engine = Engine::new(threads, None)?;
    let context = engine.session(&Joins::in_mode(args.mode));
    engine.runtime.block_on(async {
        for (name, path) in &args.table {
            let table = file(&context, path).await?;
            context.register_table(name.as_str(), table)?;
        }
        let reads = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let frame = context.sql_with_options(&args.query, reads).await?;
        match args.explain {
            true => frame.explain(false, false)?.show().await,
            false => frame.show().await,
        }
    })
}

/// Logical processors.
pub(crate) fn cores() -> NonZeroUsize {
    NonZeroUsize::new(harness::machine::cores() as usize).unwrap_or(NonZeroUsize::MIN)
}
