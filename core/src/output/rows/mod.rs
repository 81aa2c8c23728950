//! The consumer `rows`: the joined columns, as an operator above the join reads them.
//!
//! Values are fetched *late*: the join is one of row ids, as ever, and each block of pairs, still in the cache, has the values
//! of its rows gathered, column by column, or all at once where they stand row by row. So it is a [`PairConsumer`], and serves
//! every variant and [kind](crate::kind) of join; where a result has no row of a side, its columns are NULL. [`crate::late`]
//! is a join with it, [`crate::early`] the other way.

mod chunk;
mod column;
mod tuples;
mod words;

use crossbeam::queue::SegQueue;

use super::sink::{Pair, PairConsumer};
use crate::memory::{Memory, OutOfMemory, Reservation};
use crate::page::{DataType, Page};
use crate::streaming_store::fence;
use crate::table::Column;
pub use chunk::Values;
use chunk::{BLOCK, Filling, PageFilling, SideRows, add_columns};
pub(crate) use column::Wanted;
pub use column::{FixedColumn, FixedSlice, RowColumn};
pub(crate) use tuples::{Tuples, columns_of};

/// Rows of a worker's first chunk, and of its largest: small results cost little, and large chunks come from the pool of
/// touched memory.
const FIRST_CHUNK: usize = 1 << 11;
/// A huge page of words.
const LARGEST_CHUNK: usize = 1 << 18;

/// Rows of a chunk that is written past the caches: who has it made reads its first rows again once its last ones have driven
/// them out, and a line that is written without being read takes half of the memory's time.
const STREAMED_CHUNK: usize = 1 << 17;

/// The form that rows are made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Plain buffers, with a bitmap of those that are not NULL.
    #[default]
    Buffers,
    /// Pages.
    Pages,
}

/// Why rows cannot be made of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// A column has another number of rows than the keys.
    #[error(
        "a column to be joined has {0} rows, but the keys of its side have {1}; both need as many"
    )]
    Rows(usize, usize),
    /// Strings that break the format of their slices.
    #[error("a column to be joined has strings that lie outside of their bytes, or in no order")]
    OutsideStrings,
    /// A column fits no page.
    #[error("no page holds the values of a column to be joined; have rows made in buffers")]
    NoPage,
    /// A column whose values cannot travel with the keys.
    #[error(
        "values that travel with the keys have a fixed width and are not NULL; have them fetched late"
    )]
    NotEarly,
}

/// Makes rows of pairs.
pub struct RowsConsumer<'a> {
    build: Vec<RowColumn<'a>>,
    probe: Vec<RowColumn<'a>>,
    /// Types of pages, where these are made.
    pages: Option<Vec<DataType>>,
    memory: Memory,
    /// What workers have made that are not at work.
    made: SegQueue<Box<Made>>,
}

/// Some rows of a result: the values of each column, those of the build side first.
#[derive(Debug)]
pub struct RowChunk {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: Vec<Values>,
}

/// The rows of a result.
#[derive(Debug)]
pub enum Rows {
    /// In plain buffers.
    Buffers(Vec<RowChunk>),
    /// In pages, a column each, with the bytes that they take.
    Pages(Vec<Column>, Vec<Reservation>),
}

/// What one worker has made so far.
#[derive(Default)]
struct Made {
    chunks: Vec<RowChunk>,
    filling: Option<(Vec<Filling>, usize, usize)>,
    pages: Vec<PageFilling>,
    error: Option<OutOfMemory>,
}

