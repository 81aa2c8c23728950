//! A query of a benchmark, in short.

use plan_executor::Bundle;

use crate::MakeError;
use crate::rows::TableMaker;
use crate::shape::{Attribute, Tree, bundle};

/// A query: its inputs with the filters evaluated, its joins, and what it selects.
pub(crate) struct Query {
    /// Aliases and tables.
    pub inputs: Vec<(&'static str, TableMaker)>,
    /// The joins in the order of [`Tree::of_joins`].
    pub joins: &'static [&'static str],
    /// The selected columns, with spaces between them.
    pub select: &'static str,
}

impl Query {
    /// The bundle of this query at a scale factor.
    pub fn bundle(&self, name: &str, scale: f64) -> Result<Bundle, MakeError> {
        let tree = Tree::of_joins(self.joins);
        let select = self.select.split_whitespace();
        let select: Vec<Attribute> = select
            .map(|text| Attribute::parse(text).expect("a selected column is alias.column"))
            .collect();
        let columns = tree.columns(&select);
        let inputs = self.inputs.iter().map(|(alias, rows)| {
            let columns: Vec<String> = columns.get(*alias).into_iter().flatten().cloned().collect();
            let table = rows(scale, &columns)?;
            Ok(((*alias).to_owned(), table))
        });
        let inputs = inputs.collect::<Result<_, MakeError>>()?;
        bundle(name, &tree, &select, inputs).map_err(|error| MakeError::Shape {
            query: name.to_owned(),
            error,
        })
    }
}
