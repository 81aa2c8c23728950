//! Scans: an input's rows, tested against the filters of all its classes before anything else is read of them.

use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::page::Page;
use join_core::parallel::{Sharing, Tasks, Team, morsels};

use super::filter::{Filter, Test, WithTest};
use super::keys::{KeyList, PlanKey, with_key};
use super::pages::Paged;

/// Pages of a morsel.
const MORSEL: usize = 8;

/// Rows of an input that are left, and their keys, as one worker found them: ascending rows.
pub(super) struct Chunk {
    pub rows: Vec<u32>,
    /// Of each of the input's keys.
    pub keys: Vec<KeyList>,
}

/// What is left of an input.
pub(super) struct Reduced {
    pub chunks: Vec<Chunk>,
    pub len: usize,
    /// The filters' versions that its rows have passed, by key.
    pub passed: Vec<u32>,
    pub reserved: Vec<Reservation>,
}

impl Reduced {
    /// Bytes of rows and keys.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::bytes).sum()
    }
}

/// A key column of a scan.
pub(super) struct ScanColumn<'s> {
    pub paged: &'s Paged<'s>,
    pub filter: Option<&'s Filter>,
}

/// Rows that a column's test saw and passed.
#[derive(Clone, Copy, Default)]
pub(super) struct Tested {
    pub seen: u64,
    pub passed: u64,
}

/// Reads the rows that pass the filters of all `columns`, which are tested in the order `order`. A NULL never passes.
pub(super) fn scan(
    columns: &[ScanColumn<'_>],
    order: &[usize],
    bitmasks: bool,
    workers: usize,
    team: &Team,
    memory: &Memory,
) -> Result<(Reduced, Vec<Tested>), OutOfMemory> {
    let first = &columns[order[0]];
    let pages = first.paged.pages.len();
    let shares = morsels(pages, MORSEL, workers, Sharing::Counter);
    let outcomes = team.run(shares, |_, share| {
        let mut scanner = Scanner::new(columns, order, bitmasks);
        let mut reserved = memory.reserve(0)?;
        for pages in share {
            scanner.run(pages);
            let bytes = scanner.chunk.bytes();
            if bytes > reserved.bytes() {
                reserved.grow(bytes - reserved.bytes())?;
            }
        }
        Ok((scanner.chunk, scanner.tested, reserved))
    });
    let mut reduced = Reduced {
        chunks: Vec::new(),
        len: 0,
        passed: Vec::new(),
        reserved: Vec::new(),
    };
    let mut tested = vec![Tested::default(); columns.len()];
    for outcome in outcomes {
        let (chunk, of_worker, reserved) = outcome?;
        for (sum, one) in tested.iter_mut().zip(of_worker) {
            sum.seen += one.seen;
            sum.passed += one.passed;
        }
        reduced.len += chunk.rows.len();
        if !chunk.rows.is_empty() {
            reduced.chunks.push(chunk);
            reduced.reserved.push(reserved);
        }
    }
    Ok((reduced, tested))
}

/// One worker's scan.
struct Scanner<'s> {
    columns: &'s [ScanColumn<'s>],
    order: &'s [usize],
    bitmasks: bool,
    cursors: Vec<Cursor>,
    /// Rows that are left of the page at hand.
    rows: Vec<u32>,
    chunk: Chunk,
    tested: Vec<Tested>,
}

impl<'s> Scanner<'s> {
    fn new(columns: &'s [ScanColumn<'s>], order: &'s [usize], bitmasks: bool) -> Scanner<'s> {
        let keys = columns.iter().map(|column| empty(column.paged));
        Scanner {
            columns,
            order,
            bitmasks,
            cursors: columns.iter().map(|_| Cursor::default()).collect(),
            rows: Vec::new(),
            chunk: Chunk {
                rows: Vec::new(),
                keys: keys.collect(),
            },
            tested: vec![Tested::default(); columns.len()],
        }
    }

