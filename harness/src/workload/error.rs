//! What can be wrong with a workload. Each error is one line: what, where, how to correct it.

use std::io;

use join_core::table::TableError;

use crate::nearest::did_you_mean;

/// A workload that cannot be read, understood or generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No workload has this name.
    #[error("no workload matches {pattern:?}{suggestion}{}", list_hint(.suggestion))]
    Unknown {
        /// What was asked for.
        pattern: String,
        /// Nearest names, as [`did_you_mean`] puts them.
        suggestion: String,
    },
    /// A file that cannot be read.
    #[error("cannot read the workload {file}: {source}; check the path")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is not TOML or has a field of another name or type.
    #[error("{file}, line {line}: {what}; docs/workloads.md shows the form")]
    Syntax {
        /// The file.
        file: String,
        /// Where, from 1.
        line: usize,
        /// What is wrong, in one line.
        what: String,
    },
    /// A definition that makes no sense.
    #[error("{file}: {what}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong and how to correct it.
        what: String,
    },
    /// A table folder that cannot be read.
    #[error("{file}: {source}")]
    Table {
        /// The workload's file.
        file: String,
        /// Where and what; boxed, because it is by far the largest part of any error.
        source: Box<TableError>,
    },
    /// Data that would take more memory than there is.
    #[error(
        "{file}: the data of {name} takes about {needed_mib} MiB, and {usable_mib} MiB can be had; make it smaller, or free \
         memory"
    )]
    TooLarge {
        /// The workload's file.
        file: String,
        /// The workload.
        name: String,
        /// What is needed, in MiB.
        needed_mib: u64,
        /// What there is, in MiB.
        usable_mib: u64,
    },
    /// Two workloads of one name in one run.
    #[error("two workloads are named {name:?}; rename one in its TOML file")]
    SameName {
        /// The name.
        name: String,
    },
    /// Data that differs from what a workload's file has recorded.
    #[error(
        "{file}: {name} with {build_rows} build and {probe_rows} probe rows gives {found}, but the file expects \
         {expected}; correct the entry of \"expected\" if the data was meant to change"
    )]
    Changed {
        /// The workload's file.
        file: String,
        /// The workload.
        name: String,
        /// Rows of the build side.
        build_rows: u64,
        /// Rows of the probe side.
        probe_rows: u64,
        /// Rows and checksum of the generated data's answer.
        found: String,
        /// Rows and checksum in the file.
        expected: String,
    },
}

impl Error {
    /// No workload matches `pattern`; `names` are those there are.
    pub fn unknown<'a>(pattern: &str, names: impl IntoIterator<Item = &'a str>) -> Error {
        Error::Unknown {
            pattern: pattern.to_owned(),
            suggestion: did_you_mean(pattern, names),
        }
    }

    pub(super) fn table(file: &str, source: TableError) -> Error {
        Error::Table {
            file: file.to_owned(),
            source: Box::new(source),
        }
    }

    pub(super) fn invalid(file: &str, what: impl Into<String>) -> Error {
        Error::Invalid {
            file: file.to_owned(),
            what: what.into(),
        }
    }
}

fn list_hint(suggestion: &str) -> &'static str {
    if suggestion.is_empty() {
        "; `harness list workloads` names them all, and a file of your own is named by its path"
    } else {
        ""
    }
}
