//! The strings of VARCHAR pages.

use std::borrow::Cow;

use super::{HEADER_BYTES, PAGE_BYTES, Page, PageKind};

/// The end offsets of a plain VARCHAR page and the characters after them.
#[derive(Clone, Copy)]
pub struct Strings<'a> {
    ends: &'a [u16],
    chars: &'a [u8],
}

impl Page {
    /// The strings of a plain VARCHAR page. A page of a long string yields none: see
    /// [`Page::long_bytes`].
    #[inline]
    pub fn strings(&self) -> Strings<'_> {
        const MOST: usize = (PAGE_BYTES - HEADER_BYTES) / 2;
        let values = match self.kind() {
            PageKind::Plain => self.values().min(MOST),
            PageKind::LongFirst | PageKind::LongNext => 0,
        };
        let (ends, chars) = self.bytes()[HEADER_BYTES..].split_at(2 * values);
        Strings {
            ends: bytemuck::cast_slice(ends),
            chars,
        }
    }
}

impl<'a> Strings<'a> {
    /// The number of strings, n_v.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The end offset of each string, relative to the first character.
    #[inline]
    pub fn ends(&self) -> &'a [u16] {
        self.ends
    }

    /// String `value` of the page (its index among the values, not among the rows). On a page that
    /// was never validated, a string whose offsets make no sense is empty.
    ///
    /// # Panics
    /// If `value` is not below [`Strings::len`].
    #[inline]
    pub fn get(&self, value: usize) -> &'a [u8] {
        let start = if value == 0 { 0 } else { self.ends[value - 1] };
        let end = self.ends[value];
        self.chars
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// All strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let strings = *self;
        (0..strings.len()).map(move |value| strings.get(value))
    }
}

/// The pages of the long string that `pages` begins with: its first page and all following ones.
/// Without a [`PageKind::LongFirst`] page in front: none.
pub fn long_string_pages(pages: &[Page]) -> &[Page] {
    match pages.split_first() {
        Some((first, rest)) if first.kind() == PageKind::LongFirst => {
            let following = rest
                .iter()
                .take_while(|page| page.kind() == PageKind::LongNext);
            &pages[..1 + following.count()]
        }
        _ => &[],
    }
}

/// The long string that `pages` begins with; copied only where it takes more than one page.
pub fn long_string(pages: &[Page]) -> Cow<'_, [u8]> {
    match long_string_pages(pages) {
        [] => Cow::Borrowed(&[]),
        [only] => Cow::Borrowed(only.long_bytes()),
        several => {
            let mut string = Vec::with_capacity(several.iter().map(|p| p.long_bytes().len()).sum());
            for page in several {
                string.extend_from_slice(page.long_bytes());
            }
            Cow::Owned(string)
        }
    }
}
