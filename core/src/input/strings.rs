//! Columns of strings: in pages, and in slices as other engines have them.

use std::borrow::Cow;
use std::hint::select_unpredictable;
use std::marker::PhantomData;
use std::ops::Range;
use std::{ptr, slice};

use super::BlockRows;
use crate::page::{HEADER_BYTES, Page, PageKind, long_string};
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
///
/// Whether a string lies inside of the bytes that are said to hold it is looked at when it is read: doing so before would be one more
/// pass over all of them. Whoever joins or gathers strings refuses a column with others.
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
    /// The same, of more bytes.
    LongEnds(&'a [i64], &'a [u8]),
    /// So many strings of so many bytes each, one behind the other.
    Equal(usize, usize, &'a [u8]),
    /// A view of each string.
    Views(&'a [[u8; 16]], &'a [&'a [u8]]),
}

/// The longest string that a view holds itself.
const IN_VIEW: usize = 12;

/// Strings that are found together, so that their cache misses overlap.
pub(crate) const STRING_GROUP: usize = 32;

/// A string where it lies, and what lies behind it there: so that 16 bytes can be read at a time of one that has fewer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'a> {
    /// From its first byte on.
    from: &'a [u8],
    /// Its bytes, no more than there are.
    len: usize,
}

impl<'a> Located<'a> {
    /// The longest string that is [three blocks](Self::blocks).
    pub const IN_BLOCKS: usize = 48;

    /// The empty string.
    const EMPTY: Self = Self { from: &[], len: 0 };

    /// The string that is the first `len` bytes; the empty one where there are fewer, as in pages that nobody has validated.
    #[inline(always)]
    fn new(from: &'a [u8], len: usize) -> Self {
        let len = if len <= from.len() { len } else { 0 };
        Self { from, len }
    }

    /// The bytes of the string.
    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        &self.from[..self.len]
    }

    /// How many these are.
    #[inline(always)]
    pub fn len(self) -> usize {
        self.len
    }

    /// The first, the middle and the last 16 bytes of a string of up to [`Self::IN_BLOCKS`], each as two little-endian numbers.
    /// They overlap in what is shorter, and of what has not even 16 all are the string and zeros. Lengths apart, two strings are
    /// equal where these are. Without a branch on the length, which nothing can predict.
    #[inline(always)]
    pub fn blocks(self) -> [[u64; 2]; 3] {
        if self.from.len() < BLOCK {
            return [padded(self.bytes()); 3];
        }
        let [middle, last] = self.later_blocks();
        let mask = self.mask();
        let at = |start: usize| {
            // SAFETY: there are 16 bytes, and a block from there on is among those.
            let [low, high] = unsafe { self.block(start) };
            [low & mask[0], high & mask[1]]
        };
        [at(0), at(middle), at(last)]
    }

    /// Whether two strings are equal.
    #[inline(always)]
    pub fn equals(self, other: Located<'_>) -> bool {
        if self.len != other.len {
            return false;
        }
        if self.len > Self::IN_BLOCKS || self.from.len().min(other.from.len()) < BLOCK {
            return self.bytes() == other.bytes();
        }
        let [middle, last] = self.later_blocks();
        let unlike = |start: usize| {
            // SAFETY: both have 16 bytes, and a block from there on is among those, since they are as long as each other.
            let (one, other) = unsafe { (self.block(start), other.block(start)) };
            [one[0] ^ other[0], one[1] ^ other[1]]
        };
        let (a, b, c) = (unlike(0), unlike(middle), unlike(last));
        let mask = self.mask();
        ((a[0] | b[0] | c[0]) & mask[0]) | ((a[1] | b[1] | c[1]) & mask[1]) == 0
    }

    /// Where the middle and the last block of a string begin that is no longer than three.
    #[inline(always)]
    fn later_blocks(self) -> [usize; 2] {
        let has_one = self.len < BLOCK;
        let last = select_unpredictable(has_one, 0, self.len.wrapping_sub(BLOCK));
        [select_unpredictable(last < BLOCK, last, BLOCK), last]
    }

    /// Which bytes of a block are the string's, where there is but one.
    #[inline(always)]
    fn mask(self) -> &'static [u64; 2] {
        &MASKS[select_unpredictable(self.len < BLOCK, self.len, BLOCK)]
    }

    /// Sixteen bytes as two little-endian numbers.
    ///
    /// # Safety
    ///
    /// So many lie behind `start`, or at it: as they do from the beginning of each [block](Self::later_blocks), of which the
    /// last ends with the string or, where that has fewer bytes, is the first.
    #[inline(always)]
    unsafe fn block(self, start: usize) -> [u64; 2] {
        debug_assert!(start + BLOCK <= self.from.len());
        // SAFETY: as the caller promises.
        let block = unsafe { self.from.as_ptr().add(start).cast::<[u8; BLOCK]>().read() };
        let block = u128::from_le_bytes(block);
        [block as u64, (block >> 64) as u64]
    }

    /// The first 16 bytes, as a little-endian number, or as many as there are and zeros.
    #[inline(always)]
    pub fn first(self) -> u128 {
        let [[low, high], ..] = Self {
            len: self.len.min(BLOCK),
            ..self
        }
        .blocks();
        u128::from(low) | u128::from(high) << 64
    }

    /// Asks for what it holds.
    #[inline(always)]
    fn prefetch(self) {
        prefetch_string(self.from.as_ptr(), self.len);
    }
}

