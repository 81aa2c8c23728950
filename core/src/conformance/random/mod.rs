//! Joins drawn at random: a number means the same join for ever.

mod few_rows;
mod numbers;
mod shape;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cases::{Bag, Case};
use super::keys::{CaseKey, Random};
use super::kinds::{Asked, OfKind};
use super::run::{Wanted, attempt};
use super::sliced::with_slices;
use crate::join::{CacheSizes, Context, DynJoin, JoinError, JoinInput};
use crate::memory::Memory;
use crate::page::rows_per_full_page;
use crate::parallel::{Team, ThreadStart};
pub use few_rows::FewRows;
use numbers::{Numbers, Spread, pairs};
use shape::{Nulls, Shape};

/// Rows from which on a join may look at a sample of its sides first.
const SAMPLED: u64 = 1 << 19;

/// A join drawn at random: two key columns, the oracle's answer, and the threads that it is made by.
pub struct RandomJoin {
    case: Case,
    threads: usize,
    parallel_from: usize,
}

/// Under which conditions a join is made, beside its threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// What is asked of it.
    pub asked: Asked,
    /// What becomes of the matches.
    pub wanted: Wanted,
    /// Bytes that it may hold at a time, if there is a limit. With less than it needs it says that memory ran out.
    pub budget: Option<usize>,
    /// The caches that it plans for.
    pub caches: CacheSizes,
    /// Whether its keys lie in slices, and not in pages.
    pub in_slices: bool,
}

impl Conditions {
    /// Conditions drawn at random: memory is scarce once in eight times, caches are small every other time.
    pub fn drawn(wanted: Wanted, random: &mut Random) -> Self {
        let mut conditions = Self {
            asked: Asked::drawn(random),
            wanted,
            budget: None,
            caches: CacheSizes::default(),
            in_slices: false,
        };
        if random.once_in(8) {
            let most = 1 << (8 + random.below(18));
            conditions.budget = Some(random.below(most) as usize);
        }
        if random.once_in(2) {
            let l2 = 1 << (10 + random.below(10));
            let l1 = l2 >> random.below(6);
            conditions.caches = CacheSizes { l1, l2 };
        }
        conditions.in_slices = random.once_in(4);
        conditions
    }
}

impl RandomJoin {
    /// The join of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::of(seed, "join");
        let case = match random.once_in(2) {
            true => case::<i32>(seed, &mut random),
            false => case::<i64>(seed, &mut random),
        };
        Self {
            case,
            threads: *random.pick(&[1, 1, 2, 2, 3, 4, 5, 8]),
            parallel_from: *random.pick(&[0, 0, 1000, Team::PARALLEL_FROM]),
        }
    }

    /// The threads that it is made by, started this way.
    pub fn team(&self, start: ThreadStart) -> Team {
        Team::new(self.threads, start).parallel_from(self.parallel_from)
    }

    /// Makes the join once and compares its answer with the oracle's.
    ///
    /// # Errors
    /// What is wrong: the answer, a panic, memory that ran out without need or was not given back.
    pub fn check(
        &self,
        join: &dyn DynJoin,
        team: &Team,
        conditions: &Conditions,
    ) -> Result<(), String> {
        let memory = Memory::limited(conditions.budget.unwrap_or(usize::MAX));
        let context = Context {
            caches: conditions.caches,
            ..Context::new(team, &memory)
        };
        let asked = conditions.asked.within_reason(&self.case.input());
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let join = OfKind(join, asked.semantics());
            let attempt =
                |input: &JoinInput<'_>| attempt(&join, input, &context, conditions.wanted);
            match conditions.in_slices {
                true => with_slices(&self.case.input(), attempt),
                false => attempt(&self.case.input()),
            }
        }));
        match answer {
            Err(panic) => return Err(format!("panicked: {}", message(&*panic))),
            Ok(Err(JoinError::OutOfMemory(_))) if conditions.budget.is_some() => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Ok(Ok(answer)) => match asked {
                Asked::INNER => answer.compare(&self.case.expected)?,
                asked => answer.compare(&asked.results(&self.case.input()))?,
            },
        }
        match memory.used() {
            0 => Ok(()),
            used => Err(format!("{used} bytes still held")),
        }
    }
}

/// Says what the join is of, with its seed.
impl fmt::Display for RandomJoin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.case.expected.pairs.len();
        write!(f, "{}; {pairs} pairs", self.case.name)
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

