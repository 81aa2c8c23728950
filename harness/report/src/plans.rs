//! What a run measured of whole plans: its samples sorted by executor and peer.

use serde::Serialize;

use crate::record::{
    CONTROL_A, CONTROL_B, Checksum, Environment, OFF, ONCE, PLAN, Run, SQL, SampleRecord,
    ScheduledCell, Toggles,
};
use crate::stats::{Interval, geometric_mean, interval, paired_ratio};
use crate::summary::Cells;

/// The version of the form in which it is written.
pub const SCHEMA: u32 = 1;

/// The plans of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanRun {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When it began, RFC 3339.
    pub started: String,
    /// The words of the command line.
    pub command: Vec<String>,
    /// On what it was measured.
    pub environment: Environment,
    /// Threads of everything.
    pub threads: u32,
    /// What was measured, in turns on each bundle. The first is what the others are compared with.
    pub arms: Vec<Arm>,
    /// Executors and peers that failed, and where.
    pub failures: Vec<Failure>,
    /// What else there is to say, such as how a missing peer is installed.
    pub notes: Vec<String>,
}

/// What an arm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An executor of ours.
    Executor,
    /// The first executor again: how far two arms differ that are the same.
    Control,
    /// An executor without a technique.
    Ablation,
    /// Another engine.
    Peer,
}

/// What was measured of an executor, of one without a technique, or of a peer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arm {
    /// Unique in the run.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Each bundle in the order of the run; none where it failed.
    pub bundles: Vec<Option<Measured>>,
    /// Sums and ratios, made of these.
    pub summary: ArmSummary,
}

/// What was measured of one bundle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its name.
    pub bundle: String,
    /// Result rows.
    pub rows: u64,
    /// Of the result.
    pub checksum: Checksum,
    /// Of the first run: nothing of this bundle is in a cache, no memory has been touched for it.
    pub cold_seconds: f64,
    /// How often they may have been looked at before measuring stopped.
    #[serde(skip_serializing_if = "crate::record::is_one")]
    pub looks: u32,
    /// Of the others.
    pub seconds: Interval,
    /// The others in order.
    pub samples: Vec<f64>,
    /// The most memory that an execution held; not known of a peer.
    pub peak_bytes: Option<u64>,
    /// What the last execution did, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<serde_json::Value>,
}

/// All bundles of an arm together.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ArmSummary {
    /// How many were measured.
    pub bundles: usize,
    /// The sum of the medians.
    pub total_seconds: f64,
    /// The geometric mean of the medians.
    pub geometric_mean_seconds: f64,
    /// The sum of the first runs.
    pub cold_total_seconds: f64,
    /// Against the first arm, over the bundles that both have; none of the first one itself.
    pub over_first: Option<OverFirst>,
}

/// Time of an arm over time of the first one, paired in rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OverFirst {
    /// Of the totals.
    pub total: Interval,
    /// Of the totals of the first, cold runs, of which there is one each.
    pub cold_total: Interval,
    /// The geometric mean of the ratios.
    pub geometric_mean: Interval,
}

/// How far an engine's times of a query lie apart, over random orders of the query's tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Seconds in the order that it is fastest in, by the median.
    pub least: f64,
    /// Seconds in the order that it is slowest in, by the median.
    pub most: f64,
    /// Orders that it has a time of.
    pub orders: usize,
    /// Orders that it has none of.
    pub missing: usize,
    /// Samples of the order that has fewest.
    pub samples: usize,
}

impl Spread {
    /// Samples of an order below which the largest of several times is likely to be that of a disturbance.
    pub const SAMPLES: usize = 5;

    /// The largest time over the smallest.
    pub fn ratio(&self) -> f64 {
        self.most / self.least
    }
}

/// An executor or a peer that failed on a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which.
    pub arm: String,
    /// Where.
    pub bundle: String,
    /// Why, in one line.
    pub error: String,
}

/// What an arm is called: `pipelined without filters`, `pipelined again`.
pub fn name_of(variant: &str, toggles: &Toggles, label: Option<&str>) -> String {
    let without = toggles.iter().map(|(name, setting)| match &**setting {
        OFF => format!(" without {name}"),
        setting => format!(" with {name}={setting}"),
    });
    let again = if label == Some(CONTROL_B) {
        " again"
    } else {
        ""
    };
    format!("{variant}{}{again}", without.collect::<String>())
}

