//! Arbitrary bytes as a Parquet file. Whatever they are, the import ends: with columns of as many rows as the file says and
//! pages that follow the format, or with a message.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use join_core::page::validate;
use libfuzzer_sys::fuzz_target;
use tables::{Decimals, Options, read};

/// The file, in memory where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("joinery-fuzz-{}.parquet", std::process::id()))
});

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
