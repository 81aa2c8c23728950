//! What can be seen of a join before it is made.

use std::fmt;

use join_core::input::KeyColumn;
use join_core::join::CacheSizes;
use join_core::key::{Key, Tuple};

/// Rows of a side that are looked at, evenly spread: cache misses all, so some ten microseconds.
const SAMPLE: usize = 256;

/// Rows of the longer side below which nothing is sampled: that would be a twentieth of the join's time and more.
const FEW: usize = 1 << 19;

/// The sizes of a join, and what a sample tells of its keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Keys of the build side, without NULLs.
    pub build_keys: usize,
    /// Keys of the probe side, without NULLs.
    pub probe_keys: usize,
    /// Share of sampled build rows whose key others of them have too: duplicates, if there are so many or so frequent ones
    /// that a sample meets them.
    pub repeated_build: f64,
    /// The same of probe rows: skew. Nearly all of them, if a few keys get nearly all probes.
    pub repeated_probe: f64,
    /// Bytes of a tuple.
    pub tuple_bytes: usize,
    /// The caches.
    pub caches: CacheSizes,
}

impl Observed {
    /// Reads the page headers of both columns, and some of their keys.
    pub fn new<K: Key>(
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        caches: CacheSizes,
    ) -> Self {
        let (build_keys, probe_keys) = (build.keys(), probe.keys());
        let few = build_keys.max(probe_keys) < FEW;
        let repeated = |side| if few { 0.0 } else { repeated(side) };
        Self {
            build_keys,
            probe_keys,
            repeated_build: repeated(build),
            repeated_probe: repeated(probe),
            tuple_bytes: size_of::<Tuple<K>>(),
            caches,
        }
    }

    /// Whether a table of the smaller side, with a directory of two bytes a tuple, takes at most so many times L2.
    pub fn fits_l2_times(&self, times: usize) -> bool {
        let keys = self.build_keys.min(self.probe_keys);
        keys * (self.tuple_bytes + 2) <= self.caches.l2 * times
    }
}

/// Share of a sample's rows whose key others of them have too.
fn repeated<K: Key>(side: &KeyColumn<'_, K>) -> f64 {
    let sample = SAMPLE.min(side.len());
    let rows = (0..sample).map(|index| (side.len() * index / sample) as u32);
    let mut keys: Vec<K> = rows.filter_map(|row| side.key(row)).collect();
    keys.sort_unstable();
    let alone = keys
        .chunk_by(|a, b| a == b)
        .filter(|equal| equal.len() == 1);
    1.0 - alone.count() as f64 / keys.len().max(1) as f64
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            build_keys,
            probe_keys,
            ..
        } = self;
        write!(f, "{build_keys} build and {probe_keys} probe keys")?;
        for (side, share) in [
            ("build", self.repeated_build),
            ("probe", self.repeated_probe),
        ] {
            if share > 0.0 {
                write!(
                    f,
                    ", {:.0} % of sampled {side} keys repeated",
                    100.0 * share
                )?;
            }
        }
        Ok(())
    }
}
