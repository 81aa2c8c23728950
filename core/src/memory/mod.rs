//! Memory of a join, in the levels that the ablation toggles.
//!
//! Level 1 is the process ([`process`]): large blocks, where they come from, on which page size. Level 2 is a
//! thread's bump arena and level 3 a partition's list of chunks; both belong to the builds that use them. Tables
//! and outputs are [`Buffer`]s, reserved from a [`Memory`] budget so that a limit ends in an error, not in an abort.

mod budget;
mod buffer;
pub mod process;
mod reserve;

pub use budget::{Lender, Memory, OutOfMemory, Reservation};
pub use buffer::{Buffer, OnDemand, UninitBuffer};
