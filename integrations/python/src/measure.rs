//! `measure`: the harness's own experiment on the caller's keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::experiment::folder::Asked;
use harness::experiment::joins::Joins;
use harness::experiment::{Budget, Cells, Data, Progress, Runner, Shown, Stop, session};
use harness::machine;
use harness::nearest::did_you_mean;
use harness::peers::Found;
use harness::question::NamedKind;
use harness::workload::{Workload as Generated, answer, borrowed, keys_checksum, with_integers};
use join_core::compound::{KeyPart, Keys};
use join_core::kind::Kind;
use join_core::oracle;
use join_core::page::{DataType, PAGE_BYTES};
use join_core::parallel::Cancel;
use join_core::table::Column;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyTuple};
use registry::{HEADLINES, NotCompiled, TOGGLES, Toggle, Variant};
use report::record::{JOIN, Size, WorkloadRecord, read_run};

use crate::arguments;
use crate::error::Error;
use crate::how;
use crate::join::{Sides, variant};
use crate::keys::{self, KeyColumns};
use crate::progress::Bar;
use crate::runs::Run;
use crate::work::{Limits, THREADS, apart_to_the_end};

/// What large blocks of memory come from, as reports have it.
const ALLOCATOR: &str = "mimalloc; blocks from 1 MiB on pooled";

/// What is joined in a measurement.
enum Case {
    /// A workload of the generators.
    Generated(Arc<Generated>),
    /// Two key columns of the caller's.
    Given(Box<Sides>),
}

impl Case {
    fn of(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(workload) = value.cast::<crate::workload::Workload>() {
            return Ok(Self::Generated(workload.get().generated.clone()));
        }
        let pair = value.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2);
        let pair = pair.ok_or_else(|| {
            Error::Type(format!(
                "case {name:?} is neither a joinery.Workload nor a tuple of build and probe keys"
            ))
        })?;
        let sides = Sides::of_keys(&pair.get_item(0)?, &pair.get_item(1)?)?;
        let [build, probe] = sides.keys();
        keys::check(build, probe).map_err(|error| {
            let text = format!("case {name:?}: {}", error.text());
            error.saying(text)
        })?;
        Ok(Self::Given(Box::new(sides)))
    }
}

/// What is measured.
struct Request {
    cases: Vec<(String, Case)>,
    variants: Vec<Variant>,
    toggles: Vec<&'static Toggle>,
    threads: Vec<u32>,
    pairs: bool,
    kind: Kind,
    rounds: u32,
    seed: u64,
}

/// Key columns in pages, and the record of their join.
struct Prepared {
    record: WorkloadRecord,
    columns: Vec<(Column, Column)>,
}

impl Prepared {
    /// Copies keys into pages, and has the oracle join them.
    fn of(name: &str, sides: &Sides, kind: Kind, limits: Limits) -> Result<Self, Error> {
        let means = limits.means(sides.rows())?;
        let [build, probe] = sides.keys();
        let keys = KeyColumns::new(build, probe, &means)?;
        let columns = keys.with_parts(&means, |parts| {
            parts
                .iter()
                .map(|(build, probe)| (pages(build), pages(probe)))
                .collect::<Vec<_>>()
        })?;
        let bytes = |side: fn(&(Column, Column)) -> &Column| -> u64 {
            columns
                .iter()
                .map(|both| (side(both).pages().len() * PAGE_BYTES) as u64)
                .sum()
        };
        let types = columns.iter().map(|(build, _)| build.data_type().name());
        let keys = Keys::new(&borrowed(&columns))?;
        let sums = with_integers(&keys, &columns, |input| {
            oracle::sums_of_kind(input, kind, None)
        });
        let record = WorkloadRecord {
            name: name.to_owned(),
            group: None,
            experiment: JOIN.to_owned(),
            join_kind: NamedKind::unless_inner(kind),
            condition: None,
            payload_bytes: None,
            sentence: "keys that were given".to_owned(),
            build_rows: sides.build.rows() as u64,
            probe_rows: sides.probe.rows() as u64,
            key_type: types.collect::<Vec<_>>().join(", "),
            build_bytes: bytes(|both| &both.0),
            probe_bytes: bytes(|both| &both.1),
            expected: Some(answer(&sums)),
            keys: Some(keys_checksum(&columns, None)),
        };
        Ok(Self { record, columns })
    }
}

fn pages(part: &KeyPart<'_>) -> Column {
    match part {
        KeyPart::Int32(keys) => Column::from_options(keys.rows()),
        KeyPart::Int64(keys) => Column::from_options(keys.rows()),
        KeyPart::Varchar(strings) => {
            Column::from_strings((0..strings.len() as u32).map(|row| strings.get(row)))
        }
    }
}

