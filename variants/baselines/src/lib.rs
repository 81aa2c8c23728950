//! What a person would otherwise write: the joins that the others are measured against, each complete.

mod chaining;
mod collect;
mod counted;
mod hashbrown_map;
mod multimap;
mod partition;
mod std_map;

pub use chaining::{BucketChaining, PartitionedChaining};
pub use hashbrown_map::Hashbrown;
pub use std_map::StdHashMap;
