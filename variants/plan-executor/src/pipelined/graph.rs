//! The join graph: what is asked for, whatever the tree of joins that asked for it.

use join_core::page::DataType;

/// Inputs joined by classes of attributes that must be equal.
///
/// Joins connect inputs as a tree, so a class has one column of an input at most, and inputs and classes together are a
/// tree too: the query is acyclic, and can be reduced and answered without any intermediate result that is larger than
/// its inputs or its result (Yannakakis, VLDB 1981). Keys that only filter may close cycles.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub inputs: Vec<Input>,
    pub classes: Vec<Class>,
}

/// Rows that are joined with others.
#[derive(Debug)]
pub(super) struct Input {
    /// Its columns in classes.
    pub keys: Vec<InputKey>,
    pub role: Role,
}

/// A column of an input in a class.
#[derive(Debug, Clone, Copy)]
pub(super) struct InputKey {
    pub class: usize,
    pub column: usize,
    /// Whether the input is joined by it. If not, it filters others of its class and is filtered by them, and rows that come
    /// out may differ in it.
    pub joins: bool,
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
    /// The inputs that are joined by one of them.
    pub inputs: Vec<usize>,
    /// Those that have one which only filters.
    pub filtered: Vec<usize>,
}

impl Class {
    /// The inputs that have one of them.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().chain(&self.filtered).copied()
    }
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

    /// The class that an input is joined in by a column.
    fn class_of(&self, (input, column): (usize, usize)) -> Option<usize> {
        let mut keys = self.inputs[input].keys.iter();
        let key = keys.find(|key| key.joins && key.column == column)?;
        Some(key.class)
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
                let filtered = std::mem::take(&mut self.classes[merged].filtered);
                for &input in moved.iter().chain(&filtered) {
                    let keys = self.inputs[input].keys.iter_mut();
                    keys.filter(|key| key.class == merged)
                        .for_each(|key| key.class = kept);
                }
                self.classes[kept].inputs.extend(moved);
                self.classes[kept].filtered.extend(filtered);
            }
            (Some(class), None) => self.enter(class, right, true),
            (None, Some(class)) => self.enter(class, left, true),
            (None, None) => {
                let class = self.class(data_type);
                self.enter(class, left, true);
                self.enter(class, right, true);
            }
        }
    }

    /// Puts a column into the class of another one, to filter and to be filtered.
    pub fn filter(&mut self, key: (usize, usize), other: (usize, usize), data_type: DataType) {
        let filtered = || {
            let mut keys = self.inputs[other.0].keys.iter();
            keys.find(|key| key.column == other.1).map(|key| key.class)
        };
        let class = self.class_of(other).or_else(filtered);
        let class = class.unwrap_or_else(|| {
            let class = self.class(data_type);
            self.enter(class, other, false);
            class
        });
        let mut keys = self.inputs[key.0].keys.iter();
        if !keys.any(|key| key.class == class) {
            self.enter(class, key, false);
        }
    }

    /// One more class; returns its number.
    fn class(&mut self, data_type: DataType) -> usize {
        self.classes.push(Class {
            data_type,
            inputs: Vec::new(),
            filtered: Vec::new(),
        });
        self.classes.len() - 1
    }

    fn enter(&mut self, class: usize, (input, column): (usize, usize), joins: bool) {
        let Class {
            inputs, filtered, ..
        } = &mut self.classes[class];
        match joins {
            true => inputs.push(input),
            false => filtered.push(input),
        }
        self.inputs[input].keys.push(InputKey {
            class,
            column,
            joins,
        });
    }
}
