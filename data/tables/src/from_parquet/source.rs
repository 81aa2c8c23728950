//! One Parquet file of several.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use join_core::table::ColumnBuilder;
use parquet::column::reader::get_column_reader;
use parquet::file::metadata::ParquetMetaData;

use super::damage::{damaged, explain};
use super::guard::guarded;
use super::pages::Pages;
use super::schema::{self, Planned};
use super::values::read_chunk;
use super::{codec, footer};
use crate::{Error, Options};

/// A file that is not open, and what of it becomes a column.
pub struct Source {
    pub path: PathBuf,
    pub columns: Vec<Planned>,
    metadata: ParquetMetaData,
    rows: u64,
}

impl Source {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// If it cannot be read, or a column that is asked for cannot be imported.
    pub fn open(path: &Path, options: &Options) -> Result<Source, Error> {
        let what = |what: String| Error::file(path, what);
        let file = File::open(path).map_err(Error::io("read", path))?;
        let metadata = footer::read(&file).map_err(what)?;
        let columns =
            schema::plan(metadata.file_metadata().schema_descr(), options).map_err(what)?;
        let mut rows = 0;
        for group in metadata.row_groups() {
            let more = u64::try_from(group.num_rows()).ok();
            let sum = more.and_then(|more| more.checked_add(rows));
            rows = sum.ok_or_else(|| what(damaged("a row group has no valid number of rows")))?;
        }
        let source = Source {
            path: path.to_owned(),
            columns,
            metadata,
            rows,
        };
        source.check_columns()?;
        Ok(source)
    }

    /// Checks what can be said of the columns before they are read.
    fn check_columns(&self) -> Result<(), Error> {
        for (number, group) in self.metadata.row_groups().iter().enumerate() {
            for column in &self.columns {
                let at = |what| self.at(number, column, what);
                let chunk = group.columns().get(column.index);
                let chunk = chunk.ok_or_else(|| at(damaged("the column is missing")))?;
                codec::check(chunk.compression()).map_err(at)?;
                if chunk.num_values() != group.num_rows() {
                    return Err(at(damaged(
                        "the column has not as many values as there are rows",
                    )));
                }
                // Tells whether the column may have NULLs, as the schema does.
                let levels = chunk.column_descr().max_def_level() as usize + 1;
                if chunk
                    .definition_level_histogram()
                    .is_some_and(|histogram| !histogram.is_empty() && histogram.len() != levels)
                {
                    return Err(at(damaged("the column and the schema differ on NULLs")));
                }
                if let Some(file) = chunk.file_path() {
                    return Err(at(format!(
                        "it lies in another file, {file:?}; import the files with the data"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Checks that the columns are those of `first`, and mean the same.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_like(&self, first: &Source) -> Result<(), Error> {
        let there = first.path.display();
        for (column, expected) in self.columns.iter().zip(&first.columns) {
            let (ours, theirs) = (column.conversion.target, expected.conversion.target);
            if (&column.name, ours) != (&expected.name, theirs) {
                return Err(Error::file(
                    &self.path,
                    format!(
                        "column {:?} is {ours}, but {there} has {:?} as {theirs} there; choose with --columns and --types what they share",
                        column.name, expected.name
                    ),
                ));
            }
            if column.meaning != expected.meaning {
                return Err(Error::file(
                    &self.path,
                    format!(
                        "column {:?} is {}, but in {there} it is {}; convert one of them, leave the column out with --columns, \
                         or import the files into two tables",
                        column.name, column.meaning, expected.meaning
                    ),
                ));
            }
        }
        if self.columns.len() != first.columns.len() {
            return Err(Error::file(
                &self.path,
                format!(
                    "{} columns, but {there} has {}; choose with --columns what they share",
                    self.columns.len(),
                    first.columns.len()
                ),
            ));
        }
        Ok(())
    }

    /// Rows of all row groups, as the footer says.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends a column of all row groups to `builder`, and tells `done` of the rows after each.
    ///
    /// # Errors
    /// If the file is damaged, or a value does not fit.
    pub fn read_column(
        &self,
        number: usize,
        builder: &mut ColumnBuilder,
        done: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let column = &self.columns[number];
        let file = Arc::new(File::open(&self.path).map_err(Error::io("read", &self.path))?);
        for (number, group) in self.metadata.row_groups().iter().enumerate() {
            let rows = group.num_rows() as u64;
            guarded(|| {
                let chunk = group.column(column.index);
                let pages = Pages::new(&file, chunk, rows).map_err(explain)?;
                let reader = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
                read_chunk(reader, column, rows, builder)
            })
            .map_err(|what| self.at(number, column, what))?;
            done(rows);
        }
        Ok(())
    }

    fn at(&self, row_group: usize, column: &Planned, what: String) -> Error {
        Error::RowGroup {
            file: self.path.clone(),
            row_group,
            column: column.name.clone(),
            what,
        }
    }
}
