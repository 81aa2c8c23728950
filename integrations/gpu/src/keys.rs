//! Key columns on the device.

use join_core::input::{KeyColumn, KeySource};
use join_core::key::Key;
use join_core::parallel::Division;
use wgpu::{Buffer, BufferUsages};

use crate::GpuError;
use crate::device::Device;

/// A key column on the device, in parts that each fit into a binding.
#[derive(Debug)]
pub struct DeviceKeys {
    words: u32,
    rows: u64,
    parts: Vec<KeyPart>,
}

/// A key column in the memory of the processor, as the device takes it.
#[derive(Debug)]
pub struct HostKeys {
    words: u32,
    keys: Vec<u32>,
    valid: Vec<u32>,
}

/// Keys of rows that follow one another.
#[derive(Debug)]
pub(crate) struct KeyPart {
    first: u32,
    rows: u64,
    /// A word per key, or two with the low one first; anything where it is NULL.
    pub keys: Buffer,
    /// A bit per row, one where it is not NULL.
    pub valid: Buffer,
}

impl KeyPart {
    /// Number of its first row.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Its rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl DeviceKeys {
    /// No rows yet, of keys of so many words.
    pub(crate) fn new(words: u32) -> DeviceKeys {
        DeviceKeys {
            words,
            rows: 0,
            parts: Vec::new(),
        }
    }

    /// Room for more rows behind those that are there.
    ///
    /// # Errors
    /// If the rows become more than a row id can number.
    pub(crate) fn extend(&mut self, device: &Device, rows: u64) -> Result<&KeyPart, GpuError> {
        let first = u32::try_from(self.rows).ok();
        let fits = |rows: &u64| u32::try_from(*rows).is_ok();
        let (Some(first), true) = (first, fits(&(self.rows + rows))) else {
            return Err(GpuError::TooManyRows);
        };
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let part = KeyPart {
            first,
            rows,
            keys: device.buffer(4 * u64::from(self.words) * rows, usage),
            valid: device.buffer(4 * rows.div_ceil(32), usage),
        };
        self.rows += rows;
        Ok(self.parts.push_mut(part))
    }

    /// Copies a column to the device.
    ///
    /// # Errors
    /// If that takes more than so many bytes there, or the device fails.
    pub fn upload(device: &Device, memory: u64, column: &HostKeys) -> Result<DeviceKeys, GpuError> {
        let words = u64::from(column.words);
        let needed = 4 * (column.keys.len() + column.valid.len()) as u64;
        if needed > memory {
            return Err(GpuError::TooLittle {
                given: memory,
                least: needed,
            });
        }
        let mut all = DeviceKeys::new(column.words);
        let rows = column.rows();
        let most = (device.most_bound() / (4 * words)).min(MOST_UPLOADED) / 32 * 32;
        for first in (0..rows).step_by(most as usize) {
            let part = all.extend(device, most.min(rows - first))?;
            let end = first + part.rows;
            let keys = &column.keys[(words * first) as usize..(words * end) as usize];
            let valid = &column.valid[(first / 32) as usize..end.div_ceil(32) as usize];
            let queue = &device.queue;
            queue.write_buffer(&part.keys, 0, bytemuck::cast_slice(keys));
            queue.write_buffer(&part.valid, 0, bytemuck::cast_slice(valid));
        }
        device.finish()?;
        Ok(all)
    }

    /// Words of a key.
    pub fn words(&self) -> u32 {
        self.words
    }

    /// Rows, NULLs included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        let parts = self.parts.iter();
        parts.map(|part| part.keys.size() + part.valid.size()).sum()
    }

    pub(crate) fn parts(&self) -> &[KeyPart] {
        &self.parts
    }

    pub(crate) fn largest_part(&self) -> u64 {
        let rows = self.parts.iter().map(KeyPart::rows);
        rows.max().unwrap_or(0)
    }
}

/// Rows that are copied at once: more would be held twice for longer.
const MOST_UPLOADED: u64 = 1 << 22;

impl HostKeys {
    /// Keys of so many words, and a bit for each that is not NULL; `None` if these are not of as many rows.
    pub fn new(words: u32, keys: Vec<u32>, valid: Vec<u32>) -> Option<HostKeys> {
        let rows = keys.len() / words as usize;
        let is_whole = rows * words as usize == keys.len() && valid.len() == rows.div_ceil(32);
        is_whole.then_some(HostKeys { words, keys, valid })
    }

    /// Those of a column.
    pub fn of<K: Key>(column: &KeyColumn<'_, K>) -> HostKeys {
        let mut keys = vec![K::zeroed(); column.len()];
        let mut valid = vec![0; column.len().div_ceil(32)];
        for morsels in column.divide(Division::counter(1)) {
            let mut cursor = column.cursor(morsels);
            while let Some(block) = cursor.next_block() {
                block.for_each(|key, row| {
                    keys[row as usize] = key;
                    valid[row as usize / 32] |= 1 << (row % 32);
                });
            }
        }
        HostKeys {
            words: (size_of::<K>() / 4) as u32,
            keys: bytemuck::cast_slice(&keys).to_vec(),
            valid,
        }
    }

    /// Rows, NULLs included.
    pub fn rows(&self) -> u64 {
        self.keys.len() as u64 / u64::from(self.words)
    }
}
