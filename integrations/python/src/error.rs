//! What goes wrong, as Python has it.

use std::any::Any;
use std::fmt::Display;

use join_core::join::JoinError;
use join_core::memory::OutOfMemory;
use pyo3::PyErr;
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};

/// Why a call has no answer, in one sentence.
#[derive(Debug)]
pub(crate) enum Error {
    /// `TypeError`.
    Type(String),
    /// `ValueError`.
    Value(String),
    /// `MemoryError`.
    Memory(String),
    /// `RuntimeError`: a slip of ours.
    Fault(String),
}

impl Error {
    /// Of a value that is of the right type and wrong all the same.
    pub(crate) fn value(error: impl Display) -> Self {
        Self::Value(error.to_string())
    }

    /// Its sentence.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Type(text) | Self::Value(text) | Self::Memory(text) | Self::Fault(text) => text,
        }
    }

    /// The same of another sentence.
    pub(crate) fn saying(self, text: String) -> Self {
        match self {
            Self::Type(_) => Self::Type(text),
            Self::Value(_) => Self::Value(text),
            Self::Memory(_) => Self::Memory(text),
            Self::Fault(_) => Self::Fault(text),
        }
    }

    /// Of a panic, which is never to reach the interpreter.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::Fault(format!(
            "joinery failed: {}; either the data break the Arrow format, or this is a fault of joinery, which is glad \
             to hear of it",
            text.unwrap_or("without a message")
        ))
    }
}

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Self {
        Self::Memory(error.to_string())
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::OutOfMemory(error) => error.into(),
            // Its name for the kind is that of a side, which may have been exchanged.
            JoinError::PartlyNull(_) => Self::value(
                "of a key of several columns with a NULL in it nobody can tell what it might equal, which \"mark\" and \
                 \"anti_null_aware\" ask; leave such rows out, or give nulls_equal=True",
            ),
            other => Self::value(other),
        }
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Type(text) => PyTypeError::new_err(text),
            Error::Value(text) => PyValueError::new_err(text),
            Error::Memory(text) => PyMemoryError::new_err(text),
            Error::Fault(text) => PyRuntimeError::new_err(text),
        }
    }
}
