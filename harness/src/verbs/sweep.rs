//! `--sweep` and `--ablate`: measure, record, draw.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::Timestamp;

use super::Ending;
use super::select::{Selection, select};
use crate::cli::MeasureArgs;
use crate::limits::{self, Plan};
use crate::measure::{Bench, Budget, Cell, Cells, Data, Progress, Runner, Stop, memory, tags};
use crate::nearest::did_you_mean;
use crate::record::{
    EndRecord, Environment, MemoryRecord, Record, RecordError, RecordWriter, Run, RunRecord,
    SCHEMA, Size, Toggles, VariantRecord, read_run,
};
use crate::registry::{self, NotCompiled, Part, TOGGLES, Toggle, Variant, default_variant};
use crate::workload::{self, Instance};
use crate::{machine, report};

/// More threads than this are a slip of the finger.
const MOST_THREADS: u32 = 1024;

/// The workloads of an ablation that is not told which: uniform, selective and skewed probes, duplicates, NULLs.
const ABLATED: [&str; 5] = [
    "pk-fk-16m",
    "selective-16m",
    "zipf-16m",
    "n-m-4m",
    "nulls-1m",
];

/// The workload whose pairs are written out when an ablation is not told which.
const PAIRS: &str = "n-m-4m";

/// What records call the allocator.
const ALLOCATOR: &str = "a pool of mapped blocks from 1 MiB on, mimalloc below";

/// One workload of the run, with its consumer.
struct Item {
    instance: Instance,
    pairs: bool,
    swept: bool,
    ablated: bool,
}

impl Item {
    /// The name in records.
    fn name(&self) -> String {
        let pairs = if self.pairs { "-pairs" } else { "" };
        format!("{}{pairs}", self.instance.name)
    }

    /// Tuples that a cell touches.
    fn tuples(&self) -> f64 {
        let instance = &self.instance;
        // A build tuple is touched about three times as often as a probe tuple.
        let touched = 3 * instance.build_rows() + instance.probe_rows();
        (touched + instance.estimated_results() / 2) as f64
    }
}

/// What a run measures.
struct Request<'a> {
    args: &'a MeasureArgs,
    selection: Selection,
    toggles: Vec<&'static Toggle>,
    threads: Vec<u32>,
    /// Thread counts of the ablation.
    ablation_threads: Vec<u32>,
    ablated: Vec<Variant>,
    /// Measured against itself.
    control: Variant,
}

/// Measures and reports.
pub(super) fn run(args: &MeasureArgs) -> Result<(), Ending> {
    let environment = machine::environment(ALLOCATOR);
    let request = Request::new(args, &environment)?;
    let items = request.items();
    let command: Vec<String> = std::env::args().skip(1).collect();
    let (folder, writer, before) = open(args, &command, &request, &environment)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    // A second handler in one process is an error; then there is one already.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let budget = request.budget();
    let estimate = request.estimate(&items, budget)?;
    eprintln!("{}", estimate.text);
    let mut runner = Runner::new(
        writer,
        before,
        Bench::new(&environment),
        budget,
        args.seed.unwrap_or(1),
        &interrupted,
        Progress::new(estimate.seconds, items.len()),
    );
    let result = request.measure(&mut runner, &items, &environment);
    let complete = match &result {
        Ok(()) => true,
        Err(Stop::Interrupted) => false,
        Err(_) => {
            runner.progress().finish();
            return result.map_err(Ending::usage);
        }
    };
    let end = Record::End(EndRecord {
        complete,
        finished: Timestamp::now().to_string(),
    });
    runner.record(&end, |_| false).map_err(Ending::usage)?;
    runner.progress().finish();
    let page = report::draw(&folder).map_err(Ending::usage)?;
    println!("{}", page.display());
    if !complete {
        return Err(Ending::Interrupted(format!(
            "interrupted; what was measured is in {}, and --resume {} with the same options goes on",
            page.display(),
            folder.display()
        )));
    }
    match runner.wrong() {
        0 => Ok(()),
        wrong => Err(Ending::Wrong(format!(
            "{wrong} wrong answers; they are listed in {} and not charted",
            page.display()
        ))),
    }
}

