//! Whole plans: executors, techniques left out one at a time, peers.
//!
//! A sample begins with executions that do not count: they bring back into caches, branch predictors and threads what the
//! turns of others drove out, which for the shortest plans is half of their time. Round 0 is a single execution, cold, and a
//! result of its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use plan_executor::{Bundle, Options, Telemetry};

use super::executor::{Equipment, Equipped, POOL};
use super::{Bench, Contender, Failed, Measured};
use crate::machine::counters::Counters;
use crate::machine::system::Watch;
use crate::peers::{Executed, Pool, Setup, Wanted};
use registry::{EXECUTORS, ExecutorVariant};
use report::record::{
    Answer, CONTROL_A, CONTROL_B, Checksum, PLAN, Phase, VariantRecord, WorkloadRecord,
};

/// What the executions before a sample take together, at least.
const WARM_SECONDS: f64 = 0.01;

/// Executors and peers, from plan to plan.
pub struct Plans<'a> {
    executors: Vec<Equipped>,
    /// What executes for each contender of ours: a number of `executors`.
    works: Vec<usize>,
    setups: Vec<Setup>,
    contenders: Vec<Contender>,
    pool: Pool<'a>,
    watch: Watch,
    interrupted: &'a AtomicBool,
}

impl<'a> Plans<'a> {
    /// Those of the named executors, the default one if none is named; the first under two names, and again without each
    /// technique of `ablate`, all if that names none; and the peers.
    ///
    /// # Errors
    /// A name is unknown or stands twice, in one line.
    pub fn new(
        names: &[String],
        equipment: &Equipment,
        ablate: Option<&[String]>,
        setups: &[Setup],
        interrupted: &'a AtomicBool,
    ) -> Result<Self, String> {
        let default = [EXECUTORS[0].name.to_owned()];
        let names = if names.is_empty() {
            &default[..]
        } else {
            names
        };
        let takes_build = |executor: &&ExecutorVariant| {
            executor.takes_build && names.iter().any(|name| name == executor.name)
        };
        if let Some(build) = &equipment.build
            && !EXECUTORS.iter().any(|executor| takes_build(&executor))
        {
            return Err(format!(
                "--build {build}: {} makes tables of its own; name an executor that takes a build, such as --executor {}",
                names.join(", "),
                EXECUTORS
                    .iter()
                    .find(|e| e.takes_build)
                    .map_or("", |e| e.name)
            ));
        }
        let mut found = Self {
            executors: Vec::new(),
            works: Vec::new(),
            setups: setups.to_vec(),
            contenders: Vec::new(),
            pool: Pool::new(interrupted),
            watch: Watch::own(),
            interrupted,
        };
        for (number, name) in names.iter().enumerate() {
            let executor = Equipped::new(name, equipment)?;
            match number {
                0 => found.push(executor, &[Some(CONTROL_A), Some(CONTROL_B)]),
                _ => found.push(executor, &[None]),
            }
        }
        for technique in techniques(ablate, equipment) {
            let mut without = equipment.clone();
            without.without.push(technique);
            found.push(Equipped::new(&names[0], &without)?, &[None]);
        }
        let threads = found.executors[0].threads;
        let peers = setups
            .iter()
            .map(|setup| Contender::peer(&setup.name, threads));
        found.contenders.extend(peers);
        let mut seen = HashSet::new();
        for Contender { name, .. } in &found.contenders {
            let again = name.label.as_deref() == Some(CONTROL_B);
            if !again && !seen.insert((&name.variant, &name.toggles)) {
                return Err(format!(
                    "{} is to be measured twice; name each executor, technique and peer once",
                    report::plans::name_of(&name.variant, &name.toggles, None)
                ));
            }
        }
        Ok(found)
    }

    fn push(&mut self, executor: Equipped, labels: &[Option<&str>]) {
        for label in labels {
            self.works.push(self.executors.len());
            self.contenders.push(executor.contender(*label));
        }
        self.executors.push(executor);
    }

    /// Threads of everything.
    pub fn threads(&self) -> u32 {
        self.executors[0].threads
    }

