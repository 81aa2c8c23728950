//! `harness verify`: every variant, toggle and workload once, checked against the oracle, without timing.

mod answers;
mod at_hand;
mod random;

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};

use join_core::checksum::checksum_int64_row;
use join_core::compound::Keys;
use join_core::join::{Context, DynJoin, JoinInput, Side};
use join_core::kind::Kind;
use join_core::memory::{Memory, process};
use join_core::oracle;
use join_core::output::{Consumer, Pair, PairConsumer, Results};
use join_core::parallel::Team;
use join_core::table::Column;

use super::Ending;
use super::plan::verify::verify;
use super::select::select;
use crate::console::counted;
use crate::experiment::{Cells, Shown, Work};
use crate::machine;
use crate::question::{Less, Payload, Question};
use crate::workload::{Instance, borrowed, with_integers};
use registry::{Configuration, TOGGLES, Variant, variants};
use report::record::Size;

/// Pages of each side that are joined.
const PAGES: (usize, usize) = (4, 8);

/// Pairs that a join may have: as many as a page of one key has with another. All variants write them all out.
const MOST_PAIRS: u64 = 1 << 22;

/// Thread counts: alone, and with others.
const THREADS: [u32; 2] = [1, 3];

/// Rows of one key, where a key has many.
const ONE_KEY: usize = 1 << 20;

/// A workload cut to a few pages, or what stands in for one, and its answer by the oracle.
struct Small {
    name: String,
    /// Whether it is large after all, so that a variant's own configuration does.
    once: bool,
    kind: Kind,
    condition: Option<Less>,
    payload: Option<Payload>,
    columns: Vec<(Column, Column)>,
    rows: u64,
    /// Of all pairs of rows.
    checksum: u64,
}

/// Arguments of `verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only workloads and variants whose names match, as for `--sweep`
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub only: Vec<String>,
    /// Joins drawn at random, in place of the workloads: each through every variant, toggles drawn at random too
    #[arg(long, value_name = "N", group = "drawn")]
    pub random: Option<NonZeroU64>,
    /// Joins of few rows drawn at random, of every kind, key and condition: each with the answer of one variant as a line of
    /// JSON, for another engine to check
    #[arg(long, value_name = "N", group = "drawn")]
    pub answers: Option<NonZeroU64>,
    /// Seed of the first random join; each next one has the next seed [default: 0]
    #[arg(long, value_name = "S", requires = "drawn")]
    pub seed: Option<u64>,
}

/// Checks what is asked for.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    let seed = args.seed.unwrap_or(0);
    match (args.random, args.answers) {
        (Some(joins), _) => random::run(joins, seed, &args.only),
        (_, Some(joins)) => answers::run(joins, seed, &args.only),
        _ => everything(&args.only),
    }
}

/// Checks everything that the patterns name.
fn everything(only: &[String]) -> Result<(), Ending> {
    let selection = select(only, Size::Quick)?;
    let mut checked = variants();
    if selection.variants_named {
        checked.retain(|variant| {
            let mut named = selection.variants.iter();
            named.any(|other| other.name == variant.name)
        });
    }
    if selection.workloads.is_empty() {
        checked.clear();
    }
    let mut workloads = small(&selection.workloads)?;
    if !selection.workloads_named {
        workloads.extend(of_one_key());
    }
    let mut wrong = 0;
    for variant in &checked {
        let faults = check(variant, &workloads)?;
        if faults.is_empty() {
            say!("ok     {}", variant.name);
        }
        for fault in &faults {
            say!("WRONG  {fault}");
        }
        wrong += faults.len();
    }
    let (plans, faults) = verify(&selection.plans)?;
    for fault in &faults {
        say!("WRONG  {fault}");
    }
    wrong += faults.len();
    if plans > 0 && faults.is_empty() {
        say!("ok     all executors on {plans} plans");
    }
    match wrong {
        0 => {
            say!(
                "{} and {} agree with the oracle on {}",
                counted(checked.len(), "variant"),
                counted(TOGGLES.len(), "toggle"),
                counted(workloads.len(), "workload")
            );
            Ok(())
        }
        _ => Err(Ending::Wrong(format!("{wrong} wrong answers"))),
    }
}