    fn run(&mut self, pages: std::ops::Range<usize>) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
        {
            // SAFETY: the features have just been detected.
            return unsafe { self.run_v3(pages) };
        }
        self.run_any::<false>(pages);
    }

    /// # Safety
    ///
    /// The machine has these features.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn run_v3(&mut self, pages: std::ops::Range<usize>) {
        self.run_any::<true>(pages);
    }

    /// With `VECTORS` only where there is AVX2.
    #[inline(always)]
    fn run_any<const VECTORS: bool>(&mut self, pages: std::ops::Range<usize>) {
        let driver = self.order[0];
        for number in pages {
            let column = &self.columns[driver];
            let page = &column.paged.pages[number];
            let rows = page.rows();
            if rows == 0 {
                continue;
            }
            if self.rows.len() < rows + 64 {
                self.rows.resize(rows + 64, 0);
            }
            let first_row = column.paged.starts[number];
            let left = with_key!(column.paged.data_type, K => Filter::dispatch::<K, _>(
                column.filter,
                First::<VECTORS> {
                    page,
                    first_row,
                    rows: &mut self.rows,
                    bitmasks: self.bitmasks,
                    cursor: &mut self.cursors[driver],
                    number,
                },
            ));
            self.count(driver, rows, left);
            let mut left = left;
            for place in 1..self.order.len() {
                if left == 0 {
                    break;
                }
                let next = self.order[place];
                let column = &self.columns[next];
                let seen = left;
                left = with_key!(column.paged.data_type, K => Filter::dispatch::<K, _>(
                    column.filter,
                    Refine {
                        paged: column.paged,
                        rows: &mut self.rows[..left],
                        cursor: &mut self.cursors[next],
                    },
                ));
                self.count(next, seen, left);
            }
            if left > 0 {
                self.keep(left);
            }
        }
    }

    #[inline(always)]
    fn count(&mut self, column: usize, seen: usize, passed: usize) {
        self.tested[column].seen += seen as u64;
        self.tested[column].passed += passed as u64;
    }

    /// Keeps the first `left` of the rows at hand, and reads their keys.
    #[inline(always)]
    fn keep(&mut self, left: usize) {
        let rows = &self.rows[..left];
        self.chunk.rows.extend_from_slice(rows);
        let columns = self.columns.iter().zip(&mut self.cursors);
        for ((column, cursor), keys) in columns.zip(&mut self.chunk.keys) {
            with_key!(column.paged.data_type, K => {
                gather(column.paged, rows, cursor, K::of_mut(keys));
            });
        }
    }
}

/// An empty list for the keys of a column.
pub(super) fn empty(paged: &Paged<'_>) -> KeyList {
    match paged.data_type {
        join_core::page::DataType::Int64 => KeyList::Int64(Vec::new()),
        _ => KeyList::Int32(Vec::new()),
    }
}

/// A worker's place in a column: a page and, where that has NULLs, its bitmap and the values before each word of it.
#[derive(Default)]
struct Cursor {
    page: usize,
    unpacked: Option<usize>,
    words: Vec<u64>,
    before: Vec<u32>,
}

impl Cursor {
    /// Moves to the page of a row. Rows ascend within a morsel, and morsels do.
    #[inline(always)]
    fn seek(&mut self, paged: &Paged<'_>, row: u32) {
        let starts = &paged.starts;
        if row < starts[self.page] || row >= starts[self.page + 1] {
            // Mostly the next page; a page without rows may lie in between.
            let next = self.page + 1;
            self.page = match starts.get(next + 1) {
                Some(&end) if row >= starts[next] && row < end => next,
                _ => paged.page_of(row),
            };
        }
    }

    /// Reads the bitmap of a page with NULLs.
    #[inline(always)]
    fn unpack(&mut self, number: usize, page: &Page) {
        if self.unpacked == Some(number) {
            return;
        }
        self.unpacked = Some(number);
        self.words.clear();
        self.before.clear();
        let rows = page.rows();
        let bits = &page.bytes()[page.bytes().len() - rows.div_ceil(8)..];
        let mut count = 0;
        for (nth, bytes) in bits.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            let mut word = u64::from_le_bytes(word);
            let left = rows - 64 * nth;
            if left < 64 {
                word &= (1 << left) - 1;
            }
            self.words.push(word);
            self.before.push(count);
            count += word.count_ones();
        }
    }

    /// The place of a slot among the values of the unpacked page.
    #[inline(always)]
    fn value(&self, slot: usize) -> Option<usize> {
        let (word, bit) = (self.words[slot / 64], slot % 64);
        let below = word & ((1 << bit) - 1);
        (word >> bit & 1 != 0)
            .then(|| self.before[slot / 64] as usize + below.count_ones() as usize)
    }
}