impl<'a> Request<'a> {
    fn new(args: &'a MeasureArgs, environment: &Environment) -> Result<Self, Ending> {
        if !args.sweep && args.ablate.is_none() {
            return Err(Ending::usage(
                "nothing to do: say --sweep, --ablate or a verb such as list; `harness --help` shows all",
            ));
        }
        if !environment.optimised && !args.allow_unoptimised {
            return Err(Ending::usage(limits::Error::Unoptimised));
        }
        if let Some(peer) = args.peers.first() {
            return Err(Ending::Usage(format!(
                "--peers {peer}: this version measures no other engines yet; leave --peers out"
            )));
        }
        if args.samples == Some(0) {
            return Err(Ending::usage(
                "--samples 0 measures nothing; give 1 or more",
            ));
        }
        let mut threads = args.threads.clone();
        threads.sort_unstable();
        threads.dedup();
        if threads.is_empty() {
            threads = limits::default_threads(environment.cores);
        }
        if let Some(&wrong) = threads.iter().find(|&&n| n == 0 || n > MOST_THREADS) {
            return Err(Ending::usage(limits::Error::Threads(wrong)));
        }
        let toggles = toggles(args.ablate.as_deref())?;
        let selection = select(&args.only, args.size())?;
        let default = default_variant();
        let ablated: Vec<Variant> = match selection.variants_named {
            true => {
                let named = selection.variants.iter();
                named.filter(|v| v.has(Part::Table)).cloned().collect()
            }
            false => vec![default.clone()],
        };
        if args.ablate.is_some() && ablated.is_empty() {
            return Err(Ending::usage(
                "--only names no variant that has toggles; those of the families serial and partitioned have",
            ));
        }
        let measured: &[Variant] = if args.sweep {
            &selection.variants
        } else {
            &ablated
        };
        let named = measured.iter().find(|variant| variant.name == default.name);
        let control = named.or(measured.first()).cloned().unwrap_or(default);
        let ablation_threads = match (args.threads.is_empty(), threads.last()) {
            (true, Some(&most)) => vec![most],
            _ => threads.clone(),
        };
        Ok(Self {
            args,
            selection,
            toggles,
            threads,
            ablation_threads,
            ablated,
            control,
        })
    }

    fn budget(&self) -> Budget {
        match (self.args.samples, self.args.size()) {
            (Some(samples), _) => Budget::Samples(samples),
            (None, Size::Quick) => Budget::Seconds(48.0),
            (None, Size::Default) => Budget::Seconds(270.0),
            (None, Size::Full) => Budget::Samples(10),
        }
    }

    /// The workloads, in order.
    fn items(&self) -> Vec<Item> {
        let ablate = !self.toggles.is_empty();
        let merges = self.toggles.iter().any(|t| t.part == Part::Merge);
        let named = self.selection.workloads_named;
        let mut items = Vec::new();
        for instance in &self.selection.workloads {
            let name = instance.name.as_str();
            let ablated = ablate && (named || ABLATED.contains(&name));
            if self.args.sweep || ablated {
                items.push(Item {
                    instance: instance.clone(),
                    pairs: false,
                    swept: self.args.sweep,
                    ablated,
                });
            }
            if merges && (named || name == PAIRS) {
                items.push(Item {
                    instance: instance.clone(),
                    pairs: true,
                    swept: false,
                    ablated: true,
                });
            }
        }
        items
    }

    /// The cells of a workload.
    fn cells(&self, item: &Item) -> Result<Vec<Cell>, NotCompiled> {
        let mut cells = Cells::default();
        let threads = match item.swept {
            true => &self.threads,
            false => &self.ablation_threads,
        };
        cells.control(&self.control, threads)?;
        if item.swept {
            for variant in &self.selection.variants {
                cells.variant(variant, &self.threads)?;
            }
        }
        if item.ablated {
            for variant in &self.ablated {
                cells.ablation(variant, &self.toggles, item.pairs, &self.ablation_threads)?;
            }
        }
        Ok(cells.into_vec())
    }