    /// What records say of the executors.
    pub fn records(&self) -> Vec<VariantRecord> {
        let mut names: Vec<&str> = self.executors.iter().map(|e| &*e.name).collect();
        names.dedup();
        let record = |name: &str| VariantRecord {
            name: name.to_owned(),
            family: PLAN.to_owned(),
            build: None,
            probe: None,
            description: EXECUTORS
                .iter()
                .find(|executor| executor.name == name)
                .map_or(String::new(), |executor| executor.description.to_owned()),
            definition: None,
        };
        names.into_iter().map(record).collect()
    }

    /// All that take turns.
    pub(super) fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// What does the work of the contender of this number.
    pub(super) fn worker(&self, contender: usize) -> Worker<'_> {
        match self.works.get(contender) {
            Some(&executor) => Worker::Executor(&self.executors[executor]),
            None => Worker::Peer(&self.setups[contender - self.works.len()]),
        }
    }

    /// All contenders on one bundle.
    pub fn bench<'b>(&'b mut self, bundle: &'b Bundle) -> PlanBench<'b, 'a> {
        PlanBench {
            telemetry: vec![None; self.contenders.len()],
            sums: vec![None; self.contenders.len()],
            plans: self,
            bundle,
            rows: None,
            has_loaded: false,
        }
    }
}

