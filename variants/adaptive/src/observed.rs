//! What can be seen of a join before it is made.

use std::fmt;

use join_core::input::KeyColumn;
use join_core::join::CacheSizes;
use join_core::key::{Key, Tuple};

/// Rows of a side that are looked at, evenly spread: cache misses all, so some ten microseconds.
const SAMPLE: usize = 256;

/// Sampled keys that say where a side's keys lie.
const ENOUGH: usize = 64;

/// Rows of the longer side below which nothing is sampled: that would be a twentieth of the join's time and more.
const FEW: usize = 1 << 19;

/// The sizes of a join, and what a sample tells of its keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Rows of the build side.
    pub build_rows: usize,
    /// Rows of the probe side.
    pub probe_rows: usize,
    /// Share of sampled build rows whose key others of them have too: duplicates, if there are so many or so frequent ones
    /// that a sample meets them.
    pub repeated_build: f64,
    /// The same of probe rows: skew. Nearly all of them, if a few keys get nearly all probes.
    pub repeated_probe: f64,
    /// Share of sampled probe rows whose key is not below that of the one sampled before them: 1 where the side is sorted, so
    /// that neighbouring probes look at neighbouring places, and about a half where it is in no order.
    pub ascending_probe: f64,
    /// Numbers from the least to the greatest build key, as far as a sample tells: as many as keys, where they are dense.
    pub build_span: f64,
    /// Bytes of a tuple.
    pub tuple_bytes: usize,
    /// Bytes that are read of the probe row of each pair: of columns that rows of the result are made of.
    pub carried: usize,
    /// The caches.
    pub caches: CacheSizes,
}

impl Observed {
    /// Reads some keys of both columns, whose rows carry nothing.
    pub fn new<K: Key>(
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        caches: CacheSizes,
    ) -> Self {
        let (build_rows, probe_rows) = (build.len(), probe.len());
        let few = build_rows.max(probe_rows) < FEW;
        let sample = |side| if few { Vec::new() } else { sample(side) };
        let (mut build, mut probe) = (sample(build), sample(probe));
        let ascending_probe = ascending(&probe);
        build.sort_unstable();
        probe.sort_unstable();
        Self {
            build_rows,
            probe_rows,
            repeated_build: repeated(&build),
            repeated_probe: repeated(&probe),
            ascending_probe,
            build_span: span(&build),
            tuple_bytes: size_of::<Tuple<K>>(),
            carried: 0,
            caches,
        }
    }

    /// Whether build keys are distinct and dense, as far as a sample tells: at most four numbers per key, or 32 where an array of
    /// these takes up to half of L2.
    pub fn is_dense(&self) -> bool {
        let numbers = match self.array_bytes() <= (self.caches.l2 / 2) as f64 {
            true => 32.0,
            false => 4.0,
        };
        // A sample misses the span by one or two in a hundred.
        self.repeated_build == 0.0 && self.build_span <= 1.025 * numbers * self.build_rows as f64
    }

    /// Whether probes come in the order of their keys, as far as a sample tells.
    pub fn is_probed_in_order(&self) -> bool {
        self.ascending_probe > 0.95
    }

    /// Whether an array of four bytes for each number that a build key may be takes at most so many times L2.
    pub fn array_fits_l2_times(&self, times: usize) -> bool {
        self.array_bytes() <= (self.caches.l2 * times) as f64
    }

    fn array_bytes(&self) -> f64 {
        self.build_span * 4.0
    }

    /// Whether a table of the smaller side, with a directory of two bytes a tuple, takes at most so many times L2.
    pub fn fits_l2_times(&self, times: usize) -> bool {
        let rows = self.build_rows.min(self.probe_rows);
        rows * (self.tuple_bytes + 2) <= self.caches.l2 * times
    }
}

/// Some keys of a side, in the order of their rows.
fn sample<K: Key>(side: &KeyColumn<'_, K>) -> Vec<K> {
    let sample = SAMPLE.min(side.len());
    let rows = (0..sample).map(|index| (side.len() * index / sample) as u32);
    rows.filter_map(|row| side.key(row)).collect()
}

/// Share of a sample's keys that are not below the one before them.
fn ascending<K: Key>(sample: &[K]) -> f64 {
    if sample.len() < ENOUGH {
        return 0.0;
    }
    let pairs = sample.windows(2).filter(|pair| pair[0] <= pair[1]);
    pairs.count() as f64 / (sample.len() - 1) as f64
}

/// Share of a sorted sample's keys that others of them equal.
fn repeated<K: Key>(sample: &[K]) -> f64 {
    let alone = sample
        .chunk_by(|a, b| a == b)
        .filter(|equal| equal.len() == 1);
    if sample.is_empty() {
        return 0.0;
    }
    1.0 - alone.count() as f64 / sample.len() as f64
}

/// Numbers from the least to the greatest of the keys that a sorted sample is of: what lies between its own ends, and beyond them
/// as much as between two of its keys. Infinite where a sample is too small to tell.
fn span<K: Key>(sample: &[K]) -> f64 {
    match sample {
        [least, .., greatest] if sample.len() >= ENOUGH => {
            let gaps = (sample.len() - 1) as f64;
            greatest.offset_from(*least) as f64 * (gaps + 2.0) / gaps
        }
        _ => f64::INFINITY,
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            build_rows,
            probe_rows,
            ..
        } = self;
        write!(f, "{build_rows} build and {probe_rows} probe rows")?;
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
        if self.is_dense() {
            write!(f, ", build keys dense")?;
        }
        if self.is_probed_in_order() {
            write!(f, ", probe keys ascending")?;
        }
        if self.carried > 0 {
            write!(f, ", {} bytes of each probe row", self.carried)?;
        }
        Ok(())
    }
}
