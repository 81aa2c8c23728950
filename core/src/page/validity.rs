//! Which rows of a page have a value.

use super::{HEADER_BYTES, PAGE_BYTES, Page, PageKind};
use crate::validity::Validity;

impl Page {
    /// The validity bitmap: the last ⌈n_r/8⌉ bytes of a plain page. Pages of a long string have none and yield one without
    /// rows.
    #[inline]
    pub fn validity(&self) -> Validity<'_> {
        let rows = match self.kind() {
            PageKind::Plain => self.rows().min((PAGE_BYTES - HEADER_BYTES) * 8),
            PageKind::LongFirst | PageKind::LongNext => 0,
        };
        let bits = &self.bytes()[PAGE_BYTES - rows.div_ceil(8)..];
        Validity::new(bits, 0, rows).expect("a bit for each row")
    }

    /// Whether the row in a slot is NULL. `slot` must be below [`Page::rows`], else this may panic.
    #[inline]
    pub fn is_null(&self, slot: usize) -> bool {
        self.has_nulls() && !self.validity().is_valid(slot)
    }

    /// The place of a slot's value among the page's dense values; `None` where the row is NULL. `slot` must be below
    /// [`Page::rows`], else this may panic.
    #[inline]
    pub fn rank_of(&self, slot: usize) -> Option<usize> {
        if !self.has_nulls() {
            return Some(slot);
        }
        let validity = self.validity();
        validity.is_valid(slot).then(|| validity.rank(slot))
    }
}
