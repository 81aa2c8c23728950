//! Outputs: what becomes of a join's matches. They are counted and summed, kept as pairs or as the [`Ranges`] of a table, or
//! handed on as they are found, for instance to a [`RowsConsumer`], which makes the joined columns.
//!
//! The mirror of [`crate::input`]: every worker writes to a [`Sink`] of its own, [`collect`] puts together what they
//! wrote, and [`Results::placed`] makes one block of the pairs of all. Which of these it is to be, the [`Consumer`] says.

mod filter;
mod place;
mod ranges;
mod rows;
mod sink;

pub use filter::{Enough, FilterBoth, PairFilter};
pub use place::{PairPlacement, Pairs};
pub(crate) use ranges::without_lowest_run;
pub use ranges::{MatchRange, RangeBuffer, Ranges};
pub use rows::{
    FixedColumn, FixedSlice, Form, RowChunk, RowColumn, Rows, RowsConsumer, RowsError, Values,
};
pub(crate) use rows::{Tuples, Wanted, columns_of};
pub use sink::{Aggregate, Pair, PairBuffer, PairConsumer, Sink, SinkRef};

use crate::memory::{Memory, OutOfMemory};
use crate::parallel::Team;

/// Stands where a result has no row of a side. No row has this id: a side has at most `u32::MAX` rows, from 0 on.
pub const NO_ROW: u32 = u32::MAX;

/// What becomes of the matches.
#[derive(Clone, Copy)]
pub enum Consumer<'a> {
    /// Counted and summed.
    Aggregate,
    /// Kept as pairs of row ids, or as what pairs can be made of.
    Pairs(PairPlacement),
    /// Handed on as they are produced.
    Stream(&'a dyn PairConsumer),
}

impl<'a> Consumer<'a> {
    /// Pairs kept and placed, or, without a placement, handed to `stream`.
    pub fn of_pairs(placement: Option<PairPlacement>, stream: &'a dyn PairConsumer) -> Self {
        placement.map_or(Self::Stream(stream), Self::Pairs)
    }

    /// As [`PairConsumer::probe_bytes`].
    pub fn probe_bytes(&self) -> usize {
        match self {
            Self::Stream(consumer) => consumer.probe_bytes(),
            Self::Aggregate | Self::Pairs(_) => 0,
        }
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

    /// The results of nothing.
    pub(crate) fn none(consumer: Consumer<'_>) -> Self {
        match consumer {
            Consumer::Aggregate => Self::Aggregate(Aggregate::default()),
            Consumer::Pairs(_) => Self::Pairs(Pairs::default()),
            Consumer::Stream(_) => Self::Streamed,
        }
    }

    /// The results of several rounds of [`collect`] for one consumer, one after the other.
    pub fn of_rounds(rounds: impl IntoIterator<Item = Self>, consumer: Consumer<'_>) -> Self {
        rounds
            .into_iter()
            .fold(Self::none(consumer), |mut all, round| {
                match (&mut all, round) {
                    (Self::Aggregate(all), Self::Aggregate(round)) => all.merge(&round),
                    (Self::Pairs(all), Self::Pairs(round)) => all.append(round),
                    _ => {}
                }
                all
            })
    }

    /// The results with their pairs, if there are any, placed.
    ///
    /// # Errors
    ///
    /// If there is no memory for a second copy of the pairs.
    pub fn placed(
        self,
        placement: PairPlacement,
        team: &Team,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        match self {
            Self::Pairs(pairs) => Ok(Self::Pairs(pairs.placed(placement, team, memory)?)),
            other => Ok(other),
        }
    }
}

/// Runs `work` with a sink for each of `states`, one worker per state, and puts together what the workers wrote and
/// `filter` kept. Pairs stay in the workers' chunks.
///
/// # Errors
///
/// If memory runs out for the pairs.
pub fn collect<S: Send>(
    states: Vec<S>,
    consumer: Consumer<'_>,
    filter: Option<&dyn PairFilter>,
    team: &Team,
    memory: &Memory,
    work: impl Fn(S, SinkRef<'_, '_>) + Sync,
) -> Result<Results, OutOfMemory> {
    let summed = |workers: &mut dyn Iterator<Item = Aggregate>| {
        let mut sums = Aggregate::default();
        workers.for_each(|worker| sums.merge(&worker));
        Results::Aggregate(sums)
    };
    // Sums that nothing filters are made where the matches are found; everything else goes through a buffer.
    if let (Consumer::Aggregate, None) = (consumer, filter) {
        let workers = team.run(states, |_, state| {
            let mut sums = Aggregate::default();
            work(state, SinkRef::Aggregate(&mut sums));
            sums
        });
        return Ok(summed(&mut workers.into_iter()));
    }
    let workers = team.run(states, |worker, state| {
        let mut pairs = match (consumer, filter) {
            (Consumer::Aggregate, Some(filter)) => PairBuffer::summing(memory, filter)?,
            (Consumer::Stream(consumer), _) => {
                PairBuffer::streaming(memory, filter, consumer, worker)?
            }
            _ => PairBuffer::keeping(memory, filter)?,
        };
        work(state, SinkRef::Pairs(&mut pairs));
        pairs.finish()
    });
    let workers = workers.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(match consumer {
        Consumer::Aggregate => summed(&mut workers.into_iter().map(|worker| worker.1)),
        Consumer::Pairs(_) => {
            let chunks = workers.into_iter().flat_map(|worker| worker.0);
            Results::Pairs(Pairs {
                chunks: chunks.collect(),
                ..Pairs::default()
            })
        }
        Consumer::Stream(_) => Results::Streamed,
    })
}
