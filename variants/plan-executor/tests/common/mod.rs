//! Random plans.

mod plans;

pub use plans::random_bundle;
