//! Executes bundles in turns: executors, techniques left out one at a time, peers.
//!
//! Everything has a turn in each round, in an order that is shuffled anew, so that drift of the machine hits all alike. A
//! turn begins with executions that do not count: they bring back into caches, branch predictors and threads what the turns
//! of others drove out, which for the shortest plans is half of their time. Round 0 is a single execution, cold, and stands
//! apart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use plan_executor::Bundle;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use report::record::Checksum;

use super::arms::{benches, distinct};
use super::executor::Bench;
use super::{Common, peers};
use crate::console::command_line;
use crate::peers::{Fault, Pool, Setup, Wanted};
use crate::verbs::Ending;
use report::plans::{Arm, Failure, Kind, Measured, PlanRun};
use report::record::Environment;
use report::stats::{Interval, interval};

/// What the executions before a sample take together, at least.
const WARM_SECONDS: f64 = 0.01;

/// What is measured.
pub struct Request<'a> {
    /// Threads, memory, techniques.
    pub common: &'a Common,
    /// Names of executors; the default one if there are none.
    pub executors: &'a [String],
    /// Techniques to leave out of the first executor, one at a time; all if none is named.
    pub ablate: Option<&'a [String]>,
    /// Names of peers.
    pub peers: &'a [String],
    /// Rounds after the cold one.
    pub samples: u32,
    /// Whether to keep what each execution did.
    pub telemetry: bool,
}

/// Executors and peers, ready to be measured.
pub struct Rounds<'a> {
    run: PlanRun,
    benches: Vec<Bench>,
    setups: Vec<Setup>,
    pool: Pool<'a>,
    samples: u32,
    telemetry: bool,
    order: Xoshiro256PlusPlus,
    interrupted: &'a AtomicBool,
}

/// An answer, and what it took.
struct Answer {
    seconds: f64,
    rows: u64,
    checksum: Option<Checksum>,
    peak_bytes: Option<u64>,
    telemetry: Option<serde_json::Value>,
}

/// Adds a sample.
fn add(measured: &mut Measured, answer: &Answer) {
    measured.samples.push(answer.seconds);
    measured.peak_bytes = measured.peak_bytes.max(answer.peak_bytes);
    measured.telemetry.clone_from(&answer.telemetry);
}

