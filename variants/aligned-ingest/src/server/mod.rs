//! A PostgreSQL server as the source of rows, and as the judge of what was loaded.

mod check;
mod connect;
mod dsn;
mod figures;
mod plan;
mod query;
mod ssb;
mod tls;
mod work;

pub use check::{Difference, check};
pub use connect::Server;
pub use plan::{LoadPlan, Origin, Snapshot};
pub use postgres::Client;
use postgres::error::SqlState;
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
    /// An option of a connection string that other clients take.
    #[error("--dsn: {0}")]
    Option(String),
    /// The file of certificates.
    #[error("--tls-ca {path}: {what}")]
    Ca {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The library of encrypted connections.
    #[error("cannot encrypt: {0}; sslmode=disable in --dsn connects without")]
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
    /// A query of nothing but blanks and comments.
    #[error("--query has no statement; write a SELECT, or name a table with --table")]
    NoQuery,
    /// A statement.
    #[error("{doing}: {what}")]
    Statement {
        /// What was attempted.
        doing: String,
        /// What the server says.
        what: String,
    },
}

/// What the server says, in one line, and what helps.
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
    text.push_str(remedy(error));
    unbroken(&text)
}

/// A text without line breaks and runs of blanks.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What helps against some errors, to be put behind them.
fn remedy(error: &postgres::Error) -> &'static str {
    match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            "; another session holds or waits for a lock on the table, as ALTER TABLE, TRUNCATE and VACUUM FULL do \
             (see pg_locks): try again when it has ended"
        }
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            "; log on as a role that may read all of it (row-level security: its owner, or one with BYPASSRLS), or load \
             by --query what this role may see"
        }
        Some(&SqlState::TOO_MANY_CONNECTIONS) => "; lower --workers",
        Some(&SqlState::INVALID_PASSWORD) => "; correct the password in --dsn or PGPASSWORD",
        Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "; name another user in --dsn, or let the server admit this one (its role, and pg_hba.conf)"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => {
            "; correct dbname in --dsn, or make the database (createdb)"
        }
        Some(&SqlState::DUPLICATE_TABLE) => {
            "; DROP TABLE removes it, and another dbname in --dsn leaves it as it is"
        }
        Some(&SqlState::UNDEFINED_FUNCTION) if error.to_string().contains("binary output") => {
            "; leave the column out, or cast it to text, with --query"
        }
        None if error.is_closed() => "; see the server's log, and try again when it is back",
        _ => "",
    }
}

impl ServerError {
    fn statement(doing: impl Into<String>) -> impl FnOnce(postgres::Error) -> ServerError {
        let doing = doing.into();
        move |error| ServerError::Statement {
            doing: unbroken(&doing),
            what: one_line(&error),
        }
    }
}
