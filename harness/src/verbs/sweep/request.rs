//! What a run is asked to measure: workloads, variants, toggles, thread counts.

use join_core::parallel::ThreadStart;

use super::MeasureArgs;
use crate::console::counted;
use crate::experiment::{Budget, Cell, Cells, Shown};
use crate::machine;
use crate::machine::limits;
use crate::nearest::did_you_mean;
use crate::peers::Found;
use crate::verbs::Ending;
use crate::verbs::select::{Selection, select};
use crate::workload::Instance;
use registry::{NotCompiled, Part, TOGGLES, Toggle, Variant, default_variant, variants};
use report::record::{Environment, Size};

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

/// The workload of strings, of which an ablation that is not told which asks only what strings can show.
const STRINGS: &str = "strings-1m";

/// The variant that is measured under two names, where it is measured at all: of what leads, so that the noise that is
/// found is that of the leading times, and both names cost little.
const CONTROL: &str = "partitioned-join";

/// The variants whose values are fetched early as well as late where rows have a payload and no variant is named.
const LATE_OR_EARLY: [&str; 2] = [registry::DEFAULT, "partitioned-join"];

/// One workload of the run, with its consumer.
pub(super) struct Item {
    pub(super) instance: Instance,
    pub(super) pairs: bool,
    pub(super) swept: bool,
    pub(super) ablated: bool,
}

impl Item {
    /// The name in records.
    pub(super) fn name(&self) -> String {
        let pairs = if self.pairs { "-pairs" } else { "" };
        format!("{}{pairs}", self.instance.name)
    }

    /// Tuples that a cell touches.
    pub(super) fn tuples(&self) -> f64 {
        let instance = &self.instance;
        // A build tuple is touched about three times as often as a probe tuple.
        let touched = 3 * instance.build_rows() + instance.probe_rows();
        // A value that is fetched, of both sides, counts as half a tuple.
        let values = 2 * instance.payload_columns() as u64;
        (touched + instance.estimated_results() * (1 + values) / 2) as f64
    }
}

/// What a run measures.
pub(super) struct Request<'a> {
    pub(super) args: &'a MeasureArgs,
    pub(super) selection: Selection,
    pub(super) toggles: Vec<&'static Toggle>,
    pub(super) threads: Vec<u32>,
    /// Those of ablations and, at the default size, of ladders: the largest, unless counts were asked for.
    pub(super) most_threads: Vec<u32>,
    /// What an ablation changes, and by which toggles.
    pub(super) ablated: Vec<(Variant, Vec<&'static Toggle>)>,
    /// Measured against itself.
    pub(super) control: Variant,
    pub(super) peers: Found,
}

