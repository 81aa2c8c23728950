//! `pairs`, `count` and `explain`: joins of keys alone.

use std::time::Instant;

use arrow_schema::{Field, Schema};
use join_core::join::{Outcome, Side};
use join_core::kind::Kind;
use join_core::output::{Aggregate, Consumer};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error::Error;
use crate::export::{Array, Table};
use crate::how::{self, Order};
use crate::join::{Question, Sides, variant};
use crate::rows::{RowPairs, no_numbers, numbers, truths};
use crate::work::{Limits, Means, apart};

/// The result of `pairs`: two columns of row numbers.
#[pyclass(frozen, module = "joinery")]
pub struct Pairs {
    /// Rows of the build side, uint32, NULL where there is none.
    #[pyo3(get)]
    build: Py<Array>,
    /// Rows of the probe side, uint32, NULL where there is none.
    #[pyo3(get)]
    probe: Py<Array>,
    /// Of a mark join: whether the row has a partner, NULL where that is not known. Else None.
    #[pyo3(get)]
    mark: Option<Py<Array>>,
}

#[pymethods]
impl Pairs {
    /// Pairs.
    fn __len__(&self) -> usize {
        self.build.get().data().len()
    }

    /// `build, probe = pairs(…)`
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let both = PyTuple::new(py, [&self.build, &self.probe])?;
        Ok(both.try_iter()?.into_any())
    }

    fn __repr__(&self) -> String {
        format!("<joinery.Pairs of {} rows>", self.__len__())
    }

    /// A table of the columns `build`, `probe`, and `mark` where there is one.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let named = [
            ("build", Some(&self.build)),
            ("probe", Some(&self.probe)),
            ("mark", self.mark.as_ref()),
        ];
        let columns = named
            .into_iter()
            .filter_map(|(name, array)| Some((name, array?.get().data())));
        let (fields, columns): (Vec<Field>, Vec<_>) = columns
            .map(|(name, data)| {
                (
                    Field::new(name, data.data_type().clone(), true),
                    data.clone(),
                )
            })
            .unzip();
        let table = Table::new(Schema::new(fields), vec![(self.__len__(), columns)])?;
        Bound::new(py, table)?.call_method1("__arrow_c_stream__", (requested_schema,))
    }
}

/// The result of `count`.
#[pyclass(frozen, get_all, eq, module = "joinery")]
#[derive(PartialEq)]
pub struct Count {
    /// Results.
    rows: u64,
    /// Sum of the results' build row numbers, modulo 2**64.
    sum_build: u64,
    /// Sum of the results' probe row numbers, modulo 2**64.
    sum_probe: u64,
}

#[pymethods]
impl Count {
    fn __repr__(&self) -> String {
        let Self {
            rows,
            sum_build,
            sum_probe,
        } = self;
        format!("Count(rows={rows}, sum_build={sum_build}, sum_probe={sum_probe})")
    }
}

/// What `pairs`, `count` and `explain` are all given.
struct Call {
    sides: Sides,
    question: Question,
    limits: Limits,
}

impl Call {
    fn new(
        (build, probe): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
        how: &str,
        nulls_equal: bool,
        of_variant: &str,
        (threads, memory): (Option<&Bound<'_, PyAny>>, Option<&Bound<'_, PyAny>>),
    ) -> PyResult<Self> {
        let question = Question {
            kind: how::kind(how)?,
            nulls_equal,
            variant: variant(of_variant)?,
        };
        let limits = Limits::new(threads, memory)?;
        Ok(Self {
            sides: Sides::of_keys(build, probe)?,
            question,
            limits,
        })
    }

    fn means(&self) -> Result<Means, Error> {
        self.limits.means(self.sides.rows())
    }
}

/// Arrays of a [`Pairs`]: build, probe, mark.
type Columns = (Array, Array, Option<Array>);

fn columns(call: &Call, order: Order) -> Result<Columns, Error> {
    let (kind, means) = (call.question.kind, call.means()?);
    let rows = call.sides.row_pairs(&call.question, order, &means)?;
    let len = rows.len();
    let array = |name: &str, side: Side, rows| -> Result<Array, Error> {
        let numbers = match how::has_rows(kind, side) {
            true => numbers(rows, how::lacks_rows(kind, side)),
            false => no_numbers(len, &means.memory),
        };
        Ok(Array::new(name, numbers?))
    };
    let mark = match kind {
        Kind::Mark(side) => Some(Array::new(
            "mark",
            truths(side.other().of(&rows.build, &rows.probe)).map_err(Error::value)?,
        )),
        _ => None,
    };
    let RowPairs { build, probe, .. } = rows;
    Ok((
        array("build", Side::Build, build)?,
        array("probe", Side::Probe, probe)?,
        mark,
    ))
}

