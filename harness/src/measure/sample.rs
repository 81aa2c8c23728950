//! One sample: a join on a fresh table, timed and checked.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use join_core::join::{CacheSizes, Context, DynJoin as Join, JoinInput};
use join_core::memory::{Memory, process};
use join_core::output::{Aggregate, Consumer, Pair, PairConsumer, Sink};
use join_core::parallel::{Team, ThreadStart};

use super::{Cell, Work};
use crate::counters::Counters;
use crate::machine;
use crate::peers::{Fault, Pool, Wanted};
use crate::record::{Answer, Checksum, Environment, Phase};
use registry::Configuration;

/// Share of a sample that may lie outside its phases before it is shown as a phase of its own.
const UNNAMED: f64 = 0.02;

/// A sample with a right answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Wall time of the join.
    pub seconds: f64,
    /// By phase, in order; together `seconds` within 2 %.
    pub phases: Vec<Phase>,
    /// The answer.
    pub answer: Answer,
    /// Bytes of the finished table, where the join tells.
    pub bytes: Option<u64>,
    /// What was counted meanwhile; nothing of a peer.
    pub counters: BTreeMap<String, u64>,
    /// What the join observed and chose.
    pub notes: Vec<String>,
}

/// Why there is no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Someone pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The join answered wrongly.
    #[error("wrong answer: {0}")]
    Wrong(String),
    /// The join gave up.
    #[error("{0}")]
    Error(String),
}

/// What samples are taken with: threads, memory, caches, other engines.
pub struct Bench<'a> {
    teams: Vec<((u32, ThreadStart), Team)>,
    memory: Memory,
    caches: CacheSizes,
    peers: Pool<'a>,
    counters: Counters,
}

impl<'a> Bench<'a> {
    /// The bench of this machine. A peer is not waited for once `interrupted` is set.
    pub fn new(environment: &Environment, interrupted: &'a AtomicBool) -> Self {
        let cache = |level| {
            let cache = environment.caches.iter().find(|cache| cache.level == level);
            cache.map(|cache| cache.bytes as usize)
        };
        let usual = CacheSizes::default();
        Self {
            teams: Vec::new(),
            memory: budget(),
            caches: CacheSizes {
                l1: cache(1).unwrap_or(usual.l1),
                l2: cache(2).unwrap_or(usual.l2),
            },
            peers: Pool::new(interrupted),
            // Before any team, whose threads inherit them.
            counters: Counters::open(),
        }
    }