/// The first test of a page, of all its rows.
struct First<'r, const VECTORS: bool> {
    page: &'r Page,
    number: usize,
    first_row: u32,
    rows: &'r mut [u32],
    bitmasks: bool,
    cursor: &'r mut Cursor,
}

impl<K: PlanKey, const VECTORS: bool> WithTest<K> for First<'_, VECTORS> {
    type Output = usize;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> usize {
        let values: &[K] = self.page.fixed();
        let mut left = 0;
        if self.page.has_nulls() {
            self.cursor.unpack(self.number, self.page);
            let mut values = values.iter();
            for (nth, &word) in self.cursor.words.iter().enumerate() {
                let first_row = self.first_row + 64 * nth as u32;
                let mut word = word;
                while word != 0 {
                    let Some(&value) = values.next() else { break };
                    self.rows[left] = first_row + word.trailing_zeros();
                    left += usize::from(test.test(value));
                    word &= word - 1;
                }
            }
        } else if self.bitmasks {
            for (nth, values) in values.chunks(64).enumerate() {
                let mut mask = mask::<K, T, VECTORS>(values, test);
                let first_row = self.first_row + 64 * nth as u32;
                if mask == u64::MAX {
                    for bit in 0..64 {
                        self.rows[left + bit] = first_row + bit as u32;
                    }
                    left += 64;
                    continue;
                }
                while mask != 0 {
                    self.rows[left] = first_row + mask.trailing_zeros();
                    left += 1;
                    mask &= mask - 1;
                }
            }
        } else {
            for (row, &value) in (self.first_row..).zip(values) {
                self.rows[left] = row;
                left += usize::from(test.test(value));
            }
        }
        left
    }
}

/// Bit i is set where value i passes; of 64 values at most.
///
/// First a byte a value, which compilers turn into vector instructions, then eight bytes at a time into bits: the product
/// moves the lowest bit of byte i to bit 56 + i.
#[inline(always)]
fn mask<K: PlanKey, T: Test<K>, const VECTORS: bool>(values: &[K], test: T) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if VECTORS && let Some(values) = values.as_array::<64>() {
        // SAFETY: `VECTORS` says that there is AVX2.
        if let Some(mask) = unsafe { test.mask(values) } {
            return mask;
        }
    }
    let mut passed = [0_u8; 64];
    match values.as_array::<64>() {
        Some(values) => {
            for (byte, &value) in passed.iter_mut().zip(values) {
                *byte = u8::from(test.test(value));
            }
        }
        None => {
            for (byte, &value) in passed.iter_mut().zip(values) {
                *byte = u8::from(test.test(value));
            }
        }
    }
    let words = passed.as_chunks::<8>().0.iter().enumerate();
    words.fold(0, |mask, (nth, bytes)| {
        let bits = u64::from_le_bytes(*bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask | bits << (8 * nth)
    })
}

/// A further test, of the rows that are left.
struct Refine<'r> {
    paged: &'r Paged<'r>,
    rows: &'r mut [u32],
    cursor: &'r mut Cursor,
}

impl<K: PlanKey> WithTest<K> for Refine<'_> {
    type Output = usize;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> usize {
        let Refine {
            paged,
            rows,
            cursor,
        } = self;
        let (mut at, mut left) = (0, 0);
        while at < rows.len() {
            cursor.seek(paged, rows[at]);
            let page = &paged.pages[cursor.page];
            let (start, end) = (paged.starts[cursor.page], paged.starts[cursor.page + 1]);
            let values: &[K] = page.fixed();
            if page.has_nulls() {
                cursor.unpack(cursor.page, page);
                while at < rows.len() && rows[at] < end {
                    let row = rows[at];
                    let value = cursor.value((row - start) as usize);
                    rows[left] = row;
                    left += usize::from(value.is_some_and(|value| test.test(values[value])));
                    at += 1;
                }
            } else {
                while at < rows.len() && rows[at] < end {
                    let row = rows[at];
                    rows[left] = row;
                    left += usize::from(test.test(values[(row - start) as usize]));
                    at += 1;
                }
            }
        }
        left
    }
}