impl Measured {
    /// What the samples of a cell on one plan say; none where it has none but cold ones.
    fn of(bundle: &str, samples: &[&SampleRecord], looks: u32) -> Option<Self> {
        let mut samples = samples.to_vec();
        samples.sort_by_key(|sample| sample.round);
        let cold = samples.partition_point(|sample| sample.round == 0);
        let (cold, warm) = samples.split_at(cold);
        let times: Vec<f64> = warm.iter().map(|sample| sample.seconds).collect();
        let seconds = interval(&times, looks)?;
        Some(Self {
            bundle: bundle.to_owned(),
            rows: warm[0].answer.rows,
            checksum: warm[0].answer.checksum,
            cold_seconds: cold.first().map_or(times[0], |sample| sample.seconds),
            looks,
            seconds,
            samples: times,
            peak_bytes: samples.iter().filter_map(|sample| sample.bytes).max(),
            telemetry: None,
        })
    }
}

impl Arm {
    /// Without a bundle yet.
    pub fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            bundles: Vec::new(),
            summary: ArmSummary::default(),
        }
    }

    /// The bundles that both arms have, with what `self` and `other` measured.
    pub fn pairs<'a>(
        &'a self,
        other: &'a Arm,
    ) -> impl Iterator<Item = (&'a Measured, &'a Measured)> {
        let pairs = self.bundles.iter().zip(&other.bundles);
        pairs.filter_map(|(a, b)| Some((a.as_ref()?, b.as_ref()?)))
    }

    /// What was measured of a bundle.
    pub fn measured(&self, bundle: &str) -> Option<&Measured> {
        let mut measured = self.bundles.iter().flatten();
        measured.find(|measured| measured.bundle == bundle)
    }

    /// The ratio of each bundle's time to that of the first arm.
    pub fn ratios(&self, first: &Arm) -> Vec<Interval> {
        self.pairs(first)
            .filter_map(|(a, b)| paired_ratio(rounds(&a.samples), rounds(&b.samples), a.looks))
            .collect()
    }

    /// How far the times of bundles, by their places, lie apart; none where it has no time of any.
    pub fn spread(&self, places: &[usize]) -> Option<Spread> {
        let measured = places.iter().filter_map(|&at| self.bundles[at].as_ref());
        let measured: Vec<&Measured> = measured.collect();
        let times = || measured.iter().map(|measured| measured.seconds.median);
        Some(Spread {
            least: times().reduce(f64::min)?,
            most: times().reduce(f64::max)?,
            orders: measured.len(),
            missing: places.len() - measured.len(),
            samples: measured.iter().map(|one| one.samples.len()).min()?,
        })
    }

    fn summarise(&self, first: Option<&Arm>) -> ArmSummary {
        let measured: Vec<&Measured> = self.bundles.iter().flatten().collect();
        let sum = |of: fn(&Measured) -> f64| measured.iter().map(|m| of(m)).sum::<f64>();
        ArmSummary {
            bundles: measured.len(),
            total_seconds: sum(|m| m.seconds.median),
            geometric_mean_seconds: match measured.len() {
                0 => 0.0,
                n => (sum(|m| m.seconds.median.ln()) / n as f64).exp(),
            },
            cold_total_seconds: sum(|m| m.cold_seconds),
            over_first: first.and_then(|first| {
                Some(OverFirst {
                    total: self.total_ratio(first, |measured| &measured.samples)?,
                    cold_total: self.total_ratio(first, |measured| {
                        std::slice::from_ref(&measured.cold_seconds)
                    })?,
                    geometric_mean: geometric_mean(&self.ratios(first))?,
                })
            }),
        }
    }

    /// The ratio of the sums over all bundles, a round at a time.
    fn total_ratio(&self, first: &Arm, samples: fn(&Measured) -> &[f64]) -> Option<Interval> {
        let (mut over, mut under, mut looks) = (Vec::new(), Vec::new(), 1);
        for (a, b) in self.pairs(first) {
            add(&mut over, samples(a));
            add(&mut under, samples(b));
            looks = looks.max(a.looks);
        }
        paired_ratio(rounds(&over), rounds(&under), looks)
    }
}

