//! Key columns as raw files, for peers to load.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use join_core::input::KeyColumn;
use join_core::join::JoinInput;
use join_core::key::Key;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// The key columns of a workload in a folder that vanishes with this.
#[derive(Debug)]
pub struct KeyFiles {
    /// The build side.
    pub build: Side,
    /// The probe side.
    pub probe: Side,
    _folder: TempDir,
}

/// The files of one side, as the protocol names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Rows, NULLs included.
    pub rows: u64,
    /// `INT32` or `INT64`.
    pub r#type: String,
    /// Little-endian keys, one a row, 0 for a NULL.
    pub keys: PathBuf,
    /// A bit a row, the least significant of a byte first, set for a key, clear for a NULL; none where no key is NULL.
    pub valid: Option<PathBuf>,
}

impl KeyFiles {
    /// Writes both columns.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(input: &JoinInput<'_>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("joinery-").tempdir()?;
        let at = folder.path();
        let (build, probe) = match input {
            JoinInput::Int32(build, probe) => {
                (side(build, at, "build")?, side(probe, at, "probe")?)
            }
            JoinInput::Int64(build, probe) => {
                (side(build, at, "build")?, side(probe, at, "probe")?)
            }
        };
        Ok(Self {
            build,
            probe,
            _folder: folder,
        })
    }
}

fn side<K: Key>(column: &KeyColumn<'_, K>, folder: &Path, name: &str) -> io::Result<Side> {
    let keys = folder.join(format!("{name}.keys"));
    let mut file = BufWriter::new(File::create(&keys)?);
    let mut bits = Bits::default();
    for page in column.pages() {
        let values = page.fixed::<K>();
        if !page.has_nulls() {
            write(&mut file, values)?;
            (0..values.len()).for_each(|_| bits.push(true));
            continue;
        }
        let mut values = values.iter();
        for valid in page.validity().iter() {
            bits.push(valid);
            let key = match valid {
                true => *values.next().expect("a valid row has a value"),
                false => K::zeroed(),
            };
            write(&mut file, &[key])?;
        }
    }
    file.flush()?;
    let valid = match column.has_nulls() {
        true => {
            let path = folder.join(format!("{name}.valid"));
            std::fs::write(&path, bits.bytes)?;
            Some(path)
        }
        false => None,
    };
    Ok(Side {
        rows: column.len() as u64,
        r#type: K::DATA_TYPE.to_string(),
        keys,
        valid,
    })
}

fn write<K: Key>(file: &mut impl Write, keys: &[K]) -> io::Result<()> {
    const { assert!(cfg!(target_endian = "little")) };
    file.write_all(bytemuck::cast_slice(keys))
}

/// Bits, the least significant of a byte first.
#[derive(Default)]
pub(super) struct Bits {
    pub bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        *self.bytes.last_mut().expect("pushed above") |= u8::from(bit) << (self.len % 8);
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::table::Column;

    #[test]
    fn files_hold_every_row_and_vanish() {
        // NULLs on both sides of a byte's and of a page's end.
        let rows: Vec<Option<i64>> = (0..3001_i64)
            .map(|row| (row % 7 != 3 && row != 8).then_some(row * -9))
            .collect();
        let nulls = Column::from_options(rows.iter().copied());
        let dense = Column::from_i64(&[i64::MIN, 0, i64::MAX]);
        let files = KeyFiles::write(&JoinInput::new(&nulls, &dense).unwrap()).unwrap();
        assert_eq!((files.build.rows, files.probe.rows), (3001, 3));
        assert_eq!(files.probe.valid, None);
        let keys = |side: &Side| -> Vec<i64> {
            let bytes = std::fs::read(&side.keys).unwrap();
            let words = bytes.chunks_exact(8);
            words
                .map(|w| i64::from_le_bytes(w.try_into().unwrap()))
                .collect()
        };
        assert_eq!(keys(&files.probe), [i64::MIN, 0, i64::MAX]);
        let valid = std::fs::read(files.build.valid.as_ref().unwrap()).unwrap();
        assert_eq!(valid.len(), 3001_usize.div_ceil(8));
        let read: Vec<Option<i64>> = keys(&files.build)
            .into_iter()
            .enumerate()
            .map(|(row, key)| (valid[row / 8] >> (row % 8) & 1 == 1).then_some(key))
            .collect();
        assert_eq!(read, rows);
        let folder = files.build.keys.parent().unwrap().to_owned();
        drop(files);
        assert!(!folder.exists());
    }
}
