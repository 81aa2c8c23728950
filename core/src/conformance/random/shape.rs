//! NULLs and pages drawn at random.

use std::fmt;

use crate::conformance::keys::{CaseKey, Random, column};
use crate::page::{Fixed, HEADER_BYTES, PAGE_BYTES, Page, rows_per_full_page};
use crate::table::Column;

/// Pages of a side at most, where it does not fill them.
const MOST_PAGES: usize = 500;

/// Which rows of a side are NULL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nulls {
    percent: u64,
    /// Every other stretch of so many rows is without any.
    stretch: usize,
}

impl Nulls {
    pub fn drawn<K: CaseKey>(random: &mut Random) -> Self {
        let page = rows_per_full_page::<K>();
        Self {
            percent: *random.pick(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 10, 10, 50, 90, 100]),
            stretch: *random.pick(&[usize::MAX, usize::MAX, 1, 64, page, 3 * page + 1]),
        }
    }

    pub fn holds(&self, row: usize, random: &mut Random) -> bool {
        random.below(100) < self.percent && (row / self.stretch).is_multiple_of(2)
    }
}

impl fmt::Display for Nulls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} % NULL", self.percent)?;
        match self.stretch {
            usize::MAX => Ok(()),
            stretch => write!(f, " in every other {stretch} rows"),
        }
    }
}

/// How a side's rows are divided into pages.
#[derive(Debug)]
pub(super) struct Shape {
    /// Rows of the pages, over and over; as many as fit where there are none.
    fills: Vec<usize>,
    /// Pages without rows behind the last one.
    empty: usize,
    /// Whether bytes and bits that mean nothing are ones.
    ones: bool,
}

impl Shape {
    pub fn drawn<K: CaseKey>(rows: usize, random: &mut Random) -> Self {
        let most = match random.below(8) {
            0 => Some(1),
            1 | 2 => Some(100),
            3 => Some(rows_per_full_page::<K>()),
            _ => None,
        };
        let mut fills: Vec<usize> = Vec::new();
        if let Some(most) = most {
            let different = 1 + random.below(8);
            fills.extend((0..different).map(|_| random.below(most as u64 + 1) as usize));
            fills.push(1 + random.below(most as u64) as usize);
        }
        let filled: usize = fills.iter().sum();
        if rows * fills.len() > MOST_PAGES * filled {
            fills.clear();
        }
        Self {
            fills,
            empty: random.below(8).saturating_sub(5) as usize,
            ones: random.once_in(2),
        }
    }

    pub fn column<K: CaseKey>(&self, rows: &[Option<K>]) -> Column {
        let column = column(rows, &self.fills);
        let empty = std::iter::repeat_n(Page::EMPTY, self.empty);
        let mut pages: Vec<Page> = column.pages().iter().copied().chain(empty).collect();
        if self.ones {
            pages.iter_mut().for_each(set_unused::<K>);
        }
        Column::from_pages(K::DATA_TYPE, pages).expect("unused bytes may be anything")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fills, empty, ones } = self;
        write!(f, "page fills {fills:?}, {empty} empty pages behind")?;
        f.write_str(if *ones { ", unused bits set" } else { "" })
    }
}

/// Sets all bits that mean nothing: before and behind the values, and those of the bitmap behind the last row's.
fn set_unused<K: Fixed>(page: &mut Page) {
    let (rows, values) = (page.rows(), page.values());
    let bitmap = PAGE_BYTES - rows.div_ceil(8);
    let bytes = page.bytes_mut();
    if values == 0 {
        bytes[HEADER_BYTES..bitmap].fill(0xff);
    } else {
        bytes[HEADER_BYTES..K::VALUES_AT].fill(0xff);
        bytes[K::VALUES_AT + values * K::WIDTH..bitmap].fill(0xff);
    }
    if !rows.is_multiple_of(8) {
        bytes[PAGE_BYTES - 1] |= 0xff << (rows % 8);
    }
}
