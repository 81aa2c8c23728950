//! Arrays and tables of ours, as the Arrow C interface hands them over. Nothing is copied.

use std::ffi::CStr;
use std::sync::Arc;

use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator, make_array};
use arrow_data::ArrayData;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use crate::error::Error;

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// A column: what `__arrow_c_array__` hands to polars, pyarrow, pandas or another library.
#[pyclass(frozen, module = "joinery")]
pub struct Array {
    field: FieldRef,
    data: ArrayData,
}

impl Array {
    /// A column of a name.
    pub(crate) fn new(name: &str, data: ArrayData) -> Self {
        let field = arrow_schema::Field::new(name, data.data_type().clone(), true);
        Self {
            field: Arc::new(field),
            data,
        }
    }

    /// Its values.
    pub(crate) fn data(&self) -> &ArrayData {
        &self.data
    }
}

#[pymethods]
impl Array {
    /// Rows.
    fn __len__(&self) -> usize {
        self.data.len()
    }

    /// Rows that are NULL.
    #[getter]
    fn null_count(&self) -> usize {
        self.data.null_count()
    }

    /// The type of the values, as Arrow calls it.
    #[getter]
    fn r#type(&self) -> String {
        self.data.data_type().to_string()
    }

    fn __repr__(&self) -> String {
        format!(
            "<joinery.Array {} of {} rows>",
            self.data.data_type(),
            self.data.len()
        )
    }

    /// Two capsules of the Arrow C data interface: schema and array. Nothing is copied or cast.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let _ = requested_schema;
        let array = PyCapsule::new_with_value(py, FFI_ArrowArray::new(&self.data), ARRAY)?;
        PyTuple::new(py, [self.__arrow_c_schema__(py)?, array])
    }

    /// A capsule of the Arrow C data interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.field.as_ref()).map_err(Error::value)?;
        PyCapsule::new_with_value(py, schema, SCHEMA)
    }
}

/// A table: what `__arrow_c_stream__` hands to polars, pyarrow, pandas, DuckDB or another library.
#[pyclass(frozen, module = "joinery")]
pub struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of columns in chunks.
    ///
    /// # Errors
    ///
    /// The chunks are not of the schema's types.
    pub(crate) fn new(schema: Schema, chunks: Vec<(usize, Vec<ArrayData>)>) -> Result<Self, Error> {
        let schema = Arc::new(schema);
        let batches = chunks.into_iter().map(|(rows, columns)| {
            let columns = columns.into_iter().map(make_array).collect();
            let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
            RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        });
        Ok(Self {
            batches: batches.collect::<Result<_, _>>().map_err(Error::value)?,
            schema,
        })
    }

    /// A stream of its batches.
    fn stream(&self) -> FFI_ArrowArrayStream {
        let batches = self.batches.clone().into_iter().map(Ok);
        let reader = RecordBatchIterator::new(batches, self.schema.clone());
        FFI_ArrowArrayStream::new(Box::new(reader))
    }
}

#[pymethods]
impl Table {
    /// Rows.
    fn __len__(&self) -> usize {
        self.num_rows()
    }

    /// Rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The columns' names, in order.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    /// The columns' types by name, as Arrow calls them, in order.
    #[getter]
    fn types(&self) -> Vec<(String, String)> {
        let fields = self.schema.fields().iter();
        fields
            .map(|field| (field.name().clone(), field.data_type().to_string()))
            .collect()
    }

    fn __repr__(&self) -> String {
        let types = self
            .types()
            .into_iter()
            .map(|(name, of)| format!("{name}: {of}"));
        let types = types.collect::<Vec<_>>().join(", ");
        format!("<joinery.Table of {} rows: {types}>", self.num_rows())
    }

    /// A capsule of the Arrow C stream interface, a new one each time. Nothing is copied or cast.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        PyCapsule::new_with_value(py, self.stream(), STREAM)
    }

    /// A capsule of the Arrow C data interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref()).map_err(Error::value)?;
        PyCapsule::new_with_value(py, schema, SCHEMA)
    }
}
