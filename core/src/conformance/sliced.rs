//! Keys as other engines have them: slices of values, and bitmaps that begin within a byte.

use crate::input::{KeyColumn, KeySlice};
use crate::join::JoinInput;
use crate::key::Key;

/// Rows of a slice: an odd number, so that bitmaps begin at every bit.
const ROWS: usize = 1237;

/// A column's keys in slices.
struct Sliced<K> {
    values: Vec<K>,
    bits: Vec<u8>,
}

impl<K: Key> Sliced<K> {
    fn of(column: &KeyColumn<'_, K>) -> Self {
        let mut bits = vec![0; column.len().div_ceil(8)];
        let values = column.rows().enumerate().map(|(row, key)| {
            bits[row / 8] |= u8::from(key.is_some()) << (row % 8);
            // What stands in the place of a NULL looks like a key.
            key.unwrap_or(K::zeroed())
        });
        Self {
            values: values.collect(),
            bits,
        }
    }

    fn column(&self) -> KeyColumn<'_, K> {
        let slices = self.values.chunks(ROWS).enumerate();
        let slices = slices.map(|(nth, values)| {
            KeySlice::with_nulls(values, &self.bits, nth * ROWS).expect("a bit for each row")
        });
        KeyColumn::of_slices(slices.collect()).expect("as many rows as before")
    }
}

/// Calls `each` with the same keys in slices.
pub(super) fn with_slices<R>(input: &JoinInput<'_>, each: impl FnOnce(&JoinInput<'_>) -> R) -> R {
    match input {
        JoinInput::Int32(build, probe) => {
            let (build, probe) = (Sliced::of(build), Sliced::of(probe));
            each(&JoinInput::Int32(build.column(), probe.column()))
        }
        JoinInput::Int64(build, probe) => {
            let (build, probe) = (Sliced::of(build), Sliced::of(probe));
            each(&JoinInput::Int64(build.column(), probe.column()))
        }
    }
}
