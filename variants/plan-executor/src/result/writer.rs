//! Result pages, written from values where they lie.

use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::page::{DataType, HEADER_BYTES, LONG_NEXT, PAGE_BYTES, Page, WIDE_VALUES_AT};

use join_core::prefetch::prefetch_read;

use super::{PageRun, ValuePlace};

/// Pages of a column's runs: small results take little memory, large ones few blocks, and of a size that the process
/// keeps warm.
const RUNS: [usize; 4] = [1, 4, 32, 128];

/// Values that there is room for as soon as one waits.
const MIN_PENDING: usize = 16;

/// Bytes that short strings are copied by: a fixed number is two moves, any number a call.
const MOVE: usize = 16;

/// One worker's pages of one column. Values wait as 8-byte references until a page of them is full, and are copied once.
pub(crate) struct PageWriter<'a> {
    data_type: DataType,
    source: &'a [Page],
    pending: Vec<ValuePlace>,
    /// Keeps them counted.
    pending_reserved: Reservation,
    values: usize,
    chars: usize,
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
            pending: Vec::new(),
            pending_reserved: memory.reserve(0)?,
            values: 0,
            chars: 0,
            runs: Vec::new(),
            pages: Vec::new(),
            memory,
        })
    }

    /// Appends values, each as often as its weight says.
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
        match weights {
            None => places
                .iter()
                .try_for_each(|&value| self.one::<WIDTH>(value)),
            Some(weights) => places
                .iter()
                .zip(weights)
                .try_for_each(|(&value, &weight)| {
                    (0..weight).try_for_each(|_| self.one::<WIDTH>(value))
                }),
        }
    }

    #[inline(always)]
    fn one<const WIDTH: usize>(&mut self, value: ValuePlace) -> Result<(), OutOfMemory> {
        let null = value == ValuePlace::NULL;
        let length = usize::from(value.length());
        if WIDTH == 0 && !null && value.length() == ValuePlace::LONG {
            return self.long(value);
        }
        let chars = if WIDTH == 0 && !null { length } else { 0 };
        let values = self.values + usize::from(!null);
        let bitmap = (self.pending.len() + 1).div_ceil(8);
        let end = match WIDTH {
            0 => HEADER_BYTES + 2 * values + self.chars + chars,
            4 => HEADER_BYTES + 4 * values,
            _ => WIDE_VALUES_AT + 8 * values,
        };
        if end + bitmap > PAGE_BYTES {
            self.flush::<WIDTH>()?;
            self.chars = chars;
            self.values = usize::from(!null);
        } else {
            self.chars += chars;
            self.values = values;
        }
        // By the time that the page is full, its values are in the cache.
        prefetch_read(self.bytes().as_ptr().wrapping_add(value.at()));
        if self.pending.len() == self.pending.capacity() {
            self.wait_for_more()?;
        }
        self.pending.push(value);
        Ok(())
    }

    /// Room for twice as many values to wait.
    #[cold]
    fn wait_for_more(&mut self) -> Result<(), OutOfMemory> {
        let more = self.pending.capacity().max(MIN_PENDING);
        self.pending_reserved.grow(more * size_of::<ValuePlace>())?;
        self.pending.reserve_exact(more);
        Ok(())
    }

    /// The pages that values lie in.
    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        bytemuck::cast_slice(self.source)
    }

    /// Room for `count` pages that lie together.
    fn room(&mut self, count: usize) -> Result<&mut [Page], OutOfMemory> {
        if self.pages.capacity() - self.pages.len() < count {
            self.end_run();
            let capacity = RUNS[self.runs.len().min(RUNS.len() - 1)].max(count);
            let reservation = self.memory.reserve(capacity * PAGE_BYTES)?;
            self.pages = Vec::with_capacity(capacity);
            self.runs.push(PageRun::new(Vec::new(), reservation));
        }
        let first = self.pages.len();
        self.pages.resize(first + count, Page::EMPTY);
        Ok(&mut self.pages[first..])
    }

    fn end_run(&mut self) {
        if let Some(run) = self.runs.last_mut() {
            run.pages = std::mem::take(&mut self.pages);
        }
    }

    /// Copies the pages of a long string as they are.
    #[cold]
    fn long(&mut self, value: ValuePlace) -> Result<(), OutOfMemory> {
        self.flush::<0>()?;
        let first = value.at() / PAGE_BYTES;
        let source = &self.source[first..];
        let following = source[1..]
            .iter()
            .take_while(|page| page.header().0 == LONG_NEXT);
        let count = 1 + following.count();
        self.room(count)?.copy_from_slice(&source[..count]);
        Ok(())
    }

    #[inline(never)]
    fn flush<const WIDTH: usize>(&mut self) -> Result<(), OutOfMemory> {
        let rows = self.pending.len();
        if rows == 0 {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let (values, source) = (self.values, self.bytes());
        let page = &mut self.room(1)?[0];
        page.set_header(rows as u16, values as u16);
        let bytes = page.bytes_mut();
        let present = pending.iter().filter(|&&value| value != ValuePlace::NULL);
        if WIDTH == 0 {
            let (ends, chars) = bytes[HEADER_BYTES..].split_at_mut(2 * values);
            let mut end = 0;
            for (value, place) in present.zip(ends.as_chunks_mut::<2>().0) {
                let (at, length) = (value.at(), usize::from(value.length()));
                copy(&mut chars[end..], &source[at..], length);
                end += length;
                *place = (end as u16).to_le_bytes();
            }
        } else {
            let first = if WIDTH == 4 {
                HEADER_BYTES
            } else {
                WIDE_VALUES_AT
            };
            let places = bytes[first..].as_chunks_mut::<WIDTH>().0;
            for (value, place) in present.zip(places) {
                place.copy_from_slice(&source[value.at()..][..WIDTH]);
            }
        }
        let bitmap = &mut bytes[PAGE_BYTES - rows.div_ceil(8)..];
        if values == rows {
            bitmap.fill(0xff);
            if let (Some(last), used @ 1..) = (bitmap.last_mut(), rows % 8) {
                *last = (1 << used) - 1;
            }
        } else {
            for (bits, eight) in bitmap.iter_mut().zip(pending.chunks(8)) {
                *bits = (0..8).zip(eight).fold(0, |bits, (bit, &value)| {
                    bits | u8::from(value != ValuePlace::NULL) << bit
                });
            }
        }
        self.pending = pending;
        self.pending.clear();
        self.values = 0;
        self.chars = 0;
        Ok(())
    }

    /// The pages; none if there was no row.
    pub fn finish(mut self) -> Result<Vec<PageRun>, OutOfMemory> {
        match self.data_type {
            DataType::Int32 => self.flush::<4>()?,
            DataType::Int64 | DataType::Fp64 => self.flush::<8>()?,
            DataType::Varchar => self.flush::<0>()?,
        }
        self.end_run();
        Ok(self.runs)
    }
}

/// Copies `length` bytes; more where both sides have room for it, because the next string overwrites what is too much,
/// and the bitmap comes last.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8], length: usize) {
    if length <= 2 * MOVE && to.len() >= 2 * MOVE && from.len() >= 2 * MOVE {
        to[..MOVE].copy_from_slice(&from[..MOVE]);
        if length > MOVE {
            to[MOVE..2 * MOVE].copy_from_slice(&from[MOVE..2 * MOVE]);
        }
    } else {
        to[..length].copy_from_slice(&from[..length]);
    }
}
