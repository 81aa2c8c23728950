//! Trees over slices of keys, against every combination of rows tried out.

#![expect(
    clippy::disallowed_types,
    reason = "a queue to the test, not one in a join"
)]

#[expect(dead_code, reason = "of other tests")]
#[path = "common/rng.rs"]
mod rng;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use join_core::input::{KeyColumn, KeySlice};
use join_core::memory::Memory;
use join_core::parallel::{Team, ThreadStart};
use plan_executor::{Context, JoinTree, Options, Pipelined, Role, RowConsumer, TreeInput};
use rng::Rng;

const TREES: u64 = 4000;

/// A key of an input: whether it has 64 bits, and its values.
struct Keys {
    is_wide: bool,
    values: Vec<Option<i64>>,
}

/// An input, and which key of which input before it equals which of its own.
struct Input {
    keys: Vec<Keys>,
    role: Role,
    rows: usize,
    edge: Option<((usize, usize), usize)>,
}

/// Rows of the result: of each shown input the row.
type Rows = Vec<Vec<u32>>;

/// Keys of so many rows: from a few numbers side by side if they are `alike`, so that many have partners.
fn keys(rng: &mut Rng, rows: usize, is_wide: bool, alike: bool) -> Keys {
    let (range, stride) = match alike {
        true => (rng.pick(&[3, 5]), 1),
        false => (
            rng.pick(&[1, 3, 20]),
            rng.pick(&[1, 1, 1000, if is_wide { 1 << 40 } else { 1 << 27 }]),
        ),
    };
    let is_null = rng.one_in(3);
    let value = |rng: &mut Rng| {
        let key = rng.below(range) as i64 * stride - 2 * stride;
        (!(is_null && rng.one_in(4))).then_some(key)
    };
    Keys {
        is_wide,
        values: (0..rows).map(|_| value(rng)).collect(),
    }
}

/// A key of an input: the numbers of both.
type Place = (usize, usize);

/// Two keys that must be equal as well, which closes a cycle; their inputs are shown then. Of half of the trees at most.
fn cycle(rng: &mut Rng, inputs: &mut [Input]) -> Option<[Place; 2]> {
    let all = 0..inputs.len();
    let all: Vec<usize> = all
        .filter(|&input| inputs[input].role != Role::Required)
        .collect();
    if inputs.len() < 3 || all.len() < 2 || rng.one_in(2) {
        return None;
    }
    let left = rng.below(all.len());
    let right = (left + 1 + rng.below(all.len() - 1)) % all.len();
    let keys = [all[left], all[right]].map(|input| (input, rng.below(inputs[input].keys.len())));
    let [left, right] = keys.map(|(input, key)| inputs[input].keys[key].is_wide);
    if left != right {
        return None;
    }
    for (input, _) in keys {
        inputs[input].role = Role::Shown;
    }
    Some(keys)
}

/// Inputs, each joined with one before it; those that are only required have one key.
fn inputs(rng: &mut Rng) -> Vec<Input> {
    let count = 1 + rng.below(5);
    let most: &[usize] = match count {
        1 | 2 => &[0, 1, 5, 63, 64, 65, 200],
        3 => &[1, 5, 20],
        _ => &[1, 3, 6],
    };
    let alike = rng.one_in(2);
    let mut inputs: Vec<Input> = Vec::new();
    for number in 0..count {
        let rows = rng.pick(most);
        let joins: Vec<usize> = (0..number)
            .filter(|&other| inputs[other].role != Role::Required)
            .collect();
        let role = match number {
            0 => rng.pick(&[Role::Shown, Role::Counted]),
            _ => rng.pick(&[Role::Shown, Role::Counted, Role::Required]),
        };
        let mut input = Input {
            keys: Vec::new(),
            role,
            rows,
            edge: None,
        };
        if number > 0 {
            let other = rng.pick(&joins);
            let key = rng.below(inputs[other].keys.len());
            input.edge = Some(((other, key), 0));
            input
                .keys
                .push(keys(rng, rows, inputs[other].keys[key].is_wide, alike));
        }
        while input.keys.len() < 2 && role != Role::Required {
            let is_wide = rng.one_in(2);
            input.keys.push(keys(rng, rows, is_wide, alike));
        }
        inputs.push(input);
    }
    inputs
}

