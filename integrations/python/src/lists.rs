//! `variants`, `toggles` and `workloads`: what there is, by name, as tables.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{Array as _, ArrayRef, BooleanArray, StringArray, UInt64Array};
use arrow_schema::{Field, Schema};
use harness::workload;
use pyo3::prelude::*;
use registry::{TOGGLES, default_variant};
use report::record::Size;

use crate::error::Error;
use crate::export::Table;

/// A table of named columns of equally many rows.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> Result<Table, Error> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let fields = columns.iter().map(|(name, column)| {
        let nullable = column.null_count() > 0 || !column.data_type().is_primitive();
        Field::new(*name, column.data_type().clone(), nullable)
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = columns.iter().map(|(_, column)| column.to_data()).collect();
    Table::new(schema, vec![(rows, columns)])
}

/// A column of texts.
pub(crate) fn texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

/// A column of texts, some of which may be missing.
pub(crate) fn some_texts<T: AsRef<str>>(texts: impl IntoIterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(texts.into_iter().collect::<StringArray>())
}

/// A column of lists of texts.
pub(crate) fn lists<T: AsRef<str>, L: IntoIterator<Item = T>>(
    lists: impl IntoIterator<Item = L>,
) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in lists {
        builder.append_value(list.into_iter().map(Some));
    }
    Arc::new(builder.finish())
}

/// The variants of a join.
///
/// Returns
/// -------
/// Table
///     ``name``, ``family``, ``build`` and ``probe`` (of a join that is both; else NULL), ``curated`` (whether a sweep of the
///     command line measures it unasked), ``description``.
#[pyfunction]
pub(crate) fn variants() -> PyResult<Table> {
    let all = registry::variants();
    let of = |text: fn(&registry::Variant) -> String| texts(all.iter().map(text));
    Ok(table(vec![
        ("name", of(|variant| variant.name.clone())),
        ("family", of(|variant| variant.family.to_owned())),
        ("build", some_texts(all.iter().map(|variant| variant.build))),
        ("probe", some_texts(all.iter().map(|variant| variant.probe))),
        (
            "curated",
            Arc::new(BooleanArray::from_iter(
                all.iter().map(|variant| Some(variant.curated)),
            )),
        ),
        ("description", of(|variant| variant.description.clone())),
    ])?)
}

/// The toggles that ``measure`` can switch, one at a time.
///
/// Returns
/// -------
/// Table
///     ``name``, ``settings`` (list of str), ``default`` (one of them), ``description``.
#[pyfunction]
pub(crate) fn toggles() -> PyResult<Table> {
    let base = default_variant().base;
    let settings = TOGGLES
        .iter()
        .map(|toggle| toggle.settings.iter().map(|setting| setting.name));
    let default = TOGGLES.iter().map(|toggle| {
        let mut settings = toggle.settings.iter();
        settings
            .find(|setting| setting.of(&base) == base)
            .map(|setting| setting.name)
    });
    Ok(table(vec![
        ("name", texts(TOGGLES.iter().map(|toggle| toggle.name))),
        ("settings", lists(settings)),
        ("default", some_texts(default)),
        (
            "description",
            texts(TOGGLES.iter().map(|toggle| toggle.sentence)),
        ),
    ])?)
}

/// The canonical workloads.
///
/// Parameters
/// ----------
/// size : "quick", "default" or "full"
///     How large they are.
///
/// Returns
/// -------
/// Table
///     ``name``, ``how``, ``build_rows`` and ``probe_rows`` (of TPC-H about so many), ``description``.
#[pyfunction]
#[pyo3(signature = (size="quick"))]
pub(crate) fn workloads(size: &str) -> PyResult<Table> {
    let all = workload::resolve(&[], self::size(size)?).map_err(Error::value)?;
    let rows = |rows: fn(&workload::Instance) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(all.iter().map(rows)))
    };
    Ok(table(vec![
        ("name", texts(all.iter().map(|instance| &instance.name))),
        (
            "how",
            texts(all.iter().map(|instance| crate::how::name(instance.kind))),
        ),
        ("build_rows", rows(workload::Instance::build_rows)),
        ("probe_rows", rows(workload::Instance::probe_rows)),
        (
            "description",
            texts(all.iter().map(|instance| &instance.sentence)),
        ),
    ])?)
}

/// The size of a name.
///
/// # Errors
///
/// There is none.
pub(crate) fn size(name: &str) -> Result<Size, Error> {
    match name {
        "quick" => Ok(Size::Quick),
        "default" => Ok(Size::Default),
        "full" => Ok(Size::Full),
        other => Err(Error::Value(format!(
            "size is {other:?}; it is \"quick\", \"default\" or \"full\""
        ))),
    }
}
