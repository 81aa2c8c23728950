//! Threads of a phase, and how they share its work.
//!
//! A phase is a call of [`Team::run`]: every worker gets a state of its own, and all workers have ended when it
//! returns (R2.2). Inside a phase work is shared by [`morsel`] ranges or by [`Tasks`], each taken by one worker. No
//! locks (R2.1): atomics, and the joining of threads at the end.

mod assisted;
mod cancel;
mod crew;
mod morsel;
mod tasks;
mod team;

pub use assisted::assisted;
#[cfg(not(loom))]
pub(crate) use cancel::look;
pub use cancel::{Cancel, Cancelled};
pub use morsel::{Division, MorselSize, Morsels, Sharing};
pub use tasks::Tasks;
pub use team::{StartError, Team, ThreadStart};

/// Nothing is cancelled where interleavings are explored.
#[cfg(loom)]
pub(crate) fn look() {}
