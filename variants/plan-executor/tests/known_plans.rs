//! Plans whose results are worked out by hand.

use join_core::conformance::SortedBuild;
use join_core::memory::Memory;
use join_core::page::DataType;
use join_core::parallel::Team;
use join_core::table::{Column, NamedColumn, Table, Value};
use plan_executor::{
    Bundle, Context, ExecuteError, Execution, Executor, Join, Node, Operator, OperatorAtATime,
    Options, Output, Pipelined, oracle,
};

/// A table of INT64 columns, by rows.
fn table<const COLUMNS: usize>(rows: &[[i64; COLUMNS]]) -> Table {
    let columns = (0..COLUMNS).map(|column| {
        let values: Vec<i64> = rows.iter().map(|row| row[column]).collect();
        NamedColumn::new(column.to_string(), Column::from_i64(&values))
    });
    Table::new("t", columns.collect()).unwrap()
}

fn outputs(indexes: &[usize]) -> Vec<Output> {
    let output = |&index| Output {
        index,
        data_type: DataType::Int64,
    };
    indexes.iter().map(output).collect()
}

fn scan(table: usize, output: &[usize]) -> Node {
    Node {
        operator: Operator::Scan(table),
        output: outputs(output),
    }
}

fn join([left, right]: [usize; 2], [left_attr, right_attr]: [usize; 2], output: &[usize]) -> Node {
    Node {
        operator: Operator::Join(Join {
            build_left: true,
            left,
            right,
            left_attr,
            right_attr,
        }),
        output: outputs(output),
    }
}

/// All executors: `operator-at-a-time`, `pipelined`, and `pipelined` without each technique.
fn executors() -> Vec<Box<dyn Executor>> {
    let options = Options::default();
    let ablated = Options::NAMES.map(|(name, _)| options.without(name).unwrap());
    let mut executors: Vec<Box<dyn Executor>> = vec![
        Box::new(OperatorAtATime::new(Box::new(SortedBuild), "sorted")),
        Box::new(Pipelined::new(options)),
    ];
    for options in ablated {
        executors.push(Box::new(Pipelined::new(options)));
    }
    executors
}

fn execute(executor: &dyn Executor, bundle: &Bundle) -> Result<Execution, ExecuteError> {
    let (team, memory) = (&Team::single(), &Memory::unlimited());
    executor.execute(bundle, &Context { team, memory })
}

/// Holds all executors and the oracle against the one column of the result.
fn check(bundle: &Bundle, expected: &[i64]) {
    let sorted = |mut values: Vec<i64>| {
        values.sort_unstable();
        values
    };
    let int64 = |value: &Value<'_>| match *value {
        Value::Int64(value) => value,
        ref other => panic!("{other} is no INT64"),
    };
    for executor in executors() {
        let result = execute(&*executor, bundle).unwrap().result;
        let values = result.columns()[0].values();
        assert_eq!(
            sorted(values.map(|value| int64(&value)).collect()),
            expected
        );
        assert_eq!(result.rows(), expected.len() as u64);
    }
    let rows = oracle::execute(bundle);
    assert_eq!(
        sorted(rows.iter().map(|row| int64(&row[0])).collect()),
        expected
    );
}

/// `t0` repeats a key of its join with `t1`, which alone is shown, and loses a row to `t2`: as many rows are left as it had
/// different keys, and yet these are not the keys that it had.
#[test]
fn an_input_that_lost_rows_is_not_its_filter() {
    let tables = vec![
        table(&[[200, -1], [200, -1], [100, 18_336]]),
        table(&[[100, 1000], [200, 1001], [200, 1002]]),
        table(&[[0], [-1]]),
    ];
    let nodes = vec![
        scan(0, &[0, 1]),
        scan(1, &[0, 1]),
        scan(2, &[0]),
        join([0, 1], [0, 0], &[1, 3]),
        join([3, 2], [0, 0], &[1]),
    ];
    let bundle = Bundle::new("a", nodes, 4, tables).unwrap();
    check(&bundle, &[1001, 1001, 1002, 1002]);
}

/// The same with keys at the ends of the type, and nothing in the result.
#[test]
fn nor_at_the_ends_of_the_type() {
    let (least, greatest) = (i64::MIN, i64::MAX);
    let tables = vec![
        table(&[[greatest, 200], [least, 100], [greatest, 200]]),
        table(&[[greatest], [-25_935], [-911_688], [540_453]]),
        table(&[[100, 2249], [100, 2252], [100, 2253]]),
    ];
    let nodes = vec![
        scan(0, &[0, 1]),
        scan(1, &[0]),
        scan(2, &[0, 1]),
        join([0, 1], [0, 0], &[1]),
        join([3, 2], [0, 0], &[2]),
    ];
    check(&Bundle::new("b", nodes, 4, tables).unwrap(), &[]);
}

