//! Random plans: each a function of its seed.

mod plans;
mod rng;
mod shape;
mod shrink;
mod tables;

pub use plans::random_bundle;
pub use rng::Rng;
pub use shrink::{described, shrunk};
