//! What a join of both sides by partition takes with more threads than the machine at hand has cores, by simulation.
//!
//! `docs/threads.md` says what is measured, what is assumed and what is left out. A [`Rates`] is read from the records of
//! a run at one thread and two, a [`Machine`] is the one that the prediction is for, and [`predict`] goes through the
//! phases of `partitioned-join` as `core/src/partition` and `variants/partitioned-join` have them.

mod chart;
mod machine;
mod phase;

pub use chart::{Panel, csv, draw, panels};
pub use machine::{ASSUMED, Machine};

use crate::limit_model::{PHASE_LIMIT, SHARED_COUNTER_LIMIT, l2_bytes, rate};
use crate::record::{Run, SampleRecord, WorkloadRecord};
use phase::{Block, Phase};

/// The join that is predicted.
pub const JOIN: &str = "partitioned-join";

/// The workload whose phases at one thread are the cost of a tuple; all others are predicted.
pub const CALIBRATED: &str = "pk-fk-1m";

/// Bytes of a key in its column.
const KEY: f64 = 4.0;

/// Bytes of a tuple.
const TUPLE: f64 = 8.0;

/// Bytes of a partition's table per tuple: the tuple and half a slot.
const TABLE_TUPLE: u64 = 10;

/// Tuples that gather for a partition before they leave together.
const GATHERED: usize = 32;

/// Bytes that a worker reserves beyond those that it needs at once.
const RESERVED_AHEAD: usize = 64 << 10;

/// Rows of a morsel, at most and at least, and how many a worker gets at least between the two.
const MORSEL: (usize, usize, usize) = (1 << 16, 1 << 10, 4);

/// Slices up to which one thread places them all.
const PLACED_ALONE: usize = 1 << 14;

/// Fewest probes of a task that is a part of a partition.
const LEAST_TASK: usize = 1 << 14;

/// Keys of a skewed side that are given to their partitions one by one.
const HOT_KEYS: usize = 1 << 12;

/// Where the time of a thread goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The tuples, as one thread alone takes for them.
    Work,
    /// Waiting for memory whose bandwidth others use.
    Memory,
    /// Waiting for the line of a shared counter: of morsels, of tasks, of the memory budget.
    Counters,
    /// What each thread does for each of its lists: the rest of the write-combining lines, the starts of slices.
    Lists,
    /// From one phase to the next.
    Phases,
    /// Waiting for what one thread does for all: slices are placed, tasks are made.
    Alone,
    /// Waiting for the last worker of a phase.
    Waiting,
}

impl Part {
    /// All, as charts stack them.
    pub const ALL: [Self; 7] = [
        Self::Work,
        Self::Memory,
        Self::Counters,
        Self::Lists,
        Self::Phases,
        Self::Alone,
        Self::Waiting,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "tuples",
            Self::Memory => "memory bandwidth",
            Self::Counters => "shared counters",
            Self::Lists => "lines and lists per thread",
            Self::Phases => "between phases",
            Self::Alone => "one thread alone",
            Self::Waiting => "waiting for the last",
        }
    }
}

/// A time and where it went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spent {
    /// Wall time in seconds.
    pub seconds: f64,
    /// Seconds of all threads by part, in the order of [`Part::ALL`]; they add up to the wall time of each.
    pub parts: [f64; Part::ALL.len()],
}

impl Spent {
    /// Seconds of all threads in a part.
    pub fn of(&self, part: Part) -> f64 {
        self.parts[part as usize]
    }

    fn add(&mut self, part: Part, seconds: f64) {
        self.parts[part as usize] += seconds;
    }

    /// Lets time pass for all threads.
    fn pass(&mut self, part: Part, seconds: f64, threads: usize) {
        self.seconds += seconds;
        self.add(part, seconds * threads as f64);
    }

    fn then(&mut self, next: &Self) {
        self.seconds += next.seconds;
        for (sum, part) in self.parts.iter_mut().zip(next.parts) {
            *sum += part;
        }
    }
}

/// What a machine does at one thread and two, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Partitioning a tuple.
    pub partition: f64,
    /// Joining a tuple of either side.
    pub join: f64,
    /// An addition to a counter that nobody else wants.
    pub own_line: f64,
    /// The same when another core of the cluster made the last one.
    pub cluster_line: f64,
    /// A phase of two threads without any work.
    pub phase: f64,
    /// L2 cache of a core in bytes.
    pub l2: u64,
}

/// What stopwatches around the code said on the machine of `reports/threads`, in seconds.
mod timed {
    /// The rest of a list's lines, written when a worker ends.
    pub(super) const LIST: f64 = 75e-9;
    /// A slice of a list, placed by the thread that runs the join.
    pub(super) const SLICE: f64 = 8e-9;
    /// A task, made and put in order.
    pub(super) const TASK: f64 = 45e-9;
    /// Room for a worker's table.
    pub(super) const TABLE: f64 = 1.5e-6;
}

