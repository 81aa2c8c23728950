//! `workload`: the data of the generators as Arrow arrays.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Int32Type, Int64Type};
use arrow_array::{Array as _, BinaryArray, PrimitiveArray, StringArray};
use arrow_data::ArrayData;
use arrow_schema::{Field, Schema};
use harness::machine;
use harness::question::Less;
use harness::workload::{Definition, Instance, Workload as Generated, resolve};
use join_core::join::Side;
use join_core::page::{DataType, Fixed};
use join_core::table::{Column, Value};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments;
use crate::error::Error;
use crate::export::{Array, Table};
use crate::how;
use crate::lists::size as size_named;
use crate::work::apart;

/// The data of a workload, and what their join answers.
#[pyclass(frozen, module = "joinery")]
pub struct Workload {
    /// As the harness generated it, in pages.
    pub(crate) generated: Arc<Generated>,
    build: Py<PyAny>,
    probe: Py<PyAny>,
}

#[pymethods]
impl Workload {
    /// The keys of the build side: an ``Array`` of int32, int64 or strings, or a ``Table`` of several key columns.
    #[getter]
    fn build(&self, py: Python<'_>) -> Py<PyAny> {
        self.build.clone_ref(py)
    }

    /// The keys of the probe side, likewise.
    #[getter]
    fn probe(&self, py: Python<'_>) -> Py<PyAny> {
        self.probe.clone_ref(py)
    }

    /// The other columns of the build side: ``value``, which a condition compares, or ``payload0``, ``payload1``, …, which
    /// rows of the result are made of. Else None.
    #[getter]
    fn build_values(&self, py: Python<'_>) -> PyResult<Option<Table>> {
        self.values(py, Side::Build)
    }

    /// The other columns of the probe side, likewise.
    #[getter]
    fn probe_values(&self, py: Python<'_>) -> PyResult<Option<Table>> {
        self.values(py, Side::Probe)
    }

    /// What pairs must fulfil besides equal keys, in SQL. Else None. ``measure`` asks it, too; ``pairs`` and ``count`` join
    /// by keys alone.
    #[getter]
    fn condition(&self) -> Option<&'static str> {
        self.generated.condition.as_ref().map(|_| Less::SQL)
    }

    /// Its name, which is unique.
    #[getter]
    fn name(&self) -> &str {
        &self.generated.name
    }

    /// What it shows, in a sentence.
    #[getter]
    fn description(&self) -> &str {
        &self.generated.sentence
    }

    /// The kind of its join.
    #[getter]
    fn how(&self) -> &'static str {
        how::name(self.generated.kind)
    }

    /// Rows of the right answer.
    #[getter]
    fn rows(&self) -> u64 {
        self.generated.expected.rows
    }

    /// `build, probe = workload(…)`
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let both = PyTuple::new(py, [&self.build, &self.probe])?;
        Ok(both.try_iter()?.into_any())
    }

    fn __repr__(&self) -> String {
        let (build, probe) = (
            self.generated.build().row_count(),
            self.generated.probe().row_count(),
        );
        format!(
            "<joinery.Workload {} of {build} and {probe} rows>",
            self.generated.name
        )
    }
}

impl Workload {
    /// The columns of a side beside the keys.
    fn values(&self, py: Python<'_>, side: Side) -> PyResult<Option<Table>> {
        let generated = self.generated.clone();
        apart(py, move || {
            let (mut fields, mut columns) = (Vec::new(), Vec::new());
            let mut column = |name: String, data: ArrayData| {
                fields.push(Field::new(name, data.data_type().clone(), false));
                columns.push(data);
            };
            if let Some(Less { build, probe }) = &generated.condition {
                let values = side.of(build, probe).iter().copied();
                let values = PrimitiveArray::<Int32Type>::from_iter_values(values);
                column("value".to_owned(), values.to_data());
            }
            let payload = generated
                .payload
                .iter()
                .flat_map(|payload| payload.of(side));
            for (nth, values) in payload.enumerate() {
                column(format!("payload{nth}"), array(values));
            }
            let rows = columns.first().map(ArrayData::len);
            let table = rows.map(|rows| Table::new(Schema::new(fields), vec![(rows, columns)]));
            table.transpose()
        })
    }
}

