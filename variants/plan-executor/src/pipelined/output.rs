//! The result: resolved rows multiplied out, a batch at a time, each worker into pages of its own.

use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::parallel::{Tasks, Team};

use super::pages::Paged;
use super::table::{Entries, Table};
use crate::result::{Cell, PageWriter, Run};

/// Rows of a batch.
const BATCH: usize = 1024;

/// Result rows of a task.
const TASK: u64 = 1 << 14;

/// A table that rows are multiplied by.
pub(super) struct Level<'t> {
    entries: &'t Entries,
    input: usize,
    /// The level whose entries say which of this table's they are joined with; none for the root.
    parent: Option<usize>,
    /// Which of the parent's children this is.
    child: usize,
}

/// The tables under a root, parents first.
pub(super) fn levels<'t>(root: &'t Entries, tables: &'t [Table]) -> Vec<Level<'t>> {
    let mut levels = Vec::new();
    let children = |levels: &mut Vec<Level<'t>>, entries: &'t Entries, parent: Option<usize>| {
        for (child, &(table, _)) in entries.children.iter().enumerate() {
            levels.push(Level {
                entries: tables[table].entries(),
                input: tables[table].input,
                parent,
                child,
            });
        }
    };
    children(&mut levels, root, None);
    let mut next = 0;
    while next < levels.len() {
        let entries = levels[next].entries;
        children(&mut levels, entries, Some(next));
        next += 1;
    }
    levels
}

/// A distinct column of the result.
pub(super) struct OutputColumn<'a> {
    pub input: usize,
    pub paged: &'a Paged<'a>,
}

/// Where a column's values come from, and those that were looked up before.
struct Source<'s> {
    column: &'s OutputColumn<'s>,
    rows: &'s [u32],
    /// The level, or none for the root.
    level: Option<usize>,
    looked_up: Option<Vec<Cell>>,
    _reserved: Reservation,
}

/// What is written, and how.
pub(super) struct Output<'o> {
    pub root: &'o Entries,
    /// The tables under the root.
    pub levels: &'o [Level<'o>],
    pub columns: &'o [OutputColumn<'o>],
    /// Whether values that appear more than once are looked up once.
    pub references: bool,
    pub workers: usize,
}

/// Writes the result of a root and the tables under it. Returns the runs of each column.
pub(super) fn write(
    output: &Output<'_>,
    team: &Team,
    memory: &Memory,
) -> Result<Vec<Vec<Run>>, OutOfMemory> {
    let &Output {
        root,
        levels,
        columns,
        references,
        workers,
    } = output;
    let total = root.results(0, root.rows.len() as u32);
    let sources: Vec<Source<'_>> = columns
        .iter()
        .map(|column| {
            // What is in no table is in the root.
            let level = levels.iter().position(|level| level.input == column.input);
            let rows = &level.map_or(root, |level| levels[level].entries).rows[..];
            let repeated = references && (rows.len() as u64) < total;
            let cells = if repeated { rows.len() } else { 0 };
            Ok(Source {
                _reserved: memory.reserve(cells * size_of::<Cell>())?,
                column,
                rows,
                level,
                looked_up: repeated.then(|| look_up(column.paged, rows, workers, team)),
            })
        })
        .collect::<Result<_, OutOfMemory>>()?;
    let tasks = Tasks::new(tasks(root));
    let written = team.run(vec![(); workers], |_, ()| {
        let mut writer = Writer::new(root, levels, &sources, memory);
        while let Some((_, entries)) = tasks.take() {
            writer.root(entries)?;
        }
        writer.finish()
    });
    let mut runs: Vec<Vec<Run>> = columns.iter().map(|_| Vec::new()).collect();
    for of_worker in written {
        for (all, more) in runs.iter_mut().zip(of_worker?) {
            all.extend(more);
        }
    }
    Ok(runs)
}

/// The references to the values of all `rows`.
fn look_up(paged: &Paged<'_>, rows: &[u32], workers: usize, team: &Team) -> Vec<Cell> {
    const ROWS: usize = 1 << 13;
    let mut cells = vec![Cell::NULL; rows.len()];
    let tasks = Tasks::new(cells.chunks_mut(ROWS).zip(rows.chunks(ROWS)));
    team.run(vec![(); workers], |_, ()| {
        while let Some((_, (cells, rows))) = tasks.take() {
            for (cell, &row) in cells.iter_mut().zip(rows) {
                *cell = paged.cell(row);
            }
        }
    });
    drop(tasks);
    cells
}

/// Ranges of the root's entries, of about equally many results.
fn tasks(root: &Entries) -> Vec<std::ops::Range<u32>> {
    let count = root.rows.len() as u32;
    let mut tasks = Vec::new();
    let mut start = 0;
    while start < count {
        let end = match &root.before {
            None => (start as u64 + TASK).min(count.into()) as u32,
            Some(before) => {
                let until = before[start as usize] + TASK;
                let end = before.partition_point(|&sum| sum < until) as u32;
                end.clamp(start + 1, count)
            }
        };
        tasks.push(start..end);
        start = end;
    }
    tasks
}

