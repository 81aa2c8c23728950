//! Files to a table folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use join_core::table::{Table, TableError, open_file};

use crate::{Error, Options, Progress, from_csv, from_parquet};

/// What a Parquet file begins and ends with.
const PARQUET_MAGIC: &[u8; 4] = b"PAR1";

/// Imports `files`, whose rows follow one another in one table, into the new table folder `out`. It appears whole or
/// not at all. The table is in memory before it is written.
///
/// # Errors
/// If a file cannot be read or `out` exists and is not empty.
pub fn import(
    files: &[PathBuf],
    out: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Table, Error> {
    // Known before the work; `Table::write` has the last word.
    if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        let path = out.to_owned();
        return Err(TableError::Exists { path }.into());
    }
    let table = read(files, options, progress)?;
    table.write(out)?;
    Ok(table)
}

/// Reads `files` into memory as one table. A file that ends in `.parquet` or begins as Parquet does is read as Parquet,
/// any other as CSV.
///
/// # Errors
/// If a file cannot be read, or the files do not go together.
pub fn read(
    files: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Table, Error> {
    let Some((first, others)) = files.split_first() else {
        return Err(Error::Options("no file is named; name one".to_owned()));
    };
    // Files are read more than once.
    for file in files {
        open_file(file)?;
    }
    let parquet = is_parquet(first)?;
    for other in others {
        if is_parquet(other)? != parquet {
            return Err(Error::file(
                other,
                format!(
                    "not of the same format as {}; import them into two tables",
                    first.display()
                ),
            ));
        }
    }
    let columns = match parquet {
        true => from_parquet::read(files, options, progress)?,
        false => from_csv::read(files, options, progress)?,
    };
    Ok(Table::new(options.name.as_str(), columns)?)
}

fn is_parquet(path: &Path) -> Result<bool, Error> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut start))
        .map_err(Error::io("read", path))?;
    let named = path
        .extension()
        .is_some_and(|extension| extension == "parquet");
    Ok(named || start == PARQUET_MAGIC)
}