    /// Gets ready for a workload whose data is there: sees how much memory joins may take beside it, and has the peers
    /// among `cells` load it, so that they can be sampled.
    pub fn load<'c>(
        &mut self,
        cells: impl Iterator<Item = &'c Cell>,
        input: &JoinInput<'_>,
        expected: &Answer,
    ) {
        // What making the data has left in the pool is not in use.
        process::trim();
        self.memory = budget();
        let wanted: Vec<Wanted<'_>> = cells.filter_map(wanted).collect();
        self.peers.load(&wanted, input, expected.rows);
    }

    /// Runs a cell once and compares its answer. What it leaves is dropped after the clock has stopped.
    ///
    /// # Errors
    /// A wrong answer, or none: memory ran out, the keys cannot be joined, the variant panicked, or the peer failed.
    pub fn sample(
        &mut self,
        cell: &Cell,
        input: &JoinInput<'_>,
        pairs: bool,
        expected: &Answer,
    ) -> Result<Measured, Failed> {
        let measured = match &cell.work {
            Work::Join {
                configuration,
                join,
            } => self.join(configuration, &**join, cell.name.threads, input, pairs)?,
            Work::Peer(_) => self.ask(cell, pairs)?,
        };
        let answer = measured.answer;
        if answer != *expected {
            return Err(Failed::Wrong(format!(
                "{} rows with checksum {}, not {} with {}",
                answer.rows, answer.checksum, expected.rows, expected.checksum
            )));
        }
        Ok(measured)
    }

    fn ask(&mut self, cell: &Cell, pairs: bool) -> Result<Measured, Failed> {
        let wanted = wanted(cell).expect("called for peers");
        let joined = self
            .peers
            .join(wanted, pairs)
            .map_err(|fault| match fault {
                Fault::Interrupted => Failed::Interrupted,
                Fault::Failed(error) => Failed::Error(error),
            })?;
        Ok(Measured {
            seconds: joined.seconds,
            phases: Vec::new(),
            answer: answer(&Aggregate {
                rows: joined.rows,
                sum_build: joined.sum_build,
                sum_probe: joined.sum_probe,
            }),
            bytes: None,
            counters: BTreeMap::new(),
            notes: Vec::new(),
        })
    }

    fn join(
        &mut self,
        configuration: &Configuration,
        join: &dyn Join,
        threads: u32,
        input: &JoinInput<'_>,
        pairs: bool,
    ) -> Result<Measured, Failed> {
        let wanted = (threads, configuration.thread_start);
        if !self.teams.iter().any(|(team, _)| *team == wanted) {
            let team = machine::team(wanted.0, wanted.1)
                .map_err(|error| Failed::Error(error.to_string()))?;
            self.teams.push((wanted, team));
        }
        let (_, team) = self
            .teams
            .iter()
            .find(|(team, _)| *team == wanted)
            .expect("made above where it was missing");
        process::set(configuration.source, configuration.huge_pages);
        let summed = Summed::new(team.threads());
        let consumer = match pairs {
            false => Consumer::Aggregate,
            true => Consumer::of_pairs(configuration.merge, &summed),
        };
        let context = Context {
            caches: self.caches,
            ..Context::new(team, &self.memory).with_consumer(consumer)
        };
        let counting = self.counters.start();
        let (result, seconds) = catch_unwind(AssertUnwindSafe(|| {
            let start = Instant::now();
            let result = join.join(input, &context);
            (result, start.elapsed().as_secs_f64())
        }))
        .map_err(|panic| Failed::Error(format!("the variant panicked: {}", message(&*panic))))?;
        let counters = self.counters.since(&counting);
        let outcome = result.map_err(|error| Failed::Error(error.to_string()))?;
        let aggregate = outcome
            .results
            .aggregate()
            .unwrap_or_else(|| summed.aggregate());
        let mut phases: Vec<Phase> = outcome
            .phases
            .list()
            .iter()
            .map(|phase| Phase {
                name: phase.name.to_owned(),
                seconds: phase.seconds,
            })
            .collect();
        let unnamed = seconds - outcome.phases.total();
        if unnamed > seconds * UNNAMED {
            phases.push(Phase {
                name: "outside phases".to_owned(),
                seconds: unnamed,
            });
        }
        Ok(Measured {
            seconds,
            phases,
            answer: answer(&aggregate),
            bytes: Some(outcome.table_bytes as u64),
            counters,
            notes: outcome.notes,
        })
    }
}

/// A join that asks for more memory than there is is to fail, not to have the process killed.
fn budget() -> Memory {
    Memory::limited(usize::try_from(machine::usable_bytes()).unwrap_or(usize::MAX))
}

/// What a cell asks of the peers, if it does.
fn wanted(cell: &Cell) -> Option<Wanted<'_>> {
    match &cell.work {
        Work::Peer(setup) => Some(Wanted {
            setup,
            threads: cell.name.threads,
        }),
        Work::Join { .. } => None,
    }
}

/// The answer of a join as records hold it.
pub(crate) fn answer(aggregate: &Aggregate) -> Answer {
    Answer {
        rows: aggregate.rows,
        sum_build: aggregate.sum_build,
        sum_probe: aggregate.sum_probe,
        checksum: Checksum(aggregate.checksum().0),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// One worker's rows and sums, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Sums([AtomicU64; 3]);

/// A consumer that counts and sums the pairs as they are produced.
struct Summed(Vec<Sums>);

impl Summed {
    fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Sums::default()).collect())
    }

    fn aggregate(&self) -> Aggregate {
        let mut all = Aggregate::default();
        for Sums(sums) in &self.0 {
            let [rows, sum_build, sum_probe] =
                [0, 1, 2].map(|index: usize| sums[index].load(Ordering::Relaxed));
            all.merge(&Aggregate {
                rows,
                sum_build,
                sum_probe,
            });
        }
        all
    }
}

impl PairConsumer for Summed {
    fn consume(&self, worker: usize, pairs: &[Pair]) {
        let mut sums = Aggregate::default();
        for pair in pairs {
            sums.emit(pair.build, pair.probe);
        }
        let add = [sums.rows, sums.sum_build, sums.sum_probe];
        let Sums(totals) = &self.0[worker % self.0.len()];
        for (total, add) in totals.iter().zip(add) {
            total.fetch_add(add, Ordering::Relaxed);
        }
    }
}