/// Rows that are multiplied out up to some level: for each the root's entry and the entries of the levels so far.
struct Batch {
    root: Vec<u32>,
    entries: Vec<Vec<u32>>,
}

impl Batch {
    fn new(levels: usize) -> Batch {
        Batch {
            root: Vec::with_capacity(BATCH),
            entries: (0..levels).map(|_| Vec::with_capacity(BATCH)).collect(),
        }
    }

    fn clear(&mut self) {
        self.root.clear();
        self.entries.iter_mut().for_each(Vec::clear);
    }
}

struct Writer<'w> {
    root: &'w Entries,
    levels: &'w [Level<'w>],
    sources: &'w [Source<'w>],
    columns: Vec<PageWriter<'w>>,
    batches: Vec<Batch>,
    cells: Vec<Cell>,
    weights: Vec<u32>,
    weighted: bool,
}

impl<'w> Writer<'w> {
    fn new(
        root: &'w Entries,
        levels: &'w [Level<'w>],
        sources: &'w [Source<'w>],
        memory: &'w Memory,
    ) -> Writer<'w> {
        let columns = sources.iter().map(|source| {
            let paged = source.column.paged;
            PageWriter::new(paged.data_type, paged.pages, memory)
        });
        Writer {
            root,
            levels,
            sources,
            columns: columns.collect(),
            batches: (0..=levels.len()).map(Batch::new).collect(),
            cells: Vec::with_capacity(BATCH),
            weights: Vec::with_capacity(BATCH),
            weighted: root.weights.is_some()
                || levels.iter().any(|level| level.entries.weights.is_some()),
        }
    }

    fn root(&mut self, entries: std::ops::Range<u32>) -> Result<(), OutOfMemory> {
        let mut start = entries.start;
        while start < entries.end {
            let end = entries.end.min(start + BATCH as u32);
            self.batches[0].root.clear();
            self.batches[0].root.extend(start..end);
            self.multiply(0)?;
            start = end;
        }
        Ok(())
    }

    /// Multiplies the batch at hand by the table of `level`, then by those of all further levels.
    fn multiply(&mut self, level: usize) -> Result<(), OutOfMemory> {
        if level == self.levels.len() {
            return self.write();
        }
        let Level { parent, child, .. } = self.levels[level];
        let ranges = &match parent {
            None => self.root,
            Some(parent) => self.levels[parent].entries,
        }
        .children[child]
            .1;
        self.batches[level + 1].clear();
        for row in 0..self.batches[level].root.len() {
            let of_parent = match parent {
                None => self.batches[level].root[row],
                Some(parent) => self.batches[level].entries[parent][row],
            };
            let [mut start, end] = ranges[of_parent as usize];
            while start < end {
                let (done, open) = self.batches.split_at_mut(level + 1);
                let (from, to) = (&done[level], &mut open[0]);
                let room = BATCH - to.root.len();
                let until = (end - start).min(room as u32) + start;
                let count = (until - start) as usize;
                to.root.extend(std::iter::repeat_n(from.root[row], count));
                for (from, to) in from.entries.iter().zip(&mut to.entries) {
                    to.extend(std::iter::repeat_n(from[row], count));
                }
                to.entries[level].extend(start..until);
                start = until;
                if to.root.len() == BATCH {
                    self.multiply(level + 1)?;
                    self.batches[level + 1].clear();
                }
            }
        }
        if !self.batches[level + 1].root.is_empty() {
            self.multiply(level + 1)?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), OutOfMemory> {
        let batch = &self.batches[self.levels.len()];
        if self.weighted {
            self.weights.clear();
            self.weights.resize(batch.root.len(), 1);
            let levels = self.levels.iter().zip(&batch.entries);
            let all = levels.map(|(level, entries)| (level.entries, entries));
            for (table, entries) in all.chain([(self.root, &batch.root)]) {
                if let Some(weights) = &table.weights {
                    for (weight, &entry) in self.weights.iter_mut().zip(entries) {
                        *weight = weight.saturating_mul(weights[entry as usize]);
                    }
                }
            }
        }
        let weights = self.weighted.then_some(&self.weights[..]);
        for (source, column) in self.sources.iter().zip(&mut self.columns) {
            let entries = source
                .level
                .map_or(&batch.root, |level| &batch.entries[level]);
            self.cells.clear();
            match &source.looked_up {
                Some(cells) => {
                    let cells = entries.iter().map(|&entry| cells[entry as usize]);
                    self.cells.extend(cells);
                }
                None => {
                    let rows = entries.iter().map(|&entry| source.rows[entry as usize]);
                    self.cells
                        .extend(rows.map(|row| source.column.paged.cell(row)));
                }
            }
            column.push(&self.cells, weights)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Vec<Run>>, OutOfMemory> {
        self.columns.into_iter().map(PageWriter::finish).collect()
    }
}
