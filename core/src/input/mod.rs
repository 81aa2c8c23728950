//! Key inputs: what a build or a probe reads its keys from, one block at a time.
//!
//! A [`KeyColumn`] reads keys where they lie in pages or slices (zero-copy, R1.1, R1.3), NULLs or not; [`Materialised`]
//! holds a dense copy; a [`KeyStream`] yields blocks without saying how many there will be (R4.1). All three are a
//! [`KeySource`], which a build or probe variant reads through one [`KeyCursor`] per worker. A [`StringColumn`] reads strings
//! where they lie, for keys of [several columns](crate::compound) and for the [rows](crate::output::RowsConsumer) of results.

mod column;
mod composed;
mod hashed;
mod materialised;
mod slices;
mod stream;
mod strings;

pub use column::{KeyChunk, KeyColumn, KeyRows};
pub use hashed::HashedKeys;
pub use materialised::Materialised;
pub use slices::KeySlice;
pub use stream::{KeyStream, OwnedBlock, StreamSource};
pub(crate) use strings::{Asked, Located, STRING_GROUP, STRINGS, StringBlock, StringRef};
pub use strings::{StringColumn, StringSlice};

use crate::key::Key;
use crate::memory::{Memory, OutOfMemory};
use crate::parallel::{Division, Morsels, Team};

/// Keys of consecutive or listed rows. NULL keys are never in a block: they join nothing.
#[derive(Debug, Clone, Copy)]
pub struct KeyBlock<'a, K> {
    /// The keys.
    pub keys: &'a [K],
    /// The rows they stand in, as many.
    pub rows: BlockRows<'a>,
}

/// The row ids of a block's keys.
#[derive(Debug, Clone, Copy)]
pub enum BlockRows<'a> {
    /// This row and the following ones.
    From(u32),
    /// These rows.
    List(&'a [u32]),
}

impl BlockRows<'_> {
    /// The row of the block's key number `index`.
    ///
    /// # Panics
    ///
    /// If rows are listed, and not so many.
    #[inline(always)]
    pub fn row(&self, index: usize) -> u32 {
        match self {
            Self::From(first) => first + index as u32,
            Self::List(rows) => rows[index],
        }
    }
}

impl<'a, K: Key> KeyBlock<'a, K> {
    /// The block in pieces of `len` keys, the last one shorter.
    pub fn chunks(self, len: usize) -> impl Iterator<Item = KeyBlock<'a, K>> {
        self.keys.chunks(len).enumerate().map(move |(index, keys)| {
            let first = index * len;
            KeyBlock {
                keys,
                rows: match self.rows {
                    BlockRows::From(row) => BlockRows::From(row + first as u32),
                    BlockRows::List(rows) => BlockRows::List(&rows[first..first + keys.len()]),
                },
            }
        })
    }

    /// Calls `each` with every key and its row.
    #[inline(always)]
    pub fn for_each(&self, mut each: impl FnMut(K, u32)) {
        match self.rows {
            BlockRows::From(first) => {
                for (row, &key) in (first..).zip(self.keys) {
                    each(key, row);
                }
            }
            BlockRows::List(rows) => {
                for (&row, &key) in rows.iter().zip(self.keys) {
                    each(key, row);
                }
            }
        }
    }
}

/// Keys that workers can read in blocks, each key once.
///
/// # Safety
///
/// A source that knows its rows yields the same keys each time that it is read, and under [`Sharing::Static`](crate::parallel::Sharing) the same
/// to each worker: builds that count first and copy then leave no place unwritten because of it.
pub unsafe trait KeySource<K: Key>: Sync {
    /// Rows in all, NULLs included, where that is known before the end (R4.1).
    fn rows(&self) -> Option<usize>;

    /// Divides the reading among workers. A morsel is of whatever [`Self::cursor`] counts: rows, keys, or blocks of them.
    fn divide(&self, division: Division) -> Vec<Morsels>;

    /// A worker's way through these morsels, which [`Self::divide`] made.
    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's>;

    /// A cursor for each worker; together they yield every key once. Only a source that knows its rows can be read more
    /// than once.
    fn cursors<'s>(&'s self, division: Division) -> Vec<Box<dyn KeyCursor<K> + 's>> {
        let shares = self.divide(division).into_iter();
        shares.map(|morsels| self.cursor(morsels)).collect()
    }

    /// A cursor over all keys, in order.
    fn whole<'s>(&'s self) -> Box<dyn KeyCursor<K> + 's> {
        let mut cursors = self.cursors(Division::whole());
        cursors.pop().expect("a cursor for the one worker")
    }
}

/// One worker's way through a [`KeySource`].
pub trait KeyCursor<K: Key>: Send {
    /// The next block, of one to a few thousand keys.
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>>;
}

/// Whether keys are read where they lie or copied first (R1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputMode {
    /// Zero-copy unless the column has NULLs, as in the contest engine; page headers alone decide (R1.4).
    Contest,
    /// Zero-copy always; columns with NULLs by bitmap and rank.
    #[default]
    ZeroCopy,
    /// A dense copy of the keys (and of the row ids where there are NULLs) is made first.
    Materialised,
    /// Zero-copy, without telling the number of rows before the end (R4.1).
    Stream,
}

impl InputMode {
    /// Whether a column with or without NULLs is copied in this mode.
    pub fn copies(self, nulls: bool) -> bool {
        match self {
            Self::Contest => nulls,
            Self::ZeroCopy | Self::Stream => false,
            Self::Materialised => true,
        }
    }

    /// The keys of a column in this mode.
    ///
    /// # Errors
    ///
    /// If there is no memory for a copy.
    pub fn source<'s, K: Key>(
        self,
        column: &'s KeyColumn<'s, K>,
        team: &Team,
        memory: &Memory,
    ) -> Result<Box<dyn KeySource<K> + 's>, OutOfMemory> {
        if self.copies(column.has_nulls()) {
            return Ok(Box::new(Materialised::new(column, team, memory)?));
        }
        Ok(match self {
            Self::Stream => Box::new(column.slice(0..column.len()).unannounced()),
            _ => Box::new(column.slice(0..column.len())),
        })
    }

    /// What a report calls the choice for such a column.
    pub fn chosen(self, nulls: bool) -> &'static str {
        match (self.copies(nulls), nulls) {
            _ if self == Self::Stream => "stream of unknown length",
            (true, _) => "materialised",
            (false, true) => "zero-copy by bitmap and rank",
            (false, false) => "zero-copy",
        }
    }
}