/// The same with a fourth input on the first class.
#[test]
fn nor_where_three_inputs_share_the_class() {
    let greatest = i64::MAX;
    let tables = vec![
        table(&[[100, greatest], [200, 20_896], [100, greatest]]),
        table(&[[100], [100], [100]]),
        table(&[[100, 2000], [200, 2001]]),
        table(&[[347_460], [34_290], [greatest]]),
    ];
    let nodes = vec![
        scan(0, &[0, 1]),
        scan(1, &[0]),
        scan(2, &[0, 1]),
        scan(3, &[0]),
        join([0, 1], [0, 0], &[0, 1]),
        join([4, 2], [0, 0], &[1, 3]),
        join([5, 3], [0, 0], &[1]),
    ];
    check(&Bundle::new("c", nodes, 6, tables).unwrap(), &[2000; 6]);
}

/// An input without NULLs and of unique keys, of which a filter of its other column takes one away: its own filter has the
/// right number of keys only as long as nothing was taken.
#[test]
fn unique_keys_that_lost_rows_are_not_their_filter() {
    let tables = vec![
        table(&[[100, 0], [200, 1], [300, 7]]),
        table(&[[100, 1], [200, 2], [300, 3], [300, 4]]),
        table(&[[0], [1]]),
    ];
    let nodes = vec![
        scan(0, &[0, 1]),
        scan(1, &[0, 1]),
        scan(2, &[0]),
        join([0, 1], [0, 0], &[1, 3]),
        join([3, 2], [0, 0], &[1]),
    ];
    check(&Bundle::new("d", nodes, 4, tables).unwrap(), &[1, 2]);
}

/// One key in `left` and in `right` rows, of which the result shows nothing but the key.
fn product(left: usize, right: usize) -> Bundle {
    let tables = vec![table(&vec![[7]; left]), table(&vec![[7]; right])];
    let nodes = vec![scan(0, &[0]), scan(1, &[0]), join([0, 1], [0, 0], &[0])];
    Bundle::new("product", nodes, 2, tables).unwrap()
}

#[test]
fn as_many_rows_as_there_are_numbers_are_refused() {
    // (2^16 + 1) * (2^16 - 1) = 2^32 - 1.
    for (left, right) in [(65_537, 65_535), (65_536, 65_536), (80_000, 70_000)] {
        let bundle = product(left, right);
        let pipelined = Pipelined::new(Options::default());
        let error = execute(&pipelined, &bundle).unwrap_err().to_string();
        assert!(error.contains("node 2 yields"), "{error}");
        assert!(error.contains("results hold at most 4294967294"), "{error}");
    }
}

#[test]
fn the_oracle_ends_where_it_is_told_to() {
    let bundle = product(300, 200);
    let within = |rows, memory| {
        let memory = Memory::limited(memory);
        let outcome = oracle::execute_within(&bundle, rows, &memory).map(|rows| rows.len());
        assert_eq!(memory.used(), 0);
        outcome.map_err(|error| error.to_string())
    };
    assert_eq!(within(60_000, usize::MAX), Ok(60_000));
    let error = within(59_999, usize::MAX).unwrap_err();
    assert_eq!(error, "node 2 yields more than 59999 rows");
    let error = within(250, usize::MAX).unwrap_err();
    assert_eq!(error, "node 0 yields more than 250 rows");
    let error = within(60_000, 1 << 20).unwrap_err();
    assert!(error.starts_with("node 2: out of memory"), "{error}");
}

/// `t1`, which is read early, loses half of its rows to `t2`, which is read before `t3`: only the other half of its keys is looked
/// for there.
#[test]
fn an_input_that_lost_rows_leaves_a_stricter_filter() {
    let rows = 20_000;
    let links = (0..100).map(|nth| [100 * nth + 7 + nth % 2, 3 * nth]);
    let links: Vec<[i64; 2]> = links.collect();
    let tables = vec![
        table(&[[7]]),
        table(&links),
        table(&(0..rows).map(|row| [row % 100, row]).collect::<Vec<_>>()),
        table(&(0..rows).map(|row| [row]).collect::<Vec<_>>()),
    ];
    let nodes = vec![
        scan(0, &[0]),
        scan(1, &[0, 1]),
        scan(2, &[0, 1]),
        scan(3, &[0]),
        join([2, 0], [0, 0], &[1]),
        join([4, 1], [0, 0], &[2]),
        join([5, 3], [0, 0], &[1]),
    ];
    let bundle = Bundle::new("stricter", nodes, 6, tables).unwrap();
    let expected: Vec<i64> = (0..50).map(|nth| 6 * nth).collect();
    check(&bundle, &expected);
    for (executor, most) in [
        (Pipelined::default(), 50),
        (
            Pipelined::new(Options::default().without("narrow").unwrap()),
            100,
        ),
    ] {
        let steps = execute(&executor, &bundle).unwrap().telemetry.steps;
        let scans = steps.iter().filter(|step| step.rows_in == rows as u64);
        let left: Vec<u64> = scans.map(|step| step.rows_out).collect();
        assert_eq!(left.iter().max(), Some(&most), "{left:?}");
    }
}
