//! Multiplying out: a batch of rows a level.

use std::convert::Infallible;
use std::ops::Range;

use join_core::memory::{Memory, OutOfMemory, Reservation};

use super::levels::Level;

/// Rows that are multiplied out up to some level.
struct Batch {
    /// Of each row, the entry of the level.
    entries: Vec<u32>,
    /// Of each row, the row of the level before that it comes from.
    from: Vec<u32>,
    /// Of each row, the entries of the levels that this one carries.
    carried: Vec<Vec<u32>>,
    /// The first row that is still to be multiplied by the next level,
    row: usize,
    /// and how many of its entries there it has had.
    had: u32,
}

impl Batch {
    fn new(carried: usize, rows: usize) -> Batch {
        Batch {
            entries: Vec::with_capacity(rows),
            from: Vec::with_capacity(rows),
            carried: (0..carried).map(|_| Vec::with_capacity(rows)).collect(),
            row: 0,
            had: 0,
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.from.clear();
        self.carried.iter_mut().for_each(Vec::clear);
        self.row = 0;
        self.had = 0;
    }
}

/// One worker's batches, one for each level. Each holds only what its level adds, and the rows that it adds it to, so that
/// all of them together grow with the levels as their number does.
pub(super) struct Batches<'l> {
    levels: &'l [Level<'l>],
    batches: Vec<Batch>,
    /// Rows that a batch has at most.
    rows: usize,
    /// Whether entries of some level have weights.
    weighted: bool,
    /// The root's entries that are left.
    root: Range<u32>,
    /// The level to fill next.
    next: usize,
    /// Of each row of the last batch, its row in that of another level, and its entry there.
    places: Vec<u32>,
    entries: Vec<u32>,
    _reserved: Reservation,
}

impl<'l> Batches<'l> {
    /// Empty batches of at most `rows` rows for these levels.
    pub fn new(
        levels: &'l [Level<'l>],
        rows: usize,
        memory: &Memory,
    ) -> Result<Batches<'l>, OutOfMemory> {
        let lists = levels.iter().map(|level| 2 + level.carried.len());
        let lists = 2 + lists.sum::<usize>();
        let reserved =
            memory.reserve(lists * rows * size_of::<u32>() + levels.len() * size_of::<Batch>())?;
        let batches = levels
            .iter()
            .map(|level| Batch::new(level.carried.len(), rows));
        Ok(Batches {
            levels,
            batches: batches.collect(),
            rows,
            weighted: levels.iter().any(|level| level.entries.weights.is_some()),
            root: 0..0,
            next: 0,
            places: Vec::with_capacity(rows),
            entries: Vec::with_capacity(rows),
            _reserved: reserved,
        })
    }

    /// Begins with these entries of the root; those before are through.
    pub fn start(&mut self, root: Range<u32>) {
        self.root = root;
        self.next = 0;
    }

    /// Fills the batch of the last level; `false` if there is nothing left to fill it with.
    pub fn advance(&mut self) -> bool {
        loop {
            if self.fill(self.next) {
                if self.next + 1 == self.levels.len() {
                    return true;
                }
                self.next += 1;
            } else if self.next == 0 {
                return false;
            } else {
                self.next -= 1;
            }
        }
    }

    /// Fills the batch of a level with what is left of the one before; `false` if that is nothing.
    fn fill(&mut self, number: usize) -> bool {
        let (before, batch) = self.batches.split_at_mut(number);
        let batch = &mut batch[0];
        batch.clear();
        let Some(above) = before.last_mut() else {
            let count = self.root.len().min(self.rows);
            let end = self.root.start + count as u32;
            batch.entries.extend(self.root.start..end);
            self.root.start = end;
            return !batch.entries.is_empty();
        };
        let level = &self.levels[number];
        let ranges = &self.levels[level.parent].entries.children[level.child].1;
        let parents = above.of(&self.levels[number - 1], number - 1, level.parent);
        let (mut row, mut had) = (above.row, above.had);
        while row < parents.len() && batch.entries.len() < self.rows {
            let [start, end] = ranges[parents[row] as usize];
            let start = start + had;
            // Most tables have a key once.
            if end - start == 1 {
                batch.from.push(row as u32);
                batch.entries.push(start);
                (row, had) = (row + 1, 0);
                continue;
            }
            let room = self.rows - batch.entries.len();
            let count = room.min((end - start) as usize);
            let until = start + count as u32;
            batch.from.extend(std::iter::repeat_n(row as u32, count));
            batch.entries.extend(start..until);
            (row, had) = if until == end {
                (row + 1, 0)
            } else {
                (row, had + count as u32)
            };
        }
        for (&carried, list) in level.carried.iter().zip(&mut batch.carried) {
            let entries = above.of(&self.levels[number - 1], number - 1, carried);
            list.extend(batch.from.iter().map(|&row| entries[row as usize]));
        }
        (above.row, above.had) = (row, had);
        !batch.entries.is_empty()
    }

    /// Rows of the last batch.
    pub fn len(&self) -> usize {
        self.batches.last().map_or(0, |batch| batch.entries.len())
    }

    /// Finds out how many rows each row of the last batch stands for; whether any may stand for more than one.
    pub fn weigh(&mut self, weights: &mut Vec<u32>) -> bool {
        if !self.weighted {
            return false;
        }
        weights.clear();
        weights.resize(self.len(), 1);
        let levels = self.levels;
        self.each_level(|level, entries| {
            if let Some(of_entries) = &levels[level].entries.weights {
                for (product, &entry) in weights.iter_mut().zip(entries) {
                    *product = product.saturating_mul(of_entries[entry as usize]);
                }
            }
        });
        true
    }

    /// Calls `each` with the number of each level and the entries that the rows of the last batch have there.
    pub fn each_level(&mut self, mut each: impl FnMut(usize, &[u32])) {
        let Ok(()) = self.try_each_level(|level, entries| {
            each(level, entries);
            Ok::<_, Infallible>(())
        });
    }

    /// The same until `each` fails.
    pub fn try_each_level<E>(
        &mut self,
        mut each: impl FnMut(usize, &[u32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.places.clear();
        self.places.extend(0..self.len() as u32);
        for (level, batch) in self.batches.iter().enumerate().rev() {
            let entries = self.places.iter();
            self.entries.clear();
            self.entries
                .extend(entries.map(|&place| batch.entries[place as usize]));
            each(level, &self.entries)?;
            if level > 0 {
                for place in &mut self.places {
                    *place = batch.from[*place as usize];
                }
            }
        }
        Ok(())
    }
}

impl Batch {
    /// Of each row, the entry of the level `wanted`: this batch's own, which is `number`, or one that it carries.
    fn of(&self, level: &Level<'_>, number: usize, wanted: usize) -> &[u32] {
        if wanted == number {
            return &self.entries;
        }
        let place = level.carried.iter().position(|&carried| carried == wanted);
        &self.carried[place.expect("a level carries what later ones want")]
    }
}
