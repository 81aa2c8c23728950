//! What a join is given and what it returns.

use super::consume::Side;
use super::phases::Phases;
use crate::memory::{Memory, OutOfMemory};
use crate::output::{Consumer, PairFilter, PairPlacement, Results, RowsError};
use crate::page::DataType;
use crate::parallel::Team;

/// Cache sizes that a join may plan for, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSizes {
    /// L1 data cache of a core.
    pub l1: usize,
    /// L2 cache of a core: the only one that a guest on a shared machine can rely on.
    pub l2: usize,
}

impl Default for CacheSizes {
    fn default() -> Self {
        Self {
            l1: 32 << 10,
            l2: 1 << 20,
        }
    }
}

/// What is compared of two keys of several columns or of strings, once their 64-bit hashes are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// [`Self::HeadsFirst`] where three of four strings of a sample have up to 12 bytes, otherwise [`Self::Keys`].
    #[default]
    Sampled,
    /// The keys themselves, where they lie.
    Keys,
    /// The lengths and first 12 bytes of strings, which are written side by side as the strings are hashed; and the keys
    /// themselves where these do not decide.
    HeadsFirst,
    /// Nothing. One pair in 2^64 is wrong: a measure of what the others cost.
    Hashes,
}

/// What a join works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Its threads.
    pub team: &'a Team,
    /// Its memory.
    pub memory: &'a Memory,
    /// What becomes of its results.
    pub consumer: Consumer<'a>,
    /// What drops pairs before they become results.
    pub filter: Option<&'a dyn PairFilter>,
    /// The caches it plans for.
    pub caches: CacheSizes,
    /// What it compares of keys that are joined by a hash.
    pub verify: Verify,
}

impl<'a> Context<'a> {
    /// The context of a join that counts and sums.
    pub fn new(team: &'a Team, memory: &'a Memory) -> Self {
        Self {
            team,
            memory,
            consumer: Consumer::Aggregate,
            filter: None,
            caches: CacheSizes::default(),
            verify: Verify::default(),
        }
    }

    /// The same with another consumer.
    #[must_use]
    pub fn with_consumer(mut self, consumer: Consumer<'a>) -> Self {
        self.consumer = consumer;
        self
    }

    /// Whether a table of ranges is to find ranges: no pair is made before all are known, so none can be filtered.
    pub fn begins_with_ranges(&self) -> bool {
        match (self.consumer, self.filter) {
            (Consumer::Pairs(placement), None) => placement.begins_with_ranges(),
            _ => false,
        }
    }

    /// The context of one of several rounds, whose pairs are placed after the last one (by [`super::merge`]).
    #[must_use]
    pub fn round(&self) -> Context<'a> {
        let consumer = match self.consumer {
            Consumer::Pairs(placement) if placement.begins_with_ranges() => {
                Consumer::Pairs(PairPlacement::Ranges)
            }
            Consumer::Pairs(_) => Consumer::Pairs(PairPlacement::Chunks),
            other => other,
        };
        self.with_consumer(consumer)
    }
}

/// What a join returns, its telemetry included (R9.4).
#[derive(Debug)]
pub struct Outcome {
    /// The results.
    pub results: Results,
    /// Time by phase; the phases add up to the join's time.
    pub phases: Phases,
    /// Bytes of the finished table, of both sides' partitions where there is no table.
    pub table_bytes: usize,
    /// What the join chose, such as its input mode or its fan-out, for the reader of a report.
    pub notes: Vec<String>,
}

/// Why a join failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Memory ran out.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The key columns cannot be joined.
    #[error("cannot join {0} with {1} keys: both key columns must be INT32, or both INT64")]
    KeyTypes(DataType, DataType),
    /// Columns of compound keys that cannot be compared.
    #[error(
        "cannot join {0} with {1} columns of a key: columns that meet must both be INT32, INT64 or VARCHAR"
    )]
    PartTypes(DataType, DataType),
    /// Keys of another number of columns.
    #[error(
        "cannot join keys of {0} with keys of {1} columns: both sides need as many, at least one"
    )]
    KeyColumns(usize, usize),
    /// Columns of one key with another number of rows.
    #[error("a key has columns of {0} and of {1} rows; all columns of a side need as many rows")]
    KeyRows(usize, usize),
    /// Strings that break the format of their slices.
    #[error(
        "key column {column} of the {} side has strings that lie outside of their bytes, or in no order",
        .side.of("build", "probe")
    )]
    OutsideStrings {
        /// The side.
        side: Side,
        /// Which of its key columns, from 0 on.
        column: usize,
    },
    /// A kind of join that would have to compare a part of a key.
    #[error(
        "a {0} join of keys of several columns cannot tell what a key with a NULL in it might equal; filter such rows out \
         beforehand, or let NULLs equal each other"
    )]
    PartlyNull(&'static str),
    /// The columns that rows are made of.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Row ids are 32 bits wide.
    #[error(
        "a key column has more than 4,294,967,295 rows; row ids are 32 bits wide, so split the table"
    )]
    TooManyRows,
}
