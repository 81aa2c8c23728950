//! A plan with its tables as raw files, for peers to load.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use join_core::page::DataType;
use join_core::table::{Column, Value};
use plan_executor::{Bundle, Node, Operator, PLAN_FILE};
use serde::Serialize;
use tempfile::TempDir;

use super::keys::Bits;

/// A plan in a folder that vanishes with this: `plan.json`, as in a bundle but for its tables, and the columns that the
/// plan reads.
#[derive(Debug)]
pub struct PlanFiles(TempDir);

#[derive(Serialize)]
struct PlanDescription<'a> {
    root: usize,
    nodes: &'a [Node],
    tables: Vec<TableDescription>,
}

#[derive(Serialize)]
struct TableDescription {
    rows: usize,
    /// None for a column that the plan does not read.
    columns: Vec<Option<ColumnFiles>>,
}

/// The files of a column, as the protocol names them: Arrow's buffers.
#[derive(Debug, Serialize)]
struct ColumnFiles {
    r#type: DataType,
    /// Little-endian values, one a row, 0 for a NULL; of strings, the characters.
    values: String,
    /// Of strings: where each begins and where the last one ends, 64 bits each.
    ends: Option<String>,
    /// A bit a row, the least significant of a byte first, clear for a NULL; none where there is no NULL.
    valid: Option<String>,
}

impl PlanFiles {
    /// Writes the plan and the columns that it reads.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(bundle: &Bundle) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("joinery-").tempdir()?;
        let plan = bundle.plan();
        let tables = bundle.tables().iter().enumerate();
        let tables = tables.map(|(number, table)| {
            let columns = table.columns().iter().enumerate();
            let columns = columns.map(|(at, named)| {
                let is_read = plan.nodes().iter().any(|node| {
                    node.operator == Operator::Scan(number)
                        && node.output.iter().any(|output| output.index == at)
                });
                is_read
                    .then(|| write_column(&named.column, folder.path(), &format!("{number}_{at}")))
                    .transpose()
            });
            Ok(TableDescription {
                rows: table.num_rows(),
                columns: columns.collect::<io::Result<_>>()?,
            })
        });
        let description = PlanDescription {
            root: plan.root(),
            nodes: plan.nodes(),
            tables: tables.collect::<io::Result<_>>()?,
        };
        let text = serde_json::to_vec(&description)?;
        std::fs::write(folder.path().join(PLAN_FILE), text)?;
        Ok(Self(folder))
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }
}

fn write_column(column: &Column, folder: &Path, name: &str) -> io::Result<ColumnFiles> {
    let open = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let data_type = column.data_type();
    let is_string = data_type == DataType::Varchar;
    let values = format!("{name}.values");
    let ends = is_string.then(|| format!("{name}.ends"));
    let mut value_file = open(&values)?;
    let mut end_file = ends.as_deref().map(open).transpose()?;
    let mut end = 0_u64;
    if let Some(file) = &mut end_file {
        file.write_all(&end.to_le_bytes())?;
    }
    let mut valid = Bits::default();
    let mut has_nulls = false;
    for value in column.values() {
        let is_null = matches!(value, Value::Null);
        has_nulls |= is_null;
        valid.push(!is_null);
        match value {
            Value::Int32(value) => value_file.write_all(&value.to_le_bytes())?,
            Value::Int64(value) => value_file.write_all(&value.to_le_bytes())?,
            Value::Fp64(value) => value_file.write_all(&value.to_le_bytes())?,
            Value::Varchar(text) => {
                value_file.write_all(&text)?;
                end += text.len() as u64;
            }
            Value::Null => value_file.write_all(match data_type {
                DataType::Int32 => &[0; 4],
                DataType::Int64 | DataType::Fp64 => &[0; 8],
                DataType::Varchar => &[],
            })?,
        }
        if let Some(file) = &mut end_file {
            file.write_all(&end.to_le_bytes())?;
        }
    }
    value_file.flush()?;
    if let Some(file) = &mut end_file {
        file.flush()?;
    }
    let valid_name = has_nulls.then(|| format!("{name}.valid"));
    if let Some(name) = &valid_name {
        std::fs::write(folder.join(name), &valid.bytes)?;
    }
    Ok(ColumnFiles {
        r#type: data_type,
        values,
        ends,
        valid: valid_name,
    })
}
