//! The core of Joinery: pages and tables, hashes, tags and directories, the unchained table, morsels, the traits that a
//! join variant implements, the oracle and the conformance suite.
//!
//! The way of the data: pages → key input → build variant → [`join::DynJoinTable`] → probe variant → [`output`].
//! `docs/architecture.md` has the picture. This crate knows no variant.

pub mod checksum;
pub mod compound;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod cpu;
pub mod directory;
pub mod early;
pub mod hash;
pub mod input;
pub mod join;
pub mod key;
pub mod kind;
pub mod late;
pub mod memory;
pub mod oracle;
pub mod output;
pub mod page;
pub mod parallel;
pub mod partition;
pub mod prefetch;
pub mod simd;
pub mod streaming_store;
mod sync;
pub mod table;
pub mod tag;
pub mod unchained;
pub mod validity;
