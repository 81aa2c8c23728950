//! A tree of joins over keys that a caller has.

use join_core::input::KeyColumn;
use join_core::page::DataType;

use super::graph::{Graph, Role};
use super::keys::InputKeys;
use super::source::Source;

/// Inputs and which of their keys must be equal, for [`Pipelined::rows`](super::Pipelined::rows). What lies beside the
/// keys stays with the caller, who gets row ids.
#[derive(Debug, Default)]
pub struct JoinTree<'a> {
    inputs: Vec<TreeInput<'a>>,
    graph: Graph,
}

/// An input of a [`JoinTree`].
#[derive(Debug)]
pub struct TreeInput<'a> {
    name: String,
    rows: usize,
    keys: Vec<(String, InputKeys<'a>)>,
}

impl<'a> TreeInput<'a> {
    /// An input of so many rows, which telemetry calls by `name`.
    pub fn new(name: impl Into<String>, rows: usize) -> Self {
        Self {
            name: name.into(),
            rows,
            keys: Vec::new(),
        }
    }

    /// The same with one more key, of 32 bits, which has as many rows.
    #[must_use]
    pub fn with_int32(self, name: impl Into<String>, keys: KeyColumn<'a, i32>) -> Self {
        assert_eq!(keys.len(), self.rows, "a key for each row");
        self.with(name.into(), InputKeys::Int32(keys))
    }

    /// The same with one more key, of 64 bits, which has as many rows.
    #[must_use]
    pub fn with_int64(self, name: impl Into<String>, keys: KeyColumn<'a, i64>) -> Self {
        assert_eq!(keys.len(), self.rows, "a key for each row");
        self.with(name.into(), InputKeys::Int64(keys))
    }

    fn with(mut self, name: String, keys: InputKeys<'a>) -> Self {
        self.keys.push((name, keys));
        self
    }
}

impl<'a> JoinTree<'a> {
    /// One more input; returns its number.
    pub fn add(&mut self, input: TreeInput<'a>, role: Role) -> usize {
        self.inputs.push(input);
        self.graph.add(role)
    }

    /// Has two inputs, each with the number of one of its keys, meet where these are equal. A NULL equals nothing. Inputs
    /// that are connected by others already, however many there are in between, cannot meet once more.
    ///
    /// # Panics
    ///
    /// If there are no such keys, or these are of two types.
    pub fn equate(&mut self, left: (usize, usize), right: (usize, usize)) {
        let data_type = self.type_of(left);
        assert_eq!(data_type, self.type_of(right), "keys of one type");
        self.graph.equate(left, right, data_type);
    }

    /// Has a key of an input filter those that are in a class with `other`, and be filtered by them, without joining the
    /// inputs by it: for an equality that would close a cycle, and that the caller sees to in the rows that come out. An
    /// input whose key is in that class already stays as it is.
    ///
    /// # Panics
    ///
    /// If there are no such keys, or these are of two types.
    pub fn filter(&mut self, key: (usize, usize), other: (usize, usize)) {
        let data_type = self.type_of(other);
        assert_eq!(self.type_of(key), data_type, "keys of one type");
        self.graph.filter(key, other, data_type);
    }

    fn type_of(&self, (input, key): (usize, usize)) -> DataType {
        match self.inputs[input].keys[key].1 {
            InputKeys::Int32(_) => DataType::Int32,
            InputKeys::Int64(_) => DataType::Int64,
        }
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Rows of all inputs.
    pub(super) fn all_rows(&self) -> usize {
        self.inputs.iter().map(|input| input.rows).sum()
    }
}

impl Source for JoinTree<'_> {
    fn rows(&self, input: usize) -> usize {
        self.inputs[input].rows
    }

    fn name(&self, input: usize) -> &str {
        &self.inputs[input].name
    }

    fn column_name(&self, input: usize, column: usize) -> &str {
        &self.inputs[input].keys[column].0
    }

    fn node(&self, input: usize) -> usize {
        input
    }

    fn keys(&self, input: usize, column: usize) -> InputKeys<'_> {
        self.inputs[input].keys[column].1.clone()
    }
}
