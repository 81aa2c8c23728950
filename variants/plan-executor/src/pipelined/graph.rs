//! The join graph of a plan: what it asks for, whatever its tree.

use join_core::page::DataType;

use crate::{Bundle, Operator};

/// Inputs joined by classes of attributes that must be equal.
///
/// A plan's joins connect its scans as a tree, so a class has one column of an input at most, and inputs and classes
/// together are a tree too: the query is acyclic, and can be reduced and answered without any intermediate result that
/// is larger than its inputs or its result (Yannakakis, VLDB 1981).
#[derive(Debug)]
pub(super) struct Graph {
    pub inputs: Vec<Input>,
    pub classes: Vec<Class>,
    /// Of each result column, the input and its place among the input's outputs.
    pub result: Vec<(usize, usize)>,
}

/// A scan of the plan.
#[derive(Debug)]
pub(super) struct Input {
    /// The plan's node.
    pub node: usize,
    /// The bundle's table.
    pub table: usize,
    /// Its columns in classes: the class and the table's column.
    pub keys: Vec<(usize, usize)>,
    /// The table's columns that the result shows.
    pub outputs: Vec<usize>,
}

/// Attributes that must be equal.
#[derive(Debug)]
pub(super) struct Class {
    pub data_type: DataType,
    /// The inputs that have one of them.
    pub inputs: Vec<usize>,
}

impl Graph {
    pub fn new(bundle: &Bundle) -> Graph {
        let nodes = bundle.plan().nodes();
        let mut graph = Graph {
            inputs: Vec::new(),
            classes: Vec::new(),
            result: Vec::new(),
        };
        // Of each node's output, the input and the table's column that it comes from.
        let mut origins: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes.len()];
        for &node in bundle.plan().post_order() {
            let output = nodes[node].output.iter();
            origins[node] = match nodes[node].operator {
                Operator::Scan(table) => {
                    let input = graph.inputs.len();
                    graph.inputs.push(Input {
                        node,
                        table,
                        keys: Vec::new(),
                        outputs: Vec::new(),
                    });
                    output.map(|output| (input, output.index)).collect()
                }
                Operator::Join(join) => {
                    let mut both = std::mem::take(&mut origins[join.left]);
                    let left = both[join.left_attr];
                    let right_side = std::mem::take(&mut origins[join.right]);
                    let right = right_side[join.right_attr];
                    let data_type = nodes[join.left].output[join.left_attr].data_type;
                    graph.equate(left, right, data_type);
                    both.extend(right_side);
                    output.map(|output| both[output.index]).collect()
                }
            };
        }
        for &(input, column) in &origins[bundle.plan().root()] {
            let outputs = &mut graph.inputs[input].outputs;
            let known = outputs.iter().position(|&other| other == column);
            let place = known.unwrap_or_else(|| {
                outputs.push(column);
                outputs.len() - 1
            });
            graph.result.push((input, place));
        }
        graph
    }

    /// The class of an input's column.
    fn class_of(&self, (input, column): (usize, usize)) -> Option<usize> {
        let keys = self.inputs[input].keys.iter();
        keys.clone()
            .find(|&&(_, other)| other == column)
            .map(|&(class, _)| class)
    }

    /// Puts two columns into one class.
    fn equate(&mut self, left: (usize, usize), right: (usize, usize), data_type: DataType) {
        match (self.class_of(left), self.class_of(right)) {
            (Some(left), Some(right)) => {
                // The smaller is moved, so that an input moves a few times only, however the plan is nested.
                let size = |class: usize| self.classes[class].inputs.len();
                let (kept, merged) = match size(left) < size(right) {
                    true => (right, left),
                    false => (left, right),
                };
                let moved = std::mem::take(&mut self.classes[merged].inputs);
                for &input in &moved {
                    let keys = self.inputs[input].keys.iter_mut();
                    keys.filter(|(class, _)| *class == merged)
                        .for_each(|(class, _)| *class = kept);
                }
                self.classes[kept].inputs.extend(moved);
            }
            (Some(class), None) => self.join_class(class, right),
            (None, Some(class)) => self.join_class(class, left),
            (None, None) => {
                let class = self.classes.len();
                self.classes.push(Class {
                    data_type,
                    inputs: Vec::new(),
                });
                self.join_class(class, left);
                self.join_class(class, right);
            }
        }
    }

    fn join_class(&mut self, class: usize, (input, column): (usize, usize)) {
        self.classes[class].inputs.push(input);
        self.inputs[input].keys.push((class, column));
    }
}
