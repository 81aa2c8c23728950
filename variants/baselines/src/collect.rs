//! Sources that can be read once, made readable twice.

use std::ops::Range;

use join_core::input::{BlockRows, KeyBlock, KeyCursor, KeySource};
use join_core::join::{Context, JoinError, Phases};
use join_core::key::Key;
use join_core::memory::OutOfMemory;
use join_core::parallel::{Division, Morsels};

use crate::counted::Counted;

/// Keys per block.
const BLOCK: usize = 1024;

/// A source that knows its rows and can be read again: the given one, or a copy of a stream (R4.1).
pub(crate) enum Replayable<'a, K: Key> {
    Given(&'a dyn KeySource<K>, usize),
    Copied(Collected<K>),
}

impl<'a, K: Key> Replayable<'a, K> {
    /// `source` itself where it knows its rows; else all its keys, collected by all threads in the phase "collect".
    pub(crate) fn new(
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Self, JoinError> {
        if let Some(rows) = source.rows() {
            return Ok(Self::Given(source, rows));
        }
        let collected = Collected::new(source, context)?;
        phases.lap("collect");
        Ok(Self::Copied(collected))
    }

    /// The source.
    pub(crate) fn source(&self) -> &dyn KeySource<K> {
        match self {
            Self::Given(source, _) => *source,
            Self::Copied(collected) => collected,
        }
    }

    /// Rows, NULLs included: at least as many as keys.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Given(_, rows) => *rows,
            Self::Copied(collected) => collected.len(),
        }
    }
}

/// Keys and rows of a stream, a list per worker.
pub(crate) struct Collected<K> {
    lists: Vec<(Counted<K>, Counted<u32>)>,
    blocks: Vec<(usize, Range<usize>)>,
}

impl<K: Key> Collected<K> {
    fn new(source: &dyn KeySource<K>, context: &Context<'_>) -> Result<Self, OutOfMemory> {
        let workers = context.team.threads();
        let cursors = source.cursors(Division::counter(workers));
        let lists = context.team.run(cursors, |_, mut cursor| {
            let mut keys = Counted::new(context.memory)?;
            let mut rows = Counted::new(context.memory)?;
            while let Some(block) = cursor.next_block() {
                keys.extend(block.keys)?;
                rows.reserve(block.keys.len())?;
                match block.rows {
                    BlockRows::From(first) => {
                        for row in (first..).take(block.keys.len()) {
                            rows.push(row)?;
                        }
                    }
                    BlockRows::List(list) => rows.extend(&list[..block.keys.len()])?,
                }
            }
            Ok((keys, rows))
        });
        Ok(Self::of(lists.into_iter().collect::<Result<_, _>>()?))
    }

    /// Lists of keys and their rows.
    pub(crate) fn of(lists: Vec<(Counted<K>, Counted<u32>)>) -> Self {
        let blocks = lists
            .iter()
            .enumerate()
            .flat_map(|(list, (keys, _))| {
                let len = keys.len();
                (0..len)
                    .step_by(BLOCK)
                    .map(move |start| (list, start..(start + BLOCK).min(len)))
            })
            .collect();
        Self { lists, blocks }
    }

    fn len(&self) -> usize {
        self.lists.iter().map(|(keys, _)| keys.len()).sum()
    }
}

// SAFETY: the lists are not changed, and morsels cover every block once; static shares are the same each time.
unsafe impl<K: Key> KeySource<K> for Collected<K> {
    fn rows(&self) -> Option<usize> {
        Some(self.len())
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        let keys = division.morsel.units(self.len(), division.workers);
        division.by(keys.div_ceil(BLOCK)).morsels(self.blocks.len())
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        Box::new(Cursor {
            collected: self,
            morsels,
            left: 0..0,
        })
    }
}

struct Cursor<'s, K> {
    collected: &'s Collected<K>,
    morsels: Morsels,
    left: Range<usize>,
}

impl<K: Key> KeyCursor<K> for Cursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        if self.left.is_empty() {
            self.left = self.morsels.next()?;
        }
        let (list, range) = &self.collected.blocks[self.left.next()?];
        let (keys, rows) = &self.collected.lists[*list];
        Some(KeyBlock {
            keys: &keys[range.clone()],
            rows: BlockRows::List(&rows[range.clone()]),
        })
    }
}
