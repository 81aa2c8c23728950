//! Tables and columns, from the benchmark's `CREATE TABLE` statements.

use std::fs;
use std::path::Path;

use join_core::page::DataType;
use plan_bundles::MakeError;
use sqlparser::ast::{self, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct TableDef {
    pub name: String,
    /// Names and types in the order of the CSV file: INT32 or VARCHAR.
    pub columns: Vec<(String, DataType)>,
}

impl TableDef {
    /// The number of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(own, _)| own == name)
    }
}

/// The tables that a file creates.
pub(crate) fn read(file: &Path) -> Result<Vec<TableDef>, MakeError> {
    let text = fs::read_to_string(file).map_err(MakeError::read(file))?;
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, &text).map_err(|error| {
        MakeError::input(file, format!("{error}; write CREATE TABLE statements"))
    })?;
    let mut tables: Vec<TableDef> = Vec::new();
    for statement in statements {
        let Statement::CreateTable(create) = statement else {
            continue;
        };
        let name = create.name.to_string();
        if tables.iter().any(|table| table.name == name) {
            let what = format!("table {name} is created twice; leave out one");
            return Err(MakeError::input(file, what));
        }
        let columns = create.columns.iter().map(|column| {
            let name = column.name.value.clone();
            let data_type = data_type(&column.data_type).ok_or_else(|| {
                let (table, found) = (&create.name, &column.data_type);
                let what =
                    format!("{table}.{name} is of type {found}; integer and text can be imported");
                MakeError::input(file, what)
            })?;
            Ok((name, data_type))
        });
        let columns = columns.collect::<Result<_, MakeError>>()?;
        tables.push(TableDef { name, columns });
    }
    if tables.is_empty() {
        let what = "no CREATE TABLE statement; name the schema's file with --schema";
        return Err(MakeError::input(file, what));
    }
    Ok(tables)
}

fn data_type(found: &ast::DataType) -> Option<DataType> {
    use ast::DataType::{
        Char, CharVarying, Character, CharacterVarying, Int, Int4, Integer, SmallInt, Text, Varchar,
    };
    match found {
        Int(_) | Int4(_) | Integer(_) | SmallInt(_) => Some(DataType::Int32),
        Text | Varchar(_) | CharacterVarying(_) | CharVarying(_) | Char(_) | Character(_) => {
            Some(DataType::Varchar)
        }
        _ => None,
    }
}
