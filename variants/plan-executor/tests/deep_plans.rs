//! Plans of many joins need no deep stack.

use join_core::conformance::{SortedBuild, small};
use join_core::memory::Memory;
use join_core::page::DataType;
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Column, NamedColumn, Table};
use plan_executor::{
    Bundle, Context, Executor, Join, Node, Operator, OperatorAtATime, Options, Output, Pipelined,
    oracle,
};

/// Rows of a table.
const ROWS: i32 = 20;

/// Which column of what is joined so far the next input is joined with.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// The first column of all: one class.
    OneClass,
    /// The second column of the input before: a class each.
    Chain,
}

fn outputs(indexes: impl IntoIterator<Item = usize>) -> Vec<Output> {
    let output = |index| Output {
        index,
        data_type: DataType::Int32,
    };
    indexes.into_iter().map(output).collect()
}

/// A plan of `joins` joins over one table of two columns. What is joined so far, on the left or on the right, passes on
/// its key and a column of the first input.
fn deep(joins: usize, form: Form, left_deep: bool) -> Bundle {
    let keys: Vec<i32> = (0..ROWS).map(|key| key * 3).collect();
    let turned: Vec<i32> = (0..ROWS).map(|key| (key + 1) % ROWS * 3).collect();
    let table = Table::new(
        "t",
        vec![
            NamedColumn::new("key", Column::from_i32(&keys)),
            NamedColumn::new("next", Column::from_i32(&turned)),
        ],
    );
    let scan = || Node {
        operator: Operator::Scan(0),
        output: outputs([0, 1]),
    };
    let mut nodes = vec![scan()];
    let mut root = 0;
    for _ in 0..joins {
        // Of two nodes with two columns each: the column that is joined next, and the one of the first input.
        let (deep, new) = if left_deep { (0, 2) } else { (2, 0) };
        let key = match form {
            Form::OneClass => deep,
            Form::Chain => new + 1,
        };
        let scan_node = nodes.len();
        nodes.push(scan());
        let (left, right) = if left_deep {
            (root, scan_node)
        } else {
            (scan_node, root)
        };
        root = nodes.len();
        nodes.push(Node {
            operator: Operator::Join(Join {
                build_left: true,
                left,
                right,
                left_attr: 0,
                right_attr: 0,
            }),
            output: outputs([key, deep + 1]),
        });
    }
    Bundle::new("deep", nodes, root, vec![table.unwrap()]).unwrap()
}

#[test]
fn deep_plans_are_executed() {
    let teams = [
        Team::single(),
        Team::new(2, ThreadStart::Pool).parallel_from(0),
    ];
    // Deep enough to overflow a stack; where everything takes long, a tenth.
    let deepest = if small() { 10_000 } else { 100_000 };
    let cases = [
        (deepest, Form::OneClass, true, &teams[0]),
        (deepest, Form::Chain, false, &teams[0]),
        (1000, Form::OneClass, false, &teams[1]),
        (1000, Form::Chain, true, &teams[1]),
    ];
    for (joins, form, left_deep, team) in cases {
        let bundle = deep(joins, form, left_deep);
        let rows = oracle::execute(&bundle);
        let want = (rows.len() as u64, oracle::checksum(&rows));
        assert_eq!(want.0, ROWS as u64);
        let executors: [&dyn Executor; 2] = [
            &Pipelined::new(Options::default()),
            &OperatorAtATime::new(Box::new(SortedBuild), "sorted"),
        ];
        for executor in executors {
            let memory = &Memory::unlimited();
            let execution = executor.execute(&bundle, &Context { team, memory });
            let result = execution.unwrap().result;
            let got = (result.rows(), result.checksum());
            assert_eq!(got, want, "{joins} joins, {form:?}, left-deep: {left_deep}");
        }
    }
}
