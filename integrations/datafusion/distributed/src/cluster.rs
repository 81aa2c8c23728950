//! Workers that a session uses.

use datafusion::common::{DataFusionError, Result, config_err, exec_datafusion_err, exec_err};
use datafusion_distributed::{ChannelResolver, GetWorkerInfoRequest, WorkerResolver};
use futures::future::join_all;
use url::Url;

use crate::fault::authority;
use crate::wire::{Connections, Wire};
use crate::worker::VERSION;

/// Addresses of workers, and connections to them.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(crate) connections: Connections,
    urls: Vec<Url>,
}

impl Cluster {
    /// The workers at these addresses, each a host and a port. Nothing is connected to yet.
    ///
    /// # Errors
    ///
    /// If one of them is no address, or is there twice, or the system starts no thread.
    pub fn new(addresses: &[String], wire: Wire) -> Result<Self> {
        let mut urls: Vec<Url> = Vec::new();
        for address in addresses {
            let Some(url) = parsed(address, wire.scheme()) else {
                return config_err!(
                    "--workers {address}: no address; give a host and a port, such as 127.0.0.1:9001"
                );
            };
            if urls.contains(&url) {
                return config_err!("--workers {address}: it is named twice");
            }
            urls.push(url);
        }
        Ok(Self {
            connections: Connections::new(wire)?,
            urls,
        })
    }

    /// The first so many of them, by the same connections.
    #[must_use]
    pub fn first(&self, workers: usize) -> Self {
        Self {
            connections: self.connections.clone(),
            urls: self.urls.iter().take(workers).cloned().collect(),
        }
    }

    /// Finds out whether each of them is there, and of this version.
    ///
    /// # Errors
    ///
    /// Which is not.
    pub async fn greet(&self) -> Result<()> {
        let greeted = join_all(self.urls.iter().map(|url| self.version(url))).await;
        for (url, version) in self.urls.iter().zip(greeted) {
            let version = version?;
            if version != VERSION {
                return exec_err!(
                    "worker {}: it is of another version, {}, and this is {VERSION}; start it by the same program",
                    authority(url),
                    match &*version {
                        "" => "which it does not tell",
                        told => told,
                    }
                );
            }
        }
        Ok(())
    }

    async fn version(&self, url: &Url) -> Result<String> {
        let timeout = self.connections.wire().timeout;
        let asked = async {
            let mut worker = self.connections.get_worker_client_for_url(url).await?;
            worker.get_worker_info(GetWorkerInfoRequest {}).await
        };
        let said = match tokio::time::timeout(timeout, asked).await {
            Ok(Ok(info)) => return Ok(info.version),
            Ok(Err(DataFusionError::Execution(said))) => said,
            Ok(Err(error)) => error.strip_backtrace(),
            Err(_) => format!(
                "worker {}: no answer in {} s",
                authority(url),
                timeout.as_secs_f64()
            ),
        };
        Err(exec_datafusion_err!(
            "{said}; start one there with `harness sql worker --listen {}`, with the same certificates if any",
            authority(url)
        ))
    }
}

impl WorkerResolver for Cluster {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.urls.clone())
    }
}

/// The URL of an address; `None` if it is none.
fn parsed(address: &str, scheme: &str) -> Option<Url> {
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|&port| port > 0)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.[]:_".contains(c);
    if host.is_empty() || !host.chars().all(plain) {
        return None;
    }
    Url::parse(&format!("{scheme}://{address}")).ok()
}