impl<'a> Request<'a> {
    pub(super) fn new(args: &'a MeasureArgs, environment: &Environment) -> Result<Self, Ending> {
        if !args.sweep && args.ablate.is_none() {
            return Err(Ending::usage(
                "nothing to do: say --sweep, --ablate or a verb such as list; `harness --help` shows all",
            ));
        }
        if !environment.optimised && !args.allow_unoptimised {
            return Err(Ending::usage(limits::Error::Unoptimised));
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
        let most = threads.iter().copied().max().unwrap_or(1);
        machine::team(most, ThreadStart::Fresh).map_err(Ending::usage)?;
        let toggles = toggles(args.ablate.as_deref())?;
        let selection = select(&args.only, args.size())?;
        let ablated: Vec<(Variant, Vec<&'static Toggle>)> = match selection.variants_named {
            true => {
                let named = selection.variants.iter();
                let named = named.filter(|v| v.has(Part::Table) || v.has(Part::Sides));
                named.map(|v| (v.clone(), toggles.clone())).collect()
            }
            false => registry::ablated(&toggles),
        };
        if args.ablate.is_some() && ablated.is_empty() {
            return Err(Ending::usage(
                "--only names no variant that has toggles; unchained ones and partitioned-join have",
            ));
        }
        let measured: Vec<&Variant> = if args.sweep {
            selection.variants.iter().collect()
        } else {
            ablated.iter().map(|(variant, _)| variant).collect()
        };
        let named = measured.iter().find(|variant| variant.name == CONTROL);
        let control = named.or(measured.first()).copied().cloned();
        let control = control.unwrap_or_else(default_variant);
        let peers = Found::find(&args.peers, environment).map_err(Ending::usage)?;
        let most_threads = match (args.threads.is_empty(), threads.last()) {
            (true, Some(&most)) => vec![most],
            _ => threads.clone(),
        };
        Ok(Self {
            args,
            selection,
            toggles,
            threads,
            most_threads,
            ablated,
            control,
            peers,
        })
    }

    /// Reads the data that are not made, to find early what is wrong with them.
    pub(super) fn check(items: &[Item]) -> Result<(), Ending> {
        let mut instances = items.iter().map(|item| &item.instance);
        instances.try_for_each(|instance| instance.check().map_err(Ending::usage))
    }

    pub(super) fn budget(&self) -> Budget {
        // A sweep, an ablation and peers in one run have the time of all.
        let modes = [
            self.args.sweep,
            self.args.ablate.is_some(),
            !self.peers.setups.is_empty(),
        ];
        let modes = modes.into_iter().filter(|mode| *mode).count() as f64;
        match (self.args.samples, self.args.size()) {
            (Some(samples), _) => Budget::Samples {
                variant: samples,
                peer: samples,
            },
            (None, Size::Quick) => Budget::Seconds(48.0 * modes),
            (None, Size::Default) => Budget::Seconds(240.0 * modes),
            (None, Size::Full) => Budget::Samples {
                variant: 10,
                peer: 5,
            },
        }
    }

    /// The workloads, in order.
    pub(super) fn items(&self) -> Vec<Item> {
        let ablate = !self.toggles.is_empty();
        let any = |wanted: fn(Part) -> bool| self.toggles.iter().any(|toggle| wanted(toggle.part));
        let (in_pairs, in_keys) = (any(Part::needs_pairs), any(|part| part == Part::Keys));
        let named = self.selection.workloads_named;
        let mut items = Vec::new();
        for instance in &self.selection.workloads {
            let name = instance.name.as_str();
            let is_asked = named || ABLATED.contains(&name) || in_keys && name == STRINGS;
            let ablated = ablate && is_asked;
            let swept = self.args.sweep && (named || instance.is_swept(self.args.size()));
            if swept || ablated {
                items.push(Item {
                    instance: instance.clone(),
                    pairs: false,
                    swept,
                    ablated,
                });
            }
            if in_pairs && instance.payload_bytes == 0 && (named || name == PAIRS) {
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
    pub(super) fn cells(&self, item: &Item) -> Result<Vec<Cell>, NotCompiled> {
        let mut cells = Cells::default();
        let instance = &item.instance;
        // Unasked, the time of ladders, kinds, strings and payloads goes into what they are a series of.
        let in_short = self.args.size() == Size::Default && !self.selection.workloads_named;
        let threads = match item.swept && !(in_short && instance.is_of_series()) {
            true => &self.threads,
            false => &self.most_threads,
        };
        cells.control(&self.control, threads)?;
        if self.args.sweep {
            for variant in &self.selection.variants {
                cells.variant(variant, threads)?;
            }
        }
        let asks_when = self.toggles.iter().any(|toggle| toggle.part == Part::Rows);
        let can_travel = !instance.has_strings() && instance.key_columns() == 1;
        if instance.payload_bytes > 0 && can_travel && (item.swept || asks_when) {
            let mut of_rows = variants();
            of_rows.retain(|variant| match self.selection.variants_named {
                true => self
                    .selection
                    .variants
                    .iter()
                    .any(|named| named.name == variant.name),
                false => LATE_OR_EARLY.contains(&&*variant.name),
            });
            for variant in of_rows.iter().filter(|variant| variant.has(Part::Rows)) {
                cells.ablation_of_rows(variant, &self.most_threads)?;
            }
        }
        if item.ablated {
            let only_keys = !self.selection.workloads_named && instance.is_verified();
            let shown = Shown {
                pairs: item.pairs,
                verified: instance.is_verified(),
            };
            for (variant, toggles) in &self.ablated {
                let asked = |toggle: &&&Toggle| !only_keys || toggle.part == Part::Keys;
                let toggles: Vec<_> = toggles.iter().filter(asked).copied().collect();
                cells.ablation(variant, &toggles, shown, &self.most_threads)?;
            }
        }
        // A peer counts at its best: it may be the faster the fewer threads it has.
        let of_peers = match item.swept && instance.group.is_none() {
            true => &self.threads,
            false => threads,
        };
        for setup in &self.peers.setups {
            let makes_rows = setup.rows || instance.payload_bytes == 0;
            if setup.kinds.contains(&instance.kind) && makes_rows {
                cells.peer(setup, of_peers);
            }
        }
        Ok(cells.into_vec())
    }

    /// How much there is to do.
    pub(super) fn estimate(&self, items: &[Item], budget: Budget) -> Result<Estimate, Ending> {
        /// Seconds that one thread takes for a tuple, by and large.
        const PER_TUPLE: f64 = 15e-9;
        /// Seconds that a peer takes to load a tuple, and to be asked anything.
        const PER_LOAD: (f64, f64) = (30e-9, 0.1);
        let (fewest, most) = budget.samples(false);
        let (mut cells, mut least, mut longest) = (0, 0.0, 0.0);
        for item in items {
            let of_item = self.cells(item).map_err(Ending::usage)?;
            let generating = item.instance.estimated_seconds();
            (least, longest) = (least + generating, longest + generating);
            for cell in &of_item {
                let threads = f64::from(cell.contender.name.threads.clamp(1, 8));
                let sample = item.tuples() * PER_TUPLE / threads * cell.slowness();
                let load = match cell.contender.is_peer {
                    true => item.tuples() * PER_LOAD.0 + PER_LOAD.1,
                    false => 0.0,
                };
                let (fewest, most) = budget.samples(cell.contender.is_peer);
                least += load + sample * (1.0 + f64::from(fewest));
                longest += load + sample * (1.0 + f64::from(most));
            }
            cells += of_item.len();
        }
        let seconds = match budget {
            Budget::Seconds(seconds) => longest.min(seconds.max(least)),
            Budget::Samples { .. } => longest,
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
                "{}, {}, {samples}: about {time}",
                counted(items.len(), "workload"),
                counted(cells, "cell")
            ),
        })
    }
}

/// How much there is to do.
pub(super) struct Estimate {
    pub(super) seconds: f64,
    pub(super) text: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine;

    #[test]
    fn the_most_samples_take_the_longest() {
        let seconds = |samples| {
            let args = MeasureArgs {
                sweep: true,
                quick: true,
                allow_unoptimised: true,
                only: vec!["small-1k|serial+zero-copy".to_owned()],
                threads: vec![1],
                samples: Some(samples),
                ..MeasureArgs::default()
            };
            let request = Request::new(&args, &machine::environment("test")).unwrap();
            let items = request.items();
            let estimate = request.estimate(&items, request.budget()).unwrap();
            assert!(estimate.text.contains(&format!("{samples} samples")));
            estimate.seconds
        };
        let (few, many) = (seconds(1000), seconds(u32::MAX));
        assert!(many > 1e6 * few, "{few} s, {many} s");
    }

    #[test]
    fn the_control_is_a_variant_and_series_have_the_most_threads() {
        let args = MeasureArgs {
            sweep: true,
            allow_unoptimised: true,
            ..MeasureArgs::default()
        };
        let mut environment = machine::environment("test");
        environment.cores = 2;
        let request = Request::new(&args, &environment).unwrap();
        assert_eq!(request.control.name, CONTROL);
        for item in request.items() {
            let threads = request.cells(&item).unwrap().into_iter();
            let fewest = threads.map(|cell| cell.contender.name.threads).min();
            let is_series = ["ladder", "kinds", "strings", "payload"]
                .iter()
                .any(|name| item.instance.name.starts_with(name));
            assert_eq!(fewest == Some(1), !is_series, "{}", item.instance.name);
        }
    }
}
