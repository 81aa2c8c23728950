//! Multiplying out: a batch of rows a level.

use join_core::memory::{Memory, OutOfMemory, Reservation};

use super::levels::Level;
use super::parts::Part;

/// Rows that are multiplied out up to some level.
struct Batch {
    /// Of each row, the entry of the level.
    entries: Vec<u32>,
    /// Of each row, the row of the level before that it comes from.
    from: Vec<u32>,
    /// Of each row, the entries of the levels that this one carries.
    carried: Vec<Vec<u32>>,
    /// How many rows each row stands for, where entries of this level or one before it have weights.
    weights: Vec<u32>,
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
            weights: Vec::with_capacity(rows),
            row: 0,
            had: 0,
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.from.clear();
        self.carried.iter_mut().for_each(Vec::clear);
        self.weights.clear();
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
    /// The part of the result that is multiplied out, of the root's entries those that are left.
    part: Part,
    /// The level to fill next.
    next: usize,
    /// Of each row of the last batch, its row in that of another level, and its entry there.
    places: Vec<u32>,
    entries: Vec<u32>,
    /// Of each row of some batch, how many rows of the result come of it, and the same of the batch before.
    counts: [Vec<u32>; 2],
    _reserved: Reservation,
}

impl<'l> Batches<'l> {
    /// Empty batches of at most `rows` rows for these levels.
    pub fn new(
        levels: &'l [Level<'l>],
        rows: usize,
        memory: &Memory,
    ) -> Result<Batches<'l>, OutOfMemory> {
        let lists = levels.iter().map(|level| 3 + level.carried.len());
        let lists = 4 + lists.sum::<usize>();
        let reserved =
            memory.reserve(lists * rows * size_of::<u32>() + levels.len() * size_of::<Batch>())?;
        let batches = levels
            .iter()
            .map(|level| Batch::new(level.carried.len(), rows));
        let list = || Vec::with_capacity(rows);
        Ok(Batches {
            levels,
            batches: batches.collect(),
            rows,
            part: Part::default(),
            next: 0,
            places: list(),
            entries: list(),
            counts: [list(), list()],
            _reserved: reserved,
        })
    }

    /// Begins with this part; the one before is through.
    pub fn start(&mut self, part: Part) {
        self.part = part;
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
        let level = &self.levels[number];
        batch.clear();
        let Some(above) = before.last_mut() else {
            let root = &mut self.part.0[0];
            let count = root.len().min(self.rows);
            let end = root.start + count as u32;
            batch.entries.extend(root.start..end);
            root.start = end;
            if let Some(weights) = &level.entries.weights {
                let weights = batch.entries.iter().map(|&entry| weights[entry as usize]);
                batch.weights.extend(weights);
            }
            return !batch.entries.is_empty();
        };
        let of_part = self.part.0.get(number);
        let of_part = of_part.map(|entries| [[entries.start, entries.end]]);
        let (ranges, parents) = match &of_part {
            // There is one row above.
            Some(range) => (&range[..], &[0][..]),
            None => (
                &self.levels[level.parent].entries.children[level.child].1[..],
                above.of(&self.levels[number - 1], number - 1, level.parent),
            ),
        };
        let (mut row, mut had) = (above.row, above.had);
        let next = &parents[row..parents.len().min(row + self.rows)];
        let starts = next.iter().map(|&parent| ranges[parent as usize]);
        if had == 0 && starts.clone().all(|[start, end]| end - start == 1) {
            // Most tables have a key once.
            batch.from.extend(row as u32..(row + next.len()) as u32);
            batch.entries.extend(starts.map(|[start, _]| start));
            row += next.len();
        }
        while row < parents.len() && batch.entries.len() < self.rows {
            let [start, end] = ranges[parents[row] as usize];
            let start = start + had;
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
        let rows = batch.from.iter().zip(&batch.entries);
        match &level.entries.weights {
            Some(weights) if above.weights.is_empty() => {
                let weights = batch.entries.iter().map(|&entry| weights[entry as usize]);
                batch.weights.extend(weights);
            }
            Some(weights) => batch.weights.extend(rows.map(|(&row, &entry)| {
                above.weights[row as usize].saturating_mul(weights[entry as usize])
            })),
            None if above.weights.is_empty() => {}
            None => {
                let weights = batch.from.iter().map(|&row| above.weights[row as usize]);
                batch.weights.extend(weights);
            }
        }
        (above.row, above.had) = (row, had);
        !batch.entries.is_empty()
    }

    /// Rows of the last batch.
    pub fn len(&self) -> usize {
        self.batches.last().map_or(0, |batch| batch.entries.len())
    }

    /// How many rows each row of the last batch stands for, if any may stand for more than one.
    pub fn weights(&self) -> Option<&[u32]> {
        let last = self.batches.last()?;
        (!last.weights.is_empty()).then_some(&last.weights)
    }

    /// Calls `each` with the number of each level and the entries that the rows of the last batch have there.
    pub fn each_level(&mut self, mut each: impl FnMut(usize, &[u32])) {
        self.places.clear();
        self.places.extend(0..self.len() as u32);
        for (level, batch) in self.batches.iter().enumerate().rev() {
            let entries = self.places.iter();
            self.entries.clear();
            self.entries
                .extend(entries.map(|&place| batch.entries[place as usize]));
            each(level, &self.entries);
            if level > 0 {
                for place in &mut self.places {
                    *place = batch.from[*place as usize];
                }
            }
        }
    }

    /// Calls `each` with the number of each level, the entries of those of its rows that rows of the last batch come of, in
    /// order, and how many rows of the result come of each of them; with `None` if that is one.
    pub fn each_group<E>(
        &mut self,
        mut each: impl FnMut(usize, &[u32], Option<&[u32]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let [counts, sums] = &mut self.counts;
        let last = self.batches.last().expect("there is a root");
        counts.clone_from(&last.weights);
        let mut rows = 0..last.entries.len();
        for (number, batch) in self.batches.iter().enumerate().rev() {
            let of_rows = (!counts.is_empty()).then_some(&counts[..]);
            each(number, &batch.entries[rows.clone()], of_rows)?;
            if number == 0 {
                break;
            }
            let from = &batch.from[rows];
            let (first, last) = (from[0] as usize, from[from.len() - 1] as usize);
            rows = first..last + 1;
            // Each of these rows has entries here, so if they are as many, each has one.
            if rows.len() < from.len() {
                sums.clear();
                sums.resize(rows.len(), 0);
                // Up to the last entry of each row, and then without those of the rows before it: no sum waits for the one that
                // was stored just before.
                let mut sum = 0;
                for (index, &row) in from.iter().enumerate() {
                    sum += of_rows.map_or(1, |counts| counts[index]);
                    sums[row as usize - first] = sum;
                }
                for row in (1..sums.len()).rev() {
                    sums[row] -= sums[row - 1];
                }
                std::mem::swap(counts, sums);
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
