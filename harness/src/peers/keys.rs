//! Key columns as raw files, for peers to load.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use join_core::page::DataType;
use join_core::table::{Column, Value};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::question::Less;

/// The key columns of a workload in a folder that vanishes with this.
#[derive(Debug)]
pub struct KeyFiles {
    /// The build side.
    pub build: Side,
    /// The probe side.
    pub probe: Side,
    /// INT64 columns of each side that rows of results are made of, which have no files.
    pub payload: Option<usize>,
    _folder: TempDir,
}

/// The files of one side, as the protocol names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Rows, NULLs included.
    pub rows: u64,
    /// `INT32`, `INT64` or `VARCHAR`.
    pub r#type: String,
    /// Little-endian keys, one a row, 0 for a NULL; or all strings, one after the other.
    pub keys: PathBuf,
    /// A bit a row, the least significant of a byte first, set for a key, clear for a NULL; none where no key is NULL.
    pub valid: Option<PathBuf>,
    /// Little-endian INT32 values, one a row, where a condition compares them.
    #[serde(default)]
    pub values: Option<PathBuf>,
    /// 0 and where each string ends among all of them, as little-endian INT32; of a NULL, where the one before it ends.
    #[serde(default)]
    pub ends: Option<PathBuf>,
    /// Further columns of the key.
    #[serde(default)]
    pub more: Vec<Side>,
}

impl KeyFiles {
    /// Writes the columns of the key, and the `values` of the rows where there are any.
    ///
    /// # Errors
    /// The file system refuses, or a column has more than 2 GiB of strings.
    ///
    /// # Panics
    /// There is no column.
    pub fn write(columns: &[(Column, Column)], values: Option<&Less>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("joinery-").tempdir()?;
        let at = folder.path();
        let mut sides = (Vec::new(), Vec::new());
        for (nth, (build, probe)) in columns.iter().enumerate() {
            sides.0.push(side(build, at, &format!("build{nth}"))?);
            sides.1.push(side(probe, at, &format!("probe{nth}"))?);
        }
        let one = |mut sides: Vec<Side>, values: Option<&[i32]>| {
            let mut first = sides.remove(0);
            if let Some(values) = values {
                let path = first.keys.with_extension("values");
                std::fs::write(&path, bytemuck::cast_slice::<i32, u8>(values))?;
                first.values = Some(path);
            }
            first.more = sides;
            io::Result::Ok(first)
        };
        Ok(Self {
            build: one(sides.0, values.map(|less| &*less.build))?,
            probe: one(sides.1, values.map(|less| &*less.probe))?,
            payload: None,
            _folder: folder,
        })
    }
}

fn side(column: &Column, folder: &Path, name: &str) -> io::Result<Side> {
    let at = |what: &str| folder.join(format!("{name}.{what}"));
    let keys = at("keys");
    let mut file = BufWriter::new(File::create(&keys)?);
    let mut bits = Bits::default();
    let (mut ends, mut end) = (vec![0_i32], 0_i32);
    for value in column.values() {
        bits.push(!matches!(value, Value::Null));
        match (column.data_type(), value) {
            (DataType::Int32, Value::Int32(key)) => file.write_all(&key.to_le_bytes())?,
            (DataType::Int64, Value::Int64(key)) => file.write_all(&key.to_le_bytes())?,
            (DataType::Int32, _) => file.write_all(&[0; 4])?,
            (DataType::Varchar, value) => {
                if let Value::Varchar(string) = value {
                    file.write_all(&string)?;
                    let len = i32::try_from(string.len()).ok();
                    let next = len.and_then(|len| end.checked_add(len));
                    end = next.ok_or_else(|| {
                        io::Error::other("a column has more than 2 GiB of strings; make it shorter")
                    })?;
                }
                ends.push(end);
            }
            (_, _) => file.write_all(&[0; 8])?,
        }
    }
    file.flush()?;
    let valid = match column.has_nulls() {
        true => {
            std::fs::write(at("valid"), bits.bytes)?;
            Some(at("valid"))
        }
        false => None,
    };
    let ends = match column.data_type() {
        DataType::Varchar => {
            std::fs::write(at("ends"), bytemuck::cast_slice::<i32, u8>(&ends))?;
            Some(at("ends"))
        }
        _ => None,
    };
    Ok(Side {
        rows: column.row_count(),
        r#type: column.data_type().to_string(),
        keys,
        valid,
        ends,
        values: None,
        more: Vec::new(),
    })
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

    #[test]
    fn files_hold_every_row_and_vanish() {
        // NULLs on both sides of a byte's and of a page's end.
        let rows: Vec<Option<i64>> = (0..3001_i64)
            .map(|row| (row % 7 != 3 && row != 8).then_some(row * -9))
            .collect();
        let nulls = Column::from_options(rows.iter().copied());
        let dense = Column::from_i64(&[i64::MIN, 0, i64::MAX]);
        let files = KeyFiles::write(&[(nulls, dense)], None).unwrap();
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

    #[test]
    fn strings_lie_side_by_side() {
        let long = "long".repeat(5000);
        let strings = Column::from_strings([Some("a"), None, Some(""), Some(&long), Some("bc")]);
        let files = KeyFiles::write(&[(strings.clone(), strings)], None).unwrap();
        let all = std::fs::read(&files.build.keys).unwrap();
        assert_eq!(all, format!("a{long}bc").into_bytes());
        let ends = std::fs::read(files.build.ends.unwrap()).unwrap();
        let ends: &[i32] = bytemuck::cast_slice(&ends);
        assert_eq!(ends, [0, 1, 1, 1, 20_001, 20_003]);
        assert_eq!(
            std::fs::read(files.probe.valid.unwrap()).unwrap(),
            [0b1_1101]
        );
    }
}
