//! Where the rows of inputs lie: in the tables of a bundle, or wherever a caller has them.

use join_core::table::Table;

use super::graph::{Graph, Role};
use super::keys::InputKeys;
use crate::{Bundle, Operator};

/// What a run reads. Inputs are those of a [`Graph`], and so are the numbers of their columns.
pub(super) trait Source: Sync {
    /// Rows of an input.
    fn rows(&self, input: usize) -> usize;

    /// What telemetry calls an input.
    fn name(&self, input: usize) -> &str;

    /// What telemetry calls a column.
    fn column_name(&self, input: usize, column: usize) -> &str;

    /// The number by which errors name an input.
    fn node(&self, input: usize) -> usize;

    /// A column that is in a class.
    fn keys(&self, input: usize, column: usize) -> InputKeys<'_>;
}

/// The scans of a plan, and what the plan asks for.
pub(super) struct Scans<'b> {
    bundle: &'b Bundle,
    inputs: Vec<Scan>,
    /// Of each result column, the input and the table's column.
    pub result: Vec<(usize, usize)>,
}

/// A scan of the plan.
struct Scan {
    node: usize,
    /// The bundle's table.
    table: usize,
}

impl<'b> Scans<'b> {
    /// The scans of a bundle's plan, and their graph.
    pub fn new(bundle: &'b Bundle) -> (Self, Graph) {
        let nodes = bundle.plan().nodes();
        let (mut inputs, mut graph) = (Vec::new(), Graph::default());
        // Of each node's output, the input and the table's column that it comes from.
        let mut origins: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes.len()];
        for &node in bundle.plan().post_order() {
            let output = nodes[node].output.iter();
            origins[node] = match nodes[node].operator {
                Operator::Scan(table) => {
                    inputs.push(Scan { node, table });
                    let input = graph.add(Role::Counted);
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
        let result = std::mem::take(&mut origins[bundle.plan().root()]);
        for &(input, _) in &result {
            graph.inputs[input].role = Role::Shown;
        }
        let scans = Self {
            bundle,
            inputs,
            result,
        };
        (scans, graph)
    }

    /// The table that an input scans.
    pub fn table(&self, input: usize) -> &'b Table {
        &self.bundle.tables()[self.inputs[input].table]
    }
}

impl Source for Scans<'_> {
    fn rows(&self, input: usize) -> usize {
        self.table(input).num_rows()
    }

    fn name(&self, input: usize) -> &str {
        self.table(input).name()
    }

    fn column_name(&self, input: usize, column: usize) -> &str {
        &self.table(input).columns()[column].name
    }

    fn node(&self, input: usize) -> usize {
        self.inputs[input].node
    }

    fn keys(&self, input: usize, column: usize) -> InputKeys<'_> {
        InputKeys::paged(self.table(input).columns()[column].column.paged())
    }
}