/// Appends the keys of rows, none of which is NULL.
#[inline(always)]
fn gather<K: PlanKey>(paged: &Paged<'_>, rows: &[u32], cursor: &mut Cursor, keys: &mut Vec<K>) {
    let mut at = 0;
    while at < rows.len() {
        cursor.seek(paged, rows[at]);
        let page = &paged.pages[cursor.page];
        let (start, end) = (paged.starts[cursor.page], paged.starts[cursor.page + 1]);
        let values: &[K] = page.fixed();
        let until = rows[at..].iter().position(|&row| row >= end);
        let here = &rows[at..until.map_or(rows.len(), |until| at + until)];
        at += here.len();
        if page.has_nulls() {
            cursor.unpack(cursor.page, page);
            let value = |&row: &u32| cursor.value((row - start) as usize).unwrap_or(0);
            keys.extend(here.iter().map(|row| values[value(row)]));
        } else {
            keys.extend(here.iter().map(|&row| values[(row - start) as usize]));
        }
    }
}

/// The rows `0..rows` of an input without keys.
pub(super) fn all(rows: usize, memory: &Memory) -> Result<Reduced, OutOfMemory> {
    let reserved = memory.reserve(4 * rows)?;
    Ok(Reduced {
        chunks: vec![Chunk {
            rows: (0..rows as u32).collect(),
            keys: Vec::new(),
        }],
        len: rows,
        passed: Vec::new(),
        reserved: vec![reserved],
    })
}

/// Keeps the rows whose key number `key` passes a filter.
pub(super) fn refilter(
    reduced: &mut Reduced,
    key: usize,
    filter: &Filter,
    workers: usize,
    team: &Team,
    memory: &Memory,
) -> Result<(), OutOfMemory> {
    // The places of the rows that pass.
    let _places = memory.reserve(4 * reduced.len)?;
    let tasks = Tasks::new(&mut reduced.chunks);
    team.run(vec![(); workers.min(tasks.len())], |_, ()| {
        while let Some((_, chunk)) = tasks.take() {
            let kept = match &chunk.keys[key] {
                KeyList::Int32(keys) => Filter::dispatch(Some(filter), Passing(keys)),
                KeyList::Int64(keys) => Filter::dispatch(Some(filter), Passing(keys)),
            };
            if kept.len() < chunk.rows.len() {
                chunk.retain(&kept);
            }
        }
    });
    drop(tasks);
    reduced.chunks.retain(|chunk| !chunk.rows.is_empty());
    reduced.len = reduced.chunks.iter().map(|chunk| chunk.rows.len()).sum();
    Ok(())
}

/// The places of the keys that pass.
struct Passing<'k, K>(&'k [K]);

impl<K: PlanKey> WithTest<K> for Passing<'_, K> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> Vec<u32> {
        let mut places = vec![0; self.0.len()];
        let mut left = 0;
        for (place, &key) in (0..).zip(self.0) {
            places[left] = place;
            left += usize::from(test.test(key));
        }
        places.truncate(left);
        places
    }
}

impl Chunk {
    fn bytes(&self) -> usize {
        let keys = self.keys.iter().map(|keys| match keys {
            KeyList::Int32(keys) => 4 * keys.capacity(),
            KeyList::Int64(keys) => 8 * keys.capacity(),
        });
        4 * self.rows.capacity() + keys.sum::<usize>()
    }

    /// Keeps the rows at these ascending places.
    pub fn retain(&mut self, kept: &[u32]) {
        fn retain<T: Copy>(list: &mut Vec<T>, kept: &[u32]) {
            for (to, &from) in kept.iter().enumerate() {
                list[to] = list[from as usize];
            }
            list.truncate(kept.len());
        }
        retain(&mut self.rows, kept);
        for keys in &mut self.keys {
            match keys {
                KeyList::Int32(keys) => retain(keys, kept),
                KeyList::Int64(keys) => retain(keys, kept),
            }
        }
    }
}
