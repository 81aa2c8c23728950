//! Arbitrary bytes as a table folder: `table.json` and pages. What is accepted must be readable, must have as many rows as
//! it says, and must be the same after it has been written and read again; what is not must be described in one line.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use join_core::checksum::RowHasher;
use join_core::page::{DataType, Page};
use join_core::table::{ColumnMeta, TABLE_FILE, Table, TableMeta};
use libfuzzer_sys::fuzz_target;

/// More columns or pages than this only make the fuzzer slower.
const MOST: usize = 4;

/// What a description may call a file beside those that are there.
const OTHER_FILES: [&str; 6] = ["", ".", "../0.pages", "/dev/null", "a/b", "4.pages"];

/// The folder of the folders, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let folder = parent.join(format!("joinery-fuzz-table-{}", std::process::id()));
    fs::create_dir_all(folder.join("table")).expect("a folder for tables");
    folder
});

/// Bytes that are read one after the other; zeros when there are no more.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> usize {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(first)
    }

    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (run, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        run
    }
}

/// Pages of a file: a number of them, bytes more or less, and a list of runs, each a two-byte place, a length and the
/// bytes that stand there; all else is zero.
fn pages(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let mut pages = vec![Page::EMPTY; bytes.next() % (MOST + 1)];
    let mut file: Vec<u8> = bytemuck::cast_slice_mut(&mut pages).to_vec();
    for _ in 0..bytes.next() % 16 {
        let at = bytes.next() | bytes.next() << 8;
        let length = bytes.next();
        for (place, byte) in file.iter_mut().skip(at).zip(bytes.take(length)) {
            *place = *byte;
        }
    }
    if bytes.next() > 240 {
        file.truncate(file.len().saturating_sub(bytes.next()));
    }
    file
}

/// A description that mostly fits the files.
fn meta(bytes: &mut Bytes<'_>, files: &[Vec<u8>]) -> TableMeta {
    let columns = (0..bytes.next() % (MOST + 1)).map(|number| {
        let file = match bytes.next() {
            byte @ 240.. => OTHER_FILES[byte % OTHER_FILES.len()].to_owned(),
            byte => format!("{}.pages", byte % MOST),
        };
        let pages = files.get(number).map_or(0, Vec::len) / size_of::<Page>();
        ColumnMeta {
            name: format!("{}", bytes.next() % MOST),
            data_type: DataType::ALL[bytes.next() % DataType::ALL.len()],
            file,
            pages: (pages + bytes.next() / 250) as u64,
        }
    });
    let columns = columns.collect();
    let num_rows = match bytes.next() {
        255 => u64::from(u32::MAX) + bytes.next() as u64,
        low => (low | bytes.next() << 8) as u64,
    };
    TableMeta {
        name: "t".to_owned(),
        num_rows,
        columns,
    }
}

fn write(input: &[u8], folder: &Path) {
    let mut bytes = Bytes(input);
    // The text itself, up to a zero, or a description by its numbers; then the pages.
    let text = (input.first() == Some(&b'{')).then(|| {
        let end = input.iter().position(|&byte| byte == 0);
        let text = bytes.take(end.unwrap_or(input.len()));
        bytes.next();
        text.to_vec()
    });
    let files: Vec<_> = (0..MOST).map(|_| pages(&mut bytes)).collect();
    for (number, file) in files.iter().enumerate() {
        fs::write(folder.join(format!("{number}.pages")), file).expect("pages can be written");
    }
    let text = text.unwrap_or_else(|| {
        serde_json::to_vec(&meta(&mut bytes, &files)).expect("a description is JSON")
    });
    fs::write(folder.join(TABLE_FILE), text).expect("a description can be written");
}

/// A hash of each row's value, column after column.
fn rows(table: &Table) -> Vec<u64> {
    let columns = table.columns().iter();
    let values = columns.flat_map(|column| column.column.values());
    values
        .map(|value| {
            let mut row = RowHasher::new();
            row.value(&value);
            row.finish()
        })
        .collect()
}

fuzz_target!(|input: &[u8]| {
    let folder = FOLDER.join("table");
    write(input, &folder);
    let table = match Table::open(&folder) {
        Ok(table) => table,
        Err(error) => return assert!(!error.to_string().contains('\n'), "{error}"),
    };
    for column in table.columns() {
        assert_eq!(column.column.row_count(), table.num_rows() as u64);
        assert_eq!(column.column.values().count(), table.num_rows());
    }
    let again = FOLDER.join("again");
    table.write(&again).expect("a table that was read");
    let reread = Table::open(&again).expect("a table that was written");
    assert_eq!(reread.num_rows(), table.num_rows());
    assert!(rows(&reread) == rows(&table), "other rows");
    fs::remove_dir_all(&again).expect("it was written");
});
