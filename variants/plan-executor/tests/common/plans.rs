//! Random plans over random tables: a function of the seed.

use join_core::page::{DataType, LONG_PAGE_BYTES, PLAIN_STRING_BYTES};
use join_core::table::{Column, NamedColumn, Table};
use plan_executor::{Bundle, Join, Node, Operator, Output};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// How the keys of a plan are spread, so that results stay small and yet most joins find something.
#[derive(Clone, Copy)]
struct Keys {
    domain: usize,
    /// Distance between two keys: 1 is dense.
    stride: i64,
    first: i64,
}

/// A plan of 1 to 17 inputs in any tree, over tables of all types with NULLs, duplicates, and strings around the
/// limits of a page.
pub fn random_bundle(seed: u64) -> Bundle {
    let mut rng = Rng(seed);
    let inputs = match rng.below(20) {
        0 => 1,
        1 => 17,
        n => 1 + n % 6,
    };
    // Few plans have tables of several pages; the fewer inputs the more rows.
    let many = rng.one_in(25);
    let most_rows = match inputs {
        _ if many => 6000,
        1 | 2 => 300,
        3 | 4 => 40,
        5 | 6 => 16,
        _ => 8,
    };
    let keys = Keys {
        // Now and then so many that each join finds something, but hardly any row is found by all of them.
        domain: match rng.below(8) {
            0 => 2 * most_rows,
            _ => most_rows / 2 + 1,
        },
        stride: rng.pick(&[1, 1, 1, 2, 1009, 65_537, 90_001]),
        first: rng.pick(&[0, 1, -5, -1000, 100_000]),
    };
    let tables: Vec<Table> = (0..inputs)
        .map(|_| table(&mut rng, most_rows, keys))
        .collect();
    let (nodes, root) = tree(&mut rng, &tables);
    Bundle::new(seed.to_string(), nodes, root, tables).expect("a plan that makes sense")
}

fn table(rng: &mut Rng, most_rows: usize, keys: Keys) -> Table {
    let rows = match rng.below(12) {
        0 if rng.one_in(6) => 0,
        1 if rng.one_in(2) => 1,
        2 if rng.one_in(2) => 1 + rng.below(3.min(most_rows)),
        _ => most_rows / 2 + rng.below(most_rows / 2 + 1),
    };
    // The first column is a key of the plan; others may be.
    let columns = 1 + rng.below(4);
    let columns = (0..columns).map(|number| {
        let data_type = match number {
            0 => DataType::Int32,
            _ => rng.pick(&[
                DataType::Int32,
                DataType::Int64,
                DataType::Fp64,
                DataType::Varchar,
                DataType::Varchar,
            ]),
        };
        NamedColumn::new(number.to_string(), column(rng, data_type, rows, keys))
    });
    Table::new("random", columns.collect()).expect("columns of equal length")
}

fn column(rng: &mut Rng, data_type: DataType, rows: usize, keys: Keys) -> Column {
    let null_in = if rng.one_in(40) {
        1
    } else {
        rng.pick(&[usize::MAX, usize::MAX, usize::MAX, 10, 3])
    };
    let null = |rng: &mut Rng| null_in != usize::MAX && rng.one_in(null_in);
    let unique = rng.one_in(3);
    let constant = rng.one_in(12) && rows < 5;
    let key = |rng: &mut Rng, row: usize| {
        let step = match (constant, unique) {
            (true, _) => keys.domain / 2,
            (_, true) => row,
            _ => rng.below(keys.domain),
        };
        keys.first + keys.stride * step as i64
    };
    match data_type {
        DataType::Int32 => {
            let mut values = Vec::new();
            for row in 0..rows {
                values.push((!null(rng)).then(|| key(rng, row) as i32));
            }
            Column::from_i32_options(values)
        }
        DataType::Int64 => {
            let shift = if rng.one_in(6) { 1 << 40 } else { 0 };
            let mut values = Vec::new();
            for row in 0..rows {
                values.push((!null(rng)).then(|| key(rng, row) + shift));
            }
            Column::from_options(values)
        }
        DataType::Fp64 => {
            let specials = [f64::NAN, -0.0, 0.0, f64::INFINITY, 1.5];
            let mut values = Vec::new();
            for _ in 0..rows {
                values.push((!null(rng)).then(|| rng.pick(&specials)));
            }
            Column::from_options(values)
        }
        DataType::Varchar => {
            let long = rng.one_in(15) && rows < 40;
            let mut values = Vec::new();
            for _ in 0..rows {
                values.push((!null(rng)).then(|| string(rng, long)));
            }
            Column::from_strings(values)
        }
    }
}