impl<'a> Rounds<'a> {
    /// Finds everything that is asked for.
    pub fn new(
        request: &Request<'_>,
        environment: Environment,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, Ending> {
        if request.samples == 0 {
            return Err(Ending::usage("--samples 0: give at least 1"));
        }
        let benches = benches(request)?;
        let (setups, notes) = peers::find(request.peers, &environment)?;
        let arms = benches.iter().map(|(bench, kind)| (&bench.name, *kind));
        let others = setups.iter().map(|setup| (&setup.name, Kind::Peer));
        let arms = arms.chain(others);
        distinct(arms.clone().map(|(name, _)| &**name))?;
        Ok(Self {
            run: PlanRun {
                schema: 1,
                started: Timestamp::now().to_string(),
                command: command_line(),
                environment,
                threads: benches[0].0.threads,
                arms: arms
                    .map(|(name, kind)| Arm::new(name.clone(), kind))
                    .collect(),
                failures: Vec::new(),
                notes,
            },
            benches: benches.into_iter().map(|(bench, _)| bench).collect(),
            setups,
            pool: Pool::new(interrupted),
            samples: request.samples,
            telemetry: request.telemetry,
            order: Xoshiro256PlusPlus::seed_from_u64(1),
            interrupted,
        })
    }

    /// What has been measured so far.
    pub fn run(&self) -> &PlanRun {
        &self.run
    }

    /// All that was measured, with sums and ratios.
    pub fn finish(mut self) -> PlanRun {
        self.run.summarise();
        self.run
    }

    /// Measures one bundle, which is called so in records.
    pub fn measure(&mut self, bundle: &Bundle, name: &str) -> Result<(), Ending> {
        let arms = self.run.arms.len();
        let mut measured: Vec<Option<Measured>> = Vec::new();
        for arm in 0..arms {
            let expected = answered(&measured);
            if arm >= self.benches.len() && expected.is_none() {
                // Nobody knows what a peer has to answer.
                measured.push(None);
                continue;
            }
            if arm == self.benches.len() {
                let rows = expected.map_or(0, |(_, first)| first.rows);
                let threads = self.run.threads;
                let setups = self.setups.iter();
                let wanted: Vec<_> = setups.map(|setup| Wanted { setup, threads }).collect();
                self.pool.load_plan(&wanted, bundle, rows);
            }
            let answer = self.answer(bundle, name, arm, true)?;
            let first = answer.and_then(|answer| self.check(name, arm, answer, expected));
            measured.push(first.transpose()?.map(|answer| cold(name, answer)));
        }
        for _ in 0..self.samples {
            let mut order: Vec<usize> = (0..arms).collect();
            order.shuffle(&mut self.order);
            for arm in order {
                self.turn(bundle, name, arm, &mut measured)?;
            }
        }
        for (arm, mut measured) in self.run.arms.iter_mut().zip(measured) {
            if let Some(measured) = &mut measured
                && let Some(seconds) = interval(&measured.samples, &measured.bundle)
            {
                measured.seconds = seconds;
            }
            arm.bundles.push(measured);
        }
        Ok(())
    }

    /// An arm's turn: executions until it is warm, then its sample. Takes out what an arm measured that fails.
    fn turn(
        &mut self,
        bundle: &Bundle,
        name: &str,
        arm: usize,
        measured: &mut [Option<Measured>],
    ) -> Result<(), Ending> {
        let (mut warm, mut is_sample) = (0.0, false);
        while measured[arm].is_some() {
            let answer = self.answer(bundle, name, arm, false)?;
            let expected = answered(measured);
            let answer = answer.and_then(|answer| self.check(name, arm, answer, expected));
            let Some(answer) = answer.transpose()? else {
                measured[arm] = None;
                break;
            };
            if is_sample {
                measured[arm].iter_mut().for_each(|m| add(m, &answer));
                break;
            }
            warm += answer.seconds;
            is_sample = warm >= WARM_SECONDS;
        }
        Ok(())
    }

    /// Has an arm execute a bundle; none where it fails, which is noted.
    fn answer(
        &mut self,
        bundle: &Bundle,
        name: &str,
        arm: usize,
        first: bool,
    ) -> Result<Option<Answer>, Ending> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Ending::Interrupted("interrupted".to_owned()));
        }
        let Some(bench) = self.benches.get(arm) else {
            let wanted = Wanted {
                setup: &self.setups[arm - self.benches.len()],
                threads: self.run.threads,
            };
            return match self.pool.execute(wanted, first) {
                Ok(executed) => Ok(Some(Answer {
                    seconds: executed.seconds,
                    rows: executed.rows,
                    checksum: executed.checksum.map(|checksum| Checksum(checksum.0)),
                    peak_bytes: None,
                    telemetry: None,
                })),
                Err(Fault::Interrupted) => Err(Ending::Interrupted("interrupted".to_owned())),
                Err(Fault::Failed(error)) => {
                    self.fail(name, arm, error);
                    Ok(None)
                }
            };
        };
        let start = Instant::now();
        let executed = bench.execute(bundle);
        let seconds = start.elapsed().as_secs_f64();
        let (execution, peak) = match executed {
            Ok(executed) => executed,
            Err(error) => {
                self.fail(name, arm, error.to_string());
                return Ok(None);
            }
        };
        let telemetry = self
            .telemetry
            .then(|| serde_json::to_value(&execution.telemetry))
            .transpose()
            .map_err(Ending::usage)?;
        Ok(Some(Answer {
            seconds,
            rows: execution.result.rows(),
            checksum: Some(Checksum(execution.result.checksum().0)),
            peak_bytes: Some(peak as u64),
            telemetry,
        }))
    }

    /// Compares an answer with the first one: a wrong one of ours ends everything, that of a peer is its failure.
    fn check(
        &mut self,
        bundle: &str,
        arm: usize,
        answer: Answer,
        expected: Option<(usize, &Measured)>,
    ) -> Option<Result<Answer, Ending>> {
        let Some((first, expected)) = expected else {
            return Some(Ok(answer));
        };
        // A peer sums up its result only once.
        let checksum = answer.checksum.unwrap_or(expected.checksum);
        if (answer.rows, checksum) == (expected.rows, expected.checksum) {
            return Some(Ok(answer));
        }
        let error = format!(
            "{} rows with checksum {checksum}, where {} has {} rows with {}",
            answer.rows, self.run.arms[first].name, expected.rows, expected.checksum
        );
        if arm >= self.benches.len() {
            self.fail(bundle, arm, format!("wrong answer: {error}"));
            return None;
        }
        let name = &self.run.arms[arm].name;
        Some(Err(Ending::Wrong(format!(
            "{bundle}: {name} yields {error}"
        ))))
    }

    fn fail(&mut self, bundle: &str, arm: usize, error: String) {
        let arm = self.run.arms[arm].name.clone();
        let bundle = bundle.to_owned();
        self.run.failures.push(Failure { arm, bundle, error });
    }
}

/// The first arm that has an answer, with what it measured.
fn answered(measured: &[Option<Measured>]) -> Option<(usize, &Measured)> {
    let mut arms = measured.iter().enumerate();
    arms.find_map(|(arm, measured)| Some((arm, measured.as_ref()?)))
}

fn cold(bundle: &str, answer: Answer) -> Measured {
    let seconds = answer.seconds;
    Measured {
        bundle: bundle.to_owned(),
        rows: answer.rows,
        checksum: answer.checksum.unwrap_or_default(),
        cold_seconds: seconds,
        seconds: Interval {
            median: seconds,
            low: seconds,
            high: seconds,
        },
        samples: Vec::new(),
        peak_bytes: answer.peak_bytes,
        telemetry: answer.telemetry,
    }
}
