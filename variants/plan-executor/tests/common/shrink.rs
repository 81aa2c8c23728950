//! Smaller plans with the same fault.

use std::fmt::Write;

use join_core::table::{NamedColumn, Table, Value};
use plan_executor::Bundle;

use super::tables::full_pages;

/// The bundle without all rows that `wrong` does not need; itself where fewer pages are right.
pub fn shrunk(bundle: Bundle, wrong: impl Fn(&Bundle) -> bool) -> Bundle {
    let mut smallest = bundle;
    let mut table = 0;
    while table < smallest.tables().len() {
        // Halves, quarters, …, single rows.
        let mut count = smallest.tables()[table].num_rows();
        while count > 0 {
            let mut first = 0;
            while first < smallest.tables()[table].num_rows() {
                let smaller = without(&smallest, table, first..first + count);
                match wrong(&smaller) {
                    true => smallest = smaller,
                    false => first += count,
                }
            }
            count /= 2;
        }
        table += 1;
    }
    smallest
}

/// The bundle without some rows of a table.
fn without(bundle: &Bundle, table: usize, rows: std::ops::Range<usize>) -> Bundle {
    let mut tables = bundle.tables().to_vec();
    let columns = tables[table].columns().iter().map(|named| {
        let values = named.column.values().enumerate();
        let values = values.filter(|(row, _)| !rows.contains(row));
        let values: Vec<Value<'_>> = values.map(|(_, value)| value.into_owned()).collect();
        let column = full_pages(named.column.data_type(), &values);
        NamedColumn::new(named.name.clone(), column)
    });
    let columns = columns.collect();
    tables[table] = Table::new(tables[table].name(), columns).expect("columns of equal length");
    let plan = bundle.plan();
    let nodes = plan.nodes().to_vec();
    Bundle::new(bundle.name(), nodes, plan.root(), tables).expect("the plan is the same")
}

/// A plan and its tables, to be read by a person.
pub fn described(bundle: &Bundle) -> String {
    let mut text = String::new();
    for (number, node) in bundle.plan().nodes().iter().enumerate() {
        let output: Vec<usize> = node.output.iter().map(|output| output.index).collect();
        let _ = writeln!(text, "node {number}: {:?} -> {output:?}", node.operator);
    }
    let _ = writeln!(text, "root: {}", bundle.plan().root());
    for (number, table) in bundle.tables().iter().enumerate() {
        let _ = writeln!(text, "table {number}:");
        for named in table.columns() {
            let values: Vec<String> = named
                .column
                .values()
                .take(20)
                .map(|v| v.to_string())
                .collect();
            let _ = writeln!(
                text,
                "    {} {}",
                named.column.data_type(),
                values.join(" ")
            );
        }
    }
    text
}