fn string(rng: &mut Rng, long: bool) -> Vec<u8> {
    let length = if long && rng.one_in(4) {
        let limits = [
            PLAIN_STRING_BYTES - 1,
            PLAIN_STRING_BYTES,
            PLAIN_STRING_BYTES + 1,
            LONG_PAGE_BYTES,
            LONG_PAGE_BYTES + 1,
            2 * LONG_PAGE_BYTES + 1,
            3000,
        ];
        rng.pick(&limits)
    } else {
        rng.pick(&[0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 70, 100])
    };
    let first = rng.below(200);
    (0..length).map(|at| (first + at) as u8).collect()
}

/// A tree over one scan a table, and its root. Nodes stand in any order.
fn tree(rng: &mut Rng, tables: &[Table]) -> (Vec<Node>, usize) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let types = table
            .columns()
            .iter()
            .map(|column| column.column.data_type());
        let types: Vec<DataType> = types.collect();
        open.push(nodes.len());
        let output = outputs(rng, &types, tables.len() == 1);
        nodes.push(Node {
            operator: Operator::Scan(number),
            output,
        });
    }
    while open.len() > 1 {
        let left = open.swap_remove(rng.below(open.len()));
        let right = open.swap_remove(rng.below(open.len()));
        let types = |node: usize| -> Vec<DataType> {
            let output = nodes[node].output.iter();
            output.map(|output| output.data_type).collect()
        };
        let (left_types, right_types) = (types(left), types(right));
        let mut keys = Vec::new();
        for (left_attr, left_type) in left_types.iter().enumerate() {
            for (right_attr, right_type) in right_types.iter().enumerate() {
                let integer = matches!(left_type, DataType::Int32 | DataType::Int64);
                if integer && left_type == right_type {
                    keys.push((left_attr, right_attr));
                }
            }
        }
        let (left_attr, right_attr) = rng.pick(&keys);
        let join = Join {
            build_left: rng.one_in(2),
            left,
            right,
            left_attr,
            right_attr,
        };
        let types = [left_types, right_types].concat();
        let output = outputs(rng, &types, open.is_empty());
        open.push(nodes.len());
        nodes.push(Node {
            operator: Operator::Join(join),
            output,
        });
    }
    shuffled(rng, nodes)
}

/// Some columns in any order, some of them twice; with an INT32 among them unless it is the root's output.
fn outputs(rng: &mut Rng, types: &[DataType], root: bool) -> Vec<Output> {
    let mut indexes: Vec<usize> = Vec::new();
    for index in 0..types.len() {
        if !rng.one_in(3) {
            indexes.insert(rng.below(indexes.len() + 1), index);
        }
    }
    if rng.one_in(5) && !types.is_empty() {
        indexes.push(rng.below(types.len()));
    }
    let has_key = indexes.iter().any(|&index| types[index] == DataType::Int32);
    if !root && !has_key {
        let keys: Vec<usize> = (0..types.len())
            .filter(|&index| types[index] == DataType::Int32)
            .collect();
        indexes.push(rng.pick(&keys));
    }
    let output = |index| Output {
        index,
        data_type: types[index],
    };
    indexes.into_iter().map(output).collect()
}

/// The same nodes in another order.
fn shuffled(rng: &mut Rng, nodes: Vec<Node>) -> (Vec<Node>, usize) {
    let mut places: Vec<usize> = (0..nodes.len()).collect();
    for at in (1..places.len()).rev() {
        places.swap(at, rng.below(at + 1));
    }
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