/// Generate the data of a workload.
///
/// Parameters
/// ----------
/// name_or_toml : str
///     One of ``joinery.workloads()``, the path of a workload file, or the text of one.
/// size : "quick", "default" or "full"
///     How large it is.
/// seed : int, optional
///     In place of the file's own. The same seed means the same data for ever.
///
/// Returns
/// -------
/// Workload
///     ``.build`` and ``.probe``, the keys: int32, int64 or strings; also as ``build, probe = workload(…)``. ``.build_values``
///     and ``.probe_values`` are the columns beside them, where there are any.
///
/// Raises
/// ------
/// ValueError
///     There is no such workload, or several, or its file makes no sense, or its data do not fit into memory.
#[pyfunction]
#[pyo3(signature = (name_or_toml, size="quick", seed=None))]
pub(crate) fn workload(
    py: Python<'_>,
    name_or_toml: &str,
    size: &str,
    seed: Option<&Bound<'_, PyAny>>,
) -> PyResult<Workload> {
    let size = size_named(size)?;
    let seed = seed.map(|given| arguments::whole("seed", given, 0..=u64::MAX));
    let seed = seed.transpose()?;
    let instances = match name_or_toml.contains('\n') {
        false => resolve(&[name_or_toml.to_owned()], size),
        true => Definition::parse("workload", Path::new("."), name_or_toml)
            .and_then(|file| file.instances(size)),
    };
    let mut instances: Vec<Instance> = instances.map_err(Error::value)?;
    let (Some(instance), true) = (instances.pop(), instances.is_empty()) else {
        let names = instances.iter().map(|instance| instance.name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        return Err(Error::Value(format!(
            "{name_or_toml:?} names several workloads, {names} among them; name one"
        ))
        .into());
    };
    let (generated, build, probe) = apart(py, move || {
        let threads = NonZeroUsize::new(machine::cores() as usize).unwrap_or(NonZeroUsize::MIN);
        let generated = instance.generate(seed, threads).map_err(Error::value)?;
        let side = |side: fn(&(Column, Column)) -> &Column| -> Vec<ArrayData> {
            generated
                .columns
                .iter()
                .map(|both| array(side(both)))
                .collect()
        };
        let (build, probe) = (side(|both| &both.0), side(|both| &both.1));
        Ok((Arc::new(generated), build, probe))
    })?;
    Ok(Workload {
        build: keys(py, "build", build)?,
        probe: keys(py, "probe", probe)?,
        generated,
    })
}

/// One column as itself, several as a table.
fn keys(py: Python<'_>, name: &str, mut columns: Vec<ArrayData>) -> PyResult<Py<PyAny>> {
    if columns.len() == 1
        && let Some(column) = columns.pop()
    {
        return Ok(Py::new(py, Array::new(name, column))?.into_any());
    }
    let rows = columns.first().map_or(0, ArrayData::len);
    let fields = columns.iter().enumerate();
    let fields = fields
        .map(|(nth, column)| Field::new(format!("{name}{nth}"), column.data_type().clone(), true));
    let table = Table::new(
        Schema::new(fields.collect::<Vec<_>>()),
        vec![(rows, columns)],
    )?;
    Ok(Py::new(py, table)?.into_any())
}

/// The keys of pages as an array.
fn array(column: &Column) -> ArrayData {
    match column.data_type() {
        DataType::Int32 => array_of::<Int32Type>(column),
        DataType::Varchar => strings(column),
        _ => array_of::<Int64Type>(column),
    }
}

/// Texts, or bytes where they are none.
fn strings(column: &Column) -> ArrayData {
    let values = || {
        column.values().map(|value| match value {
            Value::Varchar(string) => Some(string),
            _ => None,
        })
    };
    let bytes = values().collect::<BinaryArray>();
    match StringArray::try_from_binary(bytes) {
        Ok(texts) => texts.to_data(),
        Err(_) => values().collect::<BinaryArray>().to_data(),
    }
}

fn array_of<T: ArrowPrimitiveType<Native: Fixed>>(column: &Column) -> ArrayData {
    if column.has_nulls() {
        let rows = column
            .pages()
            .iter()
            .flat_map(|page| page.fixed_rows::<T::Native>());
        return rows.collect::<PrimitiveArray<T>>().to_data();
    }
    let mut values = Vec::with_capacity(column.row_count() as usize);
    for page in column.pages() {
        values.extend_from_slice(page.fixed::<T::Native>());
    }
    PrimitiveArray::<T>::new(values.into(), None).to_data()
}
