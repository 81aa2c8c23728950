//! Arguments as Python gives them. What does not fit is refused in a sentence that names the argument.

use std::ops::RangeInclusive;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::Error;

/// A name or several, or None.
///
/// # Errors
///
/// It is something else.
pub(crate) fn names(
    argument: &str,
    given: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Vec<String>>> {
    let Some(given) = given else {
        return Ok(None);
    };
    if let Ok(one) = given.extract::<String>() {
        return Ok(Some(vec![one]));
    }
    // One that is no UTF-8.
    if let Ok(text) = given.cast::<PyString>() {
        text.to_str()?;
    }
    let several = given.extract::<Vec<String>>();
    several
        .map(Some)
        .map_err(|_| wrong_type(argument, given, "a str or a list of str"))
}

/// A whole number of a range.
///
/// # Errors
///
/// It is none, or outside of the range.
pub(crate) fn whole(
    argument: &str,
    given: &Bound<'_, PyAny>,
    range: RangeInclusive<u64>,
) -> PyResult<u64> {
    let is_too_large = |error: &PyErr| error.is_instance_of::<PyOverflowError>(given.py());
    match given.extract::<u64>() {
        Ok(number) if range.contains(&number) => Ok(number),
        Err(error) if !is_too_large(&error) => Err(wrong_type(argument, given, "an int")),
        _ => Err(Error::Value(format!(
            "{argument} is {}; give {} to {}",
            given.str()?,
            range.start(),
            range.end()
        ))
        .into()),
    }
}

/// Whole numbers of a range: one, or several.
///
/// # Errors
///
/// As [`whole`].
pub(crate) fn wholes(
    argument: &str,
    given: &Bound<'_, PyAny>,
    range: RangeInclusive<u64>,
) -> PyResult<Vec<u64>> {
    match given.extract::<Vec<Bound<'_, PyAny>>>() {
        Ok(several) => several
            .iter()
            .map(|one| whole(argument, one, range.clone()))
            .collect(),
        Err(_) => Ok(vec![whole(argument, given, range)?]),
    }
}

/// The refusal of a value whose type is none that is wanted.
pub(crate) fn wrong_type(argument: &str, given: &Bound<'_, PyAny>, wanted: &str) -> PyErr {
    match given.get_type().name() {
        Ok(name) => Error::Type(format!("{argument} is of type {name}; give {wanted}")).into(),
        Err(error) => error,
    }
}
