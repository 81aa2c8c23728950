//! A column that rows of a result take values from, and the gathering of them.

use std::mem::MaybeUninit;

use bytemuck::Pod;

use super::super::NO_ROW;
use super::words::{WORD, Words};
use crate::input::{Asked, STRING_GROUP, StringColumn};
use crate::page::{DataType, Fixed};
use crate::prefetch::prefetch_read;
use crate::streaming_store::stream_copy;
use crate::table::{Column, PageOffsets, PagedColumn};
use crate::validity::Validity;

/// Values that are asked for together, so that their cache misses overlap.
const GROUP: usize = 64;

/// Rows of a side whose values are wanted, at most [`BLOCK`](super::chunk::BLOCK), in groups that begin where lines of the
/// result do.
pub(crate) struct Wanted<'r> {
    rows: &'r [u32],
    /// Rows of the first group, where it is none of [`GROUP`].
    head: usize,
    /// A bit for each group: whether its rows follow one another, as probe rows with one match each do. Found once for all
    /// columns.
    runs: u64,
}

impl<'r> Wanted<'r> {
    /// These rows, after `before` others of the result.
    pub fn new(rows: &'r [u32], before: usize) -> Self {
        let mut wanted = Self {
            rows,
            head: before.wrapping_neg() % GROUP,
            runs: 0,
        };
        let runs = wanted.groups().map(|(_, rows, _)| {
            let steps = rows.iter().zip(0..);
            steps.fold(true, |is_run, (&row, step)| {
                is_run & (row.wrapping_sub(rows[0]) == step)
            })
        });
        wanted.runs = runs
            .zip(0..)
            .fold(0, |runs, (is_run, nth)| runs | u64::from(is_run) << nth);
        wanted
    }

