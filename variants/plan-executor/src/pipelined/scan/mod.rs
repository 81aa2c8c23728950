//! Scans: an input's rows, tested against the filters of all its classes before anything else is read of them.

mod again;
mod cursor;
mod first;

use std::ops::Range;

use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::parallel::Division;

use super::filter::Filter;
use super::hands::Hands;
use super::keys::{InputKeys, KeyList, PlanKey, with_column};
use again::Refine;
use cursor::{Cursor, gather};
use first::First;

pub(super) use again::refilter;

/// Chunks of a morsel.
const MORSEL: usize = 8;

/// Rows that are left in a chunk, about: further ones go into another, so that they are not copied as they become more. Their
/// row ids are a block of a MiB, of those that a process keeps warm.
const LEFT: usize = 1 << 18;

/// Rows that the first test has left from which on they are tested further and their keys are read. Those of a page alone are
/// few where the test is strict, and what they miss in the caches would be waited for page by page.
const BATCH: usize = 256;

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
    pub keys: &'s InputKeys<'s>,
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
    hands: Hands<'_>,
) -> Result<(Reduced, Vec<Tested>), OutOfMemory> {
    let first = &columns[order[0]];
    let chunks = first.keys.offsets().starts().len() - 1;
    let shares = Division::counter(hands.workers).by(MORSEL).morsels(chunks);
    let outcomes = hands.team.run(shares, |_, share| {
        let mut scanner = Scanner::new(columns, order, bitmasks);
        let mut reserved = hands.memory.reserve(0)?;
        // After the last of them, what is left of a batch.
        let share = share.map(Some).chain([None]);
        for chunks in share {
            scanner.run(chunks);
            let bytes = scanner.full_bytes + scanner.chunk.bytes();
            if bytes > reserved.bytes() {
                reserved.grow(bytes - reserved.bytes())?;
            }
        }
        let mut chunks = scanner.full;
        if !scanner.chunk.rows.is_empty() {
            chunks.push(scanner.chunk);
        }
        Ok((chunks, scanner.tested, reserved))
    });
    let mut reduced = Reduced {
        chunks: Vec::new(),
        len: 0,
        passed: Vec::new(),
        reserved: Vec::new(),
    };
    let mut tested = vec![Tested::default(); columns.len()];
    for outcome in outcomes {
        let (chunks, of_worker, reserved) = outcome?;
        for (sum, one) in tested.iter_mut().zip(of_worker) {
            sum.seen += one.seen;
            sum.passed += one.passed;
        }
        reduced.len += chunks.iter().map(|chunk| chunk.rows.len()).sum::<usize>();
        if !chunks.is_empty() {
            reduced.chunks.extend(chunks);
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
    /// The batch: rows that the first test has left, and room for those of the next chunk.
    rows: Vec<u32>,
    /// How many they are.
    batch: usize,
    /// Whether keys of the chunk at hand pass.
    masks: Vec<u64>,
    /// What is left, in chunks that have as many rows as they should, and in one that has not.
    full: Vec<Chunk>,
    full_bytes: usize,
    chunk: Chunk,
    tested: Vec<Tested>,
}

impl<'s> Scanner<'s> {
    fn new(columns: &'s [ScanColumn<'s>], order: &'s [usize], bitmasks: bool) -> Scanner<'s> {
        Scanner {
            columns,
            order,
            bitmasks,
            cursors: columns.iter().map(|_| Cursor::default()).collect(),
            rows: Vec::new(),
            batch: 0,
            masks: Vec::new(),
            full: Vec::new(),
            full_bytes: 0,
            chunk: Chunk::with_capacity(columns, 0),
            tested: vec![Tested::default(); columns.len()],
        }
    }

    /// Reads these chunks, or, where there are none, ends the batch.
    fn run(&mut self, chunks: Option<Range<usize>>) {
        #[cfg(target_arch = "x86_64")]
        if join_core::cpu::has_avx2() {
            // SAFETY: the processor has these features.
            return unsafe { self.run_v3(chunks) };
        }
        self.run_any::<false>(chunks);
    }

    /// # Safety
    ///
    /// The machine has these features.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn run_v3(&mut self, chunks: Option<Range<usize>>) {
        self.run_any::<true>(chunks);
    }

    /// With `VECTORS` only where there is AVX2.
    #[inline(always)]
    fn run_any<const VECTORS: bool>(&mut self, chunks: Option<Range<usize>>) {
        let is_end = chunks.is_none();
        let mut chunks = chunks.unwrap_or_default();
        loop {
            let chunk = chunks.next();
            if let Some(number) = chunk {
                self.test_first::<VECTORS>(number);
            }
            // One call of what it takes: it is compiled for every test.
            if self.batch >= BATCH || (is_end && self.batch > 0) {
                self.end_batch();
            }
            if chunk.is_none() {
                return;
            }
        }
    }

    /// Adds the rows of a chunk that pass the first test to the batch.
    #[inline(always)]
    fn test_first<const VECTORS: bool>(&mut self, number: usize) {
        let driver = self.order[0];
        let column = &self.columns[driver];
        let starts = column.keys.offsets().starts();
        let first_row = starts[number];
        let rows = (starts[number + 1] - first_row) as usize;
        if rows == 0 {
            return;
        }
        let room = self.batch + rows + 64;
        if self.rows.len() < room {
            self.rows.resize(room, 0);
        }
        let left = with_column!(column.keys, keys => Filter::dispatch(
            column.filter,
            First::<_, VECTORS> {
                chunk: keys.chunk(number),
                first_row,
                rows: &mut self.rows[self.batch..],
                masks: &mut self.masks,
                bitmasks: self.bitmasks,
                cursor: &mut self.cursors[driver],
                number,
            },
        ));
        self.count(driver, rows, left);
        self.batch += left;
    }

    /// Tests the rows of the batch further, and keeps those that are left.
    #[inline(always)]
    fn end_batch(&mut self) {
        let mut left = std::mem::take(&mut self.batch);
        for place in 1..self.order.len() {
            if left == 0 {
                return;
            }
            let next = self.order[place];
            let column = &self.columns[next];
            let seen = left;
            left = with_column!(column.keys, keys => Filter::dispatch(
                column.filter,
                Refine {
                    column: keys,
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

    #[inline(always)]
    fn count(&mut self, column: usize, seen: usize, passed: usize) {
        self.tested[column].seen += seen as u64;
        self.tested[column].passed += passed as u64;
    }

    /// Keeps the first `left` rows of the batch, and reads their keys.
    #[inline(always)]
    fn keep(&mut self, left: usize) {
        if self.chunk.rows.len() + left > LEFT && !self.chunk.rows.is_empty() {
            self.fill();
        }
        let rows = &self.rows[..left];
        self.chunk.rows.extend_from_slice(rows);
        let columns = self.columns.iter().zip(&mut self.cursors);
        for ((column, cursor), keys) in columns.zip(&mut self.chunk.keys) {
            with_column!(column.keys, column => {
                gather(column, rows, cursor, PlanKey::of_mut(keys));
            });
        }
    }
}

impl Scanner<'_> {
    /// Begins another chunk. There are many rows, so it will be filled as well.
    #[cold]
    fn fill(&mut self) {
        let next = Chunk::with_capacity(self.columns, LEFT);
        let full = std::mem::replace(&mut self.chunk, next);
        self.full_bytes += full.bytes();
        self.full.push(full);
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

impl Chunk {
    /// No rows yet, and room for some.
    fn with_capacity(columns: &[ScanColumn<'_>], rows: usize) -> Chunk {
        let keys = columns.iter().map(|column| column.keys.list(rows));
        Chunk {
            rows: Vec::with_capacity(rows),
            keys: keys.collect(),
        }
    }

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

#[cfg(test)]
mod tests {
    use join_core::memory::Memory;
    use join_core::parallel::{Team, ThreadStart};
    use join_core::table::Column;

    use super::*;

    /// The filter of these keys.
    fn filter(keys: &[i32], hands: Hands<'_>) -> Filter {
        let bounds = (*keys.iter().min().unwrap(), *keys.iter().max().unwrap());
        Filter::new(&[keys], bounds, true, hands).unwrap()
    }

    #[test]
    fn rows_are_those_whose_keys_pass_however_they_are_tested() {
        let (team, memory) = (Team::new(2, ThreadStart::Pool), Memory::unlimited());
        let hands = |workers| Hands {
            workers,
            team: &team,
            memory: &memory,
        };
        // Far apart, so that there is no bitmap.
        let tags: Vec<i32> = (0..9)
            .map(|nth| nth * 200_000_000 - 1_000_000_000)
            .collect();
        let sets = [vec![3], (0..40).step_by(3).collect(), tags];
        for rows in [1, 63, 64, 65, 5000, 70_000] {
            for one_in in [1, 2, 3, 50, 100_000] {
                let value = |row: usize| {
                    let key = row.wrapping_mul(7919) % 97;
                    let is_null = (row.wrapping_mul(104_729) % 1009).is_multiple_of(one_in);
                    (!is_null || one_in == 1).then_some(match key {
                        90.. => sets[2][key - 90],
                        key => key as i32,
                    })
                };
                let keys: Vec<Option<i32>> = (0..rows).map(value).collect();
                let other: Vec<Option<i32>> = (0..rows).map(|row| value(row / 2 + 11)).collect();
                let columns = [&keys, &other].map(|keys| Column::from_options(keys.clone()));
                let columns = columns
                    .each_ref()
                    .map(|column| InputKeys::paged(column.paged()));
                for set in &sets {
                    let filter = filter(set, hands(1));
                    let columns = [
                        ScanColumn {
                            keys: &columns[0],
                            filter: Some(&filter),
                        },
                        ScanColumn {
                            keys: &columns[1],
                            filter: None,
                        },
                    ];
                    let wanted = (0..rows).filter(|&row| {
                        keys[row].is_some_and(|key| set.contains(&key)) && other[row].is_some()
                    });
                    let wanted: Vec<u32> = wanted.map(|row| row as u32).collect();
                    for (order, bitmasks) in [([0, 1], true), ([1, 0], true), ([0, 1], false)] {
                        for workers in [1, 2] {
                            let found = scan(&columns, &order, bitmasks, hands(workers));
                            let (found, _) = found.unwrap();
                            let mut all: Vec<u32> = Vec::new();
                            for chunk in &found.chunks {
                                all.extend(&chunk.rows);
                                let of_rows = chunk.rows.iter().map(|&row| row as usize);
                                let first: Vec<i32> =
                                    of_rows.map(|row| keys[row].unwrap()).collect();
                                assert_eq!(i32::of(&chunk.keys[0]), first);
                            }
                            all.sort_unstable();
                            assert_eq!(found.len, all.len());
                            let case = (rows, one_in, set.len(), order, bitmasks, workers);
                            // A filter of tags may let others pass.
                            if set.len() == 9 {
                                let is_found = |row| all.binary_search(row).is_ok();
                                assert!(wanted.iter().all(is_found), "{case:?}");
                            } else {
                                assert_eq!(all, wanted, "{case:?}");
                            }
                        }
                    }
                }
            }
        }
    }
}
