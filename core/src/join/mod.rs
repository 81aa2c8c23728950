//! A join: two key columns, a consumer and a context in; counts, phases and bytes out.
//!
//! Build × probe is one family of joins: [`BuildProbe`] makes one from any [`Build`] and any [`Probe`], which meet at a
//! [`JoinTable`], called once a block of keys and never once a key. Joins that see both sides before they match
//! anything (radix, sort-merge) implement [`TypedJoin`] themselves. The harness knows only [`Join`].

mod build;
mod context;
mod phases;
mod probe;
mod sink;
mod table;

pub use crate::simd::Compare;
pub use build::{Build, ErasedBuild, Threshold};
pub use context::{
    CacheSizes, Consumer, Context, Join, JoinError, JoinInput, Outcome, PairPlacement, Results,
    TypedJoin,
};
pub use phases::{Phase, Phases};
pub use probe::{BuildProbe, Probe, consume, merge};
pub use sink::{Aggregate, Pair, PairBuffer, PairConsumer, Pairs, Sink, SinkRef};
pub use table::{JoinTable, Kernel, MAX_GROUP, ProbeTable, RowIds, Schedule};
