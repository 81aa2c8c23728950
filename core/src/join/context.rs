//! What a join is given and what it returns.

use super::phases::Phases;
use super::sink::{Aggregate, PairConsumer, Pairs};
use crate::input::KeyColumn;
use crate::key::Key;
use crate::memory::{Memory, OutOfMemory};
use crate::page::DataType;
use crate::parallel::Team;
use crate::table::Column;

/// Two key columns of one type.
pub enum JoinInput<'a> {
    /// INT32 keys: build side, probe side.
    Int32(KeyColumn<'a, i32>, KeyColumn<'a, i32>),
    /// INT64 keys: build side, probe side.
    Int64(KeyColumn<'a, i64>, KeyColumn<'a, i64>),
}

impl<'a> JoinInput<'a> {
    /// The input of a join on these columns.
    pub fn new(build: &'a Column, probe: &'a Column) -> Result<Self, JoinError> {
        let types = (build.data_type(), probe.data_type());
        match types {
            (DataType::Int32, DataType::Int32) => {
                Ok(Self::Int32(key_column(build)?, key_column(probe)?))
            }
            (DataType::Int64, DataType::Int64) => {
                Ok(Self::Int64(key_column(build)?, key_column(probe)?))
            }
            _ => Err(JoinError::KeyTypes(types.0, types.1)),
        }
    }

    /// Rows of the build side.
    pub fn build_rows(&self) -> usize {
        match self {
            Self::Int32(build, _) => build.len(),
            Self::Int64(build, _) => build.len(),
        }
    }

    /// Rows of the probe side.
    pub fn probe_rows(&self) -> usize {
        match self {
            Self::Int32(_, probe) => probe.len(),
            Self::Int64(_, probe) => probe.len(),
        }
    }
}

fn key_column<K: Key>(column: &Column) -> Result<KeyColumn<'_, K>, JoinError> {
    KeyColumn::new(column).ok_or(JoinError::TooManyRows)
}

/// How the pairs of all workers become one result (R8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PairPlacement {
    /// One thread copies worker after worker, as the source does.
    Serial,
    /// Each worker copies its own to the place that a prefix sum gives it.
    #[default]
    Parallel,
    /// Not at all: the workers' chunks are the result.
    Chunks,
}

/// What becomes of the matches.
#[derive(Clone, Copy)]
pub enum Consumer<'a> {
    /// Counted and summed.
    Aggregate,
    /// Kept as pairs of row ids.
    Pairs(PairPlacement),
    /// Handed on as they are produced.
    Stream(&'a dyn PairConsumer),
}

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

/// What a join works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Its threads.
    pub team: &'a Team,
    /// Its memory.
    pub memory: &'a Memory,
    /// What becomes of its results.
    pub consumer: Consumer<'a>,
    /// The caches it plans for.
    pub caches: CacheSizes,
}

impl<'a> Context<'a> {
    /// The context of a join that counts and sums.
    pub fn new(team: &'a Team, memory: &'a Memory) -> Self {
        Self {
            team,
            memory,
            consumer: Consumer::Aggregate,
            caches: CacheSizes::default(),
        }
    }

    /// The same with another consumer.
    #[must_use]
    pub fn with_consumer(mut self, consumer: Consumer<'a>) -> Self {
        self.consumer = consumer;
        self
    }
}

impl<'a> Context<'a> {
    /// The context of one of several rounds, whose pairs are placed after the last one (by [`super::merge`]).
    #[must_use]
    pub fn round(&self) -> Context<'a> {
        let consumer = match self.consumer {
            Consumer::Pairs(_) => Consumer::Pairs(PairPlacement::Chunks),
            other => other,
        };
        self.with_consumer(consumer)
    }
}

/// The results of a join, as its consumer wanted them.
#[derive(Debug)]
pub enum Results {
    /// Count and sums.
    Aggregate(Aggregate),
    /// Pairs of row ids.
    Pairs(Pairs),
    /// Already handed on.
    Streamed,
}

impl Results {
    /// Count and sums, unless the results were handed on.
    pub fn aggregate(&self) -> Option<Aggregate> {
        match self {
            Self::Aggregate(aggregate) => Some(*aggregate),
            Self::Pairs(pairs) => Some(pairs.aggregate()),
            Self::Streamed => None,
        }
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
    /// Row ids are 32 bits wide.
    #[error(
        "a key column has more than 4,294,967,295 rows; row ids are 32 bits wide, so split the table"
    )]
    TooManyRows,
}

/// A join, whatever its keys.
pub trait Join: Send + Sync {
    /// Joins two key columns.
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError>;
}

/// A join, written once for both key types.
pub trait TypedJoin: Send + Sync {
    /// Joins two key columns.
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError>;
}

impl<T: TypedJoin> Join for T {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        match input {
            JoinInput::Int32(build, probe) => self.join_keys(build, probe, context),
            JoinInput::Int64(build, probe) => self.join_keys(build, probe, context),
        }
    }
}
