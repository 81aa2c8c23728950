//! A key column of a table folder.

use std::fmt;
use std::path::{Path, PathBuf};

use join_core::page::DataType;
use join_core::table::{Column, Table, TableError, TableMeta};

use super::error::Error;
use crate::nearest::did_you_mean;

/// The key column of a side that is a table folder. Only this column of the table is read.
#[derive(Clone, Debug)]
pub struct TableKeys {
    folder: PathBuf,
    /// The table as its folder describes it, without its other columns.
    meta: TableMeta,
    data_type: DataType,
}

impl TableKeys {
    /// Bytes that the oracle takes for a row, at the most: a key and a row, in a list that is copied as it grows, and the
    /// row once more.
    pub const EXTRA_BYTES_PER_ROW: u64 =
        2 * size_of::<(i64, u32)>() as u64 + size_of::<u32>() as u64;

    /// Looks the column `key` up in the description of the table in `folder`; `file` is the workload's.
    ///
    /// # Errors
    /// If the description cannot be read, has no such column, or two columns of one name.
    pub fn find(file: &str, folder: &Path, key: &str) -> Result<TableKeys, Error> {
        let mut meta = TableMeta::read(folder).map_err(|error| Error::table(file, error))?;
        if u32::try_from(meta.num_rows).is_err() {
            let (table, rows) = (meta.name, meta.num_rows);
            return Err(Error::table(file, TableError::TooManyRows { table, rows }));
        }
        let names = || meta.columns.iter().map(|column| column.name.as_str());
        let same = names().filter(|name| *name == key).count();
        if same > 1 {
            return Err(Error::invalid(
                file,
                format!(
                    "the table {} has {same} columns named {key:?}; write it again with a name for each",
                    folder.display()
                ),
            ));
        }
        let Some(number) = names().position(|name| name == key) else {
            return Err(Error::invalid(
                file,
                format!(
                    "the table {} has no column {key:?}{}; it has: {}",
                    folder.display(),
                    did_you_mean(key, names()),
                    names().collect::<Vec<_>>().join(", ")
                ),
            ));
        };
        let column = meta.columns.swap_remove(number);
        let data_type = column.data_type;
        meta.columns = vec![column];
        Ok(TableKeys {
            folder: folder.to_owned(),
            meta,
            data_type,
        })
    }

    /// Rows of the table.
    pub fn rows(&self) -> u64 {
        self.meta.num_rows
    }

    /// The type of the keys.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Maps and checks the column.
    ///
    /// # Errors
    /// If the pages do not follow the format or are not those that the table describes.
    pub fn open(&self) -> Result<Column, TableError> {
        let table = Table::open_described(&self.folder, &self.meta)?;
        Ok(table.columns()[0].column.clone())
    }
}

impl fmt::Display for TableKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = &self.meta.columns[0].name;
        write!(f, "column {column:?} of {}", self.folder.display())
    }
}
