//! Carries a request out, workload after workload.

use std::num::NonZeroUsize;
use std::time::Instant;

use super::request::{Item, Request};
use crate::limits::{self, Plan};
use crate::measure::{Cell, Data, Runner, Stop, ingest, memory, tags};
use crate::record::{Environment, LimitRecord, MemoryRecord, Record, Run, Toggles, VariantRecord};
use crate::workload;
use registry::Variant;

impl Request<'_> {
    /// Measures everything, which is estimated to take `seconds`.
    pub(super) fn measure(
        &self,
        runner: &mut Runner<'_>,
        items: &[Item],
        seconds: f64,
        environment: &Environment,
    ) -> Result<(), Stop> {
        self.limits(runner, environment)?;
        let mut variants: Vec<&Variant> = vec![&self.control];
        if self.args.sweep {
            variants.extend(&self.selection.variants);
        }
        if !self.toggles.is_empty() {
            variants.extend(self.ablated.iter().map(|(variant, _)| variant));
        }
        let mut said: Vec<&str> = Vec::new();
        for variant in variants {
            if said.contains(&variant.name.as_str()) {
                continue;
            }
            said.push(&variant.name);
            let record = Record::Variant(VariantRecord {
                name: variant.name.clone(),
                family: variant.family.to_owned(),
                build: variant.build.map(str::to_owned),
                probe: variant.probe.map(str::to_owned),
                description: variant.description.clone(),
            });
            runner.record(&record, |before| before.variant(&variant.name).is_some())?;
        }
        for peer in self.peers.records() {
            let record = Record::Variant(peer.clone());
            runner.record(&record, |before| before.variant(&peer.name).is_some())?;
        }
        for note in &self.peers.notes {
            runner.note(note.clone())?;
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
            if runner.is_measured(&item.name()) {
                runner.skip(&item.name());
            } else {
                self.samples(runner, item, share)?;
            }
            if item.swept && self.is_last_rung(items, index) {
                let start = Instant::now();
                self.memory(runner, item)?;
                runner.spend(start.elapsed().as_secs_f64());
            }
            if runner.interrupted() {
                return Err(Stop::Interrupted);
            }
        }
        self.ingest(runner)
    }

    /// Measures the placements of the ingest, unless the run is about something else.
    fn ingest(&self, runner: &mut Runner<'_>) -> Result<(), Stop> {
        let named = !self.args.only.is_empty();
        let known = |run: &Run| !run.ingest.is_empty();
        if !self.args.sweep || named || runner.before().is_some_and(known) {
            return Ok(());
        }
        runner.progress().step(1.0, "ingest");
        let plan = ingest::Plan::of(self.args.size(), &self.threads);
        let mut records = Vec::new();
        let measured: Result<(), ingest::Error> = ingest::measure(&plan, |record| {
            records.push(record);
            Ok(())
        });
        // All or nothing, so that a run that goes on knows whether this is done.
        match measured {
            Ok(()) => records
                .into_iter()
                .try_for_each(|record| runner.record(&Record::Ingest(record), |_| false)),
            Err(error) => runner.note(format!("The placements were not measured: {error}.")),
        }
    }

    /// Makes a workload's data and measures its cells within `share` seconds.
    fn samples(&self, runner: &mut Runner<'_>, item: &Item, share: f64) -> Result<(), Stop> {
        let name = item.name();
        let failed = |error: String| Stop::Workload(name.clone(), error);
        let start = Instant::now();
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workload = item
            .instance
            .generate(self.args.seed, threads)
            .map_err(|error| failed(error.to_string()))?;
        if !item.pairs && !workload.recorded && self.args.seed.is_none() {
            let text = format!("{name} has no recorded answer; it is {}", workload.answer());
            runner.progress().say(&text);
        }
        let mut record = workload.record();
        record.name.clone_from(&name);
        if item.pairs {
            record.sentence = format!("{}; all pairs of rows written out", record.sentence);
        }
        let data = Data {
            record,
            build: &workload.build,
            probe: &workload.probe,
            pairs: item.pairs,
        };
        if !item.pairs && tags::matter(&data) {
            runner.tags(&data)?;
        }
        let cells = self
            .cells(item)
            .map_err(|error| failed(error.to_string()))?;
        runner.workload(&data, cells, share, start.elapsed().as_secs_f64())
    }

    /// Whether a workload is no rung of a ladder, or its last.
    fn is_last_rung(&self, items: &[Item], index: usize) -> bool {
        let group = |item: &Item| item.instance.group.clone();
        let next = items[index + 1..].iter().find(|item| item.swept);
        group(&items[index]).is_none_or(|ladder| next.and_then(group) != Some(ladder))
    }

    /// Measures the peak memory of the swept variants, in a process of its own.
    fn memory(&self, runner: &mut Runner<'_>, item: &Item) -> Result<(), Stop> {
        let (name, Some(&threads)) = (item.name(), self.threads.last()) else {
            return Ok(());
        };
        let known = |run: &Run, variant: &str| {
            let mut memory = run.memory.iter();
            memory.any(|m| m.workload == name && m.variant == variant && m.threads == threads)
        };
        let variants: Vec<&str> = self
            .selection
            .variants
            .iter()
            .map(|variant| variant.name.as_str())
            .filter(|variant| !runner.before().is_some_and(|run| known(run, variant)))
            .collect();
        if variants.is_empty() || runner.interrupted() {
            return Ok(());
        }
        runner.progress().step(1.0, "memory");
        let files = self.args.only.iter().flat_map(|pattern| pattern.split('|'));
        let mut files = files.filter(|pattern| workload::is_path(pattern));
        // A name finds a canonical workload; only a file finds its own.
        let canonical = workload::resolve(std::slice::from_ref(&name), self.args.size());
        let measured = match canonical {
            Ok(_) => memory::measure(&self.memory_wanted(item, &name, threads, variants)),
            Err(_) => files
                .find_map(|file| {
                    let wanted = self.memory_wanted(item, file, threads, variants.clone());
                    memory::measure(&wanted)
                        .ok()
                        .filter(|lines| !lines.is_empty())
                })
                .ok_or_else(|| "its file could not be read again".to_owned()),
        };
        match measured {
            Ok(lines) => {
                for line in lines {
                    let record = Record::Memory(MemoryRecord {
                        workload: name.clone(),
                        variant: line.variant,
                        toggles: Toggles::new(),
                        threads,
                        peak_bytes: line.peak_bytes,
                    });
                    runner.record(&record, |_| false)?;
                }
                Ok(())
            }
            Err(error) => runner.note(format!("No peak memory of {name}: {error}.")),
        }
    }

    fn memory_wanted<'w>(
        &self,
        item: &'w Item,
        workload: &'w str,
        threads: u32,
        variants: Vec<&'w str>,
    ) -> memory::Wanted<'w> {
        memory::Wanted {
            instance: &item.instance,
            workload,
            size: self.args.size(),
            seed: self.args.seed,
            threads,
            variants,
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