impl<'a> RowsConsumer<'a> {
    /// Makes rows of these columns of either side, whose keys have so many rows.
    ///
    /// # Errors
    ///
    /// A column has another number of rows, or strings that lie outside of what is said to hold them, or no page holds its values
    /// where pages are wanted.
    pub fn new(
        (build, build_rows): (Vec<RowColumn<'a>>, usize),
        (probe, probe_rows): (Vec<RowColumn<'a>>, usize),
        form: Form,
        memory: &Memory,
    ) -> Result<Self, RowsError> {
        for (columns, rows) in [(&build, build_rows), (&probe, probe_rows)] {
            let other = columns
                .iter()
                .filter_map(RowColumn::rows)
                .find(|&own| own != rows);
            if let Some(other) = other {
                return Err(RowsError::Rows(other, rows));
            }
            if !columns.iter().all(RowColumn::are_inside) {
                return Err(RowsError::OutsideStrings);
            }
        }
        let types = || build.iter().chain(&probe).map(RowColumn::page_type);
        let pages = match form {
            Form::Buffers => None,
            Form::Pages => Some(
                types()
                    .collect::<Option<Vec<_>>>()
                    .ok_or(RowsError::NoPage)?,
            ),
        };
        Ok(Self {
            build,
            probe,
            pages,
            memory: memory.clone(),
            made: SegQueue::new(),
        })
    }

    /// Goes on with rows of other columns, as many and of the same widths and page types.
    pub(crate) fn then(self, build: Vec<RowColumn<'a>>, probe: Vec<RowColumn<'a>>) -> Self {
        Self {
            build,
            probe,
            ..self
        }
    }

    /// The rows.
    ///
    /// # Errors
    ///
    /// Memory ran out for them.
    pub fn finish(self) -> Result<Rows, OutOfMemory> {
        let mut chunks = Vec::new();
        let types = self.pages.unwrap_or_default();
        let mut pages: Vec<(Vec<Page>, Vec<Reservation>)> = Vec::new();
        pages.resize_with(types.len(), Default::default);
        for made in self.made {
            if let Some(error) = made.error {
                return Err(error);
            }
            chunks.extend(made.chunks);
            chunks.extend(made.filling.map(|(columns, len, _)| finished(columns, len)));
            for (all, of_worker) in pages.iter_mut().zip(made.pages) {
                let (pages, held) = of_worker.finish();
                all.0.extend(pages);
                all.1.push(held);
            }
        }
        if types.is_empty() {
            return Ok(Rows::Buffers(chunks));
        }
        let (mut columns, mut held) = (Vec::new(), Vec::new());
        for (data_type, (pages, reservations)) in types.into_iter().zip(pages) {
            columns.push(Column::from_trusted_pages(data_type, pages));
            held.extend(reservations);
        }
        Ok(Rows::Pages(columns, held))
    }

    fn add(&self, made: &mut Made, pairs: &[Pair]) -> Result<(), OutOfMemory> {
        let mut rows = [[0; BLOCK]; 2];
        let [build, probe] = &mut rows;
        for ((build, probe), pair) in build.iter_mut().zip(&mut *probe).zip(pairs) {
            (*build, *probe) = (pair.build, pair.probe);
        }
        let (mut build, mut probe) = (&build[..pairs.len()], &probe[..pairs.len()]);
        if let Some(types) = &self.pages {
            if made.pages.is_empty() {
                let columns = types.iter();
                let fillings = columns.map(|&of| PageFilling::new(of, &self.memory));
                made.pages = fillings.collect::<Result<_, _>>()?;
            }
            let (of_build, of_probe) = made.pages.split_at_mut(self.build.len());
            let sides = [
                (&self.build, build, of_build),
                (&self.probe, probe, of_probe),
            ];
            for (columns, rows, fillings) in sides {
                let rows = SideRows::new(rows, 0);
                for (column, filling) in columns.iter().zip(fillings) {
                    filling.add(column, &rows)?;
                }
            }
            return Ok(());
        }
        while !build.is_empty() {
            let (mut columns, len, room) = match made.filling.take() {
                Some(filling) => filling,
                None => self.chunk(made.chunks.last().map_or(0, |chunk| chunk.rows))?,
            };
            let now = build.len().min(room - len);
            let (of_build, of_probe);
            (of_build, build) = build.split_at(now);
            (of_probe, probe) = probe.split_at(now);
            let fillings = columns.split_at_mut(self.build.len());
            let sides = [
                (&self.build, of_build, fillings.0),
                (&self.probe, of_probe, fillings.1),
            ];
            for (columns, rows, fillings) in sides {
                let (rows, stream) = (SideRows::new(rows, len), room >= STREAMED_CHUNK);
                add_columns(columns, fillings, &rows, len, stream, &self.memory)?;
            }
            match len + now == room {
                true => made.chunks.push(finished(columns, room)),
                false => made.filling = Some((columns, len + now, room)),
            }
        }
        Ok(())
    }

    /// Room for the chunk after one of so many rows.
    fn chunk(&self, before: usize) -> Result<(Vec<Filling>, usize, usize), OutOfMemory> {
        let room = (before * 4).clamp(FIRST_CHUNK, LARGEST_CHUNK);
        let all = self.build.iter().chain(&self.probe);
        let columns = all.map(|column| Filling::new(column, room, &self.memory));
        Ok((columns.collect::<Result<_, _>>()?, 0, room))
    }
}

fn finished(columns: Vec<Filling>, rows: usize) -> RowChunk {
    let columns = columns.into_iter().map(|column| column.finish(rows));
    RowChunk {
        rows,
        columns: columns.collect(),
    }
}

impl PairConsumer for RowsConsumer<'_> {
    fn consume(&self, _: usize, pairs: &[Pair]) {
        let mut made = self.made.pop().unwrap_or_default();
        for pairs in pairs.chunks(BLOCK) {
            // Once memory has run out, pairs are dropped and `finish` says so.
            if made.error.is_none() {
                made.error = self.add(&mut made, pairs).err();
            }
        }
        fence();
        self.made.push(made);
    }

    fn probe_bytes(&self) -> usize {
        self.probe.iter().map(RowColumn::bytes).sum()
    }
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Buffers(chunks) => chunks.iter().map(|chunk| chunk.rows).sum(),
            Self::Pages(columns, _) => {
                let first = columns.first();
                first.map_or(0, |column| column.row_count() as usize)
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
