//! Workloads: what is joined. Each is a TOML file; the canonical ones are built in, others are named by their path.
//!
//! A [`Definition`] (the file) gives [`Instance`]s (sizes), which generate a [`Workload`] (data and the right answer).
//! `docs/workloads.md` lists the canonical ones and says how to write one.

mod catalogue;
mod checksum;
mod count;
mod definition;
mod error;
mod fields;
mod instance;
mod synthetic;
mod table_keys;
mod tpch;

pub use catalogue::{all, is_path, matches, resolve};
pub use checksum::keys_checksum;
pub use definition::{Definition, Origin};
pub use error::Error;
pub use fields::{BuildKeys, Expected, ProbeKeys};
pub use instance::{Instance, Workload, answer, borrowed, with_integers};
