//! `table.json`: one element of the `inputs` of a plan bundle.

use serde::{Deserialize, Serialize};

use crate::page::DataType;

/// What `table.json` says of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMeta {
    /// The table's name.
    pub name: String,
    /// Its rows, which all columns must have.
    pub num_rows: u64,
    /// Its columns in order.
    pub columns: Vec<ColumnMeta>,
}

/// What `table.json` says of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMeta {
    /// The column's name.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// The file with its pages, relative to the folder.
    pub file: String,
    /// The number of pages in that file.
    pub pages: u64,
}
