//! Scans: an input's rows, tested against the filters of all its classes before anything else is read of them.

mod again;
mod cursor;
mod first;

use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::parallel::{Division, Team};

use super::filter::Filter;
use super::keys::{InputKeys, KeyList, PlanKey, with_column};
use again::Refine;
use cursor::{Cursor, gather};
use first::First;

pub(super) use again::refilter;

/// Chunks of a morsel.
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
    workers: usize,
    team: &Team,
    memory: &Memory,
) -> Result<(Reduced, Vec<Tested>), OutOfMemory> {
    let first = &columns[order[0]];
    let chunks = first.keys.offsets().starts().len() - 1;
    let shares = Division::counter(workers).by(MORSEL).morsels(chunks);
    let outcomes = team.run(shares, |_, share| {
        let mut scanner = Scanner::new(columns, order, bitmasks);
        let mut reserved = memory.reserve(0)?;
        for chunks in share {
            scanner.run(chunks);
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
    /// Rows that are left of the chunk at hand.
    rows: Vec<u32>,
    chunk: Chunk,
    tested: Vec<Tested>,
}

impl<'s> Scanner<'s> {
    fn new(columns: &'s [ScanColumn<'s>], order: &'s [usize], bitmasks: bool) -> Scanner<'s> {
        let keys = columns.iter().map(|column| column.keys.list());
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

    fn run(&mut self, chunks: std::ops::Range<usize>) {
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
    unsafe fn run_v3(&mut self, chunks: std::ops::Range<usize>) {
        self.run_any::<true>(chunks);
    }

    /// With `VECTORS` only where there is AVX2.
    #[inline(always)]
    fn run_any<const VECTORS: bool>(&mut self, chunks: std::ops::Range<usize>) {
        let driver = self.order[0];
        for number in chunks {
            let column = &self.columns[driver];
            let starts = column.keys.offsets().starts();
            let first_row = starts[number];
            let rows = (starts[number + 1] - first_row) as usize;
            if rows == 0 {
                continue;
            }
            if self.rows.len() < rows + 64 {
                self.rows.resize(rows + 64, 0);
            }
            let left = with_column!(column.keys, keys => Filter::dispatch(
                column.filter,
                First::<_, VECTORS> {
                    chunk: keys.chunk(number),
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
            with_column!(column.keys, column => {
                gather(column, rows, cursor, PlanKey::of_mut(keys));
            });
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