/// Asks for the first and the last line of a string; what lies between is read in order. Without a branch on the length.
#[inline(always)]
fn prefetch_string(start: *const u8, len: usize) {
    prefetch_read(start);
    prefetch_read(start.wrapping_add(len).wrapping_sub(1));
}

/// A string where it lies, in 8 bytes; or that its column has to be asked.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct StringRef<'a> {
    /// The address of the first byte, and the length in the lowest 16 bits.
    bits: u64,
    string: PhantomData<&'a [u8]>,
}

impl<'a> StringRef<'a> {
    /// That the column has to be asked: for NULL, and where [`Self::new`] cannot say it.
    pub const ASK: Self = Self {
        bits: u64::MAX,
        string: PhantomData,
    };

    /// A string that is shorter than 2^16 bytes, has 16 bytes from its first one on in what holds it, and lies below address
    /// 2^48, as all do that no system was asked to place elsewhere; of others, that the column has to be asked.
    #[inline(always)]
    pub fn new(string: Located<'a>) -> Self {
        let address = string.from.as_ptr().expose_provenance() as u64;
        let fits = (address >> 48 == 0)
            & (string.len < usize::from(u16::MAX))
            & (string.from.len() >= BLOCK);
        match fits {
            true => Self {
                bits: address << 16 | string.len as u64,
                string: PhantomData,
            },
            false => Self::ASK,
        }
    }

    #[inline(always)]
    fn len(self) -> usize {
        usize::from(self.bits as u16)
    }

    #[inline(always)]
    fn start(self) -> *const u8 {
        ptr::with_exposed_provenance((self.bits >> 16) as usize)
    }

    /// The string; none where the column has to be asked.
    #[inline(always)]
    pub fn get(self) -> Option<Located<'a>> {
        if self.bits == Self::ASK.bits {
            return None;
        }
        let len = self.len();
        let there = select_unpredictable(len < BLOCK, BLOCK, len);
        // SAFETY: so many bytes lie there for as long as `'a`, as `new` has seen.
        let from = unsafe { slice::from_raw_parts(self.start(), there) };
        Some(Located { from, len })
    }

    /// Asks for what it holds.
    #[inline(always)]
    pub fn prefetch(self) {
        prefetch_string(self.start(), self.len());
    }
}

/// A string with nothing behind it.
impl<'a> From<&'a [u8]> for Located<'a> {
    fn from(string: &'a [u8]) -> Self {
        Self::new(string, string.len())
    }
}

/// Bytes of a block.
const BLOCK: usize = 16;

