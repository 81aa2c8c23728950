//! Columns of the output, and of what a condition looks at, gathered for pairs of rows.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{JoinSide, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::joins::utils::ColumnIndex;
use join_core::join::Side as Table;
use join_core::kind::{Kind, Truth};
use join_core::output::Pair;

use crate::side::{Places, Request, Side};

/// Both sides.
pub(crate) struct Sides {
    pub(crate) left: Side,
    pub(crate) right: Side,
    /// The bytes that are reserved for them, given back with the last batch that is gathered.
    pub(crate) reservations: [Arc<MemoryReservation>; 2],
}

impl Sides {
    /// The left one and the right one.
    pub(crate) fn both(&self) -> [&Side; 2] {
        [&self.left, &self.right]
    }

    /// Bytes that are reserved for them.
    pub(crate) fn bytes(&self) -> usize {
        self.reservations
            .iter()
            .map(|reservation| reservation.size())
            .sum()
    }
}

/// Where a gathered column comes from.
#[derive(Clone, Copy)]
enum Source {
    /// A column that is kept of the left side.
    Left(usize),
    /// A column that is kept of the right side.
    Right(usize),
    /// Whether the row has a partner.
    Mark,
}

/// Columns to gather.
pub(crate) struct Columns {
    schema: SchemaRef,
    sources: Vec<Source>,
    kind: Kind,
}

impl Columns {
    /// These columns of a join of this kind. Both sides are asked to keep what is needed.
    pub(crate) fn new<'c>(
        schema: SchemaRef,
        columns: impl IntoIterator<Item = &'c ColumnIndex>,
        kind: Kind,
        left: &mut Request,
        right: &mut Request,
    ) -> Self {
        let source = |column: &ColumnIndex| match column.side {
            JoinSide::Left => Source::Left(left.place(column.index)),
            JoinSide::Right => Source::Right(right.place(column.index)),
            JoinSide::None => Source::Mark,
        };
        Self {
            schema,
            sources: columns.into_iter().map(source).collect(),
            kind,
        }
    }

    /// Their fields.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Where they lie among the columns that are kept of their sides.
    pub(crate) fn kept(&self) -> Vec<ColumnIndex> {
        let place = |source: &Source| match *source {
            Source::Left(index) => (index, JoinSide::Left),
            Source::Right(index) => (index, JoinSide::Right),
            Source::Mark => (0, JoinSide::None),
        };
        let places = self.sources.iter().map(place);
        places
            .map(|(index, side)| ColumnIndex { index, side })
            .collect()
    }

    /// Their values, a row for each pair.
    pub(crate) fn of(&self, [left, right]: [&Side; 2], pairs: &[Pair]) -> Result<RecordBatch> {
        let asks = |side: fn(&Source) -> bool| self.sources.iter().any(side);
        let in_left = asks(|source| matches!(source, Source::Left(_)))
            .then(|| left.locate(pairs.iter().map(|pair| pair.build)));
        let in_right = asks(|source| matches!(source, Source::Right(_)))
            .then(|| right.locate(pairs.iter().map(|pair| pair.probe)));
        let gather = |source: &Source| -> Result<ArrayRef> {
            let from = |side: &Side, places: &Option<Places>, column| {
                let places = places
                    .as_ref()
                    .expect("rows of a side that is asked are located");
                side.gather(column, places)
            };
            match *source {
                Source::Left(column) => from(left, &in_left, column),
                Source::Right(column) => from(right, &in_right, column),
                Source::Mark => Ok(Arc::new(self.marks(pairs))),
            }
        };
        let columns = self.sources.iter().map(gather).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(pairs.len()));
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &options,
        )?)
    }

    /// What stands in place of a partner. DataFusion's marks are never NULL.
    fn marks(&self, pairs: &[Pair]) -> BooleanArray {
        let mark = |pair: &Pair| match self.kind {
            Kind::Mark(Table::Probe) => pair.build == Truth::True as u32,
            _ => pair.probe == Truth::True as u32,
        };
        pairs.iter().map(|pair| Some(mark(pair))).collect()
    }
}
