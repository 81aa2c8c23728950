//! Random plans over random tables.

use join_core::table::Table;
use plan_executor::{Bundle, Join, Node, Operator, Output};

use super::rng::Rng;
use super::shape::{Content, Edge, Shape};
use super::tables::tables;

/// An input's column.
type Origin = (usize, usize);

/// A plan of 1 to 17 inputs, mostly of 2 to 6, in any tree. Keys of few or many values, unique or not, are joined on one
/// class or on several of an input, and the result shows few of the inputs or all of them.
pub fn random_bundle(seed: u64) -> Bundle {
    let mut rng = Rng::new(seed);
    let shape = Shape::draw(&mut rng);
    let tables = tables(&mut rng, &shape);
    let wanted = wanted(&mut rng, &shape);
    let (nodes, root) = Tree::new(&mut rng, &shape, &tables, wanted).finish();
    Bundle::new(seed.to_string(), nodes, root, tables).expect("a plan that makes sense")
}

/// The columns of the result: of one input or two in half of the plans, of none in a few.
fn wanted(rng: &mut Rng, shape: &Shape) -> Vec<Origin> {
    let inputs = shape.inputs.len();
    let shown = match rng.below(10) {
        0..=6 if shape.filtered => vec![0],
        0..=3 => vec![rng.below(inputs)],
        4 | 5 => vec![rng.below(inputs), rng.below(inputs)],
        6 if rng.one_in(3) => Vec::new(),
        _ => (0..inputs).collect(),
    };
    let all = rng.one_in(2);
    let mut wanted = Vec::new();
    for input in shown {
        let columns = shape.inputs[input].columns.len();
        match all {
            true => wanted.extend((0..columns).map(|column| (input, column))),
            false => wanted.push((input, rng.below(columns))),
        }
    }
    rng.shuffle(&mut wanted);
    wanted
}

/// A node whose parent is not there yet.
struct Open {
    node: usize,
    inputs: Vec<usize>,
    columns: Vec<Origin>,
}

/// A tree of joins that grows.
struct Tree<'t> {
    rng: &'t mut Rng,
    shape: &'t Shape,
    wanted: Vec<Origin>,
    nodes: Vec<Node>,
    open: Vec<Open>,
}

impl<'t> Tree<'t> {
    /// Scans of all tables.
    fn new(rng: &'t mut Rng, shape: &'t Shape, tables: &[Table], wanted: Vec<Origin>) -> Tree<'t> {
        let mut tree = Tree {
            rng,
            shape,
            wanted,
            nodes: Vec::new(),
            open: Vec::new(),
        };
        for (input, table) in tables.iter().enumerate() {
            let columns = (0..table.columns().len()).map(|column| (input, column));
            let scan = Operator::Scan(input);
            tree.grow(scan, vec![input], columns.collect(), &shape.edges);
        }
        tree
    }

    /// Joins all edges, in the order of the inputs or in any, and returns the nodes, in any order as well, and the root.
    fn finish(mut self) -> (Vec<Node>, usize) {
        let mut edges = self.shape.edges.clone();
        match self.rng.below(4) {
            0 => {}
            1 => edges.reverse(),
            _ => self.rng.shuffle(&mut edges),
        }
        while let Some(edge) = edges.pop() {
            self.join(edge, &edges);
        }
        shuffled(self.rng, self.nodes)
    }

    fn join(&mut self, edge: Edge, pending: &[Edge]) {
        let mut ends = edge.ends;
        self.rng.shuffle(&mut ends);
        let [left, right] = ends.map(|end| {
            let place = self.open.iter().position(|open| open.inputs.contains(&end));
            self.open
                .swap_remove(place.expect("each input is somewhere"))
        });
        let join = Join {
            build_left: self.rng.one_in(2),
            left: left.node,
            right: right.node,
            left_attr: self.key(&left.columns, edge.class),
            right_attr: self.key(&right.columns, edge.class),
        };
        let inputs = [left.inputs, right.inputs].concat();
        let columns = [left.columns, right.columns].concat();
        self.grow(Operator::Join(join), inputs, columns, pending);
    }

    /// Any of the columns of a class: those that are joined already are equal.
    fn key(&mut self, columns: &[Origin], class: usize) -> usize {
        let of_class = |&place: &usize| {
            let (input, column) = columns[place];
            self.shape.inputs[input].columns[column] == Content::Key(class)
        };
        let keys: Vec<usize> = (0..columns.len()).filter(of_class).collect();
        self.rng.pick(&keys)
    }

    /// Adds a node that yields some of these columns.
    fn grow(
        &mut self,
        operator: Operator,
        inputs: Vec<usize>,
        columns: Vec<Origin>,
        pending: &[Edge],
    ) {
        let indexes = self.outputs(&inputs, &columns, pending);
        let output = indexes.iter().map(|&index| Output {
            index,
            data_type: self.shape.data_type(columns[index]),
        });
        let output = output.collect();
        self.open.push(Open {
            node: self.nodes.len(),
            inputs,
            columns: indexes.iter().map(|&index| columns[index]).collect(),
        });
        self.nodes.push(Node { operator, output });
    }

    /// What later joins and the result need; of a node that is not the root, some other columns and some twice, in any
    /// order.
    fn outputs(&mut self, inputs: &[usize], columns: &[Origin], pending: &[Edge]) -> Vec<usize> {
        let mut indexes: Vec<usize> = Vec::new();
        for wanted in &self.wanted {
            indexes.extend(columns.iter().position(|column| column == wanted));
        }
        if inputs.len() == self.shape.inputs.len() {
            return indexes;
        }
        for edge in pending {
            if edge.ends.iter().any(|end| inputs.contains(end)) {
                indexes.push(self.key(columns, edge.class));
            }
        }
        indexes.sort_unstable();
        indexes.dedup();
        for index in 0..columns.len() {
            if self.rng.one_in(5) {
                indexes.push(index);
            }
        }
        self.rng.shuffle(&mut indexes);
        indexes
    }
}

/// The same nodes in another order, and where the last of them is.
fn shuffled(rng: &mut Rng, nodes: Vec<Node>) -> (Vec<Node>, usize) {
    let mut places: Vec<usize> = (0..nodes.len()).collect();
    rng.shuffle(&mut places);
    let root = places[nodes.len() - 1];
    let mut placed: Vec<Option<Node>> = nodes.iter().map(|_| None).collect();
    for (node, &place) in nodes.into_iter().zip(&places) {
        let operator = match node.operator {
            Operator::Join(join) => Operator::Join(Join {
                left: places[join.left],
                right: places[join.right],
                ..join
            }),
            scan => scan,
        };
        placed[place] = Some(Node { operator, ..node });
    }
    (placed.into_iter().flatten().collect(), root)
}
