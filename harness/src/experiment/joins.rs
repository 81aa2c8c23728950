//! Joins: each sample builds a fresh table, and what it leaves is dropped after the clock has stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use join_core::compound::Keys;
use join_core::join::{CacheSizes, Context, DynJoin};
use join_core::memory::{Memory, process};
use join_core::output::{Aggregate, Consumer, Pair, PairConsumer, Sink};
use join_core::parallel::{Cancelled, Team, ThreadStart};
use join_core::table::Column;

use super::{Bench, Cell, Contender, Data, Failed, Measured, Work};
use crate::machine;
use crate::machine::counters::Counters;
use crate::machine::system::Watch;
use crate::peers::{Pool, Wanted};
use crate::question::{NamedKind, Payload, Question};
use crate::workload::{answer, borrowed};
use registry::{Configuration, Values};
use report::record::{Environment, Phase};

/// Share of a sample that may lie outside its phases before it is shown as a phase of its own.
const UNNAMED: f64 = 0.02;

/// What joins are measured with, from workload to workload: threads, memory, caches, other engines.
pub struct Joins<'a> {
    teams: Vec<((u32, ThreadStart), Team)>,
    memory: Memory,
    caches: CacheSizes,
    peers: Pool<'a>,
    /// Whether the peers hold a workload one after the other.
    in_turn: bool,
    counters: Counters,
    watch: Watch,
}

impl<'a> Joins<'a> {
    /// Those of this machine. A peer is not waited for once `interrupted` is set.
    pub fn new(environment: &Environment, interrupted: &'a AtomicBool) -> Self {
        Self {
            teams: Vec::new(),
            memory: budget(),
            caches: machine::cache_sizes(&environment.caches),
            peers: Pool::new(interrupted),
            in_turn: false,
            // Before any team, whose threads inherit them.
            counters: Counters::open(),
            watch: Watch::own(),
        }
    }

    /// Has the peers hold workloads one after the other, or all at the same time.
    pub fn peers_in_turn(&mut self, in_turn: bool) {
        self.in_turn = in_turn;
    }

    /// The cells of a workload.
    ///
    /// # Errors
    /// The key columns cannot be joined, in words.
    pub fn bench<'b>(
        &'b mut self,
        data: &'b Data<'_>,
        cells: Vec<Cell>,
    ) -> Result<JoinBench<'b, 'a>, String> {
        let keys = Keys::new(&borrowed(data.columns)).map_err(|error| error.to_string())?;
        let (contenders, works) = cells
            .into_iter()
            .map(|cell| (cell.contender, cell.work))
            .unzip();
        Ok(JoinBench {
            joins: self,
            keys,
            columns: data.columns,
            question: Question {
                kind: NamedKind::read(data.record.join_kind.as_deref())?,
                condition: data.condition,
                pairs: data.pairs,
                payload: data.payload,
            },
            results: data.record.expected.map_or(0, |answer| answer.rows),
            contenders,
            works,
        })
    }

    fn ask(&mut self, wanted: Wanted<'_>, question: Question<'_>) -> Result<Measured, Failed> {
        let joined = self.peers.join(wanted, question)?;
        let sums = Aggregate {
            rows: joined.rows,
            sum_build: joined.sum_build,
            sum_probe: joined.sum_probe,
        };
        Ok(Measured {
            seconds: joined.seconds,
            phases: joined.phases,
            system: joined.system,
            answer: answer(&match question.payload {
                Some(payload) => payload.of_values(sums),
                None => sums,
            }),
            ..Measured::default()
        })
    }

    /// Sees how much memory joins may take beside the data.
    pub(super) fn see_memory(&mut self) {
        // What making the data has left in the pool is not in use.
        process::trim();
        self.memory = budget();
    }

    pub(super) fn join(
        &mut self,
        configuration: &Configuration,
        join: &dyn DynJoin,
        threads: u32,
        keys: &Keys<'_>,
        question: Question<'_>,
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
        let sources = question.payload.map(Payload::sources);
        let semantics = question.semantics();
        let watching = self.watch.start();
        let counting = self.counters.start();
        let (result, seconds) = catch_unwind(AssertUnwindSafe(|| {
            let consumer = match question.pairs {
                false => Consumer::Aggregate,
                true => Consumer::of_pairs(configuration.placement(), &summed),
            };
            let context = Context {
                caches: self.caches,
                verify: configuration.verify,
                ..Context::new(team, &self.memory).with_consumer(consumer)
            };
            let start = Instant::now();
            let result = match (&sources, configuration.values) {
                (None, _) => semantics
                    .join_keys(join, keys, &context)
                    .map(|outcome| (outcome, None)),
                (Some(sources), Values::Early) => sources
                    .early(join, keys, &context)
                    .map(|(outcome, rows)| (outcome, Some(rows))),
                (Some(sources), Values::Late) => sources
                    .late(join, keys, &semantics, &context)
                    .map(|(outcome, rows)| (outcome, Some(rows))),
            };
            (result, start.elapsed().as_secs_f64())
        }))
        .map_err(|panic| match panic.is::<Cancelled>() {
            true => Failed::Interrupted,
            false => Failed::Error(format!("the variant panicked: {}", message(&*panic))),
        })?;
        let counters = self.counters.since(&counting);
        let system = self.watch.since(&watching);
        let (outcome, rows) = result.map_err(|error| Failed::Error(error.to_string()))?;
        let aggregate = match (question.payload, rows) {
            (Some(payload), Some(rows)) => payload.sums(&rows),
            _ => outcome
                .results
                .aggregate()
                .unwrap_or_else(|| summed.aggregate()),
        };
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
            system: Some(system),
        })
    }
}

/// A join that asks for more memory than there is is to fail, not to have the process killed.
fn budget() -> Memory {
    Memory::limited(usize::try_from(machine::usable_bytes()).unwrap_or(usize::MAX))
}

/// The cells of one workload.
pub struct JoinBench<'b, 'a> {
    joins: &'b mut Joins<'a>,
    keys: Keys<'b>,
    columns: &'b [(Column, Column)],
    question: Question<'b>,
    /// Rows of the result.
    results: u64,
    contenders: Vec<Contender>,
    works: Vec<Work>,
}

impl Bench for JoinBench<'_, '_> {
    fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// Sees how much memory there is, and has the peers load the data.
    fn prepare(&mut self, failed: &[usize]) {
        self.joins.see_memory();
        let cells = self.contenders.iter().zip(&self.works).enumerate();
        let wanted = cells.filter(|(number, _)| !failed.contains(number));
        let wanted: Vec<Wanted<'_>> = wanted.filter_map(|(_, cell)| wanted_of(cell)).collect();
        let Joins { peers, in_turn, .. } = &mut *self.joins;
        peers.load(&wanted, self.columns, self.question, self.results, *in_turn);
    }

    fn sample(&mut self, contender: usize, _round: u32) -> Result<Measured, Failed> {
        let cell = (&self.contenders[contender], &self.works[contender]);
        match cell.1 {
            Work::Join {
                configuration,
                join,
            } => {
                let threads = cell.0.name.threads;
                self.joins
                    .join(configuration, &**join, threads, &self.keys, self.question)
            }
            Work::Peer(_) => {
                let wanted = wanted_of(cell).expect("it is a peer");
                self.joins.ask(wanted, self.question)
            }
        }
    }
}

/// What a cell asks of the peers, if it does.
fn wanted_of<'c>((contender, work): (&Contender, &'c Work)) -> Option<Wanted<'c>> {
    match work {
        Work::Peer(setup) => Some(Wanted {
            setup,
            threads: contender.name.threads,
        }),
        Work::Join { .. } => None,
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
