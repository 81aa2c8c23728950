//! Result pages, written from values where they lie.

use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::page::{DataType, HEADER_BYTES, LONG_NEXT, PAGE_BYTES, Page, WIDE_VALUES_AT};
use join_core::prefetch::prefetch_read;
use join_core::streaming_store::{fence, stream_copy};

use super::{PageRun, ValuePlace};

/// Pages of a column's runs: small results take little memory, large ones few blocks, of a size that the process keeps warm
/// and that is a huge page where it does not.
const RUNS: [usize; 5] = [1, 4, 32, 128, 256];

/// Pages of a column from which on a writer's pages go past the caches: with some columns more than L2 holds, and a line that is
/// not in it would be read before it is written.
const STREAM_FROM: usize = 16;

/// Bytes that short strings are copied by: a fixed number is two moves, any number a call.
const MOVE: usize = 16;

/// Values that are asked for ahead of the one that is copied.
const AHEAD: usize = 24;

/// Values between two that differ, on average, from which on runs of one value are sought: the end of a shorter run is found by
/// a branch that is mispredicted, which takes as long as some values do.
const LONG_RUN: usize = 8;

/// Values that appear once each of which it is asked together whether they fit, and whether they are plain.
const GROUP: usize = 64;

/// Rows of a page that has nothing but NULLs.
const MOST_ROWS: usize = 8 * (PAGE_BYTES - HEADER_BYTES);

/// One worker's pages of one column. Values come as 8-byte references, and are copied into a page in the cache at once; only
/// characters wait beside it, since they begin where the ends of all strings of a page end. A full page goes to the others as
/// a whole.
pub(crate) struct PageWriter<'a> {
    data_type: DataType,
    source: &'a [Page],
    /// The page that is being filled; none before the first value.
    page: Vec<Page>,
    /// Its rows, those of them that have a value, and bits that are left: none before the first row.
    rows: usize,
    values: usize,
    left: usize,
    /// Its characters, up to the end, and room behind them for two moves. Empty before the first string.
    chars: Vec<u8>,
    end: usize,
    /// A set bit for each of its rows that is NULL, up to the last one of them.
    nulls: Vec<u64>,
    /// Keeps all of it counted.
    reserved: Reservation,
    /// Pages that are full.
    full: usize,
    runs: Vec<PageRun>,
    pages: Vec<Page>,
    memory: &'a Memory,
}

