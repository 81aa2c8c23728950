//! Why bundles cannot be made. Each error is one line: what, where, how to correct it.

use std::io;
use std::path::{Path, PathBuf};

use join_core::table::TableError;
use plan_executor::BundleError;

use crate::shape::ShapeError;

/// Bundles that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// An option that makes no sense.
    #[error("{0}")]
    Option(String),
    /// A query that is not there.
    #[error("there is no query {name:?}; name some of {}", .names.join(", "))]
    Query {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}; check the path", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that cannot be understood.
    #[error("{}: {what}", .file.display())]
    Input {
        /// The file.
        file: PathBuf,
        /// What is wrong and how to correct it.
        what: String,
    },
    /// A table that cannot be made or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A bundle that cannot be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Joins that do not go with the tables.
    #[error("query {query}: {error}")]
    Shape {
        /// The query.
        query: String,
        /// What is wrong.
        error: ShapeError,
    },
}

impl MakeError {
    /// What a program says that cannot read `file`.
    pub fn read(file: &Path) -> impl FnOnce(io::Error) -> MakeError {
        let file = file.to_owned();
        move |source| MakeError::Read { file, source }
    }

    /// Something about a file.
    pub fn input(file: &Path, what: impl ToString) -> MakeError {
        MakeError::Input {
            file: file.to_owned(),
            what: what.to_string().replace(['\n', '\r'], " "),
        }
    }
}