/// What the workload of a plan is called that is executed once in a process: another one than that of its warm executions.
pub fn once_name(plan: &str) -> String {
    format!("{plan}{ONCE_ENDING}")
}

/// What the workload of a query is called whose tables stand in the random order of this number.
pub fn ordered_name(query: &str, order: u32) -> String {
    format!("{query}{ORDER_INFIX}{order}")
}

/// The query of a workload whose name [`ordered_name`] made; none of another one.
fn query_of(workload: &str) -> Option<&str> {
    let (query, order) = workload.rsplit_once(ORDER_INFIX)?;
    order.parse::<u32>().ok().map(|_| query)
}

/// What stands in names of [`ordered_name`] between the query and its order.
const ORDER_INFIX: &str = ", order ";

/// How names of [`once_name`] end.
const ONCE_ENDING: &str = ", once";

impl PlanRun {
    /// The plans of a run that were executed again and again; none where it has none.
    pub fn from_run(run: &Run) -> Option<Self> {
        Self::of_experiment(run, PLAN)
    }

    /// The plans of a run that were executed once in a process, under the names that they have in [`PlanRun::from_run`]; none
    /// where it has none. Rounds are processes, and no execution is warm.
    pub fn once(run: &Run) -> Option<Self> {
        Self::of_experiment(run, ONCE)
    }

    /// The queries of a run, which are to an engine with some joins what plans are to an executor; none where it has none.
    pub fn queries(run: &Run) -> Option<Self> {
        Self::of_experiment(run, SQL)
    }

    fn of_experiment(run: &Run, experiment: &str) -> Option<Self> {
        let run = run.part(experiment);
        let plan = |workload: &str| {
            let ending = if experiment == ONCE { ONCE_ENDING } else { "" };
            let plan = workload.strip_suffix(ending);
            plan.unwrap_or(workload).to_owned()
        };
        let cells = Cells::new(&run);
        let mut keys: Vec<ScheduledCell> = Vec::new();
        let mut add = |variant: &str, toggles: &Toggles, label: Option<&str>, threads: u32| {
            let key = ScheduledCell {
                variant: variant.to_owned(),
                toggles: toggles.clone(),
                label: label.filter(|&label| label != CONTROL_A).map(str::to_owned),
                threads,
                rounds: 0,
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        for cell in run.schedules.iter().flat_map(|schedule| &schedule.cells) {
            add(
                &cell.variant,
                &cell.toggles,
                cell.label.as_deref(),
                cell.threads,
            );
        }
        for sample in &run.samples {
            let label = sample.label.as_deref();
            add(&sample.variant, &sample.toggles, label, sample.threads);
        }
        let first = keys.first()?.clone();
        let kind = |key: &ScheduledCell| match key {
            key if run.variant(&key.variant).is_some_and(|v| v.is_peer()) => Kind::Peer,
            key if key.label.is_some() => Kind::Control,
            key if key.toggles != first.toggles
                && keys.iter().any(|whole| {
                    whole.variant == key.variant && whole.toggles == first.toggles
                }) =>
            {
                Kind::Ablation
            }
            _ => Kind::Executor,
        };
        let name = |key: &ScheduledCell| name_of(&key.variant, &key.toggles, key.label.as_deref());
        let arms = keys.iter().map(|key| {
            let bundles = run.workloads.iter().map(|workload| {
                let name = &workload.name;
                let cell = cells.find(name, &key.variant, &key.toggles, key.threads)?;
                let is_ours = |sample: &&&SampleRecord| {
                    let label = sample.label.as_deref().filter(|&label| label != CONTROL_A);
                    label == key.label.as_deref()
                };
                let samples = cell.every_sample().iter().filter(is_ours).copied();
                Measured::of(&plan(name), &samples.collect::<Vec<_>>(), cell.looks())
            });
            Arm {
                bundles: bundles.collect(),
                ..Arm::new(name(key), kind(key))
            }
        });
        let failures = cells.failures().map(|failure| Failure {
            arm: name_of(&failure.variant, &failure.toggles, None),
            bundle: plan(&failure.workload),
            error: failure.error.clone(),
        });
        let mut plans = Self {
            schema: SCHEMA,
            started: run.run.started.clone(),
            command: run.run.command.clone(),
            environment: run.run.environment.clone(),
            threads: first.threads,
            arms: arms.collect(),
            failures: failures.collect(),
            notes: run.notes.clone(),
        };
        plans.summarise();
        Some(plans)
    }

    /// The name of each bundle that somebody was measured on.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let count = self.arms.first().map_or(0, |arm| arm.bundles.len());
        (0..count).map(|at| {
            let arms = self.arms.iter();
            let mut measured = arms.filter_map(move |arm| arm.bundles[at].as_ref());
            measured.next().map_or("?", |measured| &*measured.bundle)
        })
    }

    /// The queries that were measured in random orders of their tables, each with the places of its orders among the bundles.
    pub fn orders(&self) -> Vec<(&str, Vec<usize>)> {
        let mut orders: Vec<(&str, Vec<usize>)> = Vec::new();
        for (place, name) in self.names().enumerate() {
            let Some(query) = query_of(name) else {
                continue;
            };
            match orders.iter_mut().find(|(other, _)| *other == query) {
                Some((_, places)) => places.push(place),
                None => orders.push((query, vec![place])),
            }
        }
        orders
    }

    /// The plans whose results have rows, or those whose have none, with sums and ratios of their own.
    pub fn with_rows(&self, has_rows: bool) -> Self {
        let mut some = self.clone();
        for measured in some.arms.iter_mut().flat_map(|arm| &mut arm.bundles) {
            *measured = measured.take().filter(|one| (one.rows > 0) == has_rows);
        }
        some.summarise();
        some
    }

    /// Fills in sums and ratios.
    pub fn summarise(&mut self) {
        for at in 0..self.arms.len() {
            let first = (at > 0).then(|| &self.arms[0]);
            self.arms[at].summary = self.arms[at].summarise(first);
        }
    }

    /// The arm of this name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// The arms of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(move |arm| arm.kind == kind)
    }
}

