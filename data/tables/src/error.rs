//! What can be wrong with a file that is imported or exported. Each error is one line: what, where, how to correct it.

use std::io;
use std::path::{Path, PathBuf};

use join_core::table::TableError;

/// A file that cannot be imported, or a table that cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {source}; check the path and the disk", .file.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A table folder that cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Options that do not go with the files.
    #[error("{0}")]
    Options(String),
    /// Something about a file as a whole.
    #[error("{}: {what}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong and how to correct it.
        what: String,
    },
    /// A place in a CSV file.
    #[error("{}, line {line}{}: {what}", .file.display(), of_column(.column))]
    Line {
        /// The file.
        file: PathBuf,
        /// The line that the record begins on, from 1.
        line: u64,
        /// The column, where it is one column's fault.
        column: Option<String>,
        /// What is wrong and how to correct it.
        what: String,
    },
    /// A place in a Parquet file.
    #[error("{}, row group {row_group}, column {column:?}: {what}", .file.display())]
    RowGroup {
        /// The file.
        file: PathBuf,
        /// The row group, from 0.
        row_group: usize,
        /// The column.
        column: String,
        /// What is wrong and how to correct it.
        what: String,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Error {
        let file = file.to_owned();
        move |source| Error::Io {
            action,
            file,
            source,
        }
    }

    pub(crate) fn file(file: &Path, what: impl ToString) -> Error {
        Error::File {
            file: file.to_owned(),
            what: one_line(what),
        }
    }
}

/// What a library says, in one line.
pub(crate) fn one_line(what: impl ToString) -> String {
    what.to_string().replace(['\n', '\r'], " ")
}

fn of_column(column: &Option<String>) -> String {
    column
        .as_ref()
        .map_or_else(String::new, |name| format!(", column {name:?}"))
}
