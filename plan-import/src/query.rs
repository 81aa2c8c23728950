//! What a query asks of each of its inputs, and whether its plan does the joins that it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use plan_bundles::job::plans::Planned;
use plan_bundles::shape::Attribute;
use sqlparser::ast::{BinaryOperator, Expr, SetExpr, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::filter::{Filter, compile};
use crate::schema::TableDef;

/// The filters of a query's scans, in their order.
///
/// # Errors
/// A query that is more than joins and filters, or a plan of another query.
pub(crate) fn filters(
    query: &Planned,
    tables: &[&TableDef],
) -> Result<Vec<Option<Filter>>, String> {
    let (from, conditions) = read(&query.sql)?;
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
    let mut filters: Vec<Option<Filter>> = vec![None; query.scans.len()];
    let mut equal = Classes::default();
    for condition in &conditions {
        let aliases = aliases(condition);
        if let Some((left, right)) = join(condition) {
            equal.add(left, right);
            continue;
        }
        let [alias] = &aliases.iter().collect::<Vec<_>>()[..] else {
            return Err(format!(
                "cannot evaluate {condition}; a condition is on columns of one input, or alias.column = alias.column"
            ));
        };
        let scan = query.scans.iter().position(|scan| scan.alias == **alias);
        let scan = scan.ok_or_else(|| format!("{condition} is of no input; name them in FROM"))?;
        let filter = compile(condition, tables[scan])?;
        let before = filters[scan].take();
        filters[scan] = Some(match before {
            Some(before) => before.and(filter),
            None => filter,
        });
    }
    let mut keys = Vec::new();
    query.tree.keys(&mut keys);
    let mut planned = Classes::default();
    for pair in keys.chunks(2) {
        planned.add(pair[0].clone(), pair[1].clone());
    }
    match equal.0.iter().find(|class| !planned.0.contains(class)) {
        None if planned.0.len() == equal.0.len() => Ok(filters),
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

/// The tables of a query by alias, and its conditions, all of which must hold.
fn read(sql: &str) -> Result<(BTreeMap<String, String>, Vec<Expr>), String> {
    let statements =
        Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| error.to_string())?;
    let [Statement::Query(query)] = &statements[..] else {
        return Err("not one SELECT statement".to_owned());
    };
    let SetExpr::Select(select) = &*query.body else {
        return Err("not a plain SELECT statement".to_owned());
    };
    // What changes which rows there are. Aggregates and order are left away.
    let more = [
        ("DISTINCT", select.distinct.is_some()),
        ("HAVING", select.having.is_some()),
        (
            "LIMIT",
            query.limit_clause.is_some() || query.fetch.is_some(),
        ),
    ];
    if let Some((clause, _)) = more.iter().find(|(_, used)| *used) {
        return Err(format!(
            "cannot read {clause}; leave it away, a bundle is of joins and filters"
        ));
    }
    let mut from = BTreeMap::new();
    for item in &select.from {
        let (TableFactor::Table { name, alias, .. }, []) = (&item.relation, &item.joins[..]) else {
            return Err(format!(
                "cannot read {item} in FROM; name tables with commas between them"
            ));
        };
        let name = name.to_string();
        let alias = alias
            .as_ref()
            .map_or(&name, |alias| &alias.name.value)
            .clone();
        if from.insert(alias.clone(), name).is_some() {
            return Err(format!("two inputs are called {alias}; give them aliases"));
        }
    }
    let mut conditions = Vec::new();
    if let Some(condition) = &select.selection {
        split(condition, &mut conditions);
    }
    Ok((from, conditions))
}

/// The parts of an AND.
fn split(condition: &Expr, parts: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(left, parts);
            split(right, parts);
        }
        Expr::Nested(inner) => split(inner, parts),
        other => parts.push(other.clone()),
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