impl Request {
    fn cells(&self, columns: &[(Column, Column)]) -> Result<Cells, NotCompiled> {
        let types: Vec<DataType> = columns.iter().map(|(build, _)| build.data_type()).collect();
        let shown = Shown {
            pairs: self.pairs,
            verified: match *types {
                [only] => only == DataType::Varchar,
                _ => types != [DataType::Int32; 2],
            },
        };
        let mut cells = Cells::default();
        cells.control(&self.variants[0], &self.threads)?;
        for variant in &self.variants {
            cells.variant(variant, &self.threads)?;
            cells.ablation(variant, &self.toggles, shown, &self.threads)?;
        }
        Ok(cells)
    }

    fn measure(
        &self,
        runner: &mut Runner<'_>,
        joins: &mut Joins<'_>,
        limits: Limits,
        refused: &mut Option<Error>,
    ) -> Result<(), Stop> {
        session::variants(runner, self.variants.iter().map(session::record_of))?;
        for (name, case) in &self.cases {
            let failed = |error: String| Stop::Workload(name.clone(), error);
            let prepared;
            let data = match case {
                Case::Generated(generated) => Data {
                    record: WorkloadRecord {
                        name: name.clone(),
                        ..generated.record()
                    },
                    columns: &generated.columns,
                    condition: generated.condition.as_ref(),
                    payload: generated.payload.as_ref(),
                    pairs: self.pairs,
                },
                Case::Given(sides) => {
                    let made = Prepared::of(name, sides, self.kind, limits);
                    prepared = made.map_err(|error| {
                        let stop = failed(error.text().to_owned());
                        *refused = Some(error);
                        stop
                    })?;
                    Data {
                        record: prepared.record.clone(),
                        columns: &prepared.columns,
                        condition: None,
                        payload: None,
                        pairs: self.pairs,
                    }
                }
            };
            let cells = self
                .cells(data.columns)
                .map_err(|error| failed(error.to_string()))?;
            let mut bench = joins.bench(&data, cells.into_vec()).map_err(failed)?;
            let budget = runner.budget();
            runner.case_unless_measured(&data.record, &mut bench, budget)?;
        }
        Ok(())
    }

    /// Measures into a folder, and reads what stands there.
    fn run(
        &self,
        out: &Path,
        limits: Limits,
        progress: impl FnOnce(usize) -> Progress,
        cancel: &Cancel,
    ) -> Result<report::record::Run, Error> {
        let interrupted = cancel.flag();
        let environment = machine::environment(ALLOCATOR);
        let asked = Asked {
            out: Some(out),
            resume: None,
            seed: self.seed,
            size: Size::Full,
            modes: vec!["measure".to_owned()],
            threads: self.threads.clone(),
            peers: &Found::default(),
            environment: &environment,
        };
        let budget = Budget::Samples {
            variant: self.rounds,
            peer: self.rounds,
        };
        let progress = || progress(self.cases.len());
        let mut joins = Joins::new(&environment, interrupted);
        // What is wrong with a case, which a run knows the sentence of alone.
        let mut refused = None;
        let finished = session::run(&asked, budget, progress, interrupted, |runner| {
            let measure = || self.measure(runner, &mut joins, limits, &mut refused);
            cancel.run(measure).unwrap_or(Err(Stop::Interrupted))
        });
        let finished = finished.map_err(|text| match refused {
            Some(error) => error.saying(text),
            None => Error::Value(text),
        })?;
        read_run(&finished.folder).map_err(Error::value)
    }
}