    /// The groups: which of the rows is their first, their rows, and whether these follow one another.
    fn groups(&self) -> impl Iterator<Item = (usize, &'r [u32], bool)> + use<'r> {
        let Self { rows, head, runs } = *self;
        let (head, rest) = rows.split_at(head.min(rows.len()));
        let groups = head.chunks(GROUP).chain(rest.chunks(GROUP));
        groups.enumerate().scan(0, move |next, (nth, rows)| {
            let first = *next;
            *next += rows.len();
            Some((first, rows, runs >> nth & 1 == 1))
        })
    }
}

/// A column that rows of a result take values from.
#[derive(Debug, Clone)]
pub enum RowColumn<'a> {
    /// Values of fixed width.
    Fixed(FixedColumn<'a>),
    /// Strings.
    Strings(StringColumn<'a>),
    /// Of a mark join, on the side that is asked: whether there is a partner, a byte that is 0 or 1, NULL where that is
    /// unknown.
    Truth,
}

/// Values of 1, 2, 4, 8 or 16 bytes, in pages or slices.
#[derive(Debug, Clone)]
pub struct FixedColumn<'a> {
    width: usize,
    chunks: Chunks<'a>,
}

#[derive(Debug, Clone)]
enum Chunks<'a> {
    /// Pages, and where values begin in each.
    Pages(PagedColumn<'a>, usize),
    Slices(Vec<FixedSlice<'a>>, PageOffsets),
    /// Values of several columns, row by row: bytes of a row, and where a value begins in it.
    Tuples(&'a [u8], usize, usize),
}

/// Consecutive rows of a column as other engines have them: a value for each row, of which those of NULL rows have no meaning.
#[derive(Debug, Clone, Copy)]
pub struct FixedSlice<'a> {
    width: usize,
    bytes: &'a [u8],
    /// Where some row is NULL.
    validity: Option<Validity<'a>>,
}

impl<'a> FixedSlice<'a> {
    /// Rows of which none is NULL; `None` where values are not of 1, 2, 4, 8 or 16 bytes.
    pub fn new<T: Pod>(values: &'a [T]) -> Option<Self> {
        matches!(size_of::<T>(), 1 | 2 | 4 | 8 | 16).then_some(Self {
            width: size_of::<T>(),
            bytes: bytemuck::cast_slice(values),
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
        self.bytes.len() / self.width
    }
}

impl<'a> FixedColumn<'a> {
    /// The values of slices, one after the other; `None` where they are more than `u32::MAX`, or not of one width.
    pub fn of_slices(slices: Vec<FixedSlice<'a>>) -> Option<Self> {
        let width = slices.first()?.width;
        if slices.iter().any(|slice| slice.width != width) {
            return None;
        }
        let offsets = PageOffsets::from_row_counts(slices.iter().map(FixedSlice::len))?;
        Some(Self {
            width,
            chunks: Chunks::Slices(slices, offsets),
        })
    }

    fn of_pages<T: Fixed>(paged: PagedColumn<'a>) -> Self {
        Self {
            width: T::WIDTH,
            chunks: Chunks::Pages(paged, T::VALUES_AT),
        }
    }

    /// Bytes of a value.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values of `width` bytes from byte `first` on of tuples of `stride` bytes.
    pub(crate) fn of_tuples(tuples: &'a [u8], stride: usize, first: usize, width: usize) -> Self {
        Self {
            width,
            chunks: Chunks::Tuples(tuples, stride, first),
        }
    }

    /// Rows, NULLs included.
    pub fn rows(&self) -> usize {
        match &self.chunks {
            Chunks::Pages(paged, _) => paged.offsets().row_count() as usize,
            Chunks::Slices(_, offsets) => offsets.row_count() as usize,
            Chunks::Tuples(tuples, stride, _) => tuples.len() / stride,
        }
    }

    fn has_nulls(&self) -> bool {
        match &self.chunks {
            Chunks::Pages(paged, _) => paged.has_nulls(),
            Chunks::Slices(slices, _) => slices.iter().any(|slice| slice.validity.is_some()),
            Chunks::Tuples(..) => false,
        }
    }

    /// Writes the values of these rows, past the caches if `stream`, and where there may be a NULL among them, whether each is
    /// none.
    pub(crate) fn gather(
        &self,
        rows: &Wanted<'_>,
        to: &mut [MaybeUninit<u8>],
        valid: Option<&mut [bool]>,
        stream: bool,
    ) {
        match self.width {
            1 => self.gather_wide::<1>(rows, to, valid, stream),
            2 => self.gather_wide::<2>(rows, to, valid, stream),
            4 => self.gather_wide::<4>(rows, to, valid, stream),
            8 => self.gather_wide::<8>(rows, to, valid, stream),
            _ => self.gather_wide::<16>(rows, to, valid, stream),
        }
    }

    fn gather_wide<const W: usize>(
        &self,
        rows: &Wanted<'_>,
        to: &mut [MaybeUninit<u8>],
        mut valid: Option<&mut [bool]>,
        stream: bool,
    ) {
        let to = to.as_chunks_mut::<W>().0;
        if let Some(valid) = &mut valid {
            for (first, rows, _) in rows.groups() {
                let (to, valid) = (&mut to[first..], &mut valid[first..]);
                self.gather_some(rows, &mut to[..rows.len()], &mut valid[..rows.len()]);
            }
            return;
        }
        // The values of the next group are asked for before those of one are read.
        let mut places = [[&[0; W]; GROUP]; 2];
        let [mut now, mut later] = places.each_mut();
        let mut groups = rows.groups();
        let mut group = groups.next();
        let mut values = group.and_then(|(_, rows, is_run)| self.find(rows, is_run, now));
        while let Some((first, rows, _)) = group {
            group = groups.next();
            let next = group.and_then(|(_, rows, is_run)| self.find(rows, is_run, later));
            gather_group(
                values,
                &now[..rows.len()],
                &mut to[first..][..rows.len()],
                stream,
            );
            values = next;
            std::mem::swap(&mut now, &mut later);
        }
    }

    /// The values of a group of rows that are all there and not NULL, if they stand side by side; or where each is, which is
    /// asked for.
    fn find<const W: usize>(
        &self,
        rows: &[u32],
        is_run: bool,
        places: &mut [&'a [u8; W]; GROUP],
    ) -> Option<&'a [[u8; W]]> {
        if is_run && let Some(values) = self.side_by_side::<W>(rows) {
            return Some(values);
        }
        for (place, &row) in places.iter_mut().zip(rows) {
            *place = self.place(row);
            prefetch_read(place.as_ptr());
        }
        None
    }

    fn gather_some<const W: usize>(
        &self,
        rows: &[u32],
        to: &mut [[MaybeUninit<u8>; W]],
        valid: &mut [bool],
    ) {
        for &row in rows.iter().filter(|&&row| row != NO_ROW) {
            match &self.chunks {
                // Which value is a row's depends on the NULLs before it.
                Chunks::Pages(paged, _) if paged.has_nulls() => {
                    let (page, _) = paged.offsets().locate(row);
                    prefetch_read(&raw const paged.pages()[page]);
                }
                _ => prefetch_read(self.place::<W>(row).as_ptr()),
            }
        }
        for ((to, valid), &row) in to.iter_mut().zip(valid).zip(rows) {
            let value = match row {
                NO_ROW => None,
                row => self.value::<W>(row),
            };
            *valid = value.is_some();
            *to = value.unwrap_or(&[0; W]).map(MaybeUninit::new);
        }
    }

    /// The values of rows that follow one another, unless a page or slice ends between them.
    fn side_by_side<const W: usize>(&self, rows: &[u32]) -> Option<&'a [[u8; W]]> {
        let (&first, &last) = (rows.first()?, rows.last()?);
        let (values, begin) = match &self.chunks {
            Chunks::Pages(paged, first_value) => {
                let (page, slot) = paged.offsets().locate(first);
                let is_one = page == paged.offsets().locate(last).0;
                let values = is_one.then(|| &paged.pages()[page].bytes()[*first_value..]);
                (values?, slot)
            }
            Chunks::Slices(slices, offsets) => {
                let (slice, slot) = offsets.locate(first);
                let is_one = slice == offsets.locate(last).0;
                (is_one.then(|| slices[slice].bytes)?, slot)
            }
            Chunks::Tuples(..) => return None,
        };
        values.as_chunks::<W>().0.get(begin..begin + rows.len())
    }

    /// The words that stand side by side in the rows that this column is of, it being the first of them.
    pub(super) fn words(columns: &[RowColumn<'a>]) -> Option<Words<'a>> {
        let mut found: Option<Words<'a>> = None;
        for column in columns {
            let RowColumn::Fixed(Self {
                width: WORD,
                chunks: Chunks::Tuples(tuples, stride, first),
            }) = *column
            else {
                break;
            };
            match &mut found {
                None => {
                    found = Some(Words {
                        tuples,
                        stride,
                        first,
                        columns: 1,
                    });
                }
                Some(words) => {
                    let next = words.first + words.columns * WORD;
                    if !std::ptr::eq(words.tuples, tuples) || next != first {
                        break;
                    }
                    words.columns += 1;
                }
            }
        }
        found
    }

    /// Where the value of a row lies in a column without NULLs.
    #[inline(always)]
    fn place<const W: usize>(&self, row: u32) -> &'a [u8; W] {
        match &self.chunks {
            Chunks::Pages(paged, first) => {
                let (page, slot) = paged.offsets().locate(row);
                let values = &paged.pages()[page].bytes()[*first..];
                &values.as_chunks::<W>().0[slot]
            }
            Chunks::Slices(slices, _) if slices.len() == 1 => {
                &slices[0].bytes.as_chunks::<W>().0[row as usize]
            }
            Chunks::Slices(slices, offsets) => {
                let (slice, slot) = offsets.locate(row);
                &slices[slice].bytes.as_chunks::<W>().0[slot]
            }
            Chunks::Tuples(tuples, stride, first) => {
                let value = &tuples[row as usize * stride + first..];
                value.first_chunk().expect("a value of the column's width")
            }
        }
    }

    /// The value of a row, `None` where it is NULL.
    #[inline(always)]
    fn value<const W: usize>(&self, row: u32) -> Option<&'a [u8; W]> {
        match &self.chunks {
            Chunks::Pages(paged, first) if paged.has_nulls() => {
                let (page, slot) = paged.offsets().locate(row);
                let page = &paged.pages()[page];
                let rank = page.rank_of(slot)?;
                Some(&page.bytes()[*first..].as_chunks::<W>().0[rank])
            }
            Chunks::Slices(slices, offsets) => {
                let (slice, slot) = offsets.locate(row);
                let slice = &slices[slice];
                let is_valid = slice.validity.is_none_or(|bits| bits.is_valid(slot));
                is_valid.then(|| &slice.bytes.as_chunks::<W>().0[slot])
            }
            Chunks::Pages(..) | Chunks::Tuples(..) => Some(self.place(row)),
        }
    }
}

impl<'a> RowColumn<'a> {
    /// A column of pages; `None` where it has more than `u32::MAX` rows.
    pub fn new(column: &'a Column) -> Option<Self> {
        let paged = PagedColumn::new(column)?;
        Some(match column.data_type() {
            DataType::Int32 => Self::Fixed(FixedColumn::of_pages::<i32>(paged)),
            DataType::Int64 => Self::Fixed(FixedColumn::of_pages::<i64>(paged)),
            DataType::Fp64 => Self::Fixed(FixedColumn::of_pages::<f64>(paged)),
            DataType::Varchar => Self::Strings(StringColumn::of(paged)),
        })
    }

    /// Rows, where it has any of its own.
    pub(super) fn rows(&self) -> Option<usize> {
        match self {
            Self::Fixed(fixed) => Some(fixed.rows()),
            Self::Strings(strings) => Some(strings.len()),
            Self::Truth => None,
        }
    }

    /// Whether its strings, if it has any, lie inside of what is said to hold them.
    pub(super) fn are_inside(&self) -> bool {
        match self {
            Self::Strings(strings) => strings.are_inside(),
            Self::Fixed(_) | Self::Truth => true,
        }
    }

    /// The column, if its values can travel with a key: of fixed width, without NULLs.
    pub(crate) fn travelling(&self) -> Option<&FixedColumn<'a>> {
        match self {
            Self::Fixed(fixed) if !fixed.has_nulls() => Some(fixed),
            _ => None,
        }
    }

    /// Bytes of a value, of a string those that say where it is.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fixed(fixed) => fixed.width(),
            Self::Strings(_) => size_of::<u64>(),
            Self::Truth => 0,
        }
    }

