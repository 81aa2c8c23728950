//! A PostgreSQL server as the source of rows, and as the judge of what was loaded.

mod check;
mod connect;
mod plan;
mod ssb;
mod tls;
mod work;

pub use check::{Difference, check};
pub use connect::Server;
pub use plan::{From, Plan, Snapshot};
pub use postgres::Client;
pub use ssb::fill;
pub use work::{Progress, work};

/// What a server, or the way to it, refused.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The connection string.
    #[error(
        "--dsn is no connection string; write \"host=/run/postgresql user=me dbname=mine\" or postgresql://me@host/mine"
    )]
    Dsn,
    /// The file of certificates.
    #[error("--tls-ca {path}: {what}")]
    Ca {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The library of encrypted connections.
    #[error("cannot encrypt: {0}")]
    Tls(String),
    /// No connection.
    #[error("cannot connect to {target}: {what}")]
    Connect {
        /// Host and database, without the password.
        target: String,
        /// What the server or the system says.
        what: String,
    },
    /// A table that is not there.
    #[error(
        "the server has no table {0:?}; name it as schema.table, or check the database in --dsn"
    )]
    NoTable(String),
    /// A statement.
    #[error("{doing}: {what}")]
    Statement {
        /// What was attempted.
        doing: String,
        /// What the server says.
        what: String,
    },
}

/// What the server says, in one line.
pub(crate) fn one_line(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = source.source();
    }
    text.replace('\n', " ")
}

impl ServerError {
    fn statement(doing: impl Into<String>) -> impl FnOnce(postgres::Error) -> ServerError {
        let doing = doing.into();
        move |error| ServerError::Statement {
            doing,
            what: one_line(&error),
        }
    }
}
