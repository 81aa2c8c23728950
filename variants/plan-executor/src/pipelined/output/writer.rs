//! One worker's result pages.

use join_core::memory::{Memory, OutOfMemory, Reservation};

use super::batches::Batches;
use super::levels::Level;
use super::parts::Part;
use super::{BATCH, ColumnSource};
use crate::result::{PageRun, PageWriter, ValuePlace};

/// Multiplies parts of the result out and writes the values of their rows.
pub(super) struct Writer<'w> {
    sources: &'w [ColumnSource<'w>],
    /// The columns of each level.
    of_level: Vec<Vec<usize>>,
    columns: Vec<PageWriter<'w>>,
    batches: Batches<'w>,
    cells: Vec<ValuePlace>,
    _reserved: Reservation,
}

impl<'w> Writer<'w> {
    /// A writer of some of the `total` rows of the result.
    pub fn new(
        levels: &'w [Level<'w>],
        sources: &'w [ColumnSource<'w>],
        total: u64,
        memory: &'w Memory,
    ) -> Result<Writer<'w>, OutOfMemory> {
        let rows = total.min(BATCH) as usize;
        let reserved = memory.reserve(rows * size_of::<ValuePlace>())?;
        let columns = sources.iter().map(|source| {
            let paged = source.column.paged;
            PageWriter::new(paged.data_type(), paged.pages(), memory)
        });
        let mut of_level = vec![Vec::new(); levels.len()];
        for (column, source) in sources.iter().enumerate() {
            of_level[source.level].push(column);
        }
        Ok(Writer {
            sources,
            of_level,
            columns: columns.collect::<Result<_, _>>()?,
            batches: Batches::new(levels, rows, memory)?,
            cells: Vec::with_capacity(rows),
            _reserved: reserved,
        })
    }

    /// Writes all rows of a part.
    pub fn part(&mut self, part: Part) -> Result<(), OutOfMemory> {
        self.batches.start(part);
        while self.batches.advance() {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), OutOfMemory> {
        let Writer {
            sources,
            of_level,
            columns,
            cells,
            batches,
            ..
        } = self;
        batches.each_group(|level, entries, counts| {
            for &column in &of_level[level] {
                let ColumnSource {
                    column: source,
                    rows,
                    looked_up,
                    ..
                } = &sources[column];
                cells.clear();
                match looked_up {
                    Some(known) => {
                        cells.extend(entries.iter().map(|&entry| known[entry as usize]));
                    }
                    None => {
                        let rows = entries.iter().map(|&entry| rows[entry as usize]);
                        cells.extend(ValuePlace::of_all(source.paged, rows));
                    }
                }
                columns[column].push(cells, counts)?;
            }
            Ok(())
        })
    }

    /// The pages of each column.
    pub fn finish(self) -> Result<Vec<Vec<PageRun>>, OutOfMemory> {
        self.columns.into_iter().map(PageWriter::finish).collect()
    }
}