    /// Whether a value may be NULL, where all rows are there.
    pub(super) fn has_nulls(&self) -> bool {
        match self {
            Self::Fixed(fixed) => fixed.has_nulls(),
            Self::Strings(strings) => strings.has_nulls(),
            Self::Truth => true,
        }
    }

    /// The type of a page that holds such values; none where there is no such page.
    pub(super) fn page_type(&self) -> Option<DataType> {
        match self {
            Self::Fixed(fixed) => match (&fixed.chunks, fixed.width) {
                (Chunks::Pages(paged, _), _) => Some(paged.data_type()),
                (_, 4) => Some(DataType::Int32),
                (_, 8) => Some(DataType::Int64),
                _ => None,
            },
            Self::Strings(_) => Some(DataType::Varchar),
            Self::Truth => None,
        }
    }
}

/// Writes the values of a group, which stand side by side, or each in its place.
fn gather_group<const W: usize>(
    values: Option<&[[u8; W]]>,
    places: &[&[u8; W]],
    to: &mut [[MaybeUninit<u8>; W]],
    stream: bool,
) {
    let mut write = |values: &[[u8; W]]| {
        let (to, values) = (to.as_flattened_mut(), values.as_flattened());
        match stream {
            true => stream_copy(to, values),
            false => {
                to.write_copy_of_slice(values);
            }
        }
    };
    if let Some(values) = values {
        return write(values);
    }
    let mut gathered = [[0; W]; GROUP];
    let gathered = &mut gathered[..places.len()];
    for (value, place) in gathered.iter_mut().zip(places) {
        *value = **place;
    }
    write(gathered);
}

/// Calls `each` with the string of each of these rows in turn, `None` where there is no row or it is NULL.
pub(super) fn gather_strings(
    strings: &StringColumn<'_>,
    rows: &[u32],
    mut each: impl FnMut(Option<&[u8]>),
) {
    let mut asked = [Asked::default(); STRING_GROUP];
    let mut found = [None; STRING_GROUP];
    for rows in rows.chunks(STRING_GROUP) {
        let there = rows.iter().copied().filter(|&row| row != NO_ROW);
        let count = strings.ask(there, &mut asked);
        strings.find(&asked[..count], &mut found);
        let mut found = found.iter();
        for &row in rows {
            match row {
                NO_ROW => each(None),
                _ => match found.next().expect("each was asked for") {
                    Some(string) => each(Some(string.bytes())),
                    None => each(strings.get(row).as_deref()),
                },
            }
        }
    }
}