impl Rates {
    /// The rates of a run's machine.
    ///
    /// # Errors
    ///
    /// If the run lacks a limit, or samples of the join at one thread.
    pub fn of(run: &Run) -> Result<Self, String> {
        let limit = |what, threads| {
            let found = rate(&run.limits, what, threads, 0);
            found.ok_or_else(|| {
                format!(
                    "the run has no {what} at {threads} threads: sweep with --threads 1,2 and without --no-limits"
                )
            })
        };
        let calibrated = run.workload(CALIBRATED);
        let phases =
            |names: &[&str]| fastest(&samples(run, CALIBRATED, 1), |s| in_phases(s, names));
        let missing = || {
            format!(
                "the run has no {JOIN} on {CALIBRATED} at one thread: sweep with --only '{JOIN}|{CALIBRATED}'"
            )
        };
        let tuples = calibrated.ok_or_else(missing)?.tuples() as f64;
        let partition = phases(&["partition build", "partition probe"]).ok_or_else(missing)?;
        let join = phases(&["join"]).ok_or_else(missing)?;
        Ok(Self {
            partition: partition / tuples,
            join: join / tuples,
            own_line: 1.0 / limit(SHARED_COUNTER_LIMIT, 1)?,
            cluster_line: 1.0 / limit(SHARED_COUNTER_LIMIT, 2)?,
            phase: 1.0 / limit(PHASE_LIMIT, 2)?,
            l2: l2_bytes(&run.run.environment),
        })
    }

    /// The assumed machine with the lines of this one.
    pub fn machine(&self) -> Machine {
        Machine::assumed(self.own_line, self.cluster_line)
    }
}

/// The fastest time of the join on a workload at so many threads, as it was measured: like the limits it is held against.
pub fn measured(run: &Run, workload: &str, threads: u32) -> Option<f64> {
    fastest(&samples(run, workload, threads), |sample| sample.seconds)
}

fn samples<'a>(run: &'a Run, workload: &str, threads: u32) -> Vec<&'a SampleRecord> {
    let all = run.samples.iter().filter(|s| s.round > 0);
    all.filter(|s| s.workload == workload && s.variant == JOIN)
        .filter(|s| s.threads == threads && s.toggles.is_empty())
        .collect()
}

fn in_phases(sample: &SampleRecord, names: &[&str]) -> f64 {
    let phases = sample.phases.iter();
    let named = phases.filter(|phase| names.contains(&phase.name.as_str()));
    named.map(|phase| phase.seconds).sum()
}

fn fastest(samples: &[&SampleRecord], of: impl Fn(&SampleRecord) -> f64) -> Option<f64> {
    let times = samples.iter().map(|sample| of(sample));
    times.min_by(f64::total_cmp).filter(|time| *time > 0.0)
}

/// The two sides of a join, and how the probes are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides {
    /// Rows of the side that tables are made of.
    pub build: usize,
    /// Rows of the other one.
    pub probe: usize,
    /// Whether probes follow Zipf's law with exponent 1.
    pub skewed: bool,
}

impl Sides {
    /// The sides of a workload.
    pub fn of(workload: &WorkloadRecord) -> Self {
        let rows = |rows| usize::try_from(rows).unwrap_or(usize::MAX);
        Self {
            build: rows(workload.build_rows),
            probe: rows(workload.probe_rows),
            skewed: workload.name.starts_with("zipf"),
        }
    }

    /// log2 of the partitions that the join makes; none where one table fits in L2.
    pub fn part_bits(self, l2: u64) -> Option<u32> {
        let table = self.build as u64 * TABLE_TUPLE;
        let bits = |share: u64| {
            let parts = table.div_ceil((l2 / share).max(1));
            parts.next_power_of_two().ilog2()
        };
        (table > l2).then(|| bits(16).min(bits(2).max(10)).min(13))
    }

    /// Entries of each partition of both sides: as many as hashing gives, and those of frequent keys.
    fn parts(self, bits: u32) -> Vec<(usize, usize)> {
        let parts = 1_usize << bits;
        let mut hot = vec![0.0; parts];
        let mut cold = self.probe as f64;
        if self.skewed {
            let all: f64 = libm::log(self.build as f64) + 0.577;
            for rank in 1..=HOT_KEYS.min(self.build) {
                let probes = self.probe as f64 / (rank as f64 * all);
                hot[(mixed(rank as u64) >> (64 - bits)) as usize] += probes;
                cold -= probes;
            }
        }
        let around = |rows: f64, salt, part| {
            let even = rows / parts as f64;
            (even + even.sqrt() * normal((part as u64) << 1 | salt)).max(0.0)
        };
        let sizes = (0..parts).map(|part| {
            let probes = hot[part] + around(cold, 1, part);
            (around(self.build as f64, 0, part) as usize, probes as usize)
        });
        sizes.collect()
    }
}

/// A number that looks random.
fn mixed(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// One that looks drawn from the normal distribution: the sum of twelve.
fn normal(number: u64) -> f64 {
    let uniform = |n| (mixed(number * 12 + n) >> 11) as f64 / (1_u64 << 53) as f64;
    (0..12).map(uniform).sum::<f64>() - 6.0
}

/// What the join makes a choice of, for showing what another choice would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choices {
    /// Rows of a morsel, as they are; by default as many as `core` gives.
    pub morsel: Option<usize>,
    /// Whether memory is reserved for many chunks at once.
    pub reserved_ahead: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            morsel: None,
            reserved_ahead: true,
        }
    }
}