impl<'a> PageWriter<'a> {
    /// A writer of values that lie in the pages of `source`.
    pub fn new(
        data_type: DataType,
        source: &'a [Page],
        memory: &'a Memory,
    ) -> Result<PageWriter<'a>, OutOfMemory> {
        Ok(PageWriter {
            data_type,
            source,
            page: Vec::new(),
            rows: 0,
            values: 0,
            left: 0,
            chars: Vec::new(),
            end: 0,
            nulls: Vec::new(),
            reserved: memory.reserve(0)?,
            full: 0,
            runs: Vec::new(),
            pages: Vec::new(),
            memory,
        })
    }

    /// Appends values, each as often as its weight says, at least once.
    pub fn push(
        &mut self,
        places: &[ValuePlace],
        weights: Option<&[u32]>,
    ) -> Result<(), OutOfMemory> {
        match self.data_type {
            DataType::Int32 => self.push_as::<4>(places, weights),
            DataType::Int64 | DataType::Fp64 => self.push_as::<8>(places, weights),
            DataType::Varchar => self.push_as::<0>(places, weights),
        }
    }

    /// `WIDTH` is 0 for strings.
    fn push_as<const WIDTH: usize>(
        &mut self,
        places: &[ValuePlace],
        weights: Option<&[u32]>,
    ) -> Result<(), OutOfMemory> {
        if self.page.is_empty() {
            self.page = self.room_for(1)?;
            if WIDTH == 0 {
                self.chars = self.room_for(PAGE_BYTES + 2 * MOVE)?;
            }
        }
        let pairs = places.iter().zip(&places[places.len().min(1)..]);
        let changes = pairs
            .map(|(value, next)| usize::from(value != next))
            .sum::<usize>();
        match weights {
            _ if changes * LONG_RUN < places.len() => self.runs::<WIDTH>(places, weights),
            None => self.each_once::<WIDTH>(places),
            Some(weights) => {
                let ahead = places[places.len().min(AHEAD)..].iter();
                let mut ahead = ahead.map(|value| value.at());
                for (&value, &count) in places.iter().zip(weights) {
                    if let Some(at) = ahead.next() {
                        prefetch_read(self.bytes().as_ptr().wrapping_add(at));
                    }
                    self.repeated::<WIDTH>(value, count as usize)?;
                }
                Ok(())
            }
        }
    }

    /// Appends values, neighbours that are equal together.
    fn runs<const WIDTH: usize>(
        &mut self,
        places: &[ValuePlace],
        weights: Option<&[u32]>,
    ) -> Result<(), OutOfMemory> {
        let mut at = 0;
        for run in places.chunk_by(|value, next| value == next) {
            let count = match weights {
                None => run.len(),
                Some(weights) => {
                    let weights = weights[at..at + run.len()].iter();
                    weights.map(|&weight| weight as usize).sum()
                }
            };
            self.repeated::<WIDTH>(run[0], count)?;
            at += run.len();
        }
        Ok(())
    }

    /// Appends values, each of them once.
    fn each_once<const WIDTH: usize>(&mut self, places: &[ValuePlace]) -> Result<(), OutOfMemory> {
        for (nth, group) in places.chunks(GROUP).enumerate() {
            let ahead = &places[places.len().min(GROUP * nth + AHEAD)..];
            for value in &ahead[..ahead.len().min(GROUP)] {
                prefetch_read(self.bytes().as_ptr().wrapping_add(value.at()));
            }
            match self.bits_of_plain::<WIDTH>(group) {
                Some(bits) if bits <= self.left => {
                    self.put_plain::<WIDTH>(group);
                    self.left -= bits;
                }
                _ => {
                    for &value in group {
                        self.repeated::<WIDTH>(value, 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Bits that these values take in a page. `None` if one of them is NULL, or a string that two moves do not copy, or stands
    /// so near the end of the column that they would read beyond it.
    #[inline(always)]
    fn bits_of_plain<const WIDTH: usize>(&self, values: &[ValuePlace]) -> Option<usize> {
        let moved = if WIDTH == 0 { 2 * MOVE } else { WIDTH };
        let last = self.bytes().len().checked_sub(moved)?;
        let (mut lengths, mut all) = (0, true);
        for value in values {
            // The place of a NULL is beyond all.
            all &= value.at() <= last;
            all &= usize::from(value.length()) <= 2 * MOVE;
            lengths += usize::from(value.length());
        }
        let bytes = match WIDTH {
            0 => 2 * values.len() + lengths,
            _ => WIDTH * values.len(),
        };
        all.then_some(8 * bytes + values.len())
    }

    /// Copies values that are plain and fit.
    #[inline(always)]
    fn put_plain<const WIDTH: usize>(&mut self, values: &[ValuePlace]) {
        let from = self.bytes();
        let room = &mut self.page[0].bytes_mut()[first::<WIDTH>()..];
        let slots = self.values..self.values + values.len();
        self.values += values.len();
        self.rows += values.len();
        if WIDTH == 0 {
            let chars = &mut self.chars[..];
            let mut end = self.end;
            for (value, slot) in values.iter().zip(&mut room.as_chunks_mut::<2>().0[slots]) {
                // More than there is: what comes next overwrites what is too much.
                chars[end..][..2 * MOVE].copy_from_slice(&from[value.at()..][..2 * MOVE]);
                end += usize::from(value.length());
                *slot = (end as u16).to_le_bytes();
            }
            self.end = end;
        } else {
            let slots = &mut room.as_chunks_mut::<WIDTH>().0[slots];
            for (value, slot) in values.iter().zip(slots) {
                slot.copy_from_slice(&from[value.at()..][..WIDTH]);
            }
        }
    }

    /// Appends a value so many times.
    #[inline(always)]
    fn repeated<const WIDTH: usize>(
        &mut self,
        value: ValuePlace,
        count: usize,
    ) -> Result<(), OutOfMemory> {
        if value == ValuePlace::NULL {
            return self.repeated_null::<WIDTH>(count);
        }
        if WIDTH == 0 && value.length() == ValuePlace::LONG {
            return (0..count).try_for_each(|_| self.long(value));
        }
        let bytes = match WIDTH {
            0 => 2 + usize::from(value.length()),
            _ => WIDTH,
        };
        // A bit of the bitmap each.
        let bits = 8 * bytes + 1;
        if count * bits <= self.left {
            self.put::<WIDTH>(value, count);
            self.left -= count * bits;
            return Ok(());
        }
        self.repeated_beyond::<WIDTH>(value, count, bits)
    }

    /// The same of what takes more than is left of a page.
    #[inline(never)]
    fn repeated_beyond<const WIDTH: usize>(
        &mut self,
        value: ValuePlace,
        mut count: usize,
        bits: usize,
    ) -> Result<(), OutOfMemory> {
        while count > 0 {
            let fitting = count.min(self.left / bits);
            if fitting == 0 {
                self.turn::<WIDTH>()?;
                continue;
            }
            self.put::<WIDTH>(value, fitting);
            self.left -= fitting * bits;
            count -= fitting;
        }
        Ok(())
    }

    /// Copies a value so many times, which fit.
    #[inline(always)]
    fn put<const WIDTH: usize>(&mut self, value: ValuePlace, count: usize) {
        let from = &self.bytes()[value.at()..];
        let room = &mut self.page[0].bytes_mut()[first::<WIDTH>()..];
        let values = self.values..self.values + count;
        self.values += count;
        self.rows += count;
        if WIDTH == 0 {
            let length = usize::from(value.length());
            let ends = &mut room.as_chunks_mut::<2>().0[values];
            let mut end = self.end;
            if length <= 2 * MOVE && from.len() >= 2 * MOVE {
                let room = &mut self.chars[end..];
                match from.first_chunk::<MOVE>() {
                    Some(piece) if length <= MOVE => stamp(room, *piece, length, count),
                    _ => {
                        let piece = from.first_chunk::<{ 2 * MOVE }>();
                        let piece = piece.expect("there are as many");
                        stamp(room, *piece, length, count);
                    }
                }
                // Within a page, as 16 bits: eight of them are computed at a time.
                let mut place_end = end as u16;
                for place in ends {
                    place_end = place_end.wrapping_add(length as u16);
                    *place = place_end.to_le_bytes();
                }
                end += count * length;
            } else {
                for place in ends {
                    self.chars[end..][..length].copy_from_slice(&from[..length]);
                    end += length;
                    *place = (end as u16).to_le_bytes();
                }
            }
            self.end = end;
        } else {
            let mut bytes = [0; WIDTH];
            bytes.copy_from_slice(&from[..WIDTH]);
            room.as_chunks_mut::<WIDTH>().0[values].fill(bytes);
        }
    }

    /// Appends a NULL so many times.
    #[inline(never)]
    fn repeated_null<const WIDTH: usize>(&mut self, mut count: usize) -> Result<(), OutOfMemory> {
        if self.nulls.capacity() == 0 {
            self.nulls = self.room_for(MOST_ROWS.div_ceil(64))?;
            self.nulls.clear();
        }
        while count > 0 {
            if self.left == 0 {
                self.turn::<WIDTH>()?;
            }
            let fitting = count.min(self.left);
            let rows = self.rows..self.rows + fitting;
            self.nulls.resize(rows.end.div_ceil(64), 0);
            rows.for_each(|row| self.nulls[row / 64] |= 1 << (row % 64));
            self.rows += fitting;
            self.left -= fitting;
            count -= fitting;
        }
        Ok(())
    }

    /// A list of zeroes, which is counted.
    #[cold]
    fn room_for<T: bytemuck::Zeroable + Clone>(
        &mut self,
        count: usize,
    ) -> Result<Vec<T>, OutOfMemory> {
        self.reserved.grow(count * size_of::<T>())?;
        Ok(vec![T::zeroed(); count])
    }

    /// The pages that values lie in.
    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        bytemuck::cast_slice(self.source)
    }

    /// Appends pages, which lie together.
    fn append(&mut self, pages: &[Page]) -> Result<(), OutOfMemory> {
        if self.pages.capacity() - self.pages.len() < pages.len() {
            self.end_run();
            let capacity = RUNS[self.runs.len().min(RUNS.len() - 1)].max(pages.len());
            let reservation = self.memory.reserve(capacity * PAGE_BYTES)?;
            self.pages = Vec::with_capacity(capacity);
            self.runs.push(PageRun::new(Vec::new(), reservation));
        }
        let room = &mut self.pages.spare_capacity_mut()[..pages.len()];
        if self.full < STREAM_FROM {
            room.write_copy_of_slice(pages);
        } else {
            stream_copy(room, pages);
        }
        self.full += pages.len();
        let count = self.pages.len() + pages.len();
        // SAFETY: those behind the ones that were there have been written.
        unsafe { self.pages.set_len(count) };
        Ok(())
    }

    fn end_run(&mut self) {
        if let Some(run) = self.runs.last_mut() {
            run.pages = std::mem::take(&mut self.pages);
        }
    }

    /// Copies the pages of a long string as they are.
    #[cold]
    fn long(&mut self, value: ValuePlace) -> Result<(), OutOfMemory> {
        self.end_page::<0>()?;
        let first = value.at() / PAGE_BYTES;
        let source = &self.source[first..];
        let following = source[1..]
            .iter()
            .take_while(|page| page.header().0 == LONG_NEXT);
        self.append(&source[..1 + following.count()])
    }

    /// Goes on with the next page.
    fn turn<const WIDTH: usize>(&mut self) -> Result<(), OutOfMemory> {
        self.end_page::<WIDTH>()?;
        self.left = 8 * (PAGE_BYTES - first::<WIDTH>());
        Ok(())
    }

    /// Completes the page that is being filled, if it has rows.
    fn end_page<const WIDTH: usize>(&mut self) -> Result<(), OutOfMemory> {
        let (rows, values) = (self.rows, self.values);
        if rows == 0 {
            return Ok(());
        }
        let page = &mut self.page[0];
        page.set_header(rows as u16, values as u16);
        let bytes = page.bytes_mut();
        let (first, bitmap) = (first::<WIDTH>(), PAGE_BYTES - rows.div_ceil(8));
        let end = match WIDTH {
            0 => first + 2 * values + self.end,
            _ => first + WIDTH * values,
        };
        if WIDTH == 0 {
            bytes[first + 2 * values..end].copy_from_slice(&self.chars[..self.end]);
        }
        bytes[end..bitmap].fill(0);
        let bitmap = &mut bytes[bitmap..];
        bitmap.fill(0xff);
        for (bits, nulls) in bitmap.chunks_mut(8).zip(&self.nulls) {
            for (bits, nulls) in bits.iter_mut().zip(nulls.to_le_bytes()) {
                *bits = !nulls;
            }
        }
        if let (Some(last), used @ 1..) = (bitmap.last_mut(), rows % 8) {
            *last &= (1 << used) - 1;
        }
        self.nulls.clear();
        (self.rows, self.values, self.left, self.end) = (0, 0, 0, 0);
        let page = std::mem::take(&mut self.page);
        let appended = self.append(&page);
        self.page = page;
        appended
    }

    /// The pages; none if there was no row.
    pub fn finish(mut self) -> Result<Vec<PageRun>, OutOfMemory> {
        match self.data_type {
            DataType::Int32 => self.end_page::<4>()?,
            DataType::Int64 | DataType::Fp64 => self.end_page::<8>()?,
            DataType::Varchar => self.end_page::<0>()?,
        }
        self.end_run();
        // Whoever reads the pages sees what has gone past the caches.
        fence();
        Ok(self.runs)
    }
}

/// Writes `piece` to every `length`-th place, `count` times. So each overwrites what there is too much of the one before it.
///
/// # Panics
///
/// If there is no room for as many lengths and a piece, or a length is more than a piece.
#[inline(always)]
fn stamp<const BYTES: usize>(room: &mut [u8], piece: [u8; BYTES], length: usize, count: usize) {
    assert!(length <= BYTES && count * length + BYTES <= room.len());
    let mut to = room.as_mut_ptr();
    for _ in 0..count {
        // SAFETY: it begins before `count` times `length`, behind which there is room for a piece.
        unsafe {
            to.cast::<[u8; BYTES]>().write_unaligned(piece);
            to = to.add(length);
        }
    }
}

/// Where the first value of a page lies, or the end of its first string.
const fn first<const WIDTH: usize>() -> usize {
    match WIDTH {
        8 => WIDE_VALUES_AT,
        _ => HEADER_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use join_core::table::{Column, Value};

    use super::*;

    /// Writes rows of `column`, each as often as its weight says, `at_once` at a time, and compares what is read back.
    fn round_trip(column: &Column, rows: &[(u32, u32)], weighted: bool, at_once: usize) {
        let (paged, memory) = (column.paged(), Memory::unlimited());
        let (data_type, pages) = (column.data_type(), paged.pages());
        let mut writer = PageWriter::new(data_type, pages, &memory).unwrap();
        for rows in rows.chunks(at_once) {
            let places = rows.iter().map(|&(row, _)| ValuePlace::of(&paged, row));
            let weights: Vec<u32> = rows.iter().map(|&(_, weight)| weight).collect();
            let places: Vec<ValuePlace> = places.collect();
            let weights = weighted.then_some(&weights[..]);
            writer.push(&places, weights).unwrap();
        }
        let runs = writer.finish().unwrap();
        let written = runs.iter().flat_map(|run| run.pages.iter().copied());
        // This checks all pages.
        let written = Column::from_pages(data_type, written.collect()).unwrap();
        let value = |row: u32| -> Value<'_> {
            let (page, slot) = paged.offsets().locate(row);
            column.value_at(page, slot)
        };
        let mut read = written.values();
        for &(row, weight) in rows {
            for _ in 0..if weighted { weight } else { 1 } {
                assert_eq!(read.next(), Some(value(row)), "row {row}");
            }
        }
        assert_eq!(read.next(), None);
    }

    /// Rows of a column of so many: in order, in runs, one many times, and all over.
    fn selections(rows: u32) -> Vec<Vec<(u32, u32)>> {
        vec![
            Vec::new(),
            (0..rows).map(|row| (row, 1)).collect(),
            (0..rows).map(|row| (row, 1 + row * 7 % 5)).collect(),
            (0..20 * rows).map(|nth| (nth / 20, 1 + nth % 3)).collect(),
            (0..rows)
                .map(|row| (row, if row == 1 { 70_000 } else { 1 }))
                .collect(),
            (0..5000)
                .map(|nth| (nth * 7919 % rows, 1 + nth % 2))
                .collect(),
        ]
    }

    fn all_round_trips(column: &Column) {
        for rows in selections(column.row_count() as u32) {
            for at_once in [1, 7, 1024] {
                round_trip(column, &rows, false, at_once);
                round_trip(column, &rows, true, at_once);
            }
        }
    }

    #[test]
    fn strings_of_all_lengths_are_written_as_they_are() {
        let lengths = [3, 0, 15, 16, 17, 31, 32, 33, 100, 1, 4000];
        let texts = lengths.iter().enumerate().map(|(nth, &length)| {
            let letter = b'a' + nth as u8;
            (length != 1).then(|| vec![letter; length])
        });
        let texts: Vec<Option<Vec<u8>>> = texts.collect();
        all_round_trips(&Column::from_strings(texts.clone()));
        // What fills a page by itself, or takes several.
        let long = [8184, 8185, 8186, 20_000].map(|length| Some(vec![b'z'; length]));
        let texts: Vec<_> = texts.into_iter().chain(long).collect();
        let column = Column::from_strings(texts);
        let rows: Vec<(u32, u32)> = (0..60).map(|nth| (nth % 15, 1 + nth % 3)).collect();
        round_trip(&column, &rows, true, 1024);
        round_trip(&column, &rows, false, 4);
    }

    #[test]
    fn numbers_and_nulls_are_written_as_they_are() {
        let number = |nth: i32| (nth % 3 != 1).then_some(nth * 77_777);
        all_round_trips(&Column::from_options((0..100).map(number)));
        all_round_trips(&Column::from_i32(&[5, 6, 7]));
        let wide = |nth: i64| (nth % 4 != 0).then_some(nth << 33);
        all_round_trips(&Column::from_options((0..100).map(wide)));
        all_round_trips(&Column::from_options([None::<i32>, None]));
    }
}
