//! A join: two key columns, a consumer and a context in; counts, phases and bytes out.
//!
//! What a variant implements is generic over the key type, and once more behind a pointer for who knows it by name only:
//! [`Join`] and [`DynJoin`], [`Build`] and [`DynBuild`], [`JoinTable`] and [`DynJoinTable`]. Build × probe is one family
//! of joins: [`BuildProbe`] makes one from any [`Build`] and any [`Probe`], which meet at a [`DynJoinTable`], called once
//! per block of keys and never once per key. Joins that see both sides before they match anything (radix, sort-merge)
//! implement [`Join`] themselves. The harness knows only [`DynJoin`].

mod build;
mod consume;
mod context;
mod phases;
mod probe;
mod sides;
mod table;

pub use build::{Build, DynBuild, Threshold};
pub(crate) use consume::place;
pub use consume::{Side, consume, find_ranges, merge, prepare};
pub use context::{CacheSizes, Context, JoinError, Outcome, Verify};
pub use phases::{Phase, Phases};
pub use probe::{BuildProbe, Probe};
pub use sides::{DynJoin, Join, JoinInput};
pub use table::{DynJoinTable, JoinTable, Kernel, MAX_GROUP, RangeTable, RowIds, Schedule};
