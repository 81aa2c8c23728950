//! How processes reach each other.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, config_datafusion_err, config_err};
use datafusion_distributed::{ChannelResolver, WorkerChannel, grpc};
use tokio::runtime::Runtime;
use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
};
use url::Url;

use crate::fault::{Named, cause};

/// What all connections of a process have in common.
#[derive(Debug, Clone)]
pub struct Wire {
    /// After which time without a sign of life the other end counts as lost. A sign of life is the answer to a ping, so a
    /// query may take as long as it likes.
    pub timeout: Duration,
    /// Who may talk to whom; anybody to anybody where there is none.
    pub tls: Option<Tls>,
}

impl Wire {
    /// How long a connection is silent before a ping, and how long that one is waited for.
    pub(crate) fn half(&self) -> Duration {
        self.timeout / 2
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.tls {
            None => "http",
            Some(_) => "https",
        }
    }
}

/// Mutual TLS: a process shows its certificate to others and demands one of them, made by the same authority.
#[derive(Clone)]
pub struct Tls {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Vec<u8>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads PEM files: a certificate, its key, and the certificate of the authority that all others must come from.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read or is no PEM file, or the key is not the certificate's.
    pub fn read(certificate: &Path, key: &Path, authority: &Path) -> Result<Self> {
        let read = |path: &Path| {
            let bytes = std::fs::read(path)
                .map_err(|error| config_datafusion_err!("{}: {error}", path.display()))?;
            match bytes.windows(10).any(|text| text == b"-----BEGIN") {
                true => Ok(bytes),
                false => Err(config_datafusion_err!(
                    "{}: no PEM file; give one that has a line -----BEGIN …-----",
                    path.display()
                )),
            }
        };
        let tls = Self {
            certificate: read(certificate)?,
            key: read(key)?,
            authority: read(authority)?,
        };
        // Found out here, not by whoever connects first.
        let usable = Server::builder().tls_config(tls.server());
        let [certificate, key] = [certificate, key].map(|path| path.display());
        match usable {
            Ok(_) => Ok(tls),
            Err(error) => config_err!(
                "{certificate} and {key} cannot be used together: {}; give a certificate and its key",
                cause(&error)
            ),
        }
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }

    /// For those who are called.
    pub(crate) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.identity())
            .client_ca_root(Certificate::from_pem(&self.authority))
    }

    /// For those who call.
    fn client(&self, timeout: Duration) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .identity(self.identity())
            .ca_certificate(Certificate::from_pem(&self.authority))
            // A process that is stopped is connected to by its system, and never greets.
            .timeout(timeout)
    }
}

/// The connections of a process, one to each address. A connection that broke is made anew for whoever asks next.
///
/// They are kept by a thread of their own: pings are answered however long the threads that execute are busy.
#[derive(Debug, Clone)]
pub struct Connections {
    wire: Wire,
    thread: Arc<Thread>,
    channels: Arc<Mutex<HashMap<Url, Channel>>>,
}

/// A runtime that ends without being waited for.
#[derive(Debug)]
struct Thread(Option<Runtime>);

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Connections {
    /// None yet.
    ///
    /// # Errors
    ///
    /// If the system starts no thread.
    pub fn new(wire: Wire) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("connections")
            .enable_all()
            .build()?;
        Ok(Self {
            wire,
            thread: Arc::new(Thread(Some(runtime))),
            channels: Arc::default(),
        })
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// What runs on the thread of the connections.
    pub(crate) fn runtime(&self) -> &Runtime {
        let runtime = self.thread.0.as_ref();
        runtime.expect("the runtime is there until it is dropped")
    }

    fn channel(&self, url: &Url) -> Result<Channel, tonic::transport::Error> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(url) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(url.to_string())?
            .connect_timeout(self.wire.timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(self.wire.half())
            .keep_alive_timeout(self.wire.half())
            .keep_alive_while_idle(true);
        let endpoint = match &self.wire.tls {
            None => endpoint,
            Some(tls) => endpoint.tls_config(tls.client(self.wire.timeout))?,
        };
        let _on_the_thread = self.runtime().enter();
        let channel = endpoint.connect_lazy();
        channels.insert(url.clone(), channel.clone());
        Ok(channel)
    }
}

#[async_trait]
impl ChannelResolver for Connections {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        let channel = self.channel(url);
        let channel =
            channel.map_err(|error| Named::error(url, DataFusionError::External(error.into())))?;
        let client = grpc::create_worker_client(grpc::BoxCloneSyncChannel::new(channel));
        Ok(Box::new(Named::new(url, client)))
    }
}
