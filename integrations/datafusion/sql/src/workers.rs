//! Which workers take part, and how they are reached.

use std::path::PathBuf;
use std::time::Duration;

use datafusion::common::DataFusionError;
use harness::verbs::Ending;
use joinery_distributed::{Cluster, Tls, Wire};

/// Arguments of those who use workers.
#[derive(Debug, Clone, clap::Args)]
pub struct Workers {
    /// Addresses of workers that do the work, each started with `sql worker`; tables are then read from files, which must be
    /// under the same paths everywhere
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT")]
    pub workers: Vec<String>,
    #[command(flatten)]
    pub wiring: Wiring,
}

impl Workers {
    /// The workers, if there are any, not yet connected to.
    pub(crate) fn cluster(&self) -> Result<Option<Cluster>, Ending> {
        match &*self.workers {
            [] => return Ok(None),
            [one] => {
                return Err(Ending::Usage(format!(
                    "--workers {one}: give two or more; for a single one the engine divides nothing"
                )));
            }
            _ => {}
        }
        let cluster = Cluster::new(&self.workers, self.wiring.wire()?);
        cluster
            .map(Some)
            .map_err(|error| Ending::Usage(said(&error)))
    }
}

/// What an error says, in one line: of one that names a worker, or an argument, that alone.
pub(crate) fn said(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::Configuration(said) => said.clone(),
        DataFusionError::Execution(said) | DataFusionError::ResourcesExhausted(said)
            if said.starts_with("worker ") =>
        {
            said.clone()
        }
        _ => error.strip_backtrace().replace("\ncaused by\n", ": "),
    }
}

/// Arguments of everybody who talks to workers, and of workers.
#[derive(Debug, Clone, clap::Args)]
pub struct Wiring {
    /// Seconds without a sign of life after which a process at the other end counts as lost; a query may take longer
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub worker_timeout: f64,
    /// Certificate that is shown to others, as PEM; with it go --tls-key and --tls-ca
    #[arg(long, value_name = "FILE", requires = "tls_key", requires = "tls_ca")]
    pub tls_cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Certificate of the authority that those of all others must come from
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_ca: Option<PathBuf>,
}

impl Wiring {
    pub(crate) fn wire(&self) -> Result<Wire, Ending> {
        let seconds = self.worker_timeout;
        if !(0.1..=86_400.0).contains(&seconds) {
            return Err(Ending::Usage(format!(
                "--worker-timeout {seconds}: give seconds, from 0.1 to 86400"
            )));
        }
        let tls = match (&self.tls_cert, &self.tls_key, &self.tls_ca) {
            (Some(certificate), Some(key), Some(authority)) => {
                let tls = Tls::read(certificate, key, authority);
                Some(tls.map_err(|error| Ending::Usage(said(&error)))?)
            }
            _ => None,
        };
        Ok(Wire {
            timeout: Duration::from_secs_f64(seconds),
            tls,
        })
    }
}
