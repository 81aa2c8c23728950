//! What is said of files that cannot be read.

use std::io;

use parquet::errors::ParquetError;

use super::thrift::ThriftError;
use crate::error::one_line;

/// What is wrong with a damaged file, and what helps.
pub fn damaged(what: impl ToString) -> String {
    format!(
        "{}: the file is damaged; write or copy the file again",
        one_line(what)
    )
}

/// An error of the Parquet library, or of the reader of its pages.
pub fn explain(error: ParquetError) -> String {
    match error {
        ParquetError::General(what) | ParquetError::EOF(what) => damaged(what),
        ParquetError::NYI(what) => {
            format!("{}; write the file with other encodings", one_line(what))
        }
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => format!("cannot read the file: {}; check the disk", one_line(error)),
            Err(error) => damaged(error),
        },
        error => damaged(error),
    }
}

/// What cannot be read of `place`.
pub fn fault(place: &str, fault: ThriftError) -> String {
    explain(to_parquet(place, fault))
}

/// As [`fault`], for readers that the library calls.
pub fn to_parquet(place: &str, fault: ThriftError) -> ParquetError {
    match fault {
        ThriftError::Io(error) => ParquetError::External(Box::new(error)),
        ThriftError::Broken(what) => ParquetError::General(format!("{place} is broken: {what}")),
    }
}