/// A key of a row of the result, whose input is shown.
fn key_of(inputs: &[Input], row: &[u32], (input, key): Place) -> Option<i64> {
    let before = inputs[..input].iter();
    let place = before.filter(|input| input.role == Role::Shown).count();
    inputs[input].keys[key].values[row[place] as usize]
}

/// Whether a row of the result has two equal keys.
fn is_equal(inputs: &[Input], row: &[u32], keys: [Place; 2]) -> bool {
    let [left, right] = keys.map(|place| key_of(inputs, row, place));
    left.is_some() && left == right
}

/// The result by trying all combinations, sorted.
fn expected(inputs: &[Input]) -> Rows {
    let mut found = vec![Vec::new()];
    for (number, input) in inputs.iter().enumerate() {
        let matches = |rows: &[u32], row: usize| {
            input.edge.is_none_or(|((other, key), own)| {
                let theirs = inputs[other].keys[key].values[rows[other] as usize];
                theirs.is_some() && theirs == input.keys[own].values[row]
            })
        };
        let mut next = Vec::new();
        for rows in &found {
            let own = (0..input.rows).filter(|&row| matches(rows, row));
            match input.role {
                Role::Required => {
                    next.extend(own.take(1).map(|_| [rows.as_slice(), &[0]].concat()))
                }
                _ => next.extend(own.map(|row| [rows.as_slice(), &[row as u32]].concat())),
            }
        }
        assert!(next.iter().all(|rows| rows.len() == number + 1));
        found = next;
    }
    let shown = |rows: &Vec<u32>| {
        let rows = rows.iter().zip(inputs);
        let shown = rows.filter(|(_, input)| input.role == Role::Shown);
        shown.map(|(&row, _)| row).collect()
    };
    let mut found: Rows = found.iter().map(shown).collect();
    found.sort_unstable();
    found
}

struct Collect(Sender<Vec<u32>>);

impl RowConsumer for Collect {
    fn consume(&self, _: usize, count: usize, rows: &[Vec<u32>]) -> bool {
        assert!(rows.iter().all(|rows| rows.len() == count));
        (0..count).all(|at| {
            let row = rows.iter().map(|rows| rows[at]).collect();
            self.0.send(row).is_ok()
        })
    }
}

/// Keys in slices of `rows` rows, with a value under each NULL.
struct Sliced {
    wide: Vec<i64>,
    narrow: Vec<i32>,
    bits: Vec<u8>,
    rows: usize,
}

impl Sliced {
    fn new(keys: &Keys, rows: usize) -> Sliced {
        let value = |key: &Option<i64>| key.unwrap_or(0);
        let mut bits = vec![0; keys.values.len().div_ceil(8)];
        for (row, key) in keys.values.iter().enumerate() {
            bits[row / 8] |= u8::from(key.is_some()) << (row % 8);
        }
        Sliced {
            wide: keys.values.iter().map(value).collect(),
            narrow: keys.values.iter().map(|key| value(key) as i32).collect(),
            bits,
            rows,
        }
    }

    fn column<'s, K: join_core::key::Key>(&'s self, values: &'s [K]) -> KeyColumn<'s, K> {
        let slices = values.chunks(self.rows).enumerate();
        let slices = slices
            .map(|(nth, keys)| KeySlice::with_nulls(keys, &self.bits, nth * self.rows).unwrap());
        KeyColumn::of_slices(slices.collect()).unwrap()
    }
}

