//! Connections.

use std::fmt;
use std::path::Path;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use super::{ServerError, one_line};

/// A server and how to log on. It prints without the password.
#[derive(Clone)]
pub struct Server {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Server {
    /// From a connection string, with `PGPASSWORD` if it has no password. Its `sslmode` is `disable`, `prefer` (as without
    /// one) or `require`. With `ca`, a file of certificates, only a server that proves by one of them to be the host will do.
    ///
    /// # Errors
    /// If it is none, or the file has no certificates. The error does not repeat the string: it may hold a password.
    pub fn new(dsn: &str, ca: Option<&Path>) -> Result<Server, ServerError> {
        let mut config: Config = dsn.parse().map_err(|_| ServerError::Dsn)?;
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        config.application_name("joinery ingest");
        if ca.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        let tls = tls::connector(ca)?;
        Ok(Server { config, tls })
    }

    /// Connects.
    ///
    /// # Errors
    /// If the server cannot be reached or does not let us in.
    pub fn connect(&self) -> Result<Client, ServerError> {
        self.config
            .connect(self.tls.clone())
            .map_err(|error| ServerError::Connect {
                target: self.to_string(),
                what: one_line(&error),
            })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => write!(f, "{host}")?,
            Some(Host::Unix(path)) => write!(f, "{}", path.display())?,
            None => f.write_str("the server")?,
        }
        if let Some(port) = self.config.get_ports().first() {
            write!(f, ":{port}")?;
        }
        if let Some(name) = self.config.get_dbname() {
            write!(f, " database {name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}
