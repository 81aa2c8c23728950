//! What a query asks of each of its inputs, and whether its plan does the joins that it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use plan_bundles::job::plans::Planned;
use plan_bundles::shape::Attribute;
use sqlparser::ast::{
    BinaryOperator, Expr, Query, SetExpr, Statement, TableFactor, TableWithJoins, Visit, Visitor,
};

use crate::compile::{chain, compile};
use crate::filter::Filter;
use crate::schema::TableDef;
use crate::sql::{self, shown};

/// The filters of a query's scans, in their order.
///
/// # Errors
/// A query that is more than joins and filters, or a plan of another query.
pub(crate) fn filters(
    query: &Planned,
    tables: &[&TableDef],
) -> Result<Vec<Option<Filter>>, String> {
    let (from, selection) = read(&query.sql)?;
    let mut conditions = Vec::new();
    if let Some(selection) = &selection {
        split(selection, &mut conditions);
    }
    for (scan, table) in query.scans.iter().zip(tables) {
        if from.get(&scan.alias) != Some(&table.name) {
            return Err(format!(
                "the plan scans {} as {}, and the query does not; plan and query must be of one another",
                table.name, scan.alias
            ));
        }
    }
    if let Some(alias) = from
        .keys()
        .find(|&alias| !query.scans.iter().any(|s| s.alias == *alias))
    {
        return Err(format!(
            "the plan does not scan {alias}, which the query names"
        ));
    }
    let mut filters: Vec<Vec<Filter>> = vec![Vec::new(); query.scans.len()];
    let mut equal = Classes::default();
    for condition in conditions {
        let aliases = aliases(condition);
        if let Some((left, right)) = join(condition) {
            equal.add(left, right);
            continue;
        }
        let [alias] = &aliases.iter().collect::<Vec<_>>()[..] else {
            return Err(format!(
                "cannot evaluate {}; a condition is on columns of one input, or alias.column = alias.column",
                shown(condition)
            ));
        };
        let scan = query.scans.iter().position(|scan| scan.alias == **alias);
        let scan = scan.ok_or_else(|| {
            let what = shown(condition);
            format!("{what} is of no input; name them in FROM")
        })?;
        filters[scan].push(compile(condition, tables[scan])?);
    }
    let filters = filters.into_iter();
    let filters = filters.map(|all| (!all.is_empty()).then_some(Filter::And(all)));
    let mut keys = Vec::new();
    query.tree.keys(&mut keys);
    let mut planned = Classes::default();
    for pair in keys.chunks(2) {
        planned.add(pair[0].clone(), pair[1].clone());
    }
    match equal.0.iter().find(|class| !planned.0.contains(class)) {
        None if planned.0.len() == equal.0.len() => Ok(filters.collect()),
        None => Err(
            "the plan joins what the query does not; plan and query must be of one another"
                .to_owned(),
        ),
        Some(class) => {
            let class: Vec<String> = class.iter().map(Attribute::to_string).collect();
            let class = class.join(" = ");
            Err(format!(
                "the plan does not join {class}; plan and query must be of one another"
            ))
        }
    }
}

/// The tables of a query by alias, and its condition.
fn read(sql: &str) -> Result<(BTreeMap<String, String>, Option<Expr>), String> {
    let mut statements = sql::statements(sql)?;
    let (Some(Statement::Query(mut query)), true) = (statements.pop(), statements.is_empty())
    else {
        return Err("not one SELECT statement; write SELECT … FROM … WHERE …".to_owned());
    };
    let (tables, selection) = take_known(&mut query)?;
    // Whatever else there is may change which rows there are.
    let rest = query.to_string();
    if rest != "SELECT" {
        let rest = shown(&rest.trim_start_matches("SELECT "));
        return Err(format!(
            "cannot read {rest}; leave it out, a bundle is of joins and filters"
        ));
    }
    let mut from = BTreeMap::new();
    for item in &tables {
        let (alias, name) = input(item)?;
        if from.insert(alias.clone(), name).is_some() {
            return Err(format!("two inputs are called {alias}; give them aliases"));
        }
    }
    Ok((from, selection))
}

/// Takes tables and conditions out of a query, and the lists and orders that do not change which rows are joined.
fn take_known(query: &mut Query) -> Result<(Vec<TableWithJoins>, Option<Expr>), String> {
    query.order_by = None;
    let SetExpr::Select(select) = &mut *query.body else {
        return Err("not a plain SELECT statement; write SELECT … FROM … WHERE …".to_owned());
    };
    select.projection.clear();
    Ok((std::mem::take(&mut select.from), select.selection.take()))
}

/// The alias and the name of `name`, `name alias` or `name AS alias`.
fn input(item: &TableWithJoins) -> Result<(String, String), String> {
    if let TableFactor::Table { name, alias, .. } = &item.relation {
        let name = name.to_string();
        let (text, known_as) = match alias {
            None => (name.clone(), &name),
            Some(alias) => {
                let explicit = if alias.explicit { "AS " } else { "" };
                let text = format!("{name} {explicit}{}", alias.name);
                (text, &alias.name.value)
            }
        };
        if item.to_string() == text {
            return Ok((known_as.clone(), name));
        }
    }
    Err(format!(
        "cannot read {} in FROM; name tables with commas between them",
        shown(item)
    ))
}

/// The parts of an AND.
fn split<'a>(condition: &'a Expr, parts: &mut Vec<&'a Expr>) {
    for part in chain(condition, &BinaryOperator::And) {
        match part {
            Expr::Nested(inner) => split(inner, parts),
            other => parts.push(other),
        }
    }
}

/// `a.x = b.y` of two inputs.
fn join(condition: &Expr) -> Option<(Attribute, Attribute)> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = condition
    else {
        return None;
    };
    let attribute = |expression: &Expr| match expression {
        Expr::CompoundIdentifier(parts) => match &parts[..] {
            [alias, column] => Some(Attribute {
                alias: alias.value.clone(),
                column: column.value.clone(),
            }),
            _ => None,
        },
        _ => None,
    };
    let (left, right) = (attribute(left)?, attribute(right)?);
    (left.alias != right.alias).then_some((left, right))
}

/// The aliases that a condition names.
fn aliases(condition: &Expr) -> BTreeSet<String> {
    struct Aliases(BTreeSet<String>);
    impl Visitor for Aliases {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::CompoundIdentifier(parts) => self.0.insert(parts[0].value.clone()),
                // Of an input that is not said: of none.
                Expr::Identifier(name) => self.0.insert(name.value.clone()),
                _ => false,
            };
            ControlFlow::Continue(())
        }
    }
    let mut aliases = Aliases(BTreeSet::new());
    let _ = condition.visit(&mut aliases);
    aliases.0
}

/// Columns that are equal.
#[derive(Default)]
struct Classes(Vec<BTreeSet<Attribute>>);

impl Classes {
    fn add(&mut self, left: Attribute, right: Attribute) {
        let mut joined = BTreeSet::from([left, right]);
        self.0.retain(|class| {
            let apart = class.is_disjoint(&joined);
            if !apart {
                joined.extend(class.iter().cloned());
            }
            apart
        });
        self.0.push(joined);
    }
}
