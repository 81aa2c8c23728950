//! A tree of joins as one operator: its leaves are read once each, what is left of one filters the others, row ids travel,
//! and columns are gathered once.

mod cascade;
mod exec;
mod forest;
mod job;
mod links;
mod shape;
mod sieve;

pub use exec::JoineryTreeExec;
pub(crate) use forest::{Forest, Rows};
pub(crate) use shape::{column_of, join_in};
pub(crate) use sieve::Sieve;