/// Blocks of which the first so many bytes are set, as two little-endian numbers.
const MASKS: [[u64; 2]; BLOCK + 1] = {
    let mut masks = [[u64::MAX; 2]; BLOCK + 1];
    let mut len = 0;
    while len < BLOCK {
        let mask = (1 << (8 * len)) - 1_u128;
        masks[len] = [mask as u64, (mask >> 64) as u64];
        len += 1;
    }
    masks
};

/// Fewer than 16 bytes and zeros.
#[cold]
fn padded(bytes: &[u8]) -> [u64; 2] {
    let mut block = [0; BLOCK];
    block[..bytes.len()].copy_from_slice(bytes);
    let block = u128::from_le_bytes(block);
    [block as u64, (block >> 64) as u64]
}

/// Strings that are read together in order.
pub(crate) const STRINGS: usize = 128;

/// Strings that are read together.
pub(crate) enum StringBlock<'a, 's> {
    /// At most [`STRINGS`], and the rows they stand in.
    Lying(&'s [Located<'a>], BlockRows<'s>),
    /// One in pages of its own, which may have been put together from several.
    InPages(&'s [u8], u32),
}

impl<'a> StringSlice<'a> {
    /// Strings side by side: that of row r is the bytes from `offsets[r]` up to `offsets[r + 1]`.
    ///
    /// `None` where there is no offset.
    pub fn with_offsets(offsets: &'a [i32], bytes: &'a [u8]) -> Option<Self> {
        (!offsets.is_empty()).then_some(Self::of(Place::Ends(offsets, bytes)))
    }

    /// The same with offsets of 8 bytes.
    pub fn with_long_offsets(offsets: &'a [i64], bytes: &'a [u8]) -> Option<Self> {
        (!offsets.is_empty()).then_some(Self::of(Place::LongEnds(offsets, bytes)))
    }

    /// Strings of `len` bytes each, as many as `rows`, one behind the other.
    ///
    /// `None` where there are fewer bytes.
    pub fn of_equal_length(len: usize, rows: usize, bytes: &'a [u8]) -> Option<Self> {
        let fits = len.checked_mul(rows)? <= bytes.len();
        fits.then_some(Self::of(Place::Equal(len, rows, bytes)))
    }

    /// Views of 16 bytes: the length of the string as a little-endian number of 4, then the string itself if it has up to
    /// 12, and else its first 4 bytes, the number of the buffer that holds it, and where it begins there.
    pub fn with_views(views: &'a [[u8; 16]], buffers: &'a [&'a [u8]]) -> Self {
        Self::of(Place::Views(views, buffers))
    }

    fn of(place: Place<'a>) -> Self {
        Self {
            place,
            validity: None,
        }
    }

    /// The same, of which those rows are NULL whose bit is clear: bits count from the least significant of a byte, and that
    /// of the first row is number `offset`. What stands in place of their strings may be anything. `None` where there are fewer
    /// bits than rows.
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
            Place::LongEnds(ends, _) => ends.len() - 1,
            Place::Equal(_, rows, _) => rows,
            Place::Views(views, _) => views.len(),
        }
    }