/// One side of a join.
struct Side<K> {
    rows: Vec<Option<K>>,
    numbers: Numbers,
    nulls: Nulls,
}

impl<K: CaseKey> Side<K> {
    fn drawn(rows: usize, numbers: Numbers, spread: &Spread, random: &mut Random) -> Self {
        let nulls = Nulls::drawn::<K>(random);
        let numbered = numbers.of_rows(rows, random);
        let rows = numbered.into_iter().enumerate().map(|(row, number)| {
            let null = nulls.holds(row, random);
            (!null).then(|| spread.key(number))
        });
        Self {
            rows: rows.collect(),
            numbers,
            nulls,
        }
    }
}

/// Both sides, and which keys they have.
fn sides<K: CaseKey>(random: &mut Random) -> ([Side<K>; 2], Spread) {
    let (rows, most_pairs) = sizes::<K>(random);
    // Keys that a foreign key refers to are what most joins are about.
    let of_key = random.once_in(3);
    let distinct = match of_key {
        true => rows[0].max(1) as u64,
        false => distinct(*random.pick(&rows) as u64, random),
    };
    let spread = Spread::drawn::<K>(distinct, random);
    let misses = *random.pick(&[0, 0, 0, 10, 10, 50, 90, 100]);
    let build = match of_key {
        true => Numbers::key(distinct, random),
        false => Numbers::drawn(distinct, 0, random),
    };
    let probe = Numbers::drawn(distinct, misses, random);
    let mut sides = [(rows[0], build), (rows[1], probe)]
        .map(|(rows, numbers)| Side::<K>::drawn(rows, numbers, &spread, random));
    while pairs(&sides[0].rows, &sides[1].rows) > most_pairs {
        let longer = usize::from(sides[0].rows.len() < sides[1].rows.len());
        let rows = &mut sides[longer].rows;
        rows.truncate(rows.len() / 2);
    }
    (sides, spread)
}

fn case<K: CaseKey>(seed: u64, random: &mut Random) -> Case {
    let (sides, spread) = sides::<K>(random);
    let [build, probe] = sides.map(|side| {
        let shape = Shape::drawn::<K>(side.rows.len(), random);
        let (rows, numbers, nulls) = (side.rows.len(), side.numbers, side.nulls);
        let name = format!("{rows} rows, {numbers}, {nulls}, {shape}");
        (name, shape.column(&side.rows))
    });
    let name = format!(
        "seed {seed}, {} keys {spread}; build {}; probe {}",
        K::DATA_TYPE,
        build.0,
        probe.0
    );
    let input = JoinInput::new(&build.1, &probe.1).expect("columns of one key type");
    Case {
        expected: Bag::of(&input),
        name,
        large: false,
        build: build.1,
        probe: probe.1,
    }
}

/// Rows of both sides, and pairs of the result at most.
fn sizes<K: CaseKey>(random: &mut Random) -> ([usize; 2], u64) {
    let mut rows = [rows::<K>(random), rows::<K>(random)];
    if !random.once_in(200) {
        return (rows, 1 << (9 + random.below(12)));
    }
    let large = *random.pick(&[&[0][..], &[1], &[0, 1]]);
    for &side in large {
        rows[side] = near(SAMPLED + 1, random);
    }
    (rows, 4 * SAMPLED)
}

/// Rows of a side: few, or about as many as something of the joins ends at, such as a page or a morsel.
fn rows<K: CaseKey>(random: &mut Random) -> usize {
    let page = rows_per_full_page::<K>() as u64;
    match random.below(64) {
        0..=3 => random.below(3) as usize,
        4..=23 => random.below(300) as usize,
        24..=38 => near(1 << (3 + random.below(10)), random),
        39..=48 => near(page * (1 + random.below(5)), random),
        49..=56 => random.below(5000) as usize,
        57..=60 => random.below(40_000) as usize,
        _ => near(
            *random.pick(&[1 << 14, 1 << 15, 1 << 16, 100_000, 1 << 17]),
            random,
        ),
    }
}

/// One row less, so many, or one more.
fn near(rows: u64, random: &mut Random) -> usize {
    (rows - 1 + random.below(3)) as usize
}

/// How many different keys sides of so many rows have: one, few, some of each, or as many as rows and more.
fn distinct(rows: u64, random: &mut Random) -> u64 {
    let keys = match random.below(8) {
        0 => 1,
        1 => 1 + random.below(10),
        2 | 3 => rows / 8,
        4..=6 => rows,
        _ => rows * 2,
    };
    keys.max(1)
}