/// The time of the join with so many threads; `None` where the table fits in L2 and nothing is partitioned.
pub fn predict(
    rates: &Rates,
    machine: &Machine,
    sides: Sides,
    threads: usize,
    choices: Choices,
) -> Option<Spent> {
    let bits = sides.part_bits(rates.l2)?;
    let join = Join {
        rates,
        machine,
        threads,
        parts: 1 << bits,
        choices,
    };
    let parts = sides.parts(bits);
    let mut spent = join.partition(sides.build);
    spent.pass(Part::Alone, timed::TABLE * threads as f64, threads);
    spent.then(&join.partition(sides.probe));
    spent.then(&join.join(&parts));
    Some(spent)
}

struct Join<'a> {
    rates: &'a Rates,
    machine: &'a Machine,
    threads: usize,
    parts: usize,
    choices: Choices,
}

impl Join<'_> {
    /// A side is partitioned, and its slices are placed.
    fn partition(&self, rows: usize) -> Spent {
        let Self { threads, parts, .. } = *self;
        let (most, least, each) = MORSEL;
        let size = most.min((rows / (threads * each)).max(least));
        let size = self.choices.morsel.unwrap_or(size).max(1);
        let block = |start| {
            let rows = size.min(rows - start) as f64;
            Block {
                work: rows * self.rates.partition,
                read: rows * KEY,
                write: rows * TUPLE,
                lists: 0.0,
            }
        };
        let blocks: Vec<_> = (0..rows).step_by(size).map(block).collect();
        let each = rows / (parts * threads);
        let chunk = (each + each / 16).next_multiple_of(GATHERED).max(GATHERED) * TUPLE as usize;
        let ahead = match self.choices.reserved_ahead {
            true => RESERVED_AHEAD,
            false => 0,
        };
        // A list begins when it has gathered tuples for the first time.
        let begun = (parts * GATHERED).div_ceil(size);
        let phase = Phase {
            blocks: &blocks,
            reservations: ((parts * chunk).div_ceil(chunk + ahead) as u32, begun as u32),
            written: false,
            end: parts as f64 * timed::LIST,
            ..self.phase()
        };
        let mut spent = phase.run();
        let seconds = (parts * threads) as f64 * timed::SLICE;
        if parts * threads < PLACED_ALONE {
            spent.pass(Part::Alone, seconds, threads);
        } else {
            let ranges = (1_usize << threads.ilog2()) as f64;
            spent.pass(Part::Lists, seconds / ranges, threads);
            spent.pass(Part::Phases, self.hand_over(), threads);
        }
        spent
    }

    /// Partitions are joined, those of many probes in several tasks.
    fn join(&self, parts: &[(usize, usize)]) -> Spent {
        let threads = self.threads;
        let probes: usize = parts.iter().map(|part| part.1).sum();
        let share = (probes / (threads * 16)).max(LEAST_TASK);
        let mut blocks = Vec::new();
        for &(build, probes) in parts {
            let most = match threads {
                1 => usize::MAX,
                _ => share.max(build),
            };
            let mut left = probes;
            while left > 0 {
                let task = left.min(most);
                left -= task;
                let tuples = (build + task) as f64;
                let slices = (threads as f64) * (1.0 + task as f64 / probes as f64);
                blocks.push(Block {
                    work: tuples * self.rates.join,
                    lists: slices * self.slice_start(tuples / slices),
                    read: tuples * TUPLE,
                    write: 0.0,
                });
            }
        }
        blocks.sort_by(|a, b| b.work.total_cmp(&a.work));
        let phase = Phase {
            blocks: &blocks,
            reservations: (0, 1),
            written: true,
            end: 0.0,
            ..self.phase()
        };
        let mut spent = Spent::default();
        let tasks = blocks.len() as f64 * timed::TASK;
        spent.pass(Part::Alone, tasks, threads);
        spent.then(&phase.run());
        spent
    }

    /// What the start of a slice waits for, whose first lines were asked for while the one before it was read: that long
    /// ago as reading it takes.
    fn slice_start(&self, tuples: f64) -> f64 {
        (self.machine.latency - tuples * self.rates.join).max(0.0)
    }

    /// From one phase to the next: each level of the tree in which threads wake each other takes a call, and as long as half
    /// of a phase of two until who was woken runs.
    fn hand_over(&self) -> f64 {
        let levels = (self.threads as f64).log2().ceil();
        self.rates.phase + (levels - 1.0) * (self.machine.wake + self.rates.phase / 2.0)
    }

    fn phase(&self) -> Phase<'_> {
        Phase {
            machine: self.machine,
            threads: self.threads,
            blocks: &[],
            reservations: (0, 1),
            written: false,
            end: 0.0,
            hand_over: self.hand_over(),
        }
    }
}
