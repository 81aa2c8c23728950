//! Random plans, and a build that is no variant.

mod build;
mod plans;

pub use build::Sorted;
pub use plans::random_bundle;