fn rounds(samples: &[f64]) -> impl Iterator<Item = (u32, f64)> {
    (0..).zip(samples.iter().copied())
}

fn add(totals: &mut Vec<f64>, samples: &[f64]) {
    totals.resize(totals.len().max(samples.len()), 0.0);
    for (total, sample) in totals.iter_mut().zip(samples) {
        *total += sample;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(bundle: &str, samples: &[f64]) -> Option<Measured> {
        Some(Measured {
            bundle: bundle.to_owned(),
            rows: 1,
            checksum: Checksum(1),
            cold_seconds: 10.0,
            looks: 1,
            seconds: interval(samples, 1).unwrap(),
            samples: samples.to_vec(),
            peak_bytes: None,
            telemetry: None,
        })
    }

    #[test]
    fn ratios_leave_out_what_one_of_both_has_not() {
        let mut first = Arm::new("ours".to_owned(), Kind::Executor);
        first.bundles = vec![
            measured("a", &[1.0, 1.0, 2.0]),
            measured("b", &[4.0, 4.0, 8.0]),
            measured("c", &[1.0, 1.0, 1.0]),
        ];
        let mut peer = Arm::new("theirs".to_owned(), Kind::Peer);
        // Twice the time of `a`, eight times that of `b`; the machine is half as fast in the last round.
        peer.bundles = vec![
            measured("a", &[2.0, 2.0, 4.0]),
            measured("b", &[32.0, 32.0, 64.0]),
            None,
        ];
        let found = peer.summarise(Some(&first));
        assert_eq!((found.bundles, found.total_seconds), (2, 34.0));
        assert_eq!(found.cold_total_seconds, 20.0);
        assert!((found.geometric_mean_seconds - 8.0).abs() < 1e-12);
        let over = found.over_first.unwrap();
        assert_eq!((over.total.low, over.total.high), (34.0 / 5.0, 34.0 / 5.0));
        assert!((over.geometric_mean.median - 4.0).abs() < 1e-12);
        assert_eq!(first.summarise(None).over_first, None);
    }
}
