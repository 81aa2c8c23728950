//! Connections.

use std::fmt;
use std::path::Path;

use postgres::config::{Host, SslMode};
use postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{ServerError, dsn, one_line, tls};

/// Limits of time for a session that reads a whole table, by name because older servers know fewer of them. A wait for a
/// lock ends: a session that asks for a lock between our sessions waits for the first of them while it keeps out the
/// others, and of that the server sees no deadlock.
const SETTINGS: &str = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
    WHERE name OPERATOR(pg_catalog.=) ANY ('{statement_timeout, idle_in_transaction_session_timeout, \
    idle_session_timeout, transaction_timeout}'); SET lock_timeout = '10s'";

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
        let mut config: Config = dsn.parse().map_err(|error| dsn::explain(&error))?;
        dsn::check_hosts(&config)?;
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

    /// Connects. What the role or the database sets as the time that a statement or a transaction may take does not
    /// count; what waits for a lock gives up after ten seconds.
    ///
    /// # Errors
    /// If the server cannot be reached or does not let us in.
    pub fn connect(&self) -> Result<Client, ServerError> {
        let connected = self.config.connect(self.tls.clone());
        let mut client = connected.map_err(|error| {
            let mut what = one_line(&error);
            // Nothing that a server has said.
            if error.code().is_none() {
                what.push_str(match what.contains("password missing") {
                    true => "; give it by PGPASSWORD or in --dsn",
                    false => "; check --dsn, and that the server runs",
                });
            }
            let target = self.to_string();
            ServerError::Connect { target, what }
        })?;
        client
            .batch_execute(SETTINGS)
            .map_err(ServerError::statement("setting the connection up"))?;
        Ok(client)
    }
}

impl Server {
    /// Asks the server to end what a connection waits for; whether it could be asked.
    pub(super) fn cancel(&self, token: &CancelToken) -> bool {
        token.cancel_query(self.tls.clone()).is_ok()
    }

    /// Ends a connection in the midst of a statement, all of whose rows would be waited for else.
    pub(super) fn abandon(&self, client: Client) {
        if !self.cancel(&client.cancel_token()) && !client.is_closed() {
            // The socket is closed with the process.
            std::mem::forget(client);
        }
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
