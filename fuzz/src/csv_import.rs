//! Arbitrary bytes as a CSV file. Whatever they are, the import ends with columns or a message; and as text it loses
//! nothing: written again with quotes around all fields, it is the same table.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use join_core::page::{DataType, validate};
use join_core::table::{Table, Value};
use libfuzzer_sys::fuzz_target;
use tables::{CsvOptions, Decimals, Options, read};

/// The file, in memory where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("joinery-fuzz-{}.csv", std::process::id()))
});

fn import(bytes: &[u8], options: &Options) -> Result<Table, String> {
    fs::write(&*FILE, bytes).expect("a file can be written");
    let table = read(&[FILE.clone()], options, &mut |_| {}).map_err(|error| error.to_string())?;
    for named in table.columns() {
        validate(named.column.data_type(), named.column.pages()).expect("our own pages");
        assert_eq!(named.column.row_count(), table.num_rows() as u64);
    }
    Ok(table)
}

fn quoted(bytes: &[u8], csv: &CsvOptions, out: &mut Vec<u8>) {
    let quote = csv.quote.unwrap_or(b'"');
    let escape = csv.escape.unwrap_or(quote);
    out.push(quote);
    for &byte in bytes {
        if byte == quote || byte == escape {
            out.push(escape);
        }
        out.push(byte);
    }
    out.push(quote);
}

/// The table as a file in which every field has quotes.
fn written(table: &Table, csv: &CsvOptions) -> Vec<u8> {
    let mut out = Vec::new();
    let delimiter = csv.delimiter.unwrap_or(b',');
    let mut columns: Vec<_> = table
        .columns()
        .iter()
        .map(|named| named.column.values())
        .collect();
    let end = |out: &mut Vec<u8>| *out.last_mut().expect("a column") = b'\n';
    for named in table.columns() {
        quoted(named.name.as_bytes(), csv, &mut out);
        out.push(delimiter);
    }
    end(&mut out);
    for _ in 0..table.num_rows() {
        for value in columns
            .iter_mut()
            .map(|values| values.next().expect("a row"))
        {
            match value {
                Value::Varchar(bytes) => quoted(&bytes, csv, &mut out),
                _ => quoted(b"", csv, &mut out),
            }
            out.push(delimiter);
        }
        end(&mut out);
    }
    out
}

fuzz_target!(|input: &[u8]| {
    let [how, bytes @ ..] = input else {
        return;
    };
    let bit = |number: u32| how >> number & 1 == 1;
    let csv = CsvOptions {
        delimiter: bit(0).then_some(b';'),
        quote: Some(if bit(1) { b'\'' } else { b'"' }),
        escape: bit(2).then_some(b'\\'),
        header: true,
        ..CsvOptions::default()
    };
    let mut options = Options {
        decimals: if bit(3) {
            Decimals::Rounded
        } else {
            Decimals::Fp64
        },
        csv,
        ..Options::default()
    };
    let Ok(table) = import(bytes, &options) else {
        return;
    };
    // The same as text; what is NULL stays so.
    let names = table.columns().iter().map(|named| named.name.clone());
    options.types = names.map(|name| (name, DataType::Varchar)).collect();
    let text = import(bytes, &options).expect("all is text");
    assert_eq!(text.num_rows(), table.num_rows());
    let again = import(&written(&text, &options.csv), &options).expect("what was written");
    assert_eq!(again.num_rows(), text.num_rows());
    for (again, text) in again.columns().iter().zip(text.columns()) {
        assert_eq!(again.name, text.name);
        assert!(again.column.values().eq(text.column.values()));
    }
});
