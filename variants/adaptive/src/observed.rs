//! What can be seen of a join before it is made.

use std::fmt;

use join_core::input::KeyColumn;
use join_core::join::CacheSizes;
use join_core::key::{Key, Tuple};

/// The sizes of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Keys of the build side, without NULLs.
    pub build_keys: usize,
    /// Keys of the probe side, without NULLs.
    pub probe_keys: usize,
    /// Bytes of a tuple.
    pub tuple_bytes: usize,
    /// The caches.
    pub caches: CacheSizes,
}

impl Observed {
    /// Reads the page headers of both columns.
    pub fn new<K: Key>(
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        caches: CacheSizes,
    ) -> Self {
        Self {
            build_keys: build.keys(),
            probe_keys: probe.keys(),
            tuple_bytes: size_of::<Tuple<K>>(),
            caches,
        }
    }

    /// Whether a table of the smaller side, with a directory of four bytes a tuple, fits in L2.
    pub fn fits_in_cache(&self) -> bool {
        let keys = self.build_keys.min(self.probe_keys);
        keys * (self.tuple_bytes + 4) <= self.caches.l2
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            build_keys,
            probe_keys,
            ..
        } = self;
        write!(f, "{build_keys} build and {probe_keys} probe keys")
    }
}