/// The first pages of each workload, fewer where they would have too many pairs; of a ladder, its last rung.
fn small(instances: &[Instance]) -> Result<Vec<Small>, Ending> {
    let mut found = Vec::new();
    for (index, instance) in instances.iter().enumerate() {
        let next = instances.get(index + 1);
        let is_rung = instance.group.is_some();
        if is_rung && next.is_some_and(|next| next.group == instance.group) {
            continue;
        }
        let workload = instance
            .generate(None, NonZeroUsize::MIN)
            .map_err(Ending::usage)?;
        let mut columns = cut(&workload.columns, PAGES);
        loop {
            let (build, probe) = &columns[0];
            let pages = (build.pages().len(), probe.pages().len());
            let keys = Keys::new(&borrowed(&columns)).map_err(Ending::usage)?;
            let pairs = with_integers(&keys, &columns, |input| oracle::sort_merge(input).rows);
            // Whatever is asked besides, all of these are looked at.
            if pairs <= MOST_PAIRS || pages.0.max(pages.1) <= 1 {
                break;
            }
            columns = cut(&columns, (pages.0.div_ceil(2), pages.1.div_ceil(2)));
        }
        let keys = Keys::new(&borrowed(&columns)).map_err(Ending::usage)?;
        let question = Question {
            kind: instance.kind,
            condition: workload.condition.as_ref(),
            pairs: false,
            payload: None,
        };
        let pairs = with_integers(&keys, &columns, |input| {
            oracle::of_kind(input, &question.semantics())
        });
        drop(keys);
        let payload = (instance.payload_bytes > 0).then(|| {
            let (build, probe) = &columns[0];
            let rows = (build.row_count(), probe.row_count());
            Payload::new(
                instance.payload_columns(),
                rows.0,
                rows.1,
                NonZeroUsize::MIN,
            )
        });
        found.push(Small {
            condition: workload.condition.clone(),
            payload,
            ..Small::new(instance.name.clone(), instance.kind, &pairs, columns)
        });
    }
    Ok(found)
}

impl Small {
    fn new(name: String, kind: Kind, results: &[Pair], columns: Vec<(Column, Column)>) -> Self {
        Self {
            name,
            once: false,
            kind,
            condition: None,
            payload: None,
            rows: results.len() as u64,
            checksum: results
                .iter()
                .fold(0, |sum, pair| sum.wrapping_add(hash(pair))),
            columns,
        }
    }
}

/// Joins of a key that a million probe rows have.
fn of_one_key() -> Vec<Small> {
    let kinds = [
        Kind::FullOuter,
        Kind::Semi(Side::Build),
        Kind::Mark(Side::Probe),
    ];
    let joins = kinds.map(|kind| {
        let build = Column::from_options([Some(7), None, Some(8), Some(7)]);
        let probe = std::iter::repeat_n(Some(7), ONE_KEY).chain([None, Some(9)]);
        let columns = vec![(build, Column::from_options(probe))];
        let input = JoinInput::new(&columns[0].0, &columns[0].1).expect("two INT32 columns");
        let results = oracle::of_kind(&input, &kind.into());
        drop(input);
        Small {
            once: true,
            ..Small::new(
                format!("one key in {ONE_KEY} rows, {kind}"),
                kind,
                &results,
                columns,
            )
        }
    });
    joins.into()
}

/// The first pages of columns, so many of the build and so many of the probe side's.
fn cut(columns: &[(Column, Column)], pages: (usize, usize)) -> Vec<(Column, Column)> {
    let first = |column: &Column, pages: usize| {
        let pages = column.pages().iter().take(pages).cloned().collect();
        Column::from_trusted_pages(column.data_type(), pages)
    };
    let columns = columns.iter();
    columns
        .map(|(build, probe)| (first(build, pages.0), first(probe, pages.1)))
        .collect()
}

