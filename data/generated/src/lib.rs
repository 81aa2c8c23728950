//! What generated data are drawn by. A draw belongs to a row, not to a thread: the same seed gives the same data for
//! ever, on any machine and any number of threads.

mod draws;
mod permutation;
mod zipf;

pub use draws::{Draws, Stream};
pub use permutation::Permutation;
pub use zipf::{Popularity, Zipf};