/// Measure variants in turns on the same keys, and check every answer.
///
/// This is the experiment of ``harness --sweep``: in each round every variant joins each case once, in a shuffled order, and
/// the first variant stands there twice, so that one sees what noise is.
///
/// Parameters
/// ----------
/// cases : dict, or another mapping
///     By name, a ``joinery.Workload``, or a tuple of build and probe keys as ``pairs`` takes them. They are copied into pages
///     once, which no time counts.
/// variants : str or list of str, optional
///     Of ``joinery.variants()``; ``"partitioned+batched"`` and ``"adaptive"`` by default.
/// toggles : str or list of str, optional
///     Of ``joinery.toggles()``: each of their settings is measured on each variant that has that part.
/// pairs : bool
///     Whether all pairs of rows are made; else they are counted and summed.
/// how : str
///     As of ``pairs``; a workload has its own.
/// threads : int or list of int, optional
///     All processors by default.
/// rounds : int
///     Samples of each, 1 or more.
/// seed : int
///     Of the order in each round.
/// out : path, optional
///     Where the run is to be kept, with its charts and its page, for ``read_run`` and the command line.
/// progress : bool
///     Whether a bar is shown on ``sys.stderr``, which a notebook shows below the cell.
/// allow_unoptimised : bool
///     Measure in a build whose times mean nothing.
///
/// Returns
/// -------
/// Run
///     The samples, as an Arrow stream in the fields of ``samples.jsonl``; ``.summary``, ``.environment``, ``.failures``.
///
/// Raises
/// ------
/// TypeError, ValueError, MemoryError
///     As ``pairs``.
/// KeyboardInterrupt
///     After Ctrl-C. With ``out``, what was measured until then is there.
#[pyfunction]
#[pyo3(signature = (cases, *, variants=None, toggles=None, pairs=false, how="inner", threads=None, rounds=10, seed=1, out=None, progress=true, allow_unoptimised=false))]
#[allow(clippy::too_many_arguments, reason = "named, in Python")]
pub(crate) fn measure(
    py: Python<'_>,
    cases: &Bound<'_, PyMapping>,
    variants: Option<&Bound<'_, PyAny>>,
    toggles: Option<&Bound<'_, PyAny>>,
    pairs: bool,
    how: &str,
    threads: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = rounds_of)] rounds: u32,
    #[pyo3(from_py_with = seed_of)] seed: u64,
    out: Option<PathBuf>,
    progress: bool,
    allow_unoptimised: bool,
) -> PyResult<Run> {
    if !(machine::optimised() || allow_unoptimised) {
        return Err(Error::value("this is an unoptimised build, whose times mean nothing; build it with --release, or allow it").into());
    }
    let limits = Limits::new(None, None)?;
    let request = Request {
        cases: named_cases(cases)?,
        variants: named_variants(arguments::names("variants", variants)?)?,
        toggles: named_toggles(arguments::names("toggles", toggles)?)?,
        threads: counts_of_threads(threads)?,
        pairs,
        kind: how::kind(how)?,
        rounds,
        seed,
    };
    let mut bar = Bar::default();
    let listener = progress.then(|| bar.listener());
    let progress = |cases| listener.map_or_else(Progress::silent, |to| Progress::told(cases, to));
    let work = move |cancel: &Cancel| match out {
        Some(out) => request.run(&out, limits, progress, cancel),
        None => {
            let folder = tempfile::tempdir().map_err(Error::value)?;
            request.run(&folder.path().join("run"), limits, progress, cancel)
        }
    };
    let run = apart_to_the_end(py, || bar.write(py), work);
    bar.finish(py)?;
    Ok(Run(run?))
}

fn rounds_of(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    Ok(arguments::whole("rounds", given, 1..=u32::MAX.into())? as u32)
}

fn seed_of(given: &Bound<'_, PyAny>) -> PyResult<u64> {
    arguments::whole("seed", given, 0..=u64::MAX)
}

fn counts_of_threads(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<u32>> {
    let counts = match given {
        None => return Ok(vec![machine::cores()]),
        Some(given) => arguments::wholes("threads", given, THREADS)?,
    };
    match counts.is_empty() {
        false => Ok(counts.into_iter().map(|count| count as u32).collect()),
        true => Err(Error::value("threads is empty; give a number of threads, or several").into()),
    }
}

fn named_cases(cases: &Bound<'_, PyMapping>) -> PyResult<Vec<(String, Case)>> {
    let items = cases.items()?;
    let cases = items.iter().map(|item| {
        let (name, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let Ok(text) = name.extract::<String>() else {
            return Err(arguments::wrong_type("the name of a case", &name, "a str"));
        };
        let case = Case::of(&text, &value)?;
        Ok((text, case))
    });
    let cases: Vec<_> = cases.collect::<PyResult<_>>()?;
    match cases.is_empty() {
        false => Ok(cases),
        true => Err(Error::value(
            "there are no cases; give a dict of name to workload, or to build and probe keys",
        )
        .into()),
    }
}

fn named_variants(names: Option<Vec<String>>) -> Result<Vec<Variant>, Error> {
    let names = names.unwrap_or_else(|| HEADLINES.map(str::to_owned).to_vec());
    match names.is_empty() {
        false => names.iter().map(|name| variant(name)).collect(),
        true => Err(Error::value(
            "there are no variants; name one of joinery.variants()",
        )),
    }
}

fn named_toggles(names: Option<Vec<String>>) -> Result<Vec<&'static Toggle>, Error> {
    let toggle = |name: &String| {
        registry::toggle(name).ok_or_else(|| {
            let suggestion = did_you_mean(name, TOGGLES.iter().map(|toggle| toggle.name));
            Error::Value(format!(
                "there is no toggle {name:?}{suggestion}; joinery.toggles() has all of them"
            ))
        })
    };
    names.unwrap_or_default().iter().map(toggle).collect()
}