/// What does the work of a contender.
#[derive(Clone, Copy)]
pub(super) enum Worker<'p> {
    /// An executor of ours.
    Executor(&'p Equipped),
    /// Another engine.
    Peer(&'p Setup),
}

/// Executes a bundle and says what it did, with what `counters` count meanwhile.
///
/// # Errors
/// As the executor.
pub(super) fn execute(
    executor: &Equipped,
    bundle: &Bundle,
    watch: &mut Watch,
    counters: Option<&mut Counters>,
) -> Result<(Measured, Telemetry), Failed> {
    let mut counting = counters.map(|counters| (counters.start(), counters));
    let watching = watch.start();
    let start = Instant::now();
    let executed = executor.execute(bundle);
    let seconds = start.elapsed().as_secs_f64();
    let system = watch.since(&watching);
    let counted = counting
        .as_mut()
        .map(|(start, counters)| counters.since(start));
    let (execution, peak) = executed.map_err(|error| Failed::Error(error.to_string()))?;
    let measured = Measured {
        seconds,
        phases: phases(&execution.telemetry),
        answer: Answer {
            rows: execution.result.rows(),
            checksum: Checksum(execution.result.checksum().0),
            ..Answer::default()
        },
        bytes: Some(peak as u64),
        counters: counted.unwrap_or_default(),
        system: Some(system),
        ..Measured::default()
    };
    Ok((measured, execution.telemetry))
}

/// The techniques that are left out, one at a time.
fn techniques(ablate: Option<&[String]>, equipment: &Equipment) -> Vec<String> {
    match ablate {
        None => Vec::new(),
        Some([]) => {
            let all = Options::NAMES.iter().map(|(name, _)| *name).chain([POOL]);
            let all = all.map(str::to_owned);
            all.filter(|technique| !equipment.without.contains(technique))
                .collect()
        }
        Some(named) => named.to_vec(),
    }
}

/// What a run knows of a bundle, which it calls `name`, one of `group`.
pub fn case(name: &str, group: Option<&str>, sentence: &str, bundle: &Bundle) -> WorkloadRecord {
    let columns = || bundle.tables().iter().flat_map(|table| table.columns());
    let rows = bundle.tables().iter().map(|table| table.num_rows() as u64);
    let bytes = columns().map(|column| size_of_val(column.column.pages()) as u64);
    WorkloadRecord {
        name: name.to_owned(),
        group: group.map(str::to_owned),
        join_kind: None,
        condition: None,
        payload_bytes: None,
        experiment: PLAN.to_owned(),
        sentence: sentence.to_owned(),
        build_rows: 0,
        probe_rows: rows.sum(),
        key_type: String::new(),
        build_bytes: 0,
        probe_bytes: bytes.sum(),
        expected: None,
        keys: None,
    }
}

/// Executors and peers on one plan.
pub struct PlanBench<'b, 'a> {
    plans: &'b mut Plans<'a>,
    bundle: &'b Bundle,
    /// Rows of the result, once one of ours has executed the plan.
    rows: Option<u64>,
    has_loaded: bool,
    /// What the last execution of each of ours did.
    telemetry: Vec<Option<Telemetry>>,
    /// The checksum that each peer had, which sums its result up only once.
    sums: Vec<Option<Checksum>>,
}

impl PlanBench<'_, '_> {
    /// What the last execution of each contender did, where it is one of ours.
    pub fn telemetry(&self) -> &[Option<Telemetry>] {
        &self.telemetry
    }

    fn execute(&mut self, contender: usize) -> Result<Measured, Failed> {
        if self.plans.interrupted.load(Ordering::Relaxed) {
            return Err(Failed::Interrupted);
        }
        match self.plans.works.get(contender) {
            Some(&executor) => self.ours(contender, executor),
            None => self.peer(contender),
        }
    }

    fn ours(&mut self, contender: usize, executor: usize) -> Result<Measured, Failed> {
        let Plans {
            executors, watch, ..
        } = &mut *self.plans;
        let (measured, telemetry) = execute(&executors[executor], self.bundle, watch, None)?;
        self.rows = Some(measured.answer.rows);
        self.telemetry[contender] = Some(telemetry);
        Ok(measured)
    }

    fn peer(&mut self, contender: usize) -> Result<Measured, Failed> {
        let threads = self.plans.threads();
        if !self.has_loaded {
            // How many rows there are says how long a peer may take.
            if self.rows.is_none() {
                let _ = self.execute(0);
            }
            let setups = self.plans.setups.iter();
            let wanted: Vec<_> = setups.map(|setup| Wanted { setup, threads }).collect();
            let rows = self.rows.unwrap_or(0);
            self.plans.pool.load_plan(&wanted, self.bundle, rows);
            self.has_loaded = true;
        }
        let setup = &self.plans.setups[contender - self.plans.works.len()];
        let is_first = self.sums[contender].is_none();
        let executed = self
            .plans
            .pool
            .execute(Wanted { setup, threads }, is_first)?;
        Ok(of_peer(executed, &mut self.sums[contender]))
    }
}

impl Bench for PlanBench<'_, '_> {
    fn contenders(&self) -> &[Contender] {
        &self.plans.contenders
    }

    fn sample(&mut self, contender: usize, round: u32) -> Result<Measured, Failed> {
        let mut warm = 0.0;
        let mut answer = None;
        loop {
            let is_sample = round == 0 || warm >= WARM_SECONDS;
            let measured = self.execute(contender)?;
            // Those that do not count have to answer as well.
            if *answer.get_or_insert(measured.answer) != measured.answer {
                return Err(Failed::Wrong(
                    "it answers another thing each time".to_owned(),
                ));
            }
            if is_sample {
                return Ok(measured);
            }
            warm += measured.seconds;
        }
    }

    fn keeps_first(&self) -> bool {
        true
    }
}

/// What a peer has done, which sums its result up only once: `sum` keeps it.
pub(super) fn of_peer(executed: Executed, sum: &mut Option<Checksum>) -> Measured {
    let summed = executed.checksum.map(|checksum| Checksum(checksum.0));
    Measured {
        seconds: executed.seconds,
        system: executed.system,
        answer: Answer {
            rows: executed.rows,
            checksum: *sum.get_or_insert(summed.unwrap_or_default()),
            ..Answer::default()
        },
        ..Measured::default()
    }
}

/// Seconds by phase, all steps together.
fn phases(telemetry: &Telemetry) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for phase in telemetry.steps.iter().flat_map(|step| &step.phases) {
        match phases.iter_mut().find(|other| other.name == phase.name) {
            Some(other) => other.seconds += phase.seconds,
            None => phases.push(Phase {
                name: phase.name.to_owned(),
                seconds: phase.seconds,
            }),
        }
    }
    phases
}
