//! Carries a request out, workload after workload.

use std::num::NonZeroUsize;
use std::time::Instant;

use join_core::memory::process;

use super::request::{Item, Request};
use crate::experiment::joins::Joins;
use crate::experiment::{Cell, Data, Runner, Stop, ingest, memory, session, tags};
use crate::machine::{
    self,
    limits::{self, Plan},
};
use registry::Variant;
use report::charts::scale;
use report::record::{
    Environment, LimitRecord, MemoryRecord, Record, Run, Toggles, WorkloadRecord,
};

/// What a report says of `--samples 1`.
const ONE_SAMPLE: &str =
    "One sample of each cell: no time has an interval, no difference is told from noise.";

impl Request<'_> {
    /// Measures everything, which is estimated to take `seconds`.
    pub(super) fn measure(
        &self,
        runner: &mut Runner<'_>,
        joins: &mut Joins<'_>,
        items: &[Item],
        seconds: f64,
        environment: &Environment,
    ) -> Result<(), Stop> {
        if !self.args.no_limits {
            runner
                .progress()
                .say("what this machine's memory can do: some seconds");
            self.limits(runner, environment)?;
        }
        let mut variants: Vec<&Variant> = vec![&self.control];
        if self.args.sweep {
            variants.extend(&self.selection.variants);
        }
        if !self.toggles.is_empty() {
            variants.extend(self.ablated.iter().map(|(variant, _)| variant));
        }
        let mut said: Vec<&str> = Vec::new();
        variants.retain(|variant| {
            let is_new = !said.contains(&variant.name.as_str());
            said.push(&variant.name);
            is_new
        });
        session::variants(runner, variants.into_iter().map(session::record_of))?;
        if self.args.samples == Some(1) {
            runner.note(ONE_SAMPLE.to_owned())?;
        }
        let mut weights = Vec::new();
        for item in items {
            let cells = self.cells(item);
            let cells = cells.map_err(|error| Stop::Workload(item.name(), error.to_string()))?;
            weights.push(item.tuples() * cells.iter().map(Cell::slowness).sum::<f64>());
        }
        for (index, item) in items.iter().enumerate() {
            let share = runner.share(weights[index], weights[index..].iter().sum());
            let part = weights[index] / weights.iter().sum::<f64>();
            runner.progress().workload(&item.name(), seconds * part);
            let before = runner.before().and_then(|run| run.workload(&item.name()));
            let record = match before.cloned() {
                Some(record) if runner.is_measured(&item.name()) => {
                    runner.skip(&item.name());
                    record
                }
                _ => self.samples(runner, joins, item, share)?,
            };
            if item.swept && self.is_last_rung(items, index) {
                let start = Instant::now();
                self.memory(runner, item, record)?;
                runner.spend(start.elapsed().as_secs_f64());
            }
            if runner.interrupted() {
                return Err(Stop::Interrupted);
            }
        }
        Ok(())
    }

    /// Cases of the ingest: none unless everything is swept.
    pub(super) fn ingest_cases(&self) -> usize {
        match self.args.sweep && self.args.only.is_empty() {
            true => ingest::ROWS_MADE.len(),
            false => 0,
        }
    }

    /// Measures the placements of the ingest, unless the run is about something else.
    pub(super) fn ingest(&self, runner: &mut Runner<'_>) -> Result<(), Stop> {
        if self.ingest_cases() == 0 {
            return Ok(());
        }
        let (volume, samples) = ingest::Volume::of(self.args.size(), &self.threads);
        ingest::measure(runner, &volume, samples)
    }

    /// Makes a workload's data and measures its cells within `share` seconds.
    fn samples(
        &self,
        runner: &mut Runner<'_>,
        joins: &mut Joins<'_>,
        item: &Item,
        share: f64,
    ) -> Result<WorkloadRecord, Stop> {
        let name = item.name();
        let failed = |error: String| Stop::Workload(name.clone(), error);
        let start = Instant::now();
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workload = item
            .instance
            .generate(self.args.seed, threads)
            .map_err(|error| failed(error.to_string()))?;
        if !item.pairs && !workload.recorded && self.args.seed.is_none() {
            let text = format!(
                "{name} has no recorded answer; it is {}, which `expected` of its file would hold it to",
                workload.answer()
            );
            runner.progress().say(&text);
        }
        let mut record = workload.record();
        record.name.clone_from(&name);
        if item.pairs {
            record.sentence = format!("{}; all pairs of rows written out", record.sentence);
        }
        runner.same_data(&record)?;
        let data = Data {
            record,
            columns: &workload.columns,
            condition: workload.condition.as_ref(),
            payload: workload.payload.as_ref(),
            pairs: item.pairs,
        };
        if !item.pairs && tags::matter(&data) {
            for record in tags::count(&data).map_err(failed)? {
                runner.record(&Record::Tags(record.clone()), |before| {
                    before.tags.contains(&record)
                })?;
            }
        }
        let cells = self
            .cells(item)
            .map_err(|error| failed(error.to_string()))?;
        let peers = cells.iter().filter(|cell| cell.contender.is_peer).count() as u64;
        let (needed, usable) = (peers * peer_bytes(&data), machine::usable_bytes());
        joins.peers_in_turn(needed > usable);
        if needed > usable {
            let text = format!(
                "{name}: the peers hold it one after the other, each warmed up by one join: together they would take about \
                 {} of the {} that are left.",
                scale::bytes(needed as f64),
                scale::bytes(usable as f64)
            );
            runner.progress().say(&text);
            runner.note(text)?;
        }
        let mut bench = joins.bench(&data, cells).map_err(failed)?;
        let (budget, spent) = (runner.budget(), start.elapsed().as_secs_f64());
        runner.case(&data.record, &mut bench, budget, share, spent)?;
        drop(bench);
        // The next workload's data may need what this one's joins have left in the pool.
        process::trim();
        Ok(data.record)
    }

    /// Whether a workload is no rung of a ladder, or its last.
    fn is_last_rung(&self, items: &[Item], index: usize) -> bool {
        let group = |item: &Item| item.instance.group.clone();
        let next = items[index + 1..].iter().find(|item| item.swept);
        group(&items[index]).is_none_or(|ladder| next.and_then(group) != Some(ladder))
    }

    /// Measures the peak memory of the swept variants, in a process of its own.
    fn memory(
        &self,
        runner: &mut Runner<'_>,
        item: &Item,
        record: WorkloadRecord,
    ) -> Result<(), Stop> {
        let (name, Some(&threads)) = (item.name(), self.threads.last()) else {
            return Ok(());
        };
        let known = |run: &Run, variant: &str| {
            let mut memory = run.memory.iter();
            memory.any(|m| m.workload == name && m.variant == variant && m.threads == threads)
        };
        let variants: Vec<String> = self
            .selection
            .variants
            .iter()
            .map(|variant| variant.name.clone())
            .filter(|variant| !runner.before().is_some_and(|run| known(run, variant)))
            .collect();
        if variants.is_empty() || runner.interrupted() {
            return Ok(());
        }
        runner.progress().step(1.0, "memory");
        let measured = memory::measure(&memory::Wanted {
            origin: item.instance.origin.as_ref().clone(),
            record,
            size: self.args.size(),
            seed: self.args.seed,
            threads,
            variants,
        });
        match measured {
            Ok(peaks) => {
                for peak in peaks {
                    let record = Record::Memory(MemoryRecord {
                        workload: name.clone(),
                        variant: peak.variant,
                        toggles: Toggles::new(),
                        threads,
                        peak_bytes: peak.peak_bytes,
                    });
                    runner.record(&record, |_| false)?;
                }
                Ok(())
            }
            Err(memory::Error::Changed(change)) => Err(Stop::Changed(name, change)),
            Err(error) => runner.note(format!("No peak memory of {name}: {error}.")),
        }
    }

    /// Measures the machine's limits.
    fn limits(&self, runner: &mut Runner<'_>, environment: &Environment) -> Result<(), Stop> {
        let plan = Plan::quick(environment, &self.threads);
        let wanted = plan.items.len() * plan.threads.len();
        if runner
            .before()
            .is_some_and(|run| run.limits.len() >= wanted)
        {
            return Ok(());
        }
        match limits::measure(&plan, |_| {}) {
            Ok(limits) => {
                for limit in &limits {
                    let limit = LimitRecord::from(limit);
                    let same = |other: &LimitRecord| {
                        let key = |l: &LimitRecord| (l.threads, l.array_bytes, l.huge_pages);
                        other.what == limit.what && key(other) == key(&limit)
                    };
                    runner.record(&Record::Limit(limit.clone()), |before| {
                        before.limits.iter().any(same)
                    })?;
                }
                Ok(())
            }
            Err(error) => runner.note(format!("The machine's limits were not measured: {error}.")),
        }
    }
}

/// About how many bytes a peer holds of a workload while it joins it: each row with a table around it, its payload as it came
/// and as the engine has it, and the result.
fn peer_bytes(data: &Data<'_>) -> u64 {
    /// As DuckDB, Polars and DataFusion take on `pk-fk-16m`.
    const PER_ROW: u64 = 32;
    const PAIR: u64 = 16;
    let record = &data.record;
    let rows = record.build_rows + record.probe_rows;
    let payload = u64::from(record.payload_bytes.unwrap_or(0));
    let results = record.expected.map_or(0, |answer| answer.rows);
    let per_result = match (data.pairs, payload) {
        (_, 1..) => 2 * payload,
        (true, 0) => PAIR,
        (false, 0) => 0,
    };
    rows * (PER_ROW + 2 * payload) + results * per_result
}