fn found(inputs: &[Input], cycle: Option<[Place; 2]>, rng: &mut Rng, team: &Team) -> Rows {
    let slice = rng.pick(&[1, 3, 64, 70, 1000]);
    let sliced: Vec<Vec<Sliced>> = inputs
        .iter()
        .map(|input| {
            let keys = input.keys.iter();
            keys.map(|keys| Sliced::new(keys, slice)).collect()
        })
        .collect();
    let mut tree = JoinTree::default();
    for (number, (input, sliced)) in inputs.iter().zip(&sliced).enumerate() {
        let mut leaf = TreeInput::new(format!("t{number}"), input.rows);
        for (keys, sliced) in input.keys.iter().zip(sliced) {
            leaf = match keys.is_wide {
                true => leaf.with_int64("k", sliced.column(&sliced.wide)),
                false => leaf.with_int32("k", sliced.column(&sliced.narrow)),
            };
        }
        tree.add(leaf, input.role);
        if let Some((other, own)) = input.edge {
            tree.equate(other, (number, own));
        }
    }
    if let Some([left, right]) = cycle {
        tree.filter(left, right);
    }
    let names = Options::NAMES.map(|(name, _)| name);
    let mut without = names.to_vec();
    without.retain(|_| rng.one_in(4));
    let options = without.iter().fold(Options::default(), |options, name| {
        options.without(name).unwrap()
    });
    let memory = Memory::unlimited();
    let (send, received) = channel();
    let context = Context {
        team,
        memory: &memory,
    };
    let telemetry = Pipelined::new(options).rows(&tree, &context, &Collect(send));
    assert!(!telemetry.unwrap().steps.is_empty());
    assert_eq!(memory.used(), 0, "all is given back");
    let mut found: Rows = received.into_iter().collect();
    found.sort_unstable();
    found
}

#[test]
fn trees_over_slices_have_the_rows_that_combinations_have() {
    let team = Team::try_new(2, ThreadStart::Pool).unwrap();
    let (mut not_empty, mut removed) = (0, 0);
    for seed in 0..TREES {
        let mut rng = Rng::new(seed);
        let mut inputs = inputs(&mut rng);
        let cycle = cycle(&mut rng, &mut inputs);
        let mut expected = expected(&inputs);
        let mut found = found(&inputs, cycle, &mut rng, &team);
        if let Some(keys) = cycle {
            // Keys that only filter leave rows that differ in them, but none that the tree has not.
            assert!(
                found.iter().all(|row| expected.contains(row)),
                "seed {seed}"
            );
            removed += usize::from(found.len() < expected.len());
            for rows in [&mut expected, &mut found] {
                rows.retain(|row| is_equal(&inputs, row, keys));
            }
        }
        assert_eq!(found, expected, "seed {seed}");
        not_empty += usize::from(!expected.is_empty());
    }
    assert!(
        removed > TREES as usize / 400,
        "keys that only filter removed rows in {removed} of {TREES} trees"
    );
    assert!(
        not_empty > TREES as usize / 8,
        "{not_empty} of {TREES} have rows"
    );
}

#[test]
fn nothing_more_is_handed_over_when_nothing_more_is_wanted() {
    struct First(AtomicUsize);
    impl RowConsumer for First {
        fn consume(&self, _: usize, count: usize, _: &[Vec<u32>]) -> bool {
            self.0.fetch_add(count, Ordering::Relaxed);
            false
        }
    }
    let keys = vec![7_i32; 3000];
    let mut tree = JoinTree::default();
    for name in ["a", "b"] {
        let column = KeyColumn::of_slices(vec![KeySlice::new(&keys)]).unwrap();
        tree.add(
            TreeInput::new(name, keys.len()).with_int32("k", column),
            Role::Shown,
        );
    }
    tree.equate((0, 0), (1, 0));
    let (team, memory) = (Team::single(), Memory::unlimited());
    let context = Context {
        team: &team,
        memory: &memory,
    };
    let first = First(AtomicUsize::new(0));
    Pipelined::default().rows(&tree, &context, &first).unwrap();
    let rows = first.0.into_inner();
    assert!((1..=3000).contains(&rows), "{rows} of 9,000,000 rows");
}
