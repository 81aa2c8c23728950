//! Columns of other libraries, as the Arrow C interface hands them over. Nothing is copied; what a producer claims is checked
//! as far as it can be.

use std::ffi::{CStr, c_int};
use std::mem;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use arrow_array::ffi::{FFI_ArrowArray, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_data::ArrayData;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use join_core::table::PageOffsets;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::check;
use crate::error::Error;
use crate::work::{GLANCE, caught};

/// The rows of one column, in chunks.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Name and type.
    pub(crate) field: FieldRef,
    /// As many as its frame has, of as many rows.
    pub(crate) chunks: Vec<ArrayData>,
}

impl Column {
    /// Its name in a sentence.
    pub(crate) fn called(&self, what: &str) -> String {
        match self.field.name().as_str() {
            "" => what.to_owned(),
            name => format!("column {name:?} of {what}"),
        }
    }
}

/// Columns of equally many rows.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// What the caller calls it: `left`, `build`.
    pub(crate) what: &'static str,
    pub(crate) columns: Vec<Column>,
    /// Where rows lie in the chunks.
    pub(crate) offsets: PageOffsets,
    /// Whether it is a single column that came without a frame.
    pub(crate) is_column: bool,
}

impl Frame {
    /// Reads both sides of a join, once where they are the same object: a second time there might be nothing left.
    ///
    /// # Errors
    ///
    /// As [`Frame::read`].
    pub(crate) fn read_both(
        [build, probe]: [&'static str; 2],
        [of_build, of_probe]: [&Bound<'_, PyAny>; 2],
    ) -> PyResult<[Self; 2]> {
        let own = Self::read(build, of_build)?;
        let other = match of_build.is(of_probe) {
            true => Self {
                what: probe,
                ..own.clone()
            },
            false => Self::read(probe, of_probe)?,
        };
        Ok([own, other])
    }

    /// Reads what has `__arrow_c_stream__` or `__arrow_c_array__`.
    ///
    /// # Errors
    ///
    /// It has neither, or what it hands over makes no sense, or it is too long.
    fn read(what: &'static str, object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let mut exported = Exported::of(what, object)?;
        loop {
            let read = py.detach(|| {
                caught(|| match exported.read(GLANCE)? {
                    Some((field, chunks)) => Self::of(what, &field, chunks).map(Some),
                    None => Ok(None),
                })
            });
            // Whoever makes the rows may take long, and knows nothing of Ctrl-C.
            py.check_signals()?;
            let read = read.map_err(|error| match error {
                // Python's own exception has become a text by then, with what it was at the end.
                Error::Value(text) if text.trim_end().ends_with("KeyboardInterrupt") => {
                    PyKeyboardInterrupt::new_err(())
                }
                // Whatever goes wrong here does so by what was handed over.
                Error::Value(text) | Error::Fault(text) => {
                    Error::Value(format!("{what}: {text}")).into()
                }
                Error::Type(text) => Error::Type(format!("{what}: {text}")).into(),
                Error::Memory(_) => error.into(),
            })?;
            if let Some(frame) = read {
                return Ok(frame);
            }
        }
    }

    fn of(what: &'static str, field: &Field, mut chunks: Vec<ArrayData>) -> Result<Self, Error> {
        chunks.retain(|chunk| !chunk.is_empty());
        let rows = chunks.iter().map(ArrayData::len);
        let offsets = PageOffsets::from_row_counts(rows).ok_or_else(|| {
            Error::value(
                "it has more than 4,294,967,295 rows; rows have numbers of 32 bits, so split it",
            )
        })?;
        let (fields, is_column) = match field.data_type() {
            DataType::Struct(fields) => (fields.to_vec(), false),
            _ => (vec![FieldRef::new(field.clone())], true),
        };
        if !is_column && chunks.iter().any(|chunk| chunk.null_count() > 0) {
            return Err(Error::value(
                "some of its rows are NULL as a whole; give its fields as columns",
            ));
        }
        let columns = fields
            .into_iter()
            .enumerate()
            .map(|(number, field)| Column {
                field,
                chunks: match is_column {
                    true => mem::take(&mut chunks),
                    false => chunks.iter().map(|chunk| child(chunk, number)).collect(),
                },
            });
        Ok(Self {
            what,
            columns: columns.collect(),
            offsets,
            is_column,
        })
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.offsets.row_count() as usize
    }
}

/// The rows of a child that a struct's rows are made of.
pub(crate) fn child(parent: &ArrayData, number: usize) -> ArrayData {
    let child = &parent.child_data()[number];
    match (parent.offset(), parent.len()) {
        (0, len) if len == child.len() => child.clone(),
        (offset, len) => child.slice(offset, len),
    }
}

/// What was in the capsules.
enum Exported {
    /// A stream, its type once that is known, and the chunks that have been read.
    Stream(FFI_ArrowArrayStream, Option<Field>, Vec<ArrayData>),
    Array(FFI_ArrowSchema, FFI_ArrowArray),
}

impl Exported {
    fn of(what: &str, object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if object.hasattr("__arrow_c_stream__")? {
            let stream = object.call_method0("__arrow_c_stream__")?;
            let stream = pointer::<FFI_ArrowArrayStream>(what, &stream, c"arrow_array_stream")?;
            // SAFETY: a capsule of this name holds such a stream, by the protocol, and leaves moving it out to who asked for it.
            let stream = unsafe { FFI_ArrowArrayStream::from_raw(stream.as_ptr()) };
            return Ok(Self::Stream(stream, None, Vec::new()));
        }
        if object.hasattr("__arrow_c_array__")? {
            let pair = object.call_method0("__arrow_c_array__")?;
            let pair = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>();
            let (schema, array) = pair.map_err(|_| {
                Error::Type(format!(
                    "{what}: its __arrow_c_array__ handed over no pair of capsules"
                ))
            })?;
            let schema = pointer::<FFI_ArrowSchema>(what, &schema, c"arrow_schema")?;
            let array = pointer::<FFI_ArrowArray>(what, &array, c"arrow_array")?;
            // SAFETY: as of the stream.
            let pair = unsafe {
                (
                    FFI_ArrowSchema::from_raw(schema.as_ptr()),
                    FFI_ArrowArray::from_raw(array.as_ptr()),
                )
            };
            return Ok(Self::Array(pair.0, pair.1));
        }
        Err(Error::Type(format!(
            "{what} is of type {}, which has neither __arrow_c_stream__ nor __arrow_c_array__; give a frame or a column of \
             polars, pyarrow, pandas (which needs pyarrow for it), DuckDB or another library that has",
            object.get_type().name()?
        ))
        .into())
    }

    /// The type and the chunks; none where a stream has not ended after this time, which is to be read on then.
    fn read(&mut self, time: Duration) -> Result<Option<(Field, Vec<ArrayData>)>, Error> {
        let start = Instant::now();
        match self {
            Self::Array(schema, array) => {
                let field = field(schema)?;
                let array = mem::replace(array, FFI_ArrowArray::empty());
                let chunk = adopt(array, field.data_type())?;
                Ok(Some((field, vec![chunk])))
            }
            Self::Stream(stream, of_type, chunks) => {
                let missing = || {
                    Error::value(
                        "its stream has been read already, or lacks a function; ask for a new one",
                    )
                };
                let (get_schema, get_next) = stream
                    .get_schema()
                    .zip(stream.get_next())
                    .ok_or_else(missing)?;
                let field = match of_type.take() {
                    Some(field) => field,
                    None => {
                        let mut schema = FFI_ArrowSchema::empty();
                        // SAFETY: the stream has not been released, since its functions are there.
                        let code = unsafe { get_schema(&raw mut *stream, &raw mut schema) };
                        succeeded(stream, code)?;
                        field(&schema)?
                    }
                };
                loop {
                    let mut array = FFI_ArrowArray::empty();
                    // SAFETY: as of the schema.
                    let code = unsafe { get_next(&raw mut *stream, &raw mut array) };
                    succeeded(stream, code)?;
                    if array.is_released() {
                        return Ok(Some((field, mem::take(chunks))));
                    }
                    chunks.push(adopt(array, field.data_type())?);
                    if start.elapsed() > time {
                        *of_type = Some(field);
                        return Ok(None);
                    }
                }
            }
        }
    }
}

fn pointer<T>(
    what: &str,
    capsule: &Bound<'_, PyAny>,
    name: &'static CStr,
) -> Result<NonNull<T>, Error> {
    let pointer = capsule
        .cast::<PyCapsule>()
        .ok()
        .and_then(|capsule| capsule.pointer_checked(Some(name)).ok());
    pointer.map(NonNull::cast).ok_or_else(|| {
        Error::Type(format!(
            "{what}: its Arrow interface handed over no capsule {name:?}"
        ))
    })
}

fn field(schema: &FFI_ArrowSchema) -> Result<Field, Error> {
    if schema.release().is_none() {
        return Err(Error::value(
            "its schema has been read already; ask for a new one",
        ));
    }
    check::schema(schema).map_err(Error::Value)?;
    Field::try_from(schema).map_err(|error| unknown(schema, error))
}

/// Says which column has a type that is none of Arrow's, or none that is known here.
fn unknown(schema: &FFI_ArrowSchema, error: ArrowError) -> Error {
    let is_none = |schema: &FFI_ArrowSchema| DataType::try_from(schema).is_err();
    let mut children = schema.children();
    let column = children.find_map(|child| {
        let error = Field::try_from(child).err()?;
        let (name, format) = (child.name().unwrap_or_default(), child.format());
        Some(match is_none(child) {
            true => format!("column {name:?} is of type {format:?}, which is none of Arrow's"),
            false => format!("column {name:?}: {}", said(error)),
        })
    });
    let column = column.unwrap_or_else(|| said(error));
    Error::Type(format!("{column}; cast it, or leave the column out"))
}

/// What is wrong, without the sort of error that it is.
fn said(error: ArrowError) -> String {
    match error {
        ArrowError::InvalidArgumentError(text) | ArrowError::CDataInterface(text) => text,
        other => other.to_string(),
    }
}

/// What the producer says of a call that failed.
fn succeeded(stream: &mut FFI_ArrowArrayStream, code: c_int) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let said = stream
        .get_last_error()
        .map_or(std::ptr::null(), |last_error| {
            // SAFETY: the stream has not been released, and the call before this one failed.
            unsafe { last_error(&raw mut *stream) }
        });
    if said.is_null() {
        return Err(Error::Value(format!(
            "its producer failed with error {code}"
        )));
    }
    // SAFETY: a pointer that is not null is a text that ends in 0 and stays until the next call, by the protocol.
    let said = unsafe { CStr::from_ptr(said) };
    Err(Error::Value(format!(
        "its producer failed: {}",
        said.to_string_lossy()
    )))
}

/// An array of a type, whose shape was checked.
fn adopt(mut array: FFI_ArrowArray, data_type: &DataType) -> Result<ArrayData, Error> {
    if array.is_released() {
        return Err(Error::value(
            "its array has been read already; ask for a new one",
        ));
    }
    check::array(&mut array, data_type).map_err(Error::Value)?;
    // Buffers of nothing may be null.
    if array.is_empty() {
        return Ok(ArrayData::new_empty(data_type));
    }
    let wrong = |error| Error::Value(said(error));
    // SAFETY: the producer promises the format, and the parts that can be seen from here were checked.
    let data = unsafe { from_ffi_and_data_type(array, data_type.clone()) }.map_err(wrong)?;
    if let DataType::Struct(fields) = data_type {
        for (field, column) in fields.iter().zip(data.child_data()) {
            let wrong = |error| Error::Value(format!("column {:?}: {}", field.name(), said(error)));
            column.validate().map_err(wrong)?;
        }
    }
    data.validate().map_err(wrong)?;
    Ok(data)
}