    /// How much there is to do.
    fn estimate(&self, items: &[Item], budget: Budget) -> Result<Estimate, Ending> {
        /// Seconds that one thread takes for a tuple, by and large.
        const PER_TUPLE: f64 = 15e-9;
        let (fewest, most) = budget.samples();
        let (mut cells, mut least, mut longest) = (0, 0.0, 0.0);
        for item in items {
            let of_item = self.cells(item).map_err(Ending::usage)?;
            let generating = item.instance.estimated_seconds();
            let round: f64 = of_item
                .iter()
                .map(|cell| item.tuples() * PER_TUPLE / f64::from(cell.name.threads.clamp(1, 8)))
                .sum();
            cells += of_item.len();
            least += generating + round * f64::from(1 + fewest);
            longest += generating + round * f64::from(1 + most);
        }
        let seconds = match budget {
            Budget::Seconds(seconds) => longest.min(seconds.max(least)),
            Budget::Samples(_) => longest,
        };
        let samples = if fewest == most {
            format!("{most} samples each")
        } else {
            format!("{fewest} to {most} samples each")
        };
        let time = match seconds {
            _ if seconds > 5400.0 => format!("{:.1} hours", seconds / 3600.0),
            _ if seconds > 90.0 => format!("{:.0} minutes", seconds / 60.0),
            _ => format!("{seconds:.0} seconds"),
        };
        Ok(Estimate {
            seconds,
            text: format!(
                "{} workloads, {cells} cells, {samples}: about {time}",
                items.len()
            ),
        })
    }

    /// Measures everything.
    fn measure(
        &self,
        runner: &mut Runner<'_>,
        items: &[Item],
        environment: &Environment,
    ) -> Result<(), Stop> {
        self.limits(runner, environment)?;
        let mut variants: Vec<&Variant> = vec![&self.control];
        if self.args.sweep {
            variants.extend(&self.selection.variants);
        }
        variants.extend(
            &self.ablated[..if self.toggles.is_empty() {
                0
            } else {
                self.ablated.len()
            }],
        );
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
        let cells = |item: &Item| {
            self.cells(item)
                .map_err(|error| Stop::Workload(item.name(), error.to_string()))
        };
        let mut weights = Vec::new();
        for item in items {
            weights.push(item.tuples() * cells(item)?.len() as f64);
        }
        for (index, item) in items.iter().enumerate() {
            let share = runner.share(weights[index], weights[index..].iter().sum());
            runner.progress().workload(&item.name(), share);
            if runner.is_measured(&item.name()) {
                runner.skip(&item.name());
                continue;
            }
            let start = Instant::now();
            let threads =
                std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN);
            let workload = item
                .instance
                .generate(self.args.seed, threads)
                .map_err(|error| Stop::Workload(item.name(), error.to_string()))?;
            let mut record = workload.record();
            record.name = item.name();
            if item.pairs {
                record.sentence = format!("{}; all pairs of rows written out", record.sentence);
            }
            let data = Data {
                record,
                build: &workload.build,
                probe: &workload.probe,
                pairs: item.pairs,
            };
            let spent = start.elapsed().as_secs_f64();
            runner.workload(&data, cells(item)?, share, spent)?;
            if item.swept && tags::matter(&data) {
                runner.tags(&data)?;
            }
            drop(workload);
            if item.swept && self.is_last_rung(items, index) {
                let start = Instant::now();
                self.memory(runner, item)?;
                runner.spend(start.elapsed().as_secs_f64());
            }
        }
        Ok(())
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
        if runner.before().is_some_and(|run| !run.limits.is_empty()) {
            return Ok(());
        }
        match limits::measure(&Plan::quick(environment, &self.threads), |_| {}) {
            Ok(limits) => {
                for limit in &limits {
                    runner.record(&Record::Limit(limit.into()), |_| false)?;
                }
                Ok(())
            }
            Err(error) => runner.note(format!("The machine's limits were not measured: {error}.")),
        }
    }
}

/// How much there is to do.
struct Estimate {
    seconds: f64,
    text: String,
}

