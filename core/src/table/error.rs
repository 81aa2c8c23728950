//! What can go wrong with a table and its folder.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::page::{PAGE_BYTES, PageError};

/// A table that cannot be made, read or written. One line: what, where, and how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} {}: {source}; {}", .path.display(), remedy(.source))]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder that would be overwritten.
    #[error("{} exists and is not an empty folder; remove it first or choose another place", .path.display())]
    Exists {
        /// The file or folder.
        path: PathBuf,
    },
    /// A pipe, a device or a folder where a file is needed.
    #[error(
        "{} is no regular file but {found}; copy what it holds into a file and name that",
        .path.display()
    )]
    NoFile {
        /// What was named.
        path: PathBuf,
        /// What it is, such as `a pipe`.
        found: &'static str,
    },
    /// Columns that cannot be told apart.
    #[error("table {table:?}: two columns are named {column:?}; rename one of them")]
    SameName {
        /// The table.
        table: String,
        /// The name.
        column: String,
    },
    /// A `table.json` that is no JSON or lacks something.
    #[error("{}: {source}; compare it with docs/page-format.md", .path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// A pages file outside of the folder.
    #[error(
        "table {table:?}, column {column:?}: the file name {file:?} leads out of the folder; \
         put the pages into the folder and name them relative to it"
    )]
    FileOutside {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The file name as given.
        file: String,
    },
    /// More rows than row ids.
    #[error(
        "table {table:?} has {rows} rows; at most {} are possible, so split it",
        u32::MAX
    )]
    TooManyRows {
        /// The table.
        table: String,
        /// Its rows.
        rows: u64,
    },
    /// Columns of different lengths.
    #[error(
        "table {table:?}: column {column:?} has {found} rows, the first column {expected}; \
         give all columns the same rows"
    )]
    UnevenColumns {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Rows of the first column.
        expected: u64,
        /// Rows of this one.
        found: u64,
    },
    /// A pages file that ends within a page.
    #[error(
        "{}, column {column:?}, page {}, byte {}: the file ends within a page, after {bytes} bytes; \
         pages are {PAGE_BYTES} bytes each: copy or write the file again",
        .path.display(), .bytes / PAGE_BYTES as u64, .bytes % PAGE_BYTES as u64
    )]
    TornPage {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The length of the file.
        bytes: u64,
    },
    /// A pages file with more or fewer pages than the table says.
    #[error(
        "{}, column {column:?}: {found} pages, but the table says {expected}; \
         copy or write the file again, or fix \"pages\"",
        .path.display()
    )]
    PageCount {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Pages that the table says.
        expected: u64,
        /// Pages in the file.
        found: u64,
    },
    /// A page that does not follow the format.
    #[error("{}, column {column:?}, {error}", .path.display())]
    Page {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Where and what.
        error: PageError,
    },
    /// A column with more or fewer rows than the table.
    #[error(
        "{}, column {column:?}: {found} rows in {pages} pages, but the table says {expected}; \
         copy or write the file again, or fix \"num_rows\"",
        .path.display()
    )]
    RowCount {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Pages of the column.
        pages: u64,
        /// Rows that the table says.
        expected: u64,
        /// Rows of the column.
        found: u64,
    },
}

impl TableError {
    /// Says what was tried and where, for an error of the system.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> TableError {
        let path = path.into();
        move |source| TableError::Io {
            action,
            path,
            source,
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "check the path",
        ErrorKind::PermissionDenied => "get the permission or choose another place",
        ErrorKind::NotADirectory => "a part of the path is a file: check the path",
        ErrorKind::ReadOnlyFilesystem => "choose a place that can be written",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space or choose another place"
        }
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => {
            "remove it first or choose another place"
        }
        ErrorKind::FileTooLarge => "raise the limit on file sizes or choose another place",
        ErrorKind::InvalidFilename => "choose a folder by its name",
        _ => "check the path and the disk",
    }
}

/// The text with its line feeds and other control characters escaped: paths and names of other people may hold any, and an
/// error is one line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return Cow::Borrowed(text);
    }
    let mut line = String::new();
    for c in text.chars() {
        match breaks(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        for (text, line) in [
            ("cannot read a/ü: gone", "cannot read a/ü: gone"),
            ("a\nb\r\tc\u{1b}[2K", "a\\nb\\r\\tc\\u{1b}[2K"),
            ("a\u{85}b\u{2028}c", "a\\u{85}b\\u{2028}c"),
        ] {
            assert_eq!(one_line(text), line);
        }
    }
}
