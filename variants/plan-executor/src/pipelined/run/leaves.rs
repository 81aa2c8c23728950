//! Which input is joined next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::pipelined::graph::{Graph, InputKey, Role};

/// The inputs that share one class at most with those that remain: first those that are only required, so that none of
/// them is the last, then the smallest.
pub(super) struct Leaves {
    ready: BinaryHeap<Reverse<Place>>,
    /// How many inputs of each class remain.
    of_class: Vec<usize>,
    /// Of each input, in how many of its classes others remain.
    shared: Vec<usize>,
    /// Whether each input is still to be joined.
    remains: Vec<bool>,
}

/// An input's place in the order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    is_shown: bool,
    rows: usize,
    input: usize,
}

impl Place {
    fn of(graph: &Graph, input: usize, rows: usize) -> Reverse<Place> {
        Reverse(Place {
            is_shown: graph.inputs[input].role != Role::Required,
            rows,
            input,
        })
    }
}

impl Leaves {
    /// All inputs remain; `rows` tells how many rows one has.
    pub fn new(graph: &Graph, rows: impl Fn(usize) -> usize) -> Leaves {
        let of_class = graph.classes.iter().map(|class| class.inputs.len());
        let of_class: Vec<usize> = of_class.collect();
        let shared = graph.inputs.iter().map(|input| {
            let joined = input.keys.iter().filter(|key| key.joins);
            joined.filter(|key| of_class[key.class] > 1).count()
        });
        let shared: Vec<usize> = shared.collect();
        let leaves = (0..shared.len()).filter(|&input| shared[input] <= 1);
        Leaves {
            ready: leaves
                .map(|input| Place::of(graph, input, rows(input)))
                .collect(),
            remains: vec![true; shared.len()],
            of_class,
            shared,
        }
    }

    /// Takes the smallest leaf out, with its key of the class that it shares; the last input shares none.
    pub fn next(&mut self, graph: &Graph, rows: impl Fn(usize) -> usize) -> (usize, Option<usize>) {
        let Reverse(Place { input, .. }) = self.ready.pop().expect("a tree has leaves");
        let keys = &graph.inputs[input].keys;
        let is_shared = |key: &InputKey| key.joins && self.of_class[key.class] > 1;
        let above = keys.iter().position(is_shared);
        self.remains[input] = false;
        for key in keys.iter().filter(|key| key.joins) {
            self.of_class[key.class] -= 1;
            if self.of_class[key.class] == 1 {
                self.left_alone(graph, key.class, &rows);
            }
        }
        (input, above)
    }

    /// Only one input of a class remains: it may have become a leaf.
    fn left_alone(&mut self, graph: &Graph, class: usize, rows: impl Fn(usize) -> usize) {
        let inputs = &graph.classes[class].inputs;
        let last = inputs.iter().find(|&&input| self.remains[input]);
        let &last = last.expect("one remains");
        self.shared[last] -= 1;
        if self.shared[last] == 1 {
            self.ready.push(Place::of(graph, last, rows(last)));
        }
    }
}
