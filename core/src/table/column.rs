//! A column: a type and its pages.

use std::num::NonZeroUsize;
use std::sync::Arc;

use memmap2::Mmap;

use super::{PagedColumn, Value, Values};
use crate::page::{
    DataType, Fixed, FixedWriter, Page, PageError, VarcharWriter, full_page, rows_per_full_page,
    validate,
};
use crate::parallel::{Tasks, assisted};

/// A column of one type. Its pages follow the format: they were validated or written by this crate.
///
/// A clone of owned pages copies them, a clone of mapped pages shares the map.
#[derive(Clone)]
pub struct Column {
    data_type: DataType,
    pages: Pages,
}

#[derive(Clone)]
enum Pages {
    Owned(Vec<Page>),
    Mapped(Arc<Mmap>),
}

impl Column {
    /// A column of pages from outside, each of which is checked.
    ///
    /// # Errors
    /// The first page that does not follow the format.
    pub fn from_pages(data_type: DataType, pages: Vec<Page>) -> Result<Column, PageError> {
        validate(data_type, &pages)?;
        Ok(Column {
            data_type,
            pages: Pages::Owned(pages),
        })
    }

    /// A column of pages that the caller has written to the format, or checked, itself; checked again
    /// in debug builds only. Readers of pages that break the format give wrong values or panic.
    pub fn from_trusted_pages(data_type: DataType, pages: Vec<Page>) -> Column {
        debug_assert_eq!(validate(data_type, &pages).err(), None);
        Column {
            data_type,
            pages: Pages::Owned(pages),
        }
    }

    /// A column over a mapped file whose length is a multiple of a page and whose pages are validated.
    pub(super) fn from_validated_map(data_type: DataType, map: Mmap) -> Column {
        Column {
            data_type,
            pages: Pages::Mapped(Arc::new(map)),
        }
    }

    /// An INT32 column without NULLs.
    pub fn from_i32(values: &[i32]) -> Column {
        Column::from_values(values)
    }

    /// An INT64 column without NULLs.
    pub fn from_i64(values: &[i64]) -> Column {
        Column::from_values(values)
    }

    /// A column without NULLs, copied page by page.
    pub fn from_values<T: Fixed>(values: &[T]) -> Column {
        Column::filled(values.len(), NonZeroUsize::MIN, |first, page: &mut [T]| {
            page.copy_from_slice(&values[first..][..page.len()]);
        })
    }

    /// A column of `rows` rows without NULLs whose values `fill` writes into the pages, on `threads`
    /// threads at once, or on as many as the system starts. `fill` gets the first row of a page and the
    /// room for the page's values, zeroed.
    pub fn filled<T: Fixed>(
        rows: usize,
        threads: NonZeroUsize,
        fill: impl Fn(usize, &mut [T]) + Sync,
    ) -> Column {
        let per_page = rows_per_full_page::<T>();
        let mut pages: Vec<Page> = bytemuck::zeroed_vec(rows.div_ceil(per_page));
        let fill_pages = |first_page: usize, pages: &mut [Page]| {
            for (page, number) in pages.iter_mut().zip(first_page..) {
                let first_row = number * per_page;
                fill(first_row, full_page(page, per_page.min(rows - first_row)));
            }
        };
        let share = pages.len().div_ceil(threads.get()).max(1);
        let parts = Tasks::new(pages.chunks_mut(share));
        assisted(parts.len(), || {
            while let Some((nth, part)) = parts.take() {
                fill_pages(nth * share, part);
            }
        });
        drop(parts);
        Column {
            data_type: T::DATA_TYPE,
            pages: Pages::Owned(pages),
        }
    }

    /// An INT32 column; `None` is NULL.
    pub fn from_i32_options(rows: impl IntoIterator<Item = Option<i32>>) -> Column {
        Column::from_options(rows)
    }

    /// A column of fixed width; `None` is NULL.
    pub fn from_options<T: Fixed>(rows: impl IntoIterator<Item = Option<T>>) -> Column {
        let mut writer = FixedWriter::new();
        rows.into_iter().for_each(|row| writer.push(row));
        Column {
            data_type: T::DATA_TYPE,
            pages: Pages::Owned(writer.finish()),
        }
    }

    /// A VARCHAR column; `None` is NULL.
    pub fn from_strings<S: AsRef<[u8]>>(rows: impl IntoIterator<Item = Option<S>>) -> Column {
        let mut writer = VarcharWriter::new();
        for row in rows {
            writer.push(row.as_ref().map(AsRef::as_ref));
        }
        Column {
            data_type: DataType::Varchar,
            pages: Pages::Owned(writer.finish()),
        }
    }

    /// The type of the values.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The pages in order.
    #[inline]
    pub fn pages(&self) -> &[Page] {
        match &self.pages {
            Pages::Owned(pages) => pages,
            Pages::Mapped(map) => bytemuck::cast_slice(map),
        }
    }

    /// Whether the pages lie in a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.pages, Pages::Mapped(_))
    }

    /// The number of rows, summed over the page headers.
    pub fn row_count(&self) -> u64 {
        self.pages().iter().map(|page| page.rows() as u64).sum()
    }

    /// Whether a row is NULL, from the page headers alone (R1.4).
    pub fn has_nulls(&self) -> bool {
        self.pages().iter().any(Page::has_nulls)
    }

    /// The pages, with the lookup from rows to them.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` rows, which no table has.
    pub fn paged(&self) -> PagedColumn<'_> {
        PagedColumn::new(self).expect("a table holds at most u32::MAX rows")
    }

    /// All rows in order.
    pub fn values(&self) -> Values<'_> {
        Values::new(self.data_type, self.pages())
    }

    /// One row. This walks over the page headers; with many rows to read at random, keep the
    /// [`Column::paged`] and use [`Column::value_at`].
    ///
    /// # Panics
    /// If there is no such row.
    pub fn value(&self, row: u32) -> Value<'_> {
        let (page, slot) = self.paged().offsets().locate(row);
        self.value_at(page, slot)
    }

    /// The row in slot `slot` of page `page`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn value_at(&self, page: usize, slot: usize) -> Value<'_> {
        Value::at(self.data_type, &self.pages()[page..], slot)
    }
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Column")
            .field("data_type", &self.data_type)
            .field("pages", &self.pages().len())
            .field("mapped", &self.is_mapped())
            .finish()
    }
}
