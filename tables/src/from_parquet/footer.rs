//! What a Parquet file ends with: its schema, and where its columns lie.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::damage::{damaged, explain, fault};
use super::guard::guarded;
use super::thrift::{Compact, Fault, Kind};

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

/// Checks what the library believes: how many children a group has, and how deep groups lie in one another.
fn check(footer: &[u8]) -> Result<(), Fault> {
    Compact::new(footer).fields(|compact, number, kind| match (number, kind) {
        (2, Kind::List) => check_schema(compact).map(|()| true),
        _ => Ok(false),
    })
}

fn check_schema(compact: &mut Compact<&[u8]>) -> Result<(), Fault> {
    let (kind, elements) = compact.list()?;
    if kind != Kind::Struct {
        return Err(Fault::Broken("its schema is no list of columns"));
    }
    // The children that are still to come, of each group around.
    let mut open: Vec<u64> = Vec::new();
    for left in (0..elements).rev() {
        let mut children = 0;
        compact.fields(|compact, number, kind| match (number, kind) {
            (5, Kind::Integer) => {
                children = compact.integer()?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        let children = u64::try_from(children).unwrap_or(u64::MAX);
        if children > left {
            return Err(Fault::Broken("a group has more columns than there are"));
        }
        if let Some(group) = open.last_mut() {
            *group -= 1;
        }
        open.push(children);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > DEEPEST {
            return Err(Fault::Broken("groups are nested too deep"));
        }
    }
    Ok(())
}
