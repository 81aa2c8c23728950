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

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::table::{NamedColumn, Table};
    use plan_executor::Output;

    #[test]
    fn files_hold_what_the_plan_reads_and_vanish() {
        let long = "x".repeat(20_000);
        let texts = [
            Some("a".to_owned()),
            None,
            Some(String::new()),
            Some(long),
            Some("bc".to_owned()),
        ];
        let ends = [0_u64, 1, 1, 1, 20_001, 20_003];
        let columns = vec![
            NamedColumn::new("unread", Column::from_i64(&[1, 2, 3, 4, 5])),
            NamedColumn::new("text", Column::from_strings(texts.iter().cloned())),
            NamedColumn::new(
                "key",
                Column::from_options([Some(-1_i32), None, Some(7), None, None]),
            ),
            NamedColumn::new("wide", Column::from_i64(&[i64::MIN, 0, 1, 2, i64::MAX])),
        ];
        let output = [
            (1, DataType::Varchar),
            (2, DataType::Int32),
            (3, DataType::Int64),
        ];
        let nodes = vec![Node {
            operator: Operator::Scan(0),
            output: output
                .map(|(index, data_type)| Output { index, data_type })
                .into(),
        }];
        let table = Table::new("t", columns).unwrap();
        let files = PlanFiles::write(&Bundle::new("b", nodes, 0, vec![table]).unwrap()).unwrap();
        let folder = files.folder().to_owned();
        let read =
            |name: &serde_json::Value| std::fs::read(folder.join(name.as_str().unwrap())).unwrap();
        let plan: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join(PLAN_FILE)).unwrap()).unwrap();
        assert_eq!(plan["nodes"][0]["scan"]["base_table"], 0);
        assert_eq!(
            plan["nodes"][0]["output"][1],
            serde_json::json!([2, "INT32"])
        );
        assert_eq!(plan["tables"][0]["rows"], 5);
        let [unread, text, key, wide] = [0, 1, 2, 3].map(|at| &plan["tables"][0]["columns"][at]);
        assert!(unread.is_null());
        assert_eq!(
            (&text["type"], &key["type"]),
            (&"VARCHAR".into(), &"INT32".into())
        );
        let written: Vec<u8> = ends.iter().flat_map(|end| end.to_le_bytes()).collect();
        assert_eq!(read(&text["ends"]), written);
        assert_eq!(read(&text["values"]).len(), 20_003);
        assert_eq!(&read(&text["values"])[20_001..], b"bc");
        assert_eq!(read(&text["valid"]), [0b11101]);
        assert!(key["ends"].is_null() && wide["valid"].is_null());
        let keys: Vec<u8> = [-1_i32, 0, 7, 0, 0]
            .iter()
            .flat_map(|key| key.to_le_bytes())
            .collect();
        assert_eq!(
            (read(&key["values"]), read(&key["valid"])),
            (keys, vec![0b00101])
        );
        assert_eq!(&read(&wide["values"])[32..], i64::MAX.to_le_bytes());
        drop(files);
        assert!(!folder.exists());
    }
}
