//! What a random plan joins: inputs, and the classes of their columns that must be equal.

use join_core::page::DataType;

use super::rng::Rng;

/// Inputs and classes, which together are a tree.
pub struct Shape {
    pub inputs: Vec<Input>,
    /// Of each class, whether it is of INT32 or of INT64 keys.
    pub classes: Vec<DataType>,
    /// Pairs of inputs that share a class: the joins of the plan.
    pub edges: Vec<Edge>,
    /// Whether the second input repeats keys of the class that it shares with the first, which the result shows, and is
    /// filtered by others.
    pub filtered: bool,
}

/// An input: its columns in any order.
pub struct Input {
    pub columns: Vec<Content>,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Keys of this class.
    Key(usize),
    /// Values that nothing is joined on.
    Payload(DataType),
}

#[derive(Clone, Copy)]
pub struct Edge {
    pub ends: [usize; 2],
    pub class: usize,
}

/// What an input is joined with.
#[derive(Clone, Copy)]
enum Tree {
    /// The input before.
    Chain,
    /// The first input.
    Star,
    /// Any input before.
    Any,
    /// Any input before, on the one class that all have.
    OneClass,
}

impl Shape {
    pub fn draw(rng: &mut Rng) -> Shape {
        let filtered = rng.one_in(3);
        let count = match rng.below(30) {
            _ if filtered => 3 + rng.below(3),
            0 => 1,
            1 => 7 + rng.below(11),
            n => 2 + n % 5,
        };
        let tree = match rng.below(6) {
            _ if filtered => Tree::Chain,
            0 | 1 => Tree::Chain,
            2 | 3 => Tree::Any,
            4 => Tree::Star,
            _ => Tree::OneClass,
        };
        let wide = rng.pick(&[0, 1, 2, 2]);
        let mut shape = Shape {
            inputs: Vec::new(),
            classes: Vec::new(),
            edges: Vec::new(),
            filtered,
        };
        for input in 0..count {
            let columns = (0..rng.below(3)).map(|_| {
                Content::Payload(rng.pick(&[
                    DataType::Int32,
                    DataType::Int64,
                    DataType::Fp64,
                    DataType::Varchar,
                    DataType::Varchar,
                ]))
            });
            let columns = columns.collect();
            shape.inputs.push(Input { columns });
            if input > 0 {
                let other = match tree {
                    Tree::Chain if filtered => (input - 1).min(1),
                    Tree::Chain => input - 1,
                    Tree::Star => 0,
                    Tree::Any | Tree::OneClass => rng.below(input),
                };
                let again = match tree {
                    Tree::OneClass => true,
                    _ if filtered && input < 3 => false,
                    _ => rng.one_in(4),
                };
                // INT64 in a quarter, in three quarters, or half of the classes.
                let int64 = rng.below(4) <= wide;
                shape.attach(rng, [other, input], again, int64);
            }
        }
        for input in &mut shape.inputs {
            if input.columns.is_empty() {
                input.columns.push(Content::Payload(DataType::Int32));
            }
            rng.shuffle(&mut input.columns);
        }
        shape
    }

    /// Joins an input with another one, on a column of that which is joined already if `again`, else on one more.
    fn attach(&mut self, rng: &mut Rng, ends: [usize; 2], again: bool, int64: bool) {
        let known: Vec<usize> = self.classes_of(ends[0]).collect();
        let class = if again && !known.is_empty() {
            rng.pick(&known)
        } else {
            let class = self.classes.len();
            self.classes.push(match int64 {
                true => DataType::Int64,
                false => DataType::Int32,
            });
            self.inputs[ends[0]].columns.push(Content::Key(class));
            class
        };
        self.inputs[ends[1]].columns.push(Content::Key(class));
        self.edges.push(Edge { ends, class });
    }

    fn classes_of(&self, input: usize) -> impl Iterator<Item = usize> {
        let columns = self.inputs[input].columns.iter();
        columns.filter_map(|column| match *column {
            Content::Key(class) => Some(class),
            Content::Payload(_) => None,
        })
    }

    /// The type of an input's column.
    pub fn data_type(&self, (input, column): (usize, usize)) -> DataType {
        match self.inputs[input].columns[column] {
            Content::Key(class) => self.classes[class],
            Content::Payload(data_type) => data_type,
        }
    }
}
