//! What a join takes on many machines, and what is sent between them.
//!
//! `docs/distributed.md` says what is measured, what is assumed and what is left out. [`Moved`] is what a run counted of the
//! bytes between its processes, and [`Moved::on`] what another number of workers would send. [`predict`] adds up what the
//! slowest of many workers does, by the rates that one core was measured to have.

mod chart;
mod machine;
mod measured;

use std::fmt;

pub use chart::{Panels, csv, draw};
pub use machine::{ASSUMED, Machine};
pub use measured::{Divided, Overhead, StageSent, stages, table};

use crate::record::Run;
use crate::threads_model::Rates;

/// Bytes between processes, as they were encoded, by the way that they went.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moved {
    /// Rows, each to the one process that has its key.
    pub shuffled: f64,
    /// Rows, each to all processes.
    pub broadcast: f64,
    /// Rows to one process that all send to.
    pub gathered: f64,
}

/// As a sample notes it.
impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shuffled,
            broadcast,
            gathered,
        } = self;
        write!(
            f,
            "{shuffled} bytes shuffled, {broadcast} broadcast, {gathered} gathered"
        )
    }
}

impl Moved {
    /// What a sample's note says, if it is one of these.
    pub fn of(note: &str) -> Option<Self> {
        let mut parts = note.split(", ");
        let mut part = |name: &str| parts.next()?.strip_suffix(name)?.parse().ok();
        Some(Self {
            shuffled: part(" bytes shuffled")?,
            broadcast: part(" broadcast")?,
            gathered: part(" gathered")?,
        })
    }

    /// All together.
    pub fn all(&self) -> f64 {
        self.shuffled + self.broadcast + self.gathered
    }

    /// What so many workers would send for the same query, where these are the bytes of `before`, two or more.
    ///
    /// Of rows that are shuffled, those stay where they are whose key belongs there: one in as many as there are workers. Rows
    /// that are broadcast go to all others.
    #[must_use]
    pub fn on(&self, workers: u32, before: u32) -> Self {
        let ratio = |share: fn(f64) -> f64| share(workers.into()) / share(before.into());
        Self {
            shuffled: self.shuffled * ratio(|workers| 1.0 - 1.0 / workers),
            broadcast: self.broadcast * ratio(|workers| workers - 1.0),
            gathered: self.gathered,
        }
    }

    /// What a run's variant sent for a workload, at the median.
    pub fn measured(run: &Run, workload: &str, variant: &str) -> Option<Self> {
        let samples = run.samples.iter();
        let samples = samples.filter(|s| s.workload == workload && s.variant == variant);
        let mut moved: Vec<Self> = samples
            .filter_map(|sample| sample.notes.iter().find_map(|note| Self::of(note)))
            .collect();
        moved.sort_by(|a, b| a.all().total_cmp(&b.all()));
        moved.get(moved.len() / 2).copied()
    }
}

/// A join of two tables that lie on all workers, and the keys of its probe side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides {
    /// Rows of the side that tables are made of, each with a key of its own.
    pub build: f64,
    /// Rows of the other one.
    pub probe: f64,
    /// Bytes of a row of either.
    pub row: f64,
    /// The share of the probe side's rows that have a partner.
    pub hit: f64,
    /// The exponent of Zipf's law that the probe side's keys follow; 0 is none.
    pub zipf: f64,
}

impl Sides {
    /// 100 TB: ten of the build side and ninety of the probe side, 100 bytes a row, every row with a partner, without skew.
    pub const HUNDRED_TERABYTES: Self = Self {
        build: 1e11,
        probe: 9e11,
        row: 100.0,
        hit: 1.0,
        zipf: 0.0,
    };
}

/// How rows without a partner are kept from being shuffled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// They are not.
    None,
    /// Every worker gets a filter of all keys of the build side.
    Broadcast,
    /// The probe side's keys are shuffled first, and a bit for each comes back.
    KeysFirst,
}

impl Filter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Broadcast, Self::KeysFirst];

    /// What a chart calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no filter",
            Self::Broadcast => "a filter of all keys to every worker",
            Self::KeysFirst => "keys first",
        }
    }
}

/// What is done beside a plain shuffle of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// What rows without a partner meet.
    pub filter: Filter,
    /// Whether build rows of frequent keys go to all workers, and their probe rows to none.
    pub replicated: bool,
}

impl Way {
    /// A shuffle of both sides.
    pub const PLAIN: Self = Self {
        filter: Filter::None,
        replicated: false,
    };
}

