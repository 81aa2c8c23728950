//! The shape of a query: a tree of joins over inputs that are known by their aliases, and what is selected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use join_core::page::DataType;
use join_core::table::Table;
use plan_executor::{Bundle, Join, Node, Operator, Output, PlanError};

/// A column of an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// The input's alias.
    pub alias: String,
    /// The column's name.
    pub column: String,
}

impl Attribute {
    /// Reads `alias.column`.
    pub fn parse(text: &str) -> Option<Attribute> {
        let (alias, column) = text.trim().split_once('.')?;
        let is_name = |name: &str| {
            let of_name = |c: char| c.is_alphanumeric() || c == '_';
            !name.is_empty() && name.chars().all(of_name)
        };
        (is_name(alias) && is_name(column)).then(|| Attribute {
            alias: alias.to_owned(),
            column: column.to_owned(),
        })
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.alias, self.column)
    }
}

/// A tree of scans and joins.
#[derive(Clone, Debug)]
pub enum Tree {
    /// The input of this alias.
    Scan(String),
    /// A join of two trees.
    Join(Box<JoinTree>),
}

/// A join of two trees, whose keys are equal.
#[derive(Clone, Debug)]
pub struct JoinTree {
    /// Whether the planner would build on the left side.
    pub build_left: bool,
    /// The left side.
    pub left: Tree,
    /// The right side.
    pub right: Tree,
    /// The key of the left side.
    pub left_key: Attribute,
    /// The key of the right side.
    pub right_key: Attribute,
}

impl Tree {
    /// The tree of these joins, done in this order: each `a.x = b.y` joins the tree that holds `a`, which is built on,
    /// with the one that holds `b`.
    ///
    /// # Panics
    /// If the joins do not connect all that they name in one tree; they are part of this program.
    pub(crate) fn of_joins(joins: &[&str]) -> Tree {
        let mut trees: Vec<Tree> = Vec::new();
        for join in joins {
            let (left, right) = join.split_once(" = ").expect("a join compares columns");
            let key = |text| Attribute::parse(text).expect("a key is alias.column");
            let (left_key, right_key) = (key(left), key(right));
            let mut side = |key: &Attribute| {
                let tree = trees.iter().position(|tree| tree.holds(&key.alias));
                tree.map_or_else(
                    || Tree::Scan(key.alias.clone()),
                    |tree| trees.swap_remove(tree),
                )
            };
            let (left, right) = (side(&left_key), side(&right_key));
            assert!(!left.holds(&right_key.alias), "{join} closes a cycle");
            trees.push(Tree::Join(Box::new(JoinTree {
                build_left: true,
                left,
                right,
                left_key,
                right_key,
            })));
        }
        assert_eq!(trees.len(), 1, "the joins leave {} trees", trees.len());
        trees.remove(0)
    }

    /// Whether an input of this alias is in the tree.
    pub fn holds(&self, alias: &str) -> bool {
        match self {
            Tree::Scan(own) => own == alias,
            Tree::Join(join) => join.left.holds(alias) || join.right.holds(alias),
        }
    }

    /// The columns that the tree and the selection read, by alias, in the order of their names. An input of which
    /// nothing is read is there too.
    pub fn columns(&self, select: &[Attribute]) -> BTreeMap<String, BTreeSet<String>> {
        let mut columns = BTreeMap::<String, BTreeSet<String>>::new();
        self.add_columns(&mut columns);
        for attribute in select {
            let of_alias = columns.entry(attribute.alias.clone()).or_default();
            of_alias.insert(attribute.column.clone());
        }
        columns
    }

    fn add_columns(&self, columns: &mut BTreeMap<String, BTreeSet<String>>) {
        match self {
            Tree::Scan(alias) => {
                columns.entry(alias.clone()).or_default();
            }
            Tree::Join(join) => {
                join.left.add_columns(columns);
                join.right.add_columns(columns);
                for key in [&join.left_key, &join.right_key] {
                    let of_alias = columns.entry(key.alias.clone()).or_default();
                    of_alias.insert(key.column.clone());
                }
            }
        }
    }

