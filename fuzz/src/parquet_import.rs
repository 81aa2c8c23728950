//! Arbitrary bytes as a Parquet file. Whatever they are, the import ends: with columns of as many rows as the file says and
//! pages that follow the format, or with a message.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use join_core::page::validate;
use libfuzzer_sys::fuzz_target;
use parquet::file::metadata::ParquetMetaDataReader;
use tables::{Decimals, Options, read};

/// More rows than this only make the fuzzer slower: a run of equal values is as long as its header says.
const MOST_ROWS: i64 = 1 << 16;

/// The file, in memory where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("joinery-fuzz-{}.parquet", std::process::id()))
});

/// Whether the footer says that there are too many rows to be quick.
fn is_large(bytes: &[u8]) -> bool {
    let footer = || {
        let end = bytes.len().checked_sub(8)?;
        let length = u32::from_le_bytes(*bytes[end..].first_chunk()?) as usize;
        let footer = bytes.get(end.checked_sub(length)?..end)?;
        std::panic::catch_unwind(|| ParquetMetaDataReader::decode_metadata(footer)).ok()?.ok()
    };
    footer().is_some_and(|footer| {
        let rows = footer.row_groups().iter().map(|group| group.num_rows());
        rows.fold(0_i64, i64::saturating_add) > MOST_ROWS
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, bytes)) = input.split_first() else {
        return;
    };
    fs::write(&*FILE, bytes).expect("a file can be written");
    let options = Options {
        decimals: [Decimals::Fp64, Decimals::Rounded, Decimals::Scaled][usize::from(how) % 3],
        ..Options::default()
    };
    // The same file twice, which must go with itself.
    let files = vec![FILE.clone(); 1 + usize::from(how) / 128];
    match read(&files, &options, &mut |_| {}) {
        Ok(table) => {
            for named in table.columns() {
                validate(named.column.data_type(), named.column.pages()).expect("our own pages");
                assert_eq!(named.column.row_count(), table.num_rows() as u64);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