    /// The string in a slot, `None` where it is NULL or lies outside.
    #[inline(always)]
    fn get(&self, slot: usize) -> Option<Located<'a>> {
        if self
            .validity
            .is_some_and(|validity| !validity.is_valid(slot))
        {
            return None;
        }
        match self.place {
            Place::Ends(ends, bytes) => between(bytes, ends[slot], ends[slot + 1]),
            Place::LongEnds(ends, bytes) => between(bytes, ends[slot], ends[slot + 1]),
            Place::Equal(len, _, bytes) => of_equal_length(bytes, slot, len),
            Place::Views(views, buffers) => of_view(views, slot, buffers),
        }
    }

    /// Finds the strings in these slots, none of which is NULL. Whether all of them lie inside; the others are empty.
    fn find(&self, slots: impl Iterator<Item = usize>, found: &mut [Located<'a>]) -> bool {
        #[inline(always)]
        fn find<'a>(
            slots: impl Iterator<Item = usize>,
            found: &mut [Located<'a>],
            string: impl Fn(usize) -> Option<Located<'a>>,
        ) -> bool {
            let mut are_inside = true;
            for (found, slot) in found.iter_mut().zip(slots) {
                let string = string(slot);
                are_inside &= string.is_some();
                *found = string.unwrap_or(Located::EMPTY);
            }
            are_inside
        }
        match self.place {
            Place::Ends(ends, bytes) => find(slots, found, |slot| {
                between(bytes, ends[slot], ends[slot + 1])
            }),
            Place::LongEnds(ends, bytes) => find(slots, found, |slot| {
                between(bytes, ends[slot], ends[slot + 1])
            }),
            Place::Equal(len, _, bytes) => {
                find(slots, found, |slot| of_equal_length(bytes, slot, len))
            }
            Place::Views(views, buffers) => {
                find(slots, found, |slot| of_view(views, slot, buffers))
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

/// The string between two offsets, `None` where these are not in order or not inside.
#[inline(always)]
fn between<O: Into<i64>>(bytes: &[u8], start: O, end: O) -> Option<Located<'_>> {
    // As an unsigned number, one below 0 is beyond all bytes.
    let (start, end) = (start.into() as usize, end.into() as usize);
    let from = bytes.get(start..)?;
    let len = end.wrapping_sub(start);
    (len <= from.len()).then_some(Located { from, len })
}

/// The string in a slot, of some that all have this length.
#[inline(always)]
fn of_equal_length(bytes: &[u8], slot: usize, len: usize) -> Option<Located<'_>> {
    let from = bytes.get(slot * len..)?;
    (len <= from.len()).then_some(Located { from, len })
}

/// The string of a view, `None` where the view points outside of the buffers.
#[inline(always)]
fn of_view<'a>(views: &'a [[u8; 16]], slot: usize, buffers: &[&'a [u8]]) -> Option<Located<'a>> {
    let view = &views[slot];
    let len = number(view, 0);
    let from = match len <= IN_VIEW {
        true => views.as_flattened().get(16 * slot + 4..)?,
        false => buffers.get(number(view, 8))?.get(number(view, 12)..)?,
    };
    (len <= from.len()).then_some(Located { from, len })
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

    /// The string of a row, `None` where it is NULL or lies outside of what is said to hold it.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn get(&self, row: u32) -> Option<Cow<'a, [u8]>> {
        let (chunk, slot) = self.locate(row);
        match &self.chunks {
            Chunks::Pages(paged) => at(paged.pages(), chunk, slot),
            Chunks::Slices(slices, _) => {
                let string = slices[chunk].get(slot)?;
                Some(Cow::Borrowed(string.bytes()))
            }
        }
    }

    /// Asks for what says where the strings of these rows lie, at most [`STRING_GROUP`] of them, and returns how many they are.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    #[inline]
    pub(crate) fn ask(
        &self,
        rows: impl Iterator<Item = u32>,
        asked: &mut [Asked; STRING_GROUP],
    ) -> usize {
        let mut count = 0;
        let places = asked.iter_mut().zip(rows).inspect(|_| count += 1);
        match &self.chunks {
            Chunks::Pages(paged) => {
                for (asked, row) in places {
                    let (chunk, slot) = paged.offsets().locate(row);
                    let page = paged.pages()[chunk].bytes().as_ptr();
                    prefetch_read(page.wrapping_add(HEADER_BYTES + 2 * slot));
                    if !paged.is_plain() {
                        prefetch_read(page);
                    }
                    *asked = Asked { chunk, slot };
                }
            }
            Chunks::Slices(slices, _) => {
                for (asked, row) in places {
                    let (chunk, slot) = self.locate(row);
                    match slices[chunk].place {
                        Place::Ends(ends, _) => prefetch_read(&raw const ends[slot]),
                        Place::LongEnds(ends, _) => prefetch_read(&raw const ends[slot]),
                        Place::Equal(..) => {}
                        Place::Views(views, _) => prefetch_read(&raw const views[slot]),
                    }
                    *asked = Asked { chunk, slot };
                }
            }
        }
        count
    }

    /// Finds strings that were [asked](Self::ask) for, and asks for what they hold; none where one is NULL or in pages of its
    /// own, so that [`Self::get`] has to be asked.
    #[inline]
    pub(crate) fn find(&self, asked: &[Asked], found: &mut [Option<Located<'a>>; STRING_GROUP]) {
        let find = |slot: &mut Option<Located<'a>>, string: Option<Located<'a>>| {
            string.iter().for_each(|string| string.prefetch());
            *slot = string;
        };
        let places = found.iter_mut().zip(asked);
        match &self.chunks {
            Chunks::Pages(paged) if paged.is_plain() => {
                let starts = paged.offsets().starts();
                for (found, &Asked { chunk, slot }) in places {
                    // The header, which would be one more line to wait for, says no more than the column does.
                    let values = (starts[chunk + 1] - starts[chunk]) as usize;
                    find(
                        found,
                        Some(in_plain_page(&paged.pages()[chunk], values, slot)),
                    );
                }
            }
            Chunks::Pages(paged) => {
                for (found, &Asked { chunk, slot }) in places {
                    let page = &paged.pages()[chunk];
                    let is_plain = page.kind() == PageKind::Plain;
                    let rank = is_plain.then(|| page.rank_of(slot)).flatten();
                    find(
                        found,
                        rank.map(|rank| in_plain_page(page, page.values(), rank)),
                    );
                }
            }
            Chunks::Slices(slices, _) => {
                for (found, &Asked { chunk, slot }) in places {
                    find(found, slices[chunk].get(slot));
                }
            }
        }
    }

    /// Whether all strings lie inside of what is said to hold them.
    pub fn are_inside(&self) -> bool {
        match &self.chunks {
            Chunks::Pages(_) => true,
            Chunks::Slices(..) => self.for_each_block(0..self.len(), &mut |_| {}),
        }
    }

    /// Calls `each` with the strings of these rows in order, but for NULLs. Whether all of them lie inside of what is said to
    /// hold them; the others are empty.
    pub(crate) fn for_each_block(
        &self,
        rows: Range<usize>,
        each: &mut dyn FnMut(StringBlock<'a, '_>),
    ) -> bool {
        let starts = self.offsets().starts();
        let mut strings = [Located::EMPTY; STRINGS];
        let mut listed = [0; STRINGS];
        let mut are_inside = true;
        let mut row = rows.start;
        while row < rows.end {
            let (chunk, slot) = self.offsets().locate(row as u32);
            let end = rows.end.min(starts[chunk + 1] as usize).min(row + STRINGS);
            let slots = slot..slot + (end - row);
            let validity = match &self.chunks {
                Chunks::Pages(paged) => {
                    let page = &paged.pages()[chunk];
                    if page.kind() != PageKind::Plain {
                        let string = long_string(&paged.pages()[chunk..]);
                        each(StringBlock::InPages(&string, row as u32));
                        row = end;
                        continue;
                    }
                    page.has_nulls().then(|| page.validity())
                }
                Chunks::Slices(slices, _) => slices[chunk].validity,
            };
            let (rows, count) = match validity {
                None => (BlockRows::From(row as u32), slots.len()),
                Some(validity) => {
                    let mut count = 0;
                    for (row, slot) in (row as u32..).zip(slots.clone()) {
                        listed[count] = row;
                        count += usize::from(validity.is_valid(slot));
                    }
                    (BlockRows::List(&listed[..count]), count)
                }
            };
            let strings = &mut strings[..count];
            match &self.chunks {
                Chunks::Pages(paged) => {
                    let page = &paged.pages()[chunk];
                    let values = page.values();
                    // Without NULLs that is the slot.
                    let first = validity.map_or(slot, |validity| validity.rank(slot));
                    for (string, rank) in strings.iter_mut().zip(first..) {
                        *string = in_plain_page(page, values, rank);
                    }
                }
                Chunks::Slices(slices, _) => {
                    let slice = &slices[chunk];
                    are_inside &= match rows {
                        BlockRows::From(_) => slice.find(slots, strings),
                        BlockRows::List(rows) => {
                            let before = starts[chunk];
                            let slots = rows.iter().map(|&row| (row - before) as usize);
                            slice.find(slots, strings)
                        }
                    };
                }
            }
            if count > 0 {
                each(StringBlock::Lying(strings, rows));
            }
            row = end;
        }
        are_inside
    }
}

/// Where a string that was asked for is: its page or slice, and the row's slot in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    chunk: usize,
    slot: usize,
}

/// The string of this rank among the values of a plain page, of which there are so many.
#[inline(always)]
fn in_plain_page(page: &Page, values: usize, rank: usize) -> Located<'_> {
    // The end of the string before it and its own: before the first end there is the number of values.
    let ends = page.bytes()[HEADER_BYTES - 2..].get(2 * rank..);
    let Some(&[low, high, end_low, end_high]) = ends.and_then(<[u8]>::first_chunk) else {
        return Located::new(&[], 0);
    };
    let before = usize::from(u16::from_le_bytes([low, high]));
    let start = if rank == 0 { 0 } else { before };
    let end = usize::from(u16::from_le_bytes([end_low, end_high]));
    let from = page.bytes().get(HEADER_BYTES + 2 * values + start..);
    Located::new(from.unwrap_or_default(), end.wrapping_sub(start))
}

/// The string in a slot of a page.
#[inline]
fn at(pages: &[Page], number: usize, slot: usize) -> Option<Cow<'_, [u8]>> {
    let page = &pages[number];
    match page.kind() {
        PageKind::Plain => {
            let rank = page.rank_of(slot)?;
            Some(Cow::Borrowed(page.strings().get(rank)))
        }
        _ => Some(long_string(&pages[number..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_a_string_is_no_part_of_it() {
        // No byte is zero.
        let buffer: Vec<u8> = (1..=200).collect();
        for start in [0, 7, 120, 150, 152, 153, 170, 185, 190, 199, 200] {
            for len in 0..=Located::IN_BLOCKS.min(buffer.len() - start) {
                let string = &buffer[start..start + len];
                let alone = string.to_vec();
                let (inside, alone) = (Located::new(&buffer[start..], len), Located::from(&*alone));
                assert_eq!((inside.bytes(), inside.len()), (string, len));
                assert_eq!(inside.blocks(), alone.blocks(), "{len} from {start}");
                assert_eq!(inside.first(), alone.first(), "{len} from {start}");
                let mut first = [0; 16];
                first[..len.min(16)].copy_from_slice(&string[..len.min(16)]);
                assert_eq!(inside.first(), u128::from_le_bytes(first));
            }
        }
        assert_eq!(Located::new(&buffer[190..], 11).bytes(), b"");
    }

    #[test]
    fn what_eight_bytes_cannot_say_is_asked_for() {
        let buffer = vec![7; 1 << 17];
        let there = |start: usize, len| StringRef::new(Located::new(&buffer[start..], len)).get();
        for (start, len) in [
            (0, 0),
            (3, 5),
            (3, 16),
            (3, 48),
            (3, 65_534),
            (buffer.len() - 16, 15),
        ] {
            let string = there(start, len).expect("a string that fits");
            assert_eq!(string.bytes(), &buffer[start..start + len]);
            assert_eq!(string.bytes().as_ptr(), &raw const buffer[start]);
        }
        assert!(there(0, 65_535).is_none());
        assert!(there(0, 65_536).is_none());
        assert!(there(buffer.len() - 15, 15).is_none());
        assert!(StringRef::ASK.get().is_none());
    }

    #[test]
    fn blocks_have_every_byte() {
        for len in 1..=Located::IN_BLOCKS {
            let string = vec![0; len];
            let none = Located::from(&*string).blocks();
            for at in 0..len {
                let mut other = string.clone();
                other[at] = 1;
                assert_ne!(Located::from(&*other).blocks(), none, "byte {at} of {len}");
            }
        }
    }
}