/// Join two key columns, or frames of key columns, and return the pairs of row numbers.
///
/// Parameters
/// ----------
/// build, probe : anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``
///     A column of keys, or a frame of nothing but key columns. They are read where they lie; converted are booleans,
///     integers of less than 4 bytes, floating-point numbers and dictionaries.
/// how : str
///     ``"inner"``, ``"left"``, ``"right"``, ``"full"``, ``"semi"``, ``"anti"``, ``"mark"``, ``"right_semi"``,
///     ``"right_anti"`` or ``"anti_null_aware"`` (``NOT IN``). The build side is the left one.
/// nulls_equal : bool
///     Whether a NULL key equals another one.
/// order : None or "probe"
///     ``"probe"``: by probe row, then by build row; rows without a probe row come last.
/// variant : str
///     One of ``joinery.variants()``.
/// threads : int, optional
///     Threads, all processors by default.
/// memory : int or str, optional
///     The most bytes that the join may hold at a time, its results among them, as a number or as ``"4GiB"``. By default nine
///     tenths of what the machine has left. Nothing is ever written to disk.
///
/// Returns
/// -------
/// Pairs
///     ``.build`` and ``.probe``, uint32 arrays of the same length, NULL where a row has no partner; of a mark join also
///     ``.mark``, bool.
///
/// Raises
/// ------
/// TypeError
///     A column cannot be a key, or the two sides' types are not compared. Names the column.
/// ValueError
///     An argument that there is not, or data that make no sense.
/// MemoryError
///     More memory than ``memory`` was asked for; says how much.
#[pyfunction]
#[pyo3(signature = (build, probe, *, how="inner", nulls_equal=false, order=None, variant="adaptive", threads=None, memory=None))]
#[allow(clippy::too_many_arguments, reason = "named, in Python")]
pub(crate) fn pairs(
    py: Python<'_>,
    build: &Bound<'_, PyAny>,
    probe: &Bound<'_, PyAny>,
    how: &str,
    nulls_equal: bool,
    order: Option<&str>,
    variant: &str,
    threads: Option<&Bound<'_, PyAny>>,
    memory: Option<&Bound<'_, PyAny>>,
) -> PyResult<Pairs> {
    let order = Order::named(order)?;
    let call = Call::new((build, probe), how, nulls_equal, variant, (threads, memory))?;
    let (build, probe, mark) = apart(py, move || columns(&call, order))?;
    Ok(Pairs {
        build: Py::new(py, build)?,
        probe: Py::new(py, probe)?,
        mark: mark.map(|mark| Py::new(py, mark)).transpose()?,
    })
}

/// Join two key columns, or frames of key columns, and count the results.
///
/// Takes what ``pairs`` takes, but no order, and keeps no pairs.
///
/// Returns
/// -------
/// Count
///     ``rows``, and ``sum_build`` and ``sum_probe``: the sums of the results' row numbers, modulo 2**64. In place of a row
///     that there is not, 2**32 - 1 is summed; in place of a mark 0 (false), 1 (true) or 2 (not known).
///
/// Raises
/// ------
/// TypeError, ValueError, MemoryError
///     As ``pairs``.
#[pyfunction]
#[pyo3(signature = (build, probe, *, how="inner", nulls_equal=false, variant="adaptive", threads=None, memory=None))]
#[allow(clippy::too_many_arguments, reason = "named, in Python")]
pub(crate) fn count(
    py: Python<'_>,
    build: &Bound<'_, PyAny>,
    probe: &Bound<'_, PyAny>,
    how: &str,
    nulls_equal: bool,
    variant: &str,
    threads: Option<&Bound<'_, PyAny>>,
    memory: Option<&Bound<'_, PyAny>>,
) -> PyResult<Count> {
    let call = Call::new((build, probe), how, nulls_equal, variant, (threads, memory))?;
    let counted = apart(py, move || {
        let outcome = call
            .sides
            .join(&call.question, Consumer::Aggregate, &call.means()?)?;
        counted(&outcome)
    })?;
    Ok(Count {
        rows: counted.rows,
        sum_build: counted.sum_build,
        sum_probe: counted.sum_probe,
    })
}

fn counted(outcome: &Outcome) -> Result<Aggregate, Error> {
    let missing = || Error::Fault("a join that was asked to count did not".to_owned());
    outcome.results.aggregate().ok_or_else(missing)
}

/// Join two key columns, or frames of key columns, and say how that went.
///
/// Takes what ``count`` takes.
///
/// Returns
/// -------
/// dict
///     ``variant``, ``how``, ``threads``, ``build_rows``, ``probe_rows``, ``rows`` of the result, ``seconds`` in all,
///     ``phases`` (seconds by name, in order), ``table_bytes`` of the finished table, ``peak_bytes`` held at a time, and
///     ``notes``: what was seen and picked, in words.
///
/// Raises
/// ------
/// TypeError, ValueError, MemoryError
///     As ``pairs``.
#[pyfunction]
#[pyo3(signature = (build, probe, *, how="inner", nulls_equal=false, variant="adaptive", threads=None, memory=None))]
#[allow(clippy::too_many_arguments, reason = "named, in Python")]
pub(crate) fn explain<'py>(
    py: Python<'py>,
    build: &Bound<'py, PyAny>,
    probe: &Bound<'py, PyAny>,
    how: &str,
    nulls_equal: bool,
    variant: &str,
    threads: Option<&Bound<'py, PyAny>>,
    memory: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let call = Call::new((build, probe), how, nulls_equal, variant, (threads, memory))?;
    let said = PyDict::new(py);
    said.set_item("variant", variant)?;
    said.set_item("how", how)?;
    said.set_item("build_rows", call.sides.build.rows())?;
    said.set_item("probe_rows", call.sides.probe.rows())?;
    let (outcome, seconds, threads, peak) = apart(py, move || {
        let means = call.means()?;
        let start = Instant::now();
        let outcome = call
            .sides
            .join(&call.question, Consumer::Aggregate, &means)?;
        Ok((
            outcome,
            start.elapsed().as_secs_f64(),
            means.team.threads(),
            means.memory.peak(),
        ))
    })?;
    said.set_item("rows", counted(&outcome)?.rows)?;
    said.set_item("threads", threads)?;
    said.set_item("seconds", seconds)?;
    let phases = PyDict::new(py);
    for phase in outcome.phases.list() {
        phases.set_item(phase.name, phase.seconds)?;
    }
    said.set_item("phases", phases)?;
    said.set_item("table_bytes", outcome.table_bytes)?;
    said.set_item("peak_bytes", peak)?;
    said.set_item("notes", outcome.notes)?;
    Ok(said)
}