/// The toggles that `--ablate` names, all if it names none.
fn toggles(named: Option<&[String]>) -> Result<Vec<&'static Toggle>, Ending> {
    match named {
        None => Ok(Vec::new()),
        Some([]) => Ok(TOGGLES.iter().collect()),
        Some(names) => names
            .iter()
            .map(|name| {
                registry::toggle(name).ok_or_else(|| {
                    let names = TOGGLES.iter().map(|toggle| toggle.name);
                    Ending::Usage(format!(
                        "--ablate {name}: no toggle has this name{}; see `harness list toggles`",
                        did_you_mean(name, names)
                    ))
                })
            })
            .collect(),
    }
}

/// The run's folder and its records: new ones, or those of the run that goes on.
fn open(
    args: &MeasureArgs,
    command: &[String],
    request: &Request<'_>,
    environment: &Environment,
) -> Result<(PathBuf, RecordWriter, Option<Run>), Ending> {
    if let Some(folder) = &args.resume {
        let before =
            read_run(folder).map_err(|error| Ending::Usage(format!("--resume {error}")))?;
        same_run(folder, &before, command, environment)?;
        let writer = RecordWriter::append(folder).map_err(Ending::usage)?;
        return Ok((folder.clone(), writer, Some(before)));
    }
    let now = Timestamp::now();
    let id = format!(
        "{}-{:04x}",
        now.strftime("%Y%m%d-%H%M%S"),
        (now.as_nanosecond() as u64 ^ u64::from(std::process::id()) << 16) >> 8 & 0xFFFF
    );
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new("reports").join(&id));
    let cannot = |error: RecordError| {
        Ending::Usage(match &error {
            RecordError::Io { path, source }
                if source.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                format!(
                    "{} is there already; name another folder with --out, or go on with --resume",
                    path.display()
                )
            }
            _ => format!(
                "cannot write the report: {error}; name a folder that can be written with --out"
            ),
        })
    };
    let mut writer = RecordWriter::create(&folder).map_err(cannot)?;
    let modes = [(args.sweep, "sweep"), (args.ablate.is_some(), "ablate")];
    let run = RunRecord {
        schema: SCHEMA,
        id,
        started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seed: args.seed.unwrap_or(1),
        size: args.size(),
        modes: modes
            .into_iter()
            .filter_map(|(on, mode)| on.then(|| mode.to_owned()))
            .collect(),
        command: command.to_vec(),
        threads: request.threads.clone(),
        environment: environment.clone(),
    };
    writer.write(&Record::Run(run)).map_err(cannot)?;
    Ok((folder, writer, None))
}

/// Refuses to go on with a run that was asked for otherwise, of other code, or on another machine.
fn same_run(
    folder: &Path,
    before: &Run,
    command: &[String],
    environment: &Environment,
) -> Result<(), Ending> {
    let refuse = |what: &str, then: &str, now: &str| {
        Err(Ending::Usage(format!(
            "--resume {}: that run's {what} was `{then}`, now it is `{now}`; resume it with the same one or start \
             a new run",
            folder.display()
        )))
    };
    let (then, now) = (asked(&before.run.command), asked(command));
    if then != now {
        return refuse("command line", &then, &now);
    }
    let then = &before.run.environment;
    let revision = |environment: &Environment| {
        let changed = if environment.dirty {
            " with changes"
        } else {
            ""
        };
        format!("{}{changed}", environment.commit)
    };
    if revision(then) != revision(environment) {
        return refuse("commit", &revision(then), &revision(environment));
    }
    if machine::id(then) != machine::id(environment) {
        return refuse("machine", &machine::id(then), &machine::id(environment));
    }
    if before.complete {
        return Err(Ending::Usage(format!(
            "--resume {}: that run is complete; start a new one, or draw it again with `harness report`",
            folder.display()
        )));
    }
    Ok(())
}

/// A command line without the options that say where the run's folder is.
fn asked(command: &[String]) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        if word == "--out" || word == "--resume" {
            words.next();
        } else if !word.starts_with("--out=") && !word.starts_with("--resume=") {
            kept.push(word);
        }
    }
    kept.join(" ")
}