    /// Adds the keys of all joins.
    pub fn keys<'a>(&'a self, keys: &mut Vec<&'a Attribute>) {
        if let Tree::Join(join) = self {
            join.left.keys(keys);
            join.right.keys(keys);
            keys.extend([&join.left_key, &join.right_key]);
        }
    }

    /// The nodes that execute the tree over `inputs`, children before parents, so that the root is the last one. Each
    /// node yields what its ancestors need and no more.
    ///
    /// # Errors
    /// An alias or a column that no input has.
    pub fn nodes(
        &self,
        select: &[Attribute],
        inputs: &[InputShape],
    ) -> Result<Vec<Node>, ShapeError> {
        let mut nodes = Vec::new();
        self.add_nodes(select, inputs, &mut nodes)?;
        Ok(nodes)
    }

    /// Adds the nodes of this tree, which yield the attributes `need`; returns the last of them.
    fn add_nodes(
        &self,
        need: &[Attribute],
        inputs: &[InputShape],
        nodes: &mut Vec<Node>,
    ) -> Result<usize, ShapeError> {
        let (operator, output) = match self {
            Tree::Scan(alias) => {
                let found = inputs.iter().position(|input| input.alias == *alias);
                let number = found.ok_or_else(|| ShapeError::Alias(alias.clone()))?;
                let columns = &inputs[number].columns;
                let output = need.iter().map(|attribute| {
                    let mut names = columns.iter().map(|(name, _)| name);
                    let index = names.position(|name| *name == attribute.column);
                    let index = index.ok_or_else(|| ShapeError::Column(attribute.clone()))?;
                    let data_type = columns[index].1;
                    Ok(Output { index, data_type })
                });
                (
                    Operator::Scan(number),
                    output.collect::<Result<_, ShapeError>>()?,
                )
            }
            Tree::Join(join) => {
                let side = |tree: &Tree, key: &Attribute| {
                    let mut side: Vec<Attribute> = Vec::new();
                    for attribute in need.iter().chain([key]) {
                        if tree.holds(&attribute.alias) && !side.contains(attribute) {
                            side.push(attribute.clone());
                        }
                    }
                    side
                };
                let left_need = side(&join.left, &join.left_key);
                let right_need = side(&join.right, &join.right_key);
                let left = join.left.add_nodes(&left_need, inputs, nodes)?;
                let right = join.right.add_nodes(&right_need, inputs, nodes)?;
                let place = |attributes: &[Attribute], attribute: &Attribute| {
                    let place = attributes.iter().position(|other| other == attribute);
                    place.ok_or_else(|| ShapeError::Column(attribute.clone()))
                };
                let both = [&left_need[..], &right_need[..]].concat();
                let types = [&nodes[left].output[..], &nodes[right].output[..]].concat();
                let output = need.iter().map(|attribute| {
                    let index = place(&both, attribute)?;
                    let data_type = types[index].data_type;
                    Ok(Output { index, data_type })
                });
                let output = output.collect::<Result<_, ShapeError>>()?;
                let join = Join {
                    build_left: join.build_left,
                    left,
                    right,
                    left_attr: place(&left_need, &join.left_key)?,
                    right_attr: place(&right_need, &join.right_key)?,
                };
                (Operator::Join(join), output)
            }
        };
        nodes.push(Node { operator, output });
        Ok(nodes.len() - 1)
    }
}

/// The alias of an input, and the names and types of its columns.
#[derive(Clone, Debug)]
pub struct InputShape {
    /// The alias.
    pub alias: String,
    /// The columns.
    pub columns: Vec<(String, DataType)>,
}

/// A tree that does not go with its inputs.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShapeError {
    /// No input of this alias.
    #[error("no input is known as {0:?}; compare the joins with the inputs")]
    Alias(String),
    /// No such column.
    #[error("no input has a column {0}; compare the joins and the SELECT list with the inputs")]
    Column(Attribute),
    /// The plan is wrong all the same.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The bundle of a query over these tables, which it knows by their aliases.
///
/// # Errors
/// If the tree, the selection and the tables do not go together.
pub fn bundle(
    name: &str,
    tree: &Tree,
    select: &[Attribute],
    inputs: Vec<(String, Table)>,
) -> Result<Bundle, ShapeError> {
    let shapes = inputs.iter().map(|(alias, table)| InputShape {
        alias: alias.clone(),
        columns: (table.columns().iter())
            .map(|named| (named.name.clone(), named.column.data_type()))
            .collect(),
    });
    let nodes = tree.nodes(select, &shapes.collect::<Vec<_>>())?;
    let tables = inputs.into_iter().map(|(_, table)| table).collect();
    let root = nodes.len() - 1;
    Ok(Bundle::new(name, nodes, root, tables)?)
}
