//! The machine that a prediction is made for.

use crate::assumed::{self, Assumed};

/// Cores in clusters that share a last-level cache, clusters in sockets, and what lies between them. Times are in seconds,
/// rates in bytes per second. Thread n runs on core n: threads fill one cluster after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Cores of a cluster.
    pub cluster_cores: usize,
    /// Clusters of a socket.
    pub socket_clusters: usize,
    /// An atomic addition by the core that made the last one.
    pub own_line: f64,
    /// The same after a core of the same cluster.
    pub cluster_line: f64,
    /// After a core of another cluster.
    pub socket_line: f64,
    /// After a core of another socket.
    pub other_line: f64,
    /// What a cluster reads from memory.
    pub cluster_read: f64,
    /// What it writes.
    pub cluster_write: f64,
    /// What the memory of a socket takes and gives.
    pub socket_memory: f64,
    /// A read that misses all caches.
    pub latency: f64,
    /// A call that wakes a sleeping thread, for the caller.
    pub wake: f64,
}

/// The numbers that are assumed: those of a server of 64 cores with the cores of the machine that was measured.
pub const ASSUMED: [Assumed<Machine>; 9] = [
    Assumed {
        name: "cluster-cores",
        unit: "cores",
        value: 8.0,
        source: "EPYC 9005: a die of eight Zen 5 cores shares 32 MB of L3",
        set: |machine, value| machine.cluster_cores = value as usize,
    },
    Assumed {
        name: "socket-clusters",
        unit: "clusters",
        value: 8.0,
        source: "EPYC 9005 with 64 cores (9575F, 9555): eight dies",
        set: |machine, value| machine.socket_clusters = value as usize,
    },
    Assumed {
        name: "socket-line",
        unit: "ns",
        value: 107.0,
        source: "nviennot/core-to-core-latency: EPYC 7R13, between groups of eight cores",
        set: |machine, value| machine.socket_line = value * 1e-9,
    },
    Assumed {
        name: "other-line",
        unit: "ns",
        value: 197.0,
        source: "nviennot/core-to-core-latency: two EPYC 7R13, between sockets",
        set: |machine, value| machine.other_line = value * 1e-9,
    },
    Assumed {
        name: "cluster-read",
        unit: "GB/s",
        value: 100.0,
        source: "Chips and Cheese, EPYC 9355P: 64 bytes per cycle and die over two links, nearly 100 GB/s",
        set: |machine, value| machine.cluster_read = value * 1e9,
    },
    Assumed {
        name: "cluster-write",
        unit: "GB/s",
        value: 100.0,
        source: "the same: as wide in both directions",
        set: |machine, value| machine.cluster_write = value * 1e9,
    },
    Assumed {
        name: "socket-memory",
        unit: "GB/s",
        value: 425.0,
        source: "Chips and Cheese, EPYC 9355P: twelve channels of DDR5-5200, 499 GB/s; 85 % of it",
        set: |machine, value| machine.socket_memory = value * 1e9,
    },
    Assumed {
        name: "latency",
        unit: "ns",
        value: 130.0,
        source: "Chips and Cheese, EPYC 9575F: 220 ns with both sockets as one, 90 ns more than one socket",
        set: |machine, value| machine.latency = value * 1e-9,
    },
    Assumed {
        name: "wake",
        unit: "ns",
        value: 2000.0,
        source: "std::thread::unpark of a sleeping thread on the machine of reports/threads: 1.6 to 4.9 µs",
        set: |machine, value| machine.wake = value * 1e-9,
    },
];

impl Machine {
    /// What is assumed, with the costs of a line that were measured.
    pub fn assumed(own_line: f64, cluster_line: f64) -> Self {
        let mut machine = Self {
            cluster_cores: 1,
            socket_clusters: 1,
            own_line,
            cluster_line,
            socket_line: 0.0,
            other_line: 0.0,
            cluster_read: 0.0,
            cluster_write: 0.0,
            socket_memory: 0.0,
            latency: 0.0,
            wake: 0.0,
        };
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
        assumed::set(&ASSUMED, self, name, value, 1.0)
    }

    pub(super) fn cluster(&self, core: usize) -> usize {
        core / self.cluster_cores
    }

    pub(super) fn socket(&self, core: usize) -> usize {
        self.cluster(core) / self.socket_clusters
    }

    /// An atomic addition by `core` to a line that `owner` wrote last.
    pub(super) fn line(&self, owner: usize, core: usize) -> f64 {
        if owner == core {
            self.own_line
        } else if self.cluster(owner) == self.cluster(core) {
            self.cluster_line
        } else if self.socket(owner) == self.socket(core) {
            self.socket_line
        } else {
            self.other_line
        }
    }
}
