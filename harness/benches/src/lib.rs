//! What the benches share: keys that are spread over the whole range, the same in each run.
//!
//! `cargo bench -p kernel-benches --bench hash` measures one topic, for those who change it. Whole joins are measured by
//! the harness, which interleaves what it compares.

use join_core::hash::{Fibonacci, KeyHash};

/// `count` different keys: a bijection of 0, 1, 2 … .
pub fn keys(count: usize) -> Vec<i32> {
    (0..count as u32)
        .map(|key| {
            key.wrapping_mul(0x85EB_CA6B)
                .rotate_left(15)
                .wrapping_mul(0xC2B2_AE35) as i32
        })
        .collect()
}

/// The Fibonacci hashes of [`keys`].
pub fn hashes(count: usize) -> Vec<u64> {
    keys(count).into_iter().map(Fibonacci::hash).collect()
}
