//! The key column of a join's child, as builds and probes read it.

use join_core::input::{BlockRows, KeyBlock, KeyColumn, KeyCursor, KeySource};
use join_core::join::{Context, DynBuild, DynJoinTable, JoinError, Phases};
use join_core::key::Key;
use join_core::parallel::{MorselSize, Morsels, Sharing, morsels};

use super::column::{ColumnData, Values};

/// Keys a block.
const BLOCK: usize = 1024;

/// A type of keys, and what of this crate and of a build goes with it.
pub(super) trait PlanKey: Key {
    /// The values of a buffer of such keys.
    fn buffer<'s>(column: &'s ColumnData<'_>) -> Option<&'s Values<Self>>;

    /// Builds a table of such keys.
    fn build<'s>(
        build: &dyn DynBuild,
        source: &'s dyn KeySource<Self>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<Self> + 's>, JoinError>;
}

impl PlanKey for i32 {
    fn buffer<'s>(column: &'s ColumnData<'_>) -> Option<&'s Values<i32>> {
        match column {
            ColumnData::Int32(values) => Some(values),
            _ => None,
        }
    }

    fn build<'s>(
        build: &dyn DynBuild,
        source: &'s dyn KeySource<i32>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<i32> + 's>, JoinError> {
        build.build_int32(source, context, phases)
    }
}

impl PlanKey for i64 {
    fn buffer<'s>(column: &'s ColumnData<'_>) -> Option<&'s Values<i64>> {
        match column {
            ColumnData::Wide(_, values) => Some(values),
            _ => None,
        }
    }

    fn build<'s>(
        build: &dyn DynBuild,
        source: &'s dyn KeySource<i64>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<i64> + 's>, JoinError> {
        build.build_int64(source, context, phases)
    }
}

/// The keys of a column, where they lie.
pub(super) fn source<'s, K: PlanKey>(column: &'s ColumnData<'_>) -> Box<dyn KeySource<K> + 's> {
    match column {
        ColumnData::Pages(paged) => {
            let keys = KeyColumn::new(paged.column);
            Box::new(keys.expect("a checked plan joins integers of a table with row ids"))
        }
        buffered => {
            let values = K::buffer(buffered).expect("a checked plan joins keys of one type");
            Box::new(BufferKeys {
                keys: &values.values,
                valid: values.valid.as_deref(),
            })
        }
    }
}

/// Keys in a buffer between two operators.
struct BufferKeys<'s, K> {
    keys: &'s [K],
    valid: Option<&'s [bool]>,
}

// SAFETY: the buffer is borrowed and cannot change, and morsels cover every key once.
unsafe impl<K: Key> KeySource<K> for BufferKeys<'_, K> {
    fn rows(&self) -> Option<usize> {
        Some(self.keys.len())
    }

    fn cursors<'s>(
        &'s self,
        workers: usize,
        sharing: Sharing,
        morsel: MorselSize,
    ) -> Vec<Box<dyn KeyCursor<K> + 's>> {
        let size = morsel.units(self.keys.len(), workers);
        morsels(self.keys.len(), size, workers, sharing)
            .into_iter()
            .map(|morsels| {
                Box::new(BufferCursor {
                    source: self,
                    morsels,
                    left: 0..0,
                    keys: Vec::new(),
                    rows: Vec::new(),
                }) as Box<dyn KeyCursor<K> + 's>
            })
            .collect()
    }
}

struct BufferCursor<'s, K> {
    source: &'s BufferKeys<'s, K>,
    morsels: Morsels,
    left: std::ops::Range<usize>,
    keys: Vec<K>,
    rows: Vec<u32>,
}

impl<K: Key> KeyCursor<K> for BufferCursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        loop {
            if self.left.is_empty() {
                self.left = self.morsels.next()?;
            }
            let block = self.left.start..self.left.end.min(self.left.start + BLOCK);
            self.left.start = block.end;
            let Some(valid) = self.source.valid else {
                return Some(KeyBlock {
                    rows: BlockRows::From(block.start as u32),
                    keys: &self.source.keys[block],
                });
            };
            self.keys.clear();
            self.rows.clear();
            for row in block.filter(|&row| valid[row]) {
                self.keys.push(self.source.keys[row]);
                self.rows.push(row as u32);
            }
            if !self.keys.is_empty() {
                return Some(KeyBlock {
                    keys: &self.keys,
                    rows: BlockRows::List(&self.rows),
                });
            }
        }
    }
}
