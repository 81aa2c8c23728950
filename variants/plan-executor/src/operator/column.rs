//! Columns between two operators.

use std::sync::Arc;

use join_core::input::InputMode;
use join_core::join::Phases;
use join_core::memory::{Buffer, OutOfMemory};
use join_core::page::{DataType, Page};
use join_core::table::{Column, PagedColumn};

use super::OperatorAtATime;
use super::gather::gather;
use crate::telemetry::Step;
use crate::{Bundle, Context, ExecuteError};

/// What an operator passes on.
pub(super) struct Relation<'a> {
    pub rows: usize,
    pub columns: Vec<ColumnData<'a>>,
}

/// A column between two operators. Clones share the data: a plan may want a column twice.
#[derive(Clone)]
pub(super) enum ColumnData<'a> {
    /// As it lies in the pages of a base table.
    Pages(Arc<PagedColumn<'a>>),
    /// INT32 values.
    Int32(Arc<BufferedValues<i32>>),
    /// INT64 values, or FP64 values by their bits.
    Wide(DataType, Arc<BufferedValues<i64>>),
    /// Strings, as references into these pages.
    Strings(Arc<Buffer<StringRef>>, &'a [Page]),
}

/// Values of fixed width, and for each whether it is one, unless all are.
pub(super) struct BufferedValues<T> {
    pub values: Buffer<T>,
    pub valid: Option<Buffer<bool>>,
}

/// A page and a slot in it; the column that holds the reference knows table and column (R1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StringRef(u64);

impl StringRef {
    pub const NULL: StringRef = StringRef(u64::MAX);

    pub fn new(page: usize, slot: usize) -> StringRef {
        StringRef((page as u64) << 16 | slot as u64)
    }

    /// The reference to a row's string.
    pub fn of(paged: &PagedColumn<'_>, row: u32) -> StringRef {
        let (page, slot) = paged.offsets().locate(row);
        if paged.pages()[page].is_null(slot) {
            StringRef::NULL
        } else {
            StringRef::new(page, slot)
        }
    }

    /// Page and slot, unless NULL.
    pub fn place(self) -> Option<(usize, usize)> {
        (self != Self::NULL).then_some(((self.0 >> 16) as usize, (self.0 & 0xffff) as usize))
    }
}

impl<'a> ColumnData<'a> {
    pub fn data_type(&self) -> DataType {
        match self {
            ColumnData::Pages(pages) => pages.data_type(),
            ColumnData::Int32(_) => DataType::Int32,
            ColumnData::Wide(data_type, _) => *data_type,
            ColumnData::Strings(..) => DataType::Varchar,
        }
    }

    /// Bytes of buffers.
    pub fn bytes(&self) -> usize {
        fn of<T>(values: &BufferedValues<T>) -> usize {
            values.values.bytes() + values.valid.as_ref().map_or(0, Buffer::bytes)
        }
        match self {
            ColumnData::Pages(_) => 0,
            ColumnData::Int32(values) => of(values),
            ColumnData::Wide(_, values) => of(values),
            ColumnData::Strings(refs, _) => refs.bytes(),
        }
    }
}

impl OperatorAtATime {
    /// Passes the columns of a table on, copied where the input mode says so.
    pub(super) fn scan<'a>(
        &self,
        bundle: &'a Bundle,
        node: usize,
        table: usize,
        context: &Context<'_>,
    ) -> Result<(Relation<'a>, Step), ExecuteError> {
        let mut phases = Phases::start();
        let table = &bundle.tables()[table];
        let mut columns: Vec<(usize, ColumnData<'_>)> = Vec::new();
        for output in &bundle.plan().nodes()[node].output {
            let read = columns.iter().find(|(index, _)| *index == output.index);
            let column = match read {
                Some((_, column)) => column.clone(),
                None => self
                    .read(&table.columns()[output.index].column, context)
                    .map_err(ExecuteError::memory(node))?,
            };
            columns.push((output.index, column));
        }
        let columns: Vec<_> = columns.into_iter().map(|(_, column)| column).collect();
        phases.lap("read");
        let step = Step {
            name: format!("scan {node}"),
            detail: table.name().to_owned(),
            rows_in: table.num_rows() as u64,
            rows_out: table.num_rows() as u64,
            bytes: columns.iter().map(|column| column.bytes() as u64).sum(),
            ..Step::default()
        };
        let rows = table.num_rows();
        Ok((Relation { rows, columns }, step.timed(&phases)))
    }

    fn read<'a>(
        &self,
        column: &'a Column,
        context: &Context<'_>,
    ) -> Result<ColumnData<'a>, OutOfMemory> {
        let paged = column.paged();
        let copied = match self.input {
            // The contest engine copies strings, as references, and whatever has NULLs.
            InputMode::Contest => paged.has_nulls() || column.data_type() == DataType::Varchar,
            mode => mode.copies(paged.has_nulls()),
        };
        let rows = paged.offsets().row_count() as usize;
        let pages = ColumnData::Pages(Arc::new(paged));
        if copied {
            gather(&pages, rows, |row| row as u32, context)
        } else {
            Ok(pages)
        }
    }
}
