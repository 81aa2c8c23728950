//! `join`: two frames in, a table out.

use pyo3::prelude::*;

use crate::arguments;
use crate::columns::Outputs;
use crate::error::Error;
use crate::export::Table;
use crate::how::{self, Order};
use crate::import::Frame;
use crate::join::{Question, Sides, variant};
use crate::work::{Limits, apart};

/// The variant that looks first and picks one.
const ADAPTIVE: &str = "adaptive";

/// What is picked for frames: partitioning both sides finds pairs sooner, but in an order in which gathering the columns of
/// either side is one cache miss per value. This one finds them by probe row.
const IN_PROBE_ORDER: &str = "array+batched";

/// The columns of a frame that have these names.
fn keys(frame: &Frame, names: &[String]) -> Result<Vec<usize>, Error> {
    let number = |name: &String| {
        let columns = frame.columns.iter().enumerate();
        let mut found = columns.filter(|(_, column)| column.field.name() == name);
        let (found, other) = (found.next(), found.next());
        if other.is_some() {
            return Err(Error::Value(format!(
                "{} has several columns {name:?}; rename them",
                frame.what
            )));
        }
        found.map(|(number, _)| number).ok_or_else(|| {
            let names = frame
                .columns
                .iter()
                .map(|column| column.field.name().as_str());
            let suggestion = harness::nearest::did_you_mean(name, names);
            Error::Value(format!("{} has no column {name:?}{suggestion}", frame.what))
        })
    };
    names.iter().map(number).collect()
}

/// Both frames, and their keys.
fn sides(
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    on: Option<Vec<String>>,
    (left_on, right_on): (Option<Vec<String>>, Option<Vec<String>>),
) -> PyResult<Sides> {
    let (left_on, right_on) = match (&on, &left_on, &right_on) {
        (Some(on), None, None) => (on, on),
        (None, Some(left_on), Some(right_on)) => (left_on, right_on),
        _ => return Err(Error::value("give the keys as on, or as left_on and right_on").into()),
    };
    let [build, probe] = Frame::read_both(["left", "right"], [left, right])?;
    for frame in [&build, &probe] {
        if frame.is_column {
            let what = frame.what;
            return Err(Error::Type(format!(
                "{what} is a column; give a frame, or join columns with joinery.pairs"
            ))
            .into());
        }
    }
    Ok(Sides {
        build_keys: keys(&build, left_on)?,
        probe_keys: keys(&probe, right_on)?,
        build,
        probe,
    })
}

/// Join two frames on columns of equal values.
///
/// Parameters
/// ----------
/// left, right : anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``
///     Frames of polars, pyarrow, pandas (with pyarrow installed), DuckDB or another library. They are read where they lie.
/// on : str or list of str
///     The key columns, where both frames call them the same; else ``left_on`` and ``right_on``.
/// how : str
///     ``"inner"``, ``"left"``, ``"right"``, ``"full"``; ``"semi"``, ``"anti"``, ``"anti_null_aware"`` (``NOT IN``) and
///     ``"mark"`` return the left frame's columns alone, a mark join with a column ``mark`` of bool; ``"right_semi"`` and
///     ``"right_anti"`` those of the right frame.
/// nulls_equal : bool
///     Whether a NULL key equals another one.
/// columns : str or list of str, optional
///     The columns of the result, by the names that they have in it; all by default.
/// suffix : str
///     What the name of a right column gets where the left frame has one of that name.
/// order : None or "probe"
///     ``"probe"``: in order of the right rows, then of the left rows; rows without a right row come last.
/// variant : str
///     As of ``pairs``; ``"adaptive"`` is ``"array+batched"`` here, whose pairs come nearly in order of the right rows, so that
///     columns are gathered sooner than pairs were found later.
/// threads, memory
///     As of ``pairs``.
///
/// Returns
/// -------
/// Table
///     The left columns, then the right ones, of the types that they had. As polars does by default, keys stand there once,
///     except in a full join; of a right join, they are the right ones.
///
/// Raises
/// ------
/// TypeError
///     A column cannot be a key or be carried, or the keys' types are not compared. Names the column.
/// ValueError
///     An argument or a column that there is not, two columns of one name, or data that make no sense.
/// MemoryError
///     More memory than ``memory`` was asked for; says how much.
#[pyfunction]
#[pyo3(signature = (left, right, on=None, *, left_on=None, right_on=None, how="inner", nulls_equal=false, columns=None, suffix="_right", order=None, variant="adaptive", threads=None, memory=None))]
#[allow(clippy::too_many_arguments, reason = "named, in Python")]
pub(crate) fn join(
    py: Python<'_>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    on: Option<&Bound<'_, PyAny>>,
    left_on: Option<&Bound<'_, PyAny>>,
    right_on: Option<&Bound<'_, PyAny>>,
    how: &str,
    nulls_equal: bool,
    columns: Option<&Bound<'_, PyAny>>,
    suffix: &str,
    order: Option<&str>,
    variant: &str,
    threads: Option<&Bound<'_, PyAny>>,
    memory: Option<&Bound<'_, PyAny>>,
) -> PyResult<Table> {
    let kind = how::kind(how)?;
    let order = Order::named(order)?;
    let limits = Limits::new(threads, memory)?;
    let question = Question {
        kind,
        nulls_equal,
        variant: self::variant(match variant {
            ADAPTIVE => IN_PROBE_ORDER,
            other => other,
        })?,
    };
    let on = arguments::names("on", on)?;
    let of_sides = (
        arguments::names("left_on", left_on)?,
        arguments::names("right_on", right_on)?,
    );
    let columns = arguments::names("columns", columns)?;
    let sides = sides(left, right, on, of_sides)?;
    let outputs = Outputs::new(&sides, kind, suffix, columns)?;
    apart(py, move || {
        outputs.joined(&sides, &question, order, &limits.means(sides.rows())?)
    })
}
