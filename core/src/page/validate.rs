//! The check that every page from outside passes once.

use super::{
    DataType, Fixed, HEADER_BYTES, LONG_PAGE_BYTES, PAGE_BYTES, Page, PageError, PageFault,
    PageKind, ROWS_AT, VALUES_AT,
};

/// What the validator counted in the pages that it accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidatedCounts {
    /// Rows.
    pub rows: u64,
    /// Rows that are not NULL.
    pub values: u64,
}

/// Checks the pages of one column in order: every header, offset and bitmap.
///
/// The bits of a bitmap beyond n_r, and bytes between the values and the bitmap, are padding: writers
/// differ in what they leave there, and no reader looks.
pub fn validate(data_type: DataType, pages: &[Page]) -> Result<ValidatedCounts, PageError> {
    let mut validator = Validator::new(data_type);
    for page in pages {
        validator.check(page)?;
    }
    Ok(validator.counts())
}

/// The same check page by page, for pages that arrive one after the other.
#[derive(Clone, Debug)]
pub struct Validator {
    data_type: DataType,
    page: usize,
    /// Whether the page before belongs to a long string.
    in_long_string: bool,
    counts: ValidatedCounts,
}

impl Validator {
    /// A validator at the first page of a column.
    pub fn new(data_type: DataType) -> Validator {
        Validator {
            data_type,
            page: 0,
            in_long_string: false,
            counts: ValidatedCounts::default(),
        }
    }

    /// What the accepted pages hold.
    pub fn counts(&self) -> ValidatedCounts {
        self.counts
    }

    /// Checks the next page.
    pub fn check(&mut self, page: &Page) -> Result<(), PageError> {
        let checked = match page.kind() {
            PageKind::Plain => self.check_plain(page),
            PageKind::LongFirst | PageKind::LongNext => self.check_long(page),
        };
        checked.map_err(|(byte, fault)| PageError {
            page: self.page,
            byte,
            fault,
        })?;
        self.page += 1;
        self.in_long_string = page.kind() != PageKind::Plain;
        self.counts.rows += page.rows() as u64;
        self.counts.values += page.values() as u64;
        Ok(())
    }

    fn check_plain(&self, page: &Page) -> Result<(), (usize, PageFault)> {
        let (rows, values) = (page.rows(), page.values());
        if values > rows {
            return Err((VALUES_AT, PageFault::MoreValuesThanRows { rows, values }));
        }
        let end = match self.data_type {
            DataType::Int32 => values_end::<i32>(values),
            DataType::Int64 => values_end::<i64>(values),
            DataType::Fp64 => values_end::<f64>(values),
            DataType::Varchar => HEADER_BYTES + 2 * values,
        };
        let bitmap = PAGE_BYTES as isize - rows.div_ceil(8) as isize;
        if end as isize > bitmap {
            let fault = PageFault::ValuesOverlapBitmap {
                data_type: self.data_type,
                rows,
                values,
                end,
                bitmap,
            };
            return Err((ROWS_AT, fault));
        }
        let bitmap = bitmap as usize;
        let marked = page.validity().count();
        if marked != values {
            let fault = PageFault::BitmapContradictsHeader {
                rows,
                values,
                marked,
            };
            return Err((bitmap, fault));
        }
        if self.data_type == DataType::Varchar {
            check_offsets(page, bitmap - end)?;
        }
        Ok(())
    }

    fn check_long(&self, page: &Page) -> Result<(), (usize, PageFault)> {
        let (marker, chars) = page.header();
        if self.data_type != DataType::Varchar {
            let fault = PageFault::LongPageInFixedColumn {
                data_type: self.data_type,
                marker,
            };
            return Err((ROWS_AT, fault));
        }
        if page.kind() == PageKind::LongNext && !self.in_long_string {
            return Err((ROWS_AT, PageFault::LongNextWithoutFirst));
        }
        if chars as usize > LONG_PAGE_BYTES {
            let chars = chars as usize;
            return Err((VALUES_AT, PageFault::LongPageOverflow { chars }));
        }
        Ok(())
    }
}

/// The byte after the last value. A page without values needs no room beyond its header.
fn values_end<T: Fixed>(values: usize) -> usize {
    match values {
        0 => HEADER_BYTES,
        _ => T::VALUES_AT + T::WIDTH * values,
    }
}

/// Checks the end offsets of a VARCHAR page with `room` bytes between them and the bitmap.
fn check_offsets(page: &Page, room: usize) -> Result<(), (usize, PageFault)> {
    let mut start = 0;
    for (value, &end) in page.strings().ends().iter().enumerate() {
        let (at, end) = (HEADER_BYTES + 2 * value, end as usize);
        if end < start {
            return Err((at, PageFault::OffsetsRunBackwards { value, start, end }));
        }
        if end > room {
            return Err((at, PageFault::OffsetOutsidePage { value, end, room }));
        }
        start = end;
    }
    Ok(())
}
