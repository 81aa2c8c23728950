//! What a person would otherwise write: the joins that the others are measured against, each complete and as fast as its
//! idea allows.
//!
//! | baseline | what it is | source |
//! |---|---|---|
//! | [`StdHashMap`] | the standard library's map with SipHash, as a multimap; one thread builds | what one writes first; the contest engine's "unordered map" (R9.5) |
//! | [`Hashbrown`] | a multimap on hashbrown: a map per thread, filled in the order of its buckets | SwissTable (Abseil); stands in for the contest engine's cuckoo and hopscotch tables too (R9.5), as what one takes instead of writing such a table by hand |
//! | [`BucketChaining`] | two heads per tuple over nodes; all threads link into one table by atomic exchange | "no partitioning" of Blanas et al., SIGMOD 2011 |
//! | [`PartitionedChaining`] | the same with nodes contiguous by partition, a directory range per owner, and 16-bit tags in an array of their own | the winners of the SIGMOD 2025 programming contest |
//! | [`LinearProbing`] | packed slots, at most half full, filled range by range | Knuth, vol. 3, 6.4 |
//! | [`RobinHood`] | the same slots, at most 7/8 full, distances from home evened out | Celis, Larson, Munro, FOCS 1985; R9.5 |
//! | [`BucketComparison`] | buckets of 16 slots with a byte of the hash each, compared by one vector instruction; at most 7/8 full, filled range by range | Böther, Benson, Klimovic, Rabl, VLDB 2023 |
//! | [`LinearChained`] | slots of a pointer and a 16-bit salt, at most half full; linear probing over distinct keys, a chain per key | DuckDB; Groß, ten Wolde, Boncz, CIDR 2025 |
//! | [`Concise`] | a dense array of tuples under a bitmap of 8 to 16 bits a tuple with the counts of its bits; an overflow table for the few others | Barber et al., VLDB 2014 |
//! | [`Radix`] | both sides partitioned with software write-combining and streaming stores, then joined in the cache | Manegold, Boncz, Kersten, 2002; Balkesen et al., ICDE 2013 |
//! | [`SortMerge`] | both sides sorted by radix in parallel, then merged | Kim et al., VLDB 2009 |
//!
//! All are builds, to be combined with any probe, but the last two, which see both sides and are joins of their own. All
//! take keys of both types, duplicates, NULLs and streams of unknown length, stay within the join's memory budget, and
//! use no locks. The hash is a type parameter.

mod chaining;
mod collect;
mod concise;
mod counted;
mod hashbrown_map;
mod linear_chained;
mod multimap;
mod open_addressing;
mod partition;
mod radix;
mod sort_merge;
mod std_map;

pub use chaining::{BucketChaining, PartitionedChaining};
pub use concise::Concise;
pub use hashbrown_map::Hashbrown;
pub use linear_chained::LinearChained;
pub use open_addressing::{
    BucketComparison, Buckets, Linear, LinearProbing, OpenAddressing, Placement, Richest, RobinHood,
};
pub use radix::Radix;
pub use sort_merge::SortMerge;
pub use std_map::StdHashMap;