/// What a variant answers wrongly, in its own configuration and in that of every toggle that it has.
fn check(variant: &Variant, workloads: &[Small]) -> Result<Vec<String>, Ending> {
    let mut faults = Vec::new();
    let mut cells = Cells::default();
    cells.variant(variant, &[1]).map_err(Ending::usage)?;
    let toggles: Vec<_> = TOGGLES.iter().collect();
    for pairs in [false, true] {
        let shown = Shown {
            pairs,
            verified: true,
        };
        cells
            .ablation(variant, &toggles, shown, &[1])
            .map_err(Ending::usage)?;
    }
    for cell in cells.into_vec() {
        let Work::Join {
            configuration,
            join,
        } = &cell.work
        else {
            continue;
        };
        process::set(configuration.source, configuration.huge_pages);
        for threads in THREADS {
            let team = machine::team(threads, configuration.thread_start)
                .map_err(Ending::usage)?
                .parallel_from(0);
            let is_own = cell.contender.name.toggles.is_empty();
            for workload in workloads.iter().filter(|workload| is_own || !workload.once) {
                if let Err(fault) = check_one(&**join, configuration, workload, &team) {
                    let toggles = &cell.contender.name.toggles;
                    faults.push(format!(
                        "{} {toggles:?} on {} with {threads} threads: {fault}",
                        variant.name, workload.name
                    ));
                }
            }
        }
    }
    process::trim();
    Ok(faults)
}

fn check_one(
    join: &dyn DynJoin,
    configuration: &Configuration,
    workload: &Small,
    team: &Team,
) -> Result<(), String> {
    let keys = Keys::new(&borrowed(&workload.columns)).map_err(|e| e.to_string())?;
    let memory = Memory::unlimited();
    let context = Context {
        verify: configuration.verify,
        ..Context::new(team, &memory)
    };
    let question = Question {
        kind: workload.kind,
        condition: workload.condition.as_ref(),
        pairs: false,
        payload: None,
    };
    let semantics = question.semantics();
    let outcome = semantics
        .join_keys(join, &keys, &context)
        .map_err(|e| e.to_string())?;
    let rows = outcome.results.aggregate().map_or(0, |sums| sums.rows);
    if rows != workload.rows {
        return Err(format!("counted {rows} rows, not {}", workload.rows));
    }
    if let Some(payload) = &workload.payload {
        check_rows(join, &keys, payload, &outcome.results, &context)?;
    }
    let streamed = Streamed::default();
    let consumer = Consumer::of_pairs(configuration.placement(), &streamed);
    let outcome = semantics
        .join_keys(join, &keys, &context.with_consumer(consumer))
        .map_err(|e| e.to_string())?;
    let (rows, checksum) = match outcome.results {
        Results::Pairs(pairs) => (
            pairs.iter().count() as u64,
            pairs
                .iter()
                .fold(0, |sum: u64, pair| sum.wrapping_add(hash(&pair))),
        ),
        Results::Streamed => (
            streamed.rows.load(Ordering::Relaxed),
            streamed.checksum.load(Ordering::Relaxed),
        ),
        Results::Aggregate(_) => return Err("summed where pairs were wanted".to_owned()),
    };
    if (rows, checksum) != (workload.rows, workload.checksum) {
        return Err(format!(
            "{rows} pairs with checksum {checksum:016x}, not {} with {:016x}",
            workload.rows, workload.checksum
        ));
    }
    Ok(())
}

/// Whether the rows of an inner join are those that it counted and summed, whenever their values are fetched.
fn check_rows(
    join: &dyn DynJoin,
    keys: &Keys<'_>,
    payload: &Payload,
    counted: &Results,
    context: &Context<'_>,
) -> Result<(), String> {
    let sources = payload.sources();
    let early = sources
        .early(join, keys, context)
        .map_err(|e| e.to_string())?;
    let late = sources
        .late(join, keys, &Kind::Inner.into(), context)
        .map_err(|e| e.to_string())?;
    let counted = counted.aggregate();
    for (when, rows) in [("early", early.1), ("late", late.1)] {
        let made = payload.sums(&rows);
        if Some(made) != counted {
            return Err(format!("rows made {when} of {made:?}, not of {counted:?}"));
        }
    }
    Ok(())
}

fn hash(pair: &Pair) -> u64 {
    checksum_int64_row(&[i64::from(pair.build), i64::from(pair.probe)])
}

/// Count and checksum of pairs that are handed on.
#[derive(Default)]
struct Streamed {
    rows: AtomicU64,
    checksum: AtomicU64,
}

impl PairConsumer for Streamed {
    fn consume(&self, _: usize, pairs: &[Pair]) {
        let sum = pairs
            .iter()
            .fold(0, |sum: u64, pair| sum.wrapping_add(hash(pair)));
        self.rows.fetch_add(pairs.len() as u64, Ordering::Relaxed);
        self.checksum.fetch_add(sum, Ordering::Relaxed);
    }
}
