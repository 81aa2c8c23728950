//! Data that are made, not read: random draws, and the rows of benchmarks. A draw belongs to a row, not to a thread: the
//! same seed gives the same data for ever, on any machine and any number of threads.

mod days;
mod draws;
mod permutation;
pub mod ssb;
pub mod tpch;
mod zipf;

pub use days::Day;
pub use draws::{Draws, Stream};
pub use permutation::Permutation;
pub use zipf::{Popularity, Zipf};
