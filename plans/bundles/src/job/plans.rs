//! PostgreSQL's plans, as `EXPLAIN (FORMAT JSON)` prints them, and the queries that they are of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::MakeError;
use crate::files;
use crate::shape::{Attribute, JoinTree, Tree};

/// A query as it was planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name, such as `1a`.
    pub name: String,
    /// The file of its text.
    pub sql_file: PathBuf,
    /// Its text.
    pub sql: String,
    /// What it reads, in the order of the plan.
    pub scans: Vec<Scan>,
    /// Its joins.
    pub tree: Tree,
    /// The columns of its SELECT list.
    pub select: Vec<Attribute>,
}

/// A scan of a plan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The alias of the table in the query.
    pub alias: String,
    /// The table.
    pub table: String,
    /// The filter, as PostgreSQL writes it.
    pub filter: Option<String>,
    /// How many rows PostgreSQL expects of it, of all workers together.
    pub rows: f64,
}

#[derive(Deserialize)]
struct PlansFile {
    sql_directory: Option<String>,
    names: Vec<String>,
    plans: Vec<Explained>,
}

#[derive(Deserialize)]
struct Explained {
    #[serde(rename = "Plan")]
    plan: PlanNode,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlanNode {
    #[serde(rename = "Node Type")]
    node_type: String,
    #[serde(default)]
    plans: Vec<PlanNode>,
    #[serde(rename = "Relation Name")]
    relation: Option<String>,
    alias: Option<String>,
    filter: Option<String>,
    #[serde(rename = "Plan Rows", default)]
    rows: f64,
    #[serde(rename = "Parallel Aware", default)]
    parallel: bool,
    #[serde(rename = "Workers Planned", default)]
    workers: f64,
    #[serde(rename = "Join Type")]
    join_type: Option<String>,
    #[serde(rename = "Hash Cond")]
    condition: Option<String>,
}

/// Reads a file of plans: `{"sql_directory": "job", "names": ["1a", …], "plans": [{"Plan": …}, …]}`, and of each query the
/// file `<name>.sql` in `sql`, or in the folder beside the plans that they name.
///
/// # Errors
/// A file that cannot be read, a plan that is no tree of scans and inner hash joins on one column each, or a query that
/// `queries` names and the file does not have.
pub fn read(
    plans: &Path,
    sql: Option<&Path>,
    queries: &[String],
) -> Result<Vec<Planned>, MakeError> {
    parse(plans, &files::text(plans)?, sql, queries, files::text)
}

/// As [`read`] does, of the text of the file `plans`; `text_of` reads a query's file.
///
/// # Errors
/// As those of [`read`].
pub fn parse(
    plans: &Path,
    text: &str,
    sql: Option<&Path>,
    queries: &[String],
    text_of: impl Fn(&Path) -> Result<String, MakeError>,
) -> Result<Vec<Planned>, MakeError> {
    let file: PlansFile = serde_json::from_str(text).map_err(|error| {
        MakeError::input(
            plans,
            format!(
                "{error}; it must hold \"names\" and \"plans\" of EXPLAIN (FORMAT JSON), nested at most 127 deep"
            ),
        )
    })?;
    if file.names.len() != file.plans.len() {
        let (names, plans_) = (file.names.len(), file.plans.len());
        let what = format!("{names} names and {plans_} plans; each plan needs its name");
        return Err(MakeError::input(plans, what));
    }
    let mut seen = BTreeSet::new();
    for name in &file.names {
        let of_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(of_name) {
            let what =
                format!("the name {name:?} is no name of a folder; use letters, digits, _ and -");
            return Err(MakeError::input(plans, what));
        }
        if !seen.insert(name) {
            let what = format!("the name {name} is there twice; rename one plan");
            return Err(MakeError::input(plans, what));
        }
    }
    if let Some(name) = queries.iter().find(|name| !file.names.contains(name)) {
        return Err(MakeError::Query {
            name: name.clone(),
            names: file.names,
        });
    }
    let beside = || {
        let folder = plans.parent().unwrap_or(Path::new(""));
        folder.join(file.sql_directory.as_deref().unwrap_or("sql"))
    };
    let sql = sql.map_or_else(beside, Path::to_owned);
    let planned = file.names.iter().zip(&file.plans);
    planned
        .filter(|(name, _)| queries.is_empty() || queries.contains(name))
        .map(|(name, explained)| {
            let sql_file = sql.join(format!("{name}.sql"));
            let sql = text_of(&sql_file)?;
            let select = select_list(&sql).map_err(|what| MakeError::input(&sql_file, what))?;
            let mut scans = Vec::new();
            let tree = tree(&explained.plan, 0.0, &mut scans)
                .and_then(|tree| check(&scans, &select).map(|()| tree))
                .map_err(|what| MakeError::input(plans, format!("plan {name}: {what}")))?;
            Ok(Planned {
                name: name.clone(),
                sql_file,
                sql,
                scans,
                tree,
                select,
            })
        })
        .collect()
}

/// All that is selected is read.
fn check(scans: &[Scan], select: &[Attribute]) -> Result<(), String> {
    let unknown = |attribute: &&Attribute| !scans.iter().any(|scan| scan.alias == attribute.alias);
    match select.iter().find(unknown) {
        Some(attribute) => Err(format!(
            "it has no scan for {attribute}, which the query selects; plan and query must be of one another"
        )),
        None => Ok(()),
    }
}

/// The tree of a plan; `workers` share its parallel scans.
fn tree(node: &PlanNode, workers: f64, scans: &mut Vec<Scan>) -> Result<Tree, String> {
    match (&node.node_type[..], &node.plans[..]) {
        ("Hash Join", [left, right]) => join(node, left, right, workers, scans),
        ("Seq Scan" | "Index Only Scan", []) => scan(node, workers, scans),
        ("Gather" | "Gather Merge", [child]) => tree(child, node.workers, scans),
        ("Aggregate" | "Hash" | "Sort" | "Materialize", [child]) => tree(child, workers, scans),
        ("Limit", _) => {
            Err("a Limit, which joins do not have; plan the query without it".to_owned())
        }
        (other, _) => Err(format!(
            "a {other} is neither a hash join nor a scan of a whole table; plan the query with enable_nestloop, \
             enable_mergejoin, enable_indexscan and enable_bitmapscan off"
        )),
    }
}

fn scan(node: &PlanNode, workers: f64, scans: &mut Vec<Scan>) -> Result<Tree, String> {
    let table = node.relation.clone().ok_or("a scan has no Relation Name")?;
    let alias = node.alias.clone().unwrap_or_else(|| table.clone());
    if scans.iter().any(|other| other.alias == alias) {
        return Err(format!("two scans are called {alias}; give them aliases"));
    }
    // The leader helps, the less the more workers there are, and the estimate is of one of them.
    let share = match node.parallel {
        true => workers + (1.0 - 0.3 * workers).max(0.0),
        false => 1.0,
    };
    scans.push(Scan {
        alias: alias.clone(),
        table,
        filter: node.filter.clone(),
        rows: node.rows * share,
    });
    Ok(Tree::Scan(alias))
}

fn join(
    node: &PlanNode,
    left: &PlanNode,
    right: &PlanNode,
    workers: f64,
    scans: &mut Vec<Scan>,
) -> Result<Tree, String> {
    if let Some(kind) = node.join_type.as_deref().filter(|&kind| kind != "Inner") {
        return Err(format!("a {kind} join; only inner joins can be executed"));
    }
    let build_left = left.node_type == "Hash";
    let left = tree(left, workers, scans)?;
    let right = tree(right, workers, scans)?;
    let condition = node.condition.as_deref().unwrap_or_default();
    let keys = condition
        .trim_start_matches('(')
        .trim_end_matches(')')
        .split_once(" = ")
        .and_then(|(first, second)| Some((Attribute::parse(first)?, Attribute::parse(second)?)));
    let (first, second) = keys.ok_or_else(|| {
        format!("the Hash Cond {condition:?} is not (a.x = b.y); a join compares one column of each side")
    })?;
    let (left_key, right_key) = match left.holds(&first.alias) {
        true => (first, second),
        false => (second, first),
    };
    if !left.holds(&left_key.alias) || !right.holds(&right_key.alias) {
        return Err(format!(
            "the Hash Cond {condition:?} is not of both sides of its join"
        ));
    }
    Ok(Tree::Join(Box::new(JoinTree {
        build_left,
        left,
        right,
        left_key,
        right_key,
    })))
}

/// The columns of `SELECT MIN(a.x) AS name, b.y FROM …`.
fn select_list(sql: &str) -> Result<Vec<Attribute>, String> {
    let lower = sql.to_ascii_lowercase();
    let words = || lower.split_whitespace();
    let from = words().find(|&word| word == "from");
    let (Some("select"), Some(from)) = (words().next(), from) else {
        return Err("not SELECT … FROM …; name the folder of the queries with --sql".to_owned());
    };
    let end = from.as_ptr() as usize - lower.as_ptr() as usize;
    let begin = lower.find("select").unwrap_or(0) + "select".len();
    let columns = sql[begin..end].split(',').map(|item| {
        selected(item).ok_or_else(|| {
            let item = item.trim();
            format!("cannot select {item:?}; select alias.column or MIN(alias.column)")
        })
    });
    columns.collect()
}

/// The column of `a.x`, `MIN(a.x)`, and either with a name, `AS y` or `y`.
fn selected(item: &str) -> Option<Attribute> {
    let item = item.trim();
    let (column, name) = match item.get(..4) {
        Some(min) if min.eq_ignore_ascii_case("min(") => item[4..].split_once(')')?,
        _ => item.split_once(char::is_whitespace).unwrap_or((item, "")),
    };
    let is_name = |name: &str| {
        let inside = name
            .strip_prefix('"')
            .and_then(|name| name.strip_suffix('"'));
        let of_name = |c: char| c.is_alphanumeric() || c == '_';
        inside.unwrap_or(name).chars().all(of_name)
    };
    let is_named = match name.split_whitespace().collect::<Vec<_>>()[..] {
        [] => true,
        [name] => is_name(name),
        [r#as, name] => r#as.eq_ignore_ascii_case("as") && is_name(name),
        _ => false,
    };
    Attribute::parse(column).filter(|_| is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_selected_with_and_without_min() {
        let list = select_list("SELECT\n MIN(a.x) AS b, min( c.d ),e.f AS g\nFROM a").unwrap();
        let texts: Vec<String> = list.iter().map(Attribute::to_string).collect();
        assert_eq!(texts, ["a.x", "c.d", "e.f"]);
        assert!(
            select_list("SELECT COUNT(*) FROM a")
                .unwrap_err()
                .contains("COUNT(*)")
        );
        assert!(select_list("DELETE FROM a").is_err());
        let list = select_list("SELECT min(a.x)b, c.d \"E\" FROM a").unwrap();
        assert_eq!(list.len(), 2);
        // What would be left out without a word.
        for item in [
            "a.x + 1",
            "a.x || 'b' AS c",
            "MIN(a.x) + 1",
            "MIN(a.x) FILTER (WHERE a.y > 1)",
            "a.x AS b -- from c\n",
            "a.x /* from c */",
            "a.x, -- from c\n b.y",
            "DISTINCT a.x",
        ] {
            let error = select_list(&format!("SELECT {item} FROM a")).unwrap_err();
            assert!(error.contains("cannot select"), "{item}: {error}");
        }
    }
}
