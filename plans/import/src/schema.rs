//! Tables and columns, from the benchmark's `CREATE TABLE` statements.

use std::path::Path;

use join_core::page::DataType;
use plan_bundles::MakeError;
use sqlparser::ast::{self, CreateTable, Statement};

use crate::sql;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct TableDef {
    pub name: String,
    /// In the order of the CSV file.
    pub columns: Vec<ColumnDef>,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnDef {
    pub name: String,
    /// INT32 or VARCHAR.
    pub data_type: DataType,
    /// Whether its text is filled up with blanks.
    pub padded: bool,
}

impl TableDef {
    /// The number of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|own| own.name == name)
    }
}

/// The number that is written so, as PostgreSQL reads an `integer`.
pub(crate) fn integer(text: &str) -> Option<i32> {
    // Rust's other blanks are none there.
    let blank = |c: char| matches!(c, ' ' | '\t'..='\r');
    text.trim_matches(blank).parse().ok()
}

/// The tables that the text of a file creates.
pub(crate) fn read(file: &Path, text: &str) -> Result<Vec<TableDef>, MakeError> {
    let refused = |what: String| MakeError::input(file, what);
    let statements = sql::statements(text)
        .map_err(|error| refused(format!("{error}; write CREATE TABLE statements")))?;
    let mut tables: Vec<TableDef> = Vec::new();
    for statement in statements {
        let Statement::CreateTable(create) = statement else {
            continue;
        };
        let table = table(&create).map_err(refused)?;
        if tables.iter().any(|other| other.name == table.name) {
            let name = table.name;
            return Err(refused(format!(
                "table {name} is created twice; leave out one"
            )));
        }
        tables.push(table);
    }
    if tables.is_empty() {
        let what = "no CREATE TABLE statement; name the schema's file with --schema";
        return Err(refused(what.to_owned()));
    }
    Ok(tables)
}

fn table(create: &CreateTable) -> Result<TableDef, String> {
    let mut table = TableDef {
        name: create.name.to_string(),
        columns: Vec::new(),
    };
    for column in &create.columns {
        let name = column.name.value.clone();
        let found = &column.data_type;
        if table.column(&name).is_some() {
            return Err(format!("{} has two columns {name}; rename one", table.name));
        }
        let data_type = data_type(found).ok_or_else(|| {
            let (table, found) = (&table.name, sql::shown(found));
            format!("{table}.{name} is of type {found}; integer and text can be imported")
        })?;
        table.columns.push(ColumnDef {
            name,
            data_type,
            padded: matches!(found, ast::DataType::Char(_) | ast::DataType::Character(_)),
        });
    }
    Ok(table)
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
