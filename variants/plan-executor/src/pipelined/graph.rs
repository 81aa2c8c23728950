//! The join graph: what is asked for, whatever the tree of joins that asked for it.

use join_core::page::DataType;

/// Inputs joined by classes of attributes that must be equal.
///
/// Joins connect inputs as a tree, so a class has one column of an input at most, and inputs and classes together are a
/// tree too: the query is acyclic, and can be reduced and answered without any intermediate result that is larger than
/// its inputs or its result (Yannakakis, VLDB 1981).
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub inputs: Vec<Input>,
    pub classes: Vec<Class>,
}

/// Rows that are joined with others.
#[derive(Debug)]
pub(super) struct Input {
    /// Its columns in classes: the class and the column.
    pub keys: Vec<(usize, usize)>,
    pub role: Role,
}

/// What a result tells of the rows of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Which they are.
    Shown,
    /// How many they are, by as many rows of the result.
    Counted,
    /// That there are some: the other side of a semi join. Such an input has a key of one class, in which not all inputs are
    /// such.
    Required,
}

/// Attributes that must be equal.
#[derive(Debug)]
pub(super) struct Class {
    pub data_type: DataType,
    /// The inputs that have one of them.
    pub inputs: Vec<usize>,
}

impl Graph {
    /// One more input; returns its number.
    pub fn add(&mut self, role: Role) -> usize {
        self.inputs.push(Input {
            keys: Vec::new(),
            role,
        });
        self.inputs.len() - 1
    }

    /// The class of an input's column.
    fn class_of(&self, (input, column): (usize, usize)) -> Option<usize> {
        let keys = self.inputs[input].keys.iter();
        keys.clone()
            .find(|&&(_, other)| other == column)
            .map(|&(class, _)| class)
    }

    /// Puts two columns, of inputs that nothing connects yet, into one class.
    pub fn equate(&mut self, left: (usize, usize), right: (usize, usize), data_type: DataType) {
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