/// Where the time of the slowest worker goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The tasks are sent to all workers, one after the other.
    Start,
    /// The tables are read.
    Storage,
    /// Rows are decoded, partitioned, sent, received and joined.
    Cores,
    /// Bytes come in, or go out.
    Network,
    /// Waiting for the worker, or the core, with the most frequent keys.
    Skew,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Start,
        Self::Storage,
        Self::Cores,
        Self::Network,
        Self::Skew,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "sending tasks",
            Self::Storage => "storage",
            Self::Cores => "cores",
            Self::Network => "network",
            Self::Skew => "the most frequent keys",
        }
    }
}

/// Seconds of the slowest worker, had it nothing else to do, by part; and of all together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// From the first task to the last row: what is read, worked on and sent at the same time takes as long as the slowest of
    /// the three, and what is waited for comes on top.
    pub seconds: f64,
    parts: [f64; Part::ALL.len()],
}

impl Spent {
    /// Of a part.
    pub fn of(&self, part: Part) -> f64 {
        self.parts[part as usize]
    }
}

/// Bytes of a key.
const KEY: f64 = 8.0;

/// Stages of the plan: two scans and a join.
const STAGES: f64 = 3.0;

/// The join on so many workers.
pub fn predict(rates: &Rates, machine: &Machine, sides: &Sides, workers: f64, way: Way) -> Spent {
    let Sides {
        build, probe, row, ..
    } = *sides;
    let keys = Keys::of(sides, workers * machine.cores, way.replicated);
    let survivors = match way.filter {
        Filter::None => probe,
        Filter::Broadcast | Filter::KeysFirst => probe * sides.hit,
    };
    // Of a worker, were all alike.
    let away = 1.0 - 1.0 / workers;
    let filter = match way.filter {
        Filter::None => 0.0,
        Filter::Broadcast => build * machine.filter_bits / 8.0,
        Filter::KeysFirst => probe * (KEY + 0.125) / workers,
    };
    let moved = (build + survivors * (1.0 - keys.replicated)) / workers * row;
    let replicas = keys.hot * row;
    let network = (moved * away + filter + replicas) / machine.network;
    let scanned = (build + probe) / workers;
    let codec = (moved + filter + replicas) / machine.codec;
    let joined = (build + survivors) / workers * rates.join;
    let cores = (scanned * (machine.row + rates.partition) + codec + joined) / machine.cores;
    let storage = scanned * row / machine.storage;
    // Of the one with the most frequent key.
    let most = survivors * keys.most;
    let in_one_core = most * rates.join - survivors / workers / machine.cores * rates.join;
    let into_one = most * row / machine.network;
    let skew = in_one_core.max(into_one).max(0.0);
    let start = STAGES * workers * machine.task;
    Spent {
        seconds: start + storage.max(cores).max(network) + skew,
        parts: [start, storage, cores, network, skew],
    }
}

/// What is known of the probe side's keys.
struct Keys {
    /// The share of the most frequent key that is not replicated, above an even one.
    most: f64,
    /// The share of all that are replicated.
    replicated: f64,
    /// How many those are.
    hot: f64,
}

impl Keys {
    /// A key is replicated if its rows alone are more than those of an average core.
    fn of(sides: &Sides, cores: f64, replicated: bool) -> Self {
        let all = harmonic(sides.build, sides.zipf);
        let share = |rank: f64| libm::pow(rank, -sides.zipf) / all;
        let even = 1.0 / cores;
        let hot = match replicated && sides.zipf > 0.0 {
            true => libm::pow(all * even, -1.0 / sides.zipf)
                .min(sides.build)
                .floor(),
            false => 0.0,
        };
        let most = share(hot + 1.0);
        Self {
            most: match most > even {
                true => most,
                false => 0.0,
            },
            replicated: match hot > 0.0 {
                true => harmonic(hot, sides.zipf) / all,
                false => 0.0,
            },
            hot,
        }
    }
}

/// The sum of `rank^-exponent` over the ranks up to `last`: the first thousand one by one, the rest by its integral.
fn harmonic(last: f64, exponent: f64) -> f64 {
    let single = last.min(1000.0);
    let first: f64 = (1..=single as u32)
        .map(|rank| libm::pow(f64::from(rank), -exponent))
        .sum();
    let (from, to) = (single + 0.5, last + 0.5);
    let rest = match (exponent - 1.0).abs() < 1e-9 {
        true => libm::log(to / from),
        false => {
            let power = 1.0 - exponent;
            (libm::pow(to, power) - libm::pow(from, power)) / power
        }
    };
    first + rest.max(0.0)
}
