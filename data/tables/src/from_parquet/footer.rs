//! What a Parquet file ends with: its schema, and where its columns lie.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::damage::{damaged, explain, fault};
use super::guard::guarded;
use super::shape::{Event, FOOTER, StructWalk};
use super::thrift::ThriftError;

/// The length of the footer, and what the file ends with.
const END_BYTES: u64 = 8;

/// Groups in one another; each level of a nested column has one or two.
const DEEPEST: usize = 64;

/// Reads the footer of a file.
///
/// # Errors
/// What is wrong, without the file.
pub fn read(mut file: &File) -> Result<ParquetMetaData, String> {
    let cut = "it does not end as a Parquet file does";
    let io = |error| format!("cannot read the file: {error}; check the disk");
    let bytes = file.seek(SeekFrom::End(0)).map_err(io)?;
    let Some(before) = bytes.checked_sub(END_BYTES) else {
        return Err(damaged(cut));
    };
    let mut end = [0; END_BYTES as usize];
    file.seek(SeekFrom::Start(before)).map_err(io)?;
    file.read_exact(&mut end).map_err(io)?;
    let [length @ .., a, b, c, d] = end;
    match &[a, b, c, d] {
        b"PAR1" => {}
        b"PARE" => return Err("the file is encrypted; write it without encryption".to_owned()),
        _ => return Err(damaged(cut)),
    }
    let length = u32::from_le_bytes(length);
    let Some(start) = before.checked_sub(length.into()) else {
        return Err(damaged("its footer is longer than the file"));
    };
    let mut footer = vec![0; length as usize];
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    file.read_exact(&mut footer).map_err(io)?;
    check(&footer).map_err(|broken| fault("its footer", broken))?;
    guarded(|| ParquetMetaDataReader::decode_metadata(&footer).map_err(explain))
}

/// What the library does not tell, or does not check.
#[derive(Default)]
struct Told {
    /// The elements of the schema, each with its children and its physical type.
    elements: Vec<(u64, Option<i64>)>,
    /// The physical types of the columns of each row group.
    columns: Vec<Vec<Option<i64>>>,
}

impl Told {
    fn tell(&mut self, place: &[i64], event: Event) {
        match (place, event) {
            ([2], Event::Begin) => self.elements.push((0, None)),
            ([2, 1], Event::Number(physical)) => {
                if let Some(element) = self.elements.last_mut() {
                    element.1 = Some(physical);
                }
            }
            ([2, 5], Event::Number(children)) => {
                if let Some(element) = self.elements.last_mut() {
                    element.0 = u64::try_from(children).unwrap_or(u64::MAX);
                }
            }
            ([4], Event::Begin) => self.columns.push(Vec::new()),
            ([4, 1, 3, 1], Event::Number(physical)) => {
                if let Some(group) = self.columns.last_mut() {
                    group.push(Some(physical));
                }
            }
            _ => {}
        }
    }

    /// Checks how many children groups have, and how deep they lie in one another: the library makes room for all children
    /// and calls itself for each level.
    fn check_groups(&self) -> Result<(), ThriftError> {
        let mut open: Vec<u64> = Vec::new();
        for (left, (children, _)) in (0..self.elements.len() as u64).rev().zip(&self.elements) {
            if *children > left {
                return Err(ThriftError::Broken(
                    "a group has more columns than there are",
                ));
            }
            if let Some(group) = open.last_mut() {
                *group -= 1;
            }
            open.push(*children);
            while open.last() == Some(&0) {
                open.pop();
            }
            if open.len() > DEEPEST {
                return Err(ThriftError::Broken("groups are nested too deep"));
            }
        }
        Ok(())
    }

    /// Checks that the columns of all row groups have the types of the schema.
    fn check_types(&self) -> Result<(), ThriftError> {
        let leaves = self
            .elements
            .iter()
            .skip(1)
            .filter(|(children, _)| *children == 0);
        let types: Vec<_> = leaves.map(|(_, physical)| *physical).collect();
        match self.columns.iter().any(|group| *group != types) {
            true => Err(ThriftError::Broken(
                "a column has another type than the schema says",
            )),
            false => Ok(()),
        }
    }
}

/// Checks the footer before the library believes it.
fn check(footer: &[u8]) -> Result<(), ThriftError> {
    let mut told = Told::default();
    StructWalk::over(footer, &FOOTER, &mut |place, event| told.tell(place, event))?;
    told.check_groups()?;
    told.check_types()
}
