//! What a join is: two key columns in, an outcome out.

use super::consume::Side;
use super::context::{Context, JoinError, Outcome};
use crate::input::KeyColumn;
use crate::key::Key;
use crate::page::DataType;
use crate::table::Column;

/// Two key columns of one type.
pub enum JoinInput<'a> {
    /// INT32 keys: build side, probe side.
    Int32(KeyColumn<'a, i32>, KeyColumn<'a, i32>),
    /// INT64 keys: build side, probe side.
    Int64(KeyColumn<'a, i64>, KeyColumn<'a, i64>),
}

impl<'a> JoinInput<'a> {
    /// The input of a join on these columns.
    pub fn new(build: &'a Column, probe: &'a Column) -> Result<Self, JoinError> {
        let types = (build.data_type(), probe.data_type());
        match types {
            (DataType::Int32, DataType::Int32) => {
                Ok(Self::Int32(key_column(build)?, key_column(probe)?))
            }
            (DataType::Int64, DataType::Int64) => {
                Ok(Self::Int64(key_column(build)?, key_column(probe)?))
            }
            _ => Err(JoinError::KeyTypes(types.0, types.1)),
        }
    }

    /// Rows of the build side.
    pub fn build_rows(&self) -> usize {
        self.rows(Side::Build)
    }

    /// Rows of the probe side.
    pub fn probe_rows(&self) -> usize {
        self.rows(Side::Probe)
    }

    /// Rows of a side.
    pub fn rows(&self, side: Side) -> usize {
        match self {
            Self::Int32(build, probe) => side.of(build, probe).len(),
            Self::Int64(build, probe) => side.of(build, probe).len(),
        }
    }

    /// Whether a key of a side is NULL.
    pub fn has_nulls(&self, side: Side) -> bool {
        match self {
            Self::Int32(build, probe) => side.of(build, probe).has_nulls(),
            Self::Int64(build, probe) => side.of(build, probe).has_nulls(),
        }
    }

    /// The rows of a side whose key is NULL, in order.
    pub fn nulls(&self, side: Side) -> Box<dyn Iterator<Item = u32> + '_> {
        match self {
            Self::Int32(build, probe) => side.of(build, probe).nulls(),
            Self::Int64(build, probe) => side.of(build, probe).nulls(),
        }
    }
}

fn key_column<K: Key>(column: &Column) -> Result<KeyColumn<'_, K>, JoinError> {
    KeyColumn::new(column).ok_or(JoinError::TooManyRows)
}

/// A join, written once for both key types.
pub trait Join: Send + Sync {
    /// Joins two key columns.
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError>;
}

/// A [`Join`] behind a pointer, whatever its keys.
pub trait DynJoin: Send + Sync {
    /// Joins two key columns.
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError>;
}

impl<T: Join> DynJoin for T {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        context.team.rouse(input.build_rows() + input.probe_rows());
        match input {
            JoinInput::Int32(build, probe) => self.join_keys(build, probe, context),
            JoinInput::Int64(build, probe) => self.join_keys(build, probe, context),
        }
    }
}
