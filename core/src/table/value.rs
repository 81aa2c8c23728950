//! Single values, for tests, oracles and display.

use std::borrow::Cow;

use crate::page::{DataType, Page, PageKind, long_string};

/// One field of a row.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// Of an INT32 column.
    Int32(i32),
    /// Of an INT64 column.
    Int64(i64),
    /// Of an FP64 column. Compares as `f64` does: NaN equals nothing.
    Fp64(f64),
    /// Of a VARCHAR column; owned only where the string takes several pages.
    Varchar(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// The row in slot `slot` of the first of `pages`, which go on to the end of the column so that a
    /// long string can be followed.
    pub(super) fn at(data_type: DataType, pages: &'a [Page], slot: usize) -> Value<'a> {
        let page = &pages[0];
        assert!(slot < page.rows(), "no such row");
        match page.kind() {
            PageKind::Plain => match page.rank_of(slot) {
                Some(rank) => Value::of_page(data_type, page, rank),
                None => Value::Null,
            },
            PageKind::LongFirst | PageKind::LongNext => Value::Varchar(long_string(pages)),
        }
    }

    /// Value `value` of a plain page.
    fn of_page(data_type: DataType, page: &'a Page, value: usize) -> Value<'a> {
        match data_type {
            DataType::Int32 => Value::Int32(page.fixed::<i32>()[value]),
            DataType::Int64 => Value::Int64(page.fixed::<i64>()[value]),
            DataType::Fp64 => Value::Fp64(page.fixed::<f64>()[value]),
            DataType::Varchar => Value::Varchar(Cow::Borrowed(page.strings().get(value))),
        }
    }

    /// The type, unless NULL.
    pub fn data_type(&self) -> Option<DataType> {
        match self {
            Value::Null => None,
            Value::Int32(_) => Some(DataType::Int32),
            Value::Int64(_) => Some(DataType::Int64),
            Value::Fp64(_) => Some(DataType::Fp64),
            Value::Varchar(_) => Some(DataType::Varchar),
        }
    }

    /// The same value without a borrow.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Int32(value) => Value::Int32(value),
            Value::Int64(value) => Value::Int64(value),
            Value::Fp64(value) => Value::Fp64(value),
            Value::Varchar(value) => Value::Varchar(Cow::Owned(value.into_owned())),
        }
    }
}

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Null => f.pad("NULL"),
            Value::Int32(value) => value.fmt(f),
            Value::Int64(value) => value.fmt(f),
            Value::Fp64(value) => value.fmt(f),
            Value::Varchar(value) => f.pad(&String::from_utf8_lossy(value)),
        }
    }
}

/// The rows of a column in order; see [`Column::values`](super::Column::values).
#[derive(Clone)]
pub struct Values<'a> {
    data_type: DataType,
    pages: &'a [Page],
    /// The next slot of the first of `pages`.
    slot: usize,
    /// The number of values before that slot.
    value: usize,
}

impl<'a> Values<'a> {
    /// The rows of these pages, which follow the format. A long string must not go on beyond them.
    pub fn new(data_type: DataType, pages: &'a [Page]) -> Values<'a> {
        Values {
            data_type,
            pages,
            slot: 0,
            value: 0,
        }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        let page = loop {
            let (page, rest) = self.pages.split_first()?;
            if self.slot < page.rows() {
                break page;
            }
            (self.pages, self.slot, self.value) = (rest, 0, 0);
        };
        let slot = self.slot;
        self.slot += 1;
        if page.kind() != PageKind::Plain {
            return Some(Value::Varchar(long_string(self.pages)));
        }
        if !page.validity().is_valid(slot) {
            return Some(Value::Null);
        }
        self.value += 1;
        Some(Value::of_page(self.data_type, page, self.value - 1))
    }
}
