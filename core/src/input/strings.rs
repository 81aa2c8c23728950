//! Columns of strings: in pages, and in slices as other engines have them.

use std::borrow::Cow;
use std::ops::Range;

use crate::page::{Page, PageKind, long_string};
use crate::prefetch::prefetch_read;
use crate::table::{PageOffsets, PagedColumn};
use crate::validity::Validity;

/// A column of strings, read where they lie.
#[derive(Debug, Clone)]
pub struct StringColumn<'a> {
    chunks: Chunks<'a>,
}

#[derive(Debug, Clone)]
enum Chunks<'a> {
    Pages(PagedColumn<'a>),
    Slices(Vec<StringSlice<'a>>, PageOffsets),
}

/// Consecutive rows of a column of strings as other engines have them.
#[derive(Debug, Clone, Copy)]
pub struct StringSlice<'a> {
    place: Place<'a>,
    /// Where some row is NULL.
    validity: Option<Validity<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// The string of row r is the bytes from `ends[r]` up to `ends[r + 1]`.
    Ends(&'a [i32], &'a [u8]),
    /// A view of each string.
    Views(&'a [[u8; 16]], &'a [&'a [u8]]),
}

/// The longest string that a view holds itself.
const IN_VIEW: usize = 12;

/// Strings that are found together, so that their cache misses overlap.
pub(crate) const STRING_GROUP: usize = 16;

impl<'a> StringSlice<'a> {
    /// Strings side by side: that of row r is the bytes from `offsets[r]` up to `offsets[r + 1]`.
    ///
    /// `None` where an offset is less than the one before it or beyond the bytes, or there is none.
    pub fn with_offsets(offsets: &'a [i32], bytes: &'a [u8]) -> Option<Self> {
        let (&first, &last) = (offsets.first()?, offsets.last()?);
        let fits = first >= 0 && usize::try_from(last).is_ok_and(|last| last <= bytes.len());
        (fits && offsets.is_sorted()).then_some(Self {
            place: Place::Ends(offsets, bytes),
            validity: None,
        })
    }

    /// Views of 16 bytes: the length of the string as a little-endian number of 4, then the string itself if it has up to
    /// 12, and else its first 4 bytes, the number of the buffer that holds it, and where it begins there.
    ///
    /// `None` where a view points outside the buffers.
    pub fn with_views(views: &'a [[u8; 16]], buffers: &'a [&'a [u8]]) -> Option<Self> {
        are_inside(views, buffers).then_some(Self {
            place: Place::Views(views, buffers),
            validity: None,
        })
    }

    /// The same, of which those rows are NULL whose bit is clear: bits count from the least significant of a byte, and that
    /// of the first row is number `offset`. `None` where there are fewer bits than rows.
    #[must_use]
    pub fn with_nulls(self, bits: &'a [u8], offset: usize) -> Option<Self> {
        let validity = Validity::new(bits, offset, self.len())?;
        Some(Self {
            validity: Some(validity).filter(|validity| validity.count() < self.len()),
            ..self
        })
    }

    fn len(&self) -> usize {
        match self.place {
            Place::Ends(ends, _) => ends.len() - 1,
            Place::Views(views, _) => views.len(),
        }
    }

    #[inline(always)]
    fn get(&self, slot: usize) -> Option<&'a [u8]> {
        if self
            .validity
            .is_some_and(|validity| !validity.is_valid(slot))
        {
            return None;
        }
        match self.place {
            Place::Ends(ends, bytes) => Some(&bytes[ends[slot] as usize..ends[slot + 1] as usize]),
            Place::Views(views, buffers) => of_view(&views[slot], buffers),
        }
    }

    /// Calls `each` with the strings in these slots and their places among them, but for NULLs.
    fn for_each(&self, slots: Range<usize>, mut each: impl FnMut(usize, &'a [u8])) {
        match (self.place, self.validity) {
            (Place::Ends(ends, bytes), None) => {
                for (at, ends) in ends[slots.start..=slots.end].windows(2).enumerate() {
                    each(at, &bytes[ends[0] as usize..ends[1] as usize]);
                }
            }
            (Place::Views(views, buffers), None) => {
                for (at, view) in views[slots].iter().enumerate() {
                    if let Some(string) = of_view(view, buffers) {
                        each(at, string);
                    }
                }
            }
            (_, Some(_)) => {
                for (at, slot) in slots.enumerate() {
                    if let Some(string) = self.get(slot) {
                        each(at, string);
                    }
                }
            }
        }
    }
}

/// The number in 4 bytes of a view.
#[inline(always)]
fn number(view: &[u8; 16], at: usize) -> usize {
    let bytes = [view[at], view[at + 1], view[at + 2], view[at + 3]];
    u32::from_le_bytes(bytes) as usize
}

/// The string of a view, `None` where it points outside the buffers.
#[inline(always)]
fn of_view<'a>(view: &'a [u8; 16], buffers: &[&'a [u8]]) -> Option<&'a [u8]> {
    let len = number(view, 0);
    if len <= IN_VIEW {
        return Some(&view[4..4 + len]);
    }
    let start = number(view, 12);
    buffers
        .get(number(view, 8))?
        .get(start..start.checked_add(len)?)
}

/// Whether [`of_view`] finds the string of each view.
fn are_inside(views: &[[u8; 16]], buffers: &[&[u8]]) -> bool {
    /// The same, of buffers of so many bytes each. Without a branch on the length of a string, which cannot be predicted.
    #[inline(always)]
    fn are_within(views: &[[u8; 16]], bytes: impl Fn(usize) -> u64) -> bool {
        views.iter().fold(true, |all, view| {
            let [len, buffer, start] = [0, 8, 12].map(|at| number(view, at));
            let is_in_view = len <= IN_VIEW;
            let buffer = if is_in_view { 0 } else { buffer };
            all & (is_in_view | (start as u64 + len as u64 <= bytes(buffer)))
        })
    }
    match buffers {
        [only] => {
            let bytes = only.len() as u64;
            are_within(views, |buffer| if buffer == 0 { bytes } else { 0 })
        }
        _ => {
            let bytes = |buffer: &&[u8]| buffer.len() as u64;
            are_within(views, |buffer| buffers.get(buffer).map_or(0, bytes))
        }
    }
}

impl<'a> StringColumn<'a> {
    /// The strings of a column of pages.
    ///
    /// # Panics
    ///
    /// If its type is another.
    pub fn of(paged: PagedColumn<'a>) -> Self {
        assert_eq!(
            paged.data_type(),
            crate::page::DataType::Varchar,
            "a column of strings"
        );
        Self {
            chunks: Chunks::Pages(paged),
        }
    }

    /// The strings of slices, one after the other, or `None` where they are more than `u32::MAX`.
    pub fn of_slices(slices: Vec<StringSlice<'a>>) -> Option<Self> {
        let offsets = PageOffsets::from_row_counts(slices.iter().map(StringSlice::len))?;
        Some(Self {
            chunks: Chunks::Slices(slices, offsets),
        })
    }

    fn offsets(&self) -> &PageOffsets {
        match &self.chunks {
            Chunks::Pages(paged) => paged.offsets(),
            Chunks::Slices(_, offsets) => offsets,
        }
    }

    /// The chunk of a row, and the row's slot in it.
    #[inline(always)]
    fn locate(&self, row: u32) -> (usize, usize) {
        match &self.chunks {
            Chunks::Slices(slices, _) if slices.len() == 1 => (0, row as usize),
            _ => self.offsets().locate(row),
        }
    }

    /// Rows, NULLs included.
    pub fn len(&self) -> usize {
        self.offsets().row_count() as usize
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is NULL.
    pub fn has_nulls(&self) -> bool {
        match &self.chunks {
            Chunks::Pages(paged) => paged.has_nulls(),
            Chunks::Slices(slices, _) => slices.iter().any(|slice| slice.validity.is_some()),
        }
    }

    /// The string of a row, `None` where it is NULL.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn get(&self, row: u32) -> Option<Cow<'a, [u8]>> {
        let (chunk, slot) = self.locate(row);
        match &self.chunks {
            Chunks::Pages(paged) => at(paged.pages(), chunk, slot),
            Chunks::Slices(slices, _) => slices[chunk].get(slot).map(Cow::Borrowed),
        }
    }

    /// Asks for what says where the string of a row lies.
    #[inline(always)]
    pub(crate) fn ask(&self, row: u32) {
        let (chunk, slot) = self.locate(row);
        match &self.chunks {
            Chunks::Pages(paged) => prefetch_read(&raw const paged.pages()[chunk]),
            Chunks::Slices(slices, _) => match slices[chunk].place {
                Place::Ends(ends, _) => prefetch_read(&raw const ends[slot]),
                Place::Views(views, _) => prefetch_read(&raw const views[slot]),
            },
        }
    }

    /// Finds the strings of rows that were [asked](Self::ask) for, at most [`STRING_GROUP`] of them, and asks for what they
    /// hold; none where there is no row or it is NULL.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        rows: impl Iterator<Item = Option<u32>>,
        found: &mut [Option<Cow<'a, [u8]>>; STRING_GROUP],
    ) {
        match &self.chunks {
            Chunks::Slices(slices, _) if let [only] = &**slices => {
                fill(found, rows, |row| only.get(row as usize).map(Cow::Borrowed))
            }
            _ => fill(found, rows, |row| self.get(row)),
        }
    }

    /// Calls `each` with the strings of these rows and their rows, in order, but for NULLs.
    pub(crate) fn for_each(&self, rows: Range<usize>, mut each: impl FnMut(usize, &[u8])) {
        let starts = self.offsets().starts();
        let mut row = rows.start;
        while row < rows.end {
            let (chunk, slot) = self.offsets().locate(row as u32);
            let end = rows.end.min(starts[chunk + 1] as usize);
            let slots = slot..slot + (end - row);
            match &self.chunks {
                Chunks::Pages(paged) => each_of_page(paged.pages(), chunk, slots, |at, string| {
                    each(row + at, string);
                }),
                Chunks::Slices(slices, _) => {
                    slices[chunk].for_each(slots, |at, string| each(row + at, string));
                }
            }
            row = end;
        }
    }
}

/// Finds strings and asks for what they hold.
#[inline(always)]
fn fill<'a>(
    found: &mut [Option<Cow<'a, [u8]>>; STRING_GROUP],
    rows: impl Iterator<Item = Option<u32>>,
    get: impl Fn(u32) -> Option<Cow<'a, [u8]>>,
) {
    for (found, row) in found.iter_mut().zip(rows) {
        *found = row.and_then(&get);
        // Short ones lie in one line or in two.
        if let Some([first, .., last]) = found.as_deref() {
            prefetch_read(first);
            prefetch_read(last);
        }
    }
}

/// The string in a slot of a page.
#[inline]
fn at(pages: &[Page], number: usize, slot: usize) -> Option<Cow<'_, [u8]>> {
    let page = &pages[number];
    match page.kind() {
        PageKind::Plain => plain_at(page, slot).map(Cow::Borrowed),
        _ => Some(long_string(&pages[number..])),
    }
}

/// The string in a slot of a page that has no part of a long one, `None` for one that has.
#[inline]
fn plain_at(page: &Page, slot: usize) -> Option<&[u8]> {
    match page.kind() {
        PageKind::Plain => page.rank_of(slot).map(|rank| page.strings().get(rank)),
        _ => None,
    }
}

/// Calls `each` with the strings in these slots of a page and their places among them.
fn each_of_page(
    pages: &[Page],
    number: usize,
    slots: Range<usize>,
    mut each: impl FnMut(usize, &[u8]),
) {
    let page = &pages[number];
    if page.kind() != PageKind::Plain {
        return each(0, &long_string(&pages[number..]));
    }
    let strings = page.strings();
    if !page.has_nulls() {
        for (at, slot) in slots.enumerate() {
            each(at, strings.get(slot));
        }
        return;
    }
    let validity = page.validity();
    let mut rank = validity.rank(slots.start);
    for (at, slot) in slots.enumerate() {
        if validity.is_valid(slot) {
            each(at, strings.get(rank));
            rank += 1;
        }
    }
}
