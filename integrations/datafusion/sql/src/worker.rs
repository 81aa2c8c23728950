//! `harness sql worker`.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::displayable;
use harness::size::Size as Bytes;
use harness::verbs::Ending;
use joinery_distributed::{Connections, Watch, Wire, environment, listen, serve, worker};

use crate::query::cores;
use crate::session::runtime;
use crate::workers::{Wiring, said};

/// Arguments of `sql worker`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen at: a host of this machine, and a port; 0 for any that is free
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: String,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Bytes that queries may reserve, all together, such as 512M or 8G
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
    /// Folder that files may be read from; may be given more than once [default: all that this user can read]
    #[arg(long, value_name = "DIR")]
    pub allow_path: Vec<PathBuf>,
    /// Listen where other machines reach it, without certificates: whoever can connect can read files
    #[arg(long)]
    pub i_know_this_is_open: bool,
    /// Write the plan of each task to the standard error
    #[arg(long)]
    pub log_plans: bool,
    #[command(flatten)]
    pub wiring: Wiring,
}

pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    let wire = args.wiring.wire()?;
    let served = serve_until_the_end(args, wire);
    served.map_err(|error| Ending::Usage(said(&error)))
}

fn serve_until_the_end(args: &Args, wire: Wire) -> Result<()> {
    let memory = args.memory.map(|Bytes(bytes)| bytes as usize);
    let folders = (!args.allow_path.is_empty()).then_some(&*args.allow_path);
    let environment = environment(memory, folders)?;
    let watch = args.log_plans.then(|| -> Watch {
        Arc::new(|plan| eprintln!("{}", displayable(plan.as_ref()).indent(false)))
    });
    runtime(args.threads.unwrap_or_else(cores))?.block_on(async {
        let listener = listen(&args.listen, &wire, args.i_know_this_is_open)?;
        println!("listening at {}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let connections = Connections::new(wire)?;
        let worker = worker(connections.clone(), environment, watch);
        serve(worker, listener, &connections).await
    })
}
