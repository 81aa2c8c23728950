//! The machines that a prediction is made for.

use crate::assumed::{self, Assumed};

/// A worker, and who sends it tasks. Times are in seconds, rates per second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// Cores of a worker.
    pub cores: f64,
    /// Bytes in, and as many out.
    pub network: f64,
    /// Bytes that it reads of its tables.
    pub storage: f64,
    /// Bytes that a core encodes and decodes.
    pub codec: f64,
    /// A task, made and sent.
    pub task: f64,
    /// A row beside its join: read, decoded, gathered.
    pub row: f64,
    /// Bits of a filter per key.
    pub filter_bits: f64,
}

/// The numbers that are assumed.
pub const ASSUMED: [Assumed<Machine>; 7] = [
    Assumed {
        name: "cores",
        unit: "cores",
        value: 64.0,
        source: "a server of the kind that docs/threads.md is about",
        set: |machine, value| machine.cores = value,
    },
    Assumed {
        name: "network",
        unit: "Gbit/s",
        value: 100.0,
        source: "what clouds give machines of that size",
        set: |machine, value| machine.network = value * 1e9 / 8.0,
    },
    Assumed {
        name: "storage",
        unit: "Gbit/s",
        value: 50.0,
        source: "half of the network, from a store of objects",
        set: |machine, value| machine.storage = value * 1e9 / 8.0,
    },
    Assumed {
        name: "codec",
        unit: "MB/s",
        value: 670.0,
        source: "LZ4 on one core: 780 MB/s in, 4970 MB/s out (its README)",
        set: |machine, value| machine.codec = value * 1e6,
    },
    Assumed {
        name: "task",
        unit: "µs",
        value: 100.0,
        source: "a plan of some KB, encoded and sent by one process",
        set: |machine, value| machine.task = value * 1e-6,
    },
    Assumed {
        name: "row",
        unit: "ns",
        value: 100.0,
        source: "Parquet with 100 bytes a row, at 1 GB/s on a core",
        set: |machine, value| machine.row = value * 1e-9,
    },
    Assumed {
        name: "filter-bits",
        unit: "bits",
        value: 12.0,
        source: "a Bloom filter by blocks with about 1 % false positives",
        set: |machine, value| machine.filter_bits = value,
    },
];

impl Machine {
    /// What is assumed.
    pub fn assumed() -> Self {
        let mut machine = Self::default();
        for assumed in ASSUMED {
            (assumed.set)(&mut machine, assumed.value);
        }
        machine
    }

    /// The same with another value of an assumed number, in its unit.
    ///
    /// # Errors
    ///
    /// If none has that name, or no machine has that value.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), String> {
        assumed::set(&ASSUMED, self, name, value, 0.001)
    }
}
