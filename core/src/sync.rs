//! Atomics, from loom when it explores interleavings and from std otherwise.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, atomic::AtomicUsize, atomic::Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering};
