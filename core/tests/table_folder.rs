//! Table folders: there and back, and everything that can be wrong with one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use join_core::checksum::checksum;
use join_core::page::{DataType, PAGE_BYTES, PageFault};
use join_core::table::{
    Column, NamedColumn, TABLE_FILE, Table, TableError, TableMeta, discard_unfinished,
    write_folder, write_new_file,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

fn table() -> Table {
    let long = "long ".repeat(2000);
    let rows = 0..4000;
    let text = rows.clone().map(|row| match row % 1000 {
        7 => None,
        8 => Some(long.clone()),
        _ => Some(row.to_string()),
    });
    let columns = vec![
        NamedColumn::new("key", Column::from_i32(&rows.clone().collect::<Vec<_>>())),
        NamedColumn::new(
            "wide",
            Column::from_options(
                rows.clone()
                    .map(|row| (row % 3 > 0).then_some(i64::from(row) << 33)),
            ),
        ),
        NamedColumn::new(
            "real",
            Column::from_values(
                &rows
                    .clone()
                    .map(|row| f64::from(row) / 8.0)
                    .collect::<Vec<_>>(),
            ),
        ),
        NamedColumn::new("text", Column::from_strings(text)),
    ];
    Table::new("four", columns).expect("4000 rows each")
}

/// A written folder to be damaged: `folder/table` inside of a temporary folder.
struct Written {
    outer: TempDir,
}

impl Written {
    fn new() -> Written {
        let outer = TempDir::new().expect("a temporary folder");
        table()
            .write(&outer.path().join("table"))
            .expect("a folder that can be written");
        Written { outer }
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.outer.path().join("table").join(file)
    }

    fn edit_json(&self, edit: impl FnOnce(&mut Json)) {
        let path = self.path(TABLE_FILE);
        let mut json = serde_json::from_slice(&fs::read(&path).expect("json")).expect("json");
        edit(&mut json);
        fs::write(&path, json.to_string()).expect("writable");
    }

    fn edit_file(&self, file: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(file)).expect("the file");
        edit(&mut bytes);
        fs::write(self.path(file), bytes).expect("writable");
    }

    /// Opens the folder, which must fail with one line that says all of `says`.
    #[track_caller]
    fn assert_refused(&self, says: &[&str]) -> TableError {
        assert_says(Table::open(&self.path("")).expect_err("a fault"), says)
    }
}

#[track_caller]
fn assert_says(error: TableError, says: &[&str]) -> TableError {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    for part in says {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    error
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn there_and_back() {
    let written = Written::new();
    assert_eq!(names_in(written.outer.path()), ["table"]);
    assert_eq!(
        names_in(&written.path("")),
        ["0.pages", "1.pages", "2.pages", "3.pages", TABLE_FILE]
    );
    let (before, after) = (
        table(),
        Table::open(&written.path("")).expect("a good folder"),
    );
    assert_eq!((after.name(), after.num_rows()), ("four", 4000));
    assert_eq!(checksum(&after), checksum(&before));
    for (before, after) in before.columns().iter().zip(after.columns()) {
        assert_eq!(before.name, after.name);
        assert_eq!(before.column.data_type(), after.column.data_type());
        assert_eq!(before.column.pages(), after.column.pages());
        assert_eq!(before.column.has_nulls(), after.column.has_nulls());
        assert!(after.column.is_mapped() && !before.column.is_mapped());
    }
    assert!(after.column("text").is_some() && after.column("none").is_none());
    let copy = after.clone();
    drop(after);
    assert_eq!(checksum(&copy), checksum(&before));
}

#[test]
fn the_description_has_the_shape_of_a_plan_input() {
    let written = Written::new();
    let text = fs::read_to_string(written.path(TABLE_FILE)).expect("json");
    let json: Json = serde_json::from_str(&text).expect("json");
    assert_eq!(
        json["columns"][0],
        json!({"name": "key", "type": "INT32", "file": "0.pages", "pages": 3})
    );
    assert_eq!(
        (&json["name"], &json["num_rows"]),
        (&json!("four"), &json!(4000))
    );
    let types: Vec<_> = ["INT32", "INT64", "FP64", "VARCHAR"]
        .map(Json::from)
        .to_vec();
    let columns = json["columns"].as_array().expect("an array");
    assert!(columns.iter().map(|column| &column["type"]).eq(&types));

    let by_hand = r#"{"name": "title", "num_rows": 2528312,
        "columns": [{"name": "id", "type": "INT32", "file": "0_0.pages", "pages": 1275}]}"#;
    let meta: TableMeta = serde_json::from_str(by_hand).expect("as the format has it");
    assert_eq!(meta.num_rows, 2_528_312);
    assert_eq!(meta.columns[0].data_type, DataType::Int32);
}

#[test]
fn tables_without_rows_and_without_columns() {
    let outer = TempDir::new().expect("a temporary folder");
    let empty = vec![
        NamedColumn::new("a", Column::from_i32(&[])),
        NamedColumn::new("b", Column::from_strings::<&str>([])),
    ];
    for (name, columns) in [("no-rows", empty), ("no-columns", vec![])] {
        let folder = outer.path().join(name);
        let width = columns.len();
        Table::new(name, columns)
            .expect("no rows")
            .write(&folder)
            .expect("writable");
        let back = Table::open(&folder).expect("a good folder");
        assert_eq!((back.num_rows(), back.columns().len()), (0, width));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_rows_there_and_back(
        rows in proptest::collection::vec(any::<(Option<i32>, Option<i64>, Option<f64>, Option<String>)>(), 0..3000)
    ) {
        let table = Table::new("any", vec![
            NamedColumn::new("a", Column::from_i32_options(rows.iter().map(|row| row.0))),
            NamedColumn::new("b", Column::from_options(rows.iter().map(|row| row.1))),
            NamedColumn::new("c", Column::from_options(rows.iter().map(|row| row.2))),
            NamedColumn::new("d", Column::from_strings(rows.iter().map(|row| row.3.as_deref()))),
        ]).expect("equally many rows");
        let outer = TempDir::new().expect("a temporary folder");
        let folder = outer.path().join("table");
        table.write(&folder).expect("writable");
        let back = Table::open(&folder).expect("a good folder");
        prop_assert_eq!(checksum(&back), checksum(&table));
        for (before, after) in table.columns().iter().zip(back.columns()) {
            prop_assert_eq!(before.column.pages(), after.column.pages());
        }
    }
}

#[test]
fn a_folder_that_is_missing_or_lacks_a_file() {
    let written = Written::new();
    let missing = written.outer.path().join("other");
    let error = Table::open(&missing).expect_err("no folder");
    assert_says(
        error,
        &["cannot read", "other/table.json", "check the path"],
    );
    fs::remove_file(written.path("2.pages")).expect("removable");
    written.assert_refused(&["cannot read", "2.pages", "check the path"]);
}

#[test]
fn a_description_that_is_no_json_or_lacks_something() {
    let written = Written::new();
    written.edit_json(|json| json["columns"][1]["type"] = "INT16".into());
    written.assert_refused(&[
        "table.json",
        "unknown variant `INT16`",
        "`INT32`",
        "line 1 column",
    ]);
    written.edit_json(|json| {
        json.as_object_mut().expect("an object").remove("num_rows");
        json["columns"][1]["type"] = "INT64".into();
    });
    written.assert_refused(&[
        "table.json",
        "missing field `num_rows`",
        "docs/page-format.md",
    ]);
    fs::write(written.path(TABLE_FILE), "{\n  \"name\": ").expect("writable");
    written.assert_refused(&["table.json", "line 2 column"]);
}

#[test]
fn a_file_name_that_leads_out_of_the_folder() {
    let written = Written::new();
    for file in ["../0.pages", "/etc/passwd", "", "a/../../b"] {
        written.edit_json(|json| json["columns"][0]["file"] = file.into());
        written.assert_refused(&[
            "table \"four\"",
            "column \"key\"",
            "leads out of the folder",
        ]);
    }
}

#[test]
fn columns_that_cannot_be_told_apart() {
    let written = Written::new();
    written.edit_json(|json| json["columns"][2]["name"] = "key".into());
    written.assert_refused(&["table \"four\"", "two columns are named \"key\"", "rename"]);
    let twice = || NamedColumn::new("a", Column::from_i32(&[1]));
    let error = Table::new("t", vec![twice(), twice()]).expect_err("twins");
    assert_says(error, &["two columns are named \"a\""]);
}

/// What is no file would block, never end or have no length; it is refused before it is opened.
#[test]
fn pipes_devices_and_folders_in_place_of_files() {
    for file in [TABLE_FILE, "0.pages"] {
        let written = Written::new();
        let path = written.path(file);
        for replace in [
            |path: &Path| {
                Command::new("mkfifo")
                    .arg(path)
                    .status()
                    .expect("mkfifo")
                    .success()
            },
            |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).is_ok(),
            |path: &Path| fs::create_dir(path).is_ok(),
        ] {
            fs::remove_file(&path).expect("removable");
            assert!(replace(&path));
            written.assert_refused(&[file, "is no regular file"]);
            if path.symlink_metadata().expect("there").is_dir() {
                fs::remove_dir(&path).expect("removable");
                fs::write(&path, "").expect("writable");
            }
        }
    }
}

#[test]
fn a_file_that_ends_within_a_page() {
    let written = Written::new();
    written.edit_file("0.pages", |bytes| bytes.truncate(PAGE_BYTES + 100));
    written.assert_refused(&[
        "0.pages",
        "column \"key\"",
        "page 1, byte 100",
        "after 8292 bytes",
    ]);
}

#[test]
fn fewer_or_more_pages_than_described() {
    let written = Written::new();
    written.edit_file("0.pages", |bytes| bytes.truncate(2 * PAGE_BYTES));
    written.assert_refused(&["0.pages", "column \"key\"", "2 pages, but the table says 3"]);
    written.edit_file("0.pages", |bytes| bytes.resize(4 * PAGE_BYTES, 0));
    written.assert_refused(&["4 pages, but the table says 3", "fix \"pages\""]);
    written.edit_file("0.pages", Vec::clear);
    written.assert_refused(&["0 pages, but the table says 3"]);
}

#[test]
fn fewer_or_more_rows_than_described() {
    let written = Written::new();
    for says in [3999, 4001, 0] {
        written.edit_json(|json| json["num_rows"] = says.into());
        let says = format!("4000 rows in 3 pages, but the table says {says}");
        written.assert_refused(&["0.pages", "column \"key\"", &says, "fix \"num_rows\""]);
    }
}

#[test]
fn more_rows_than_row_ids() {
    let written = Written::new();
    written.edit_json(|json| json["num_rows"] = 4_294_967_296u64.into());
    written.assert_refused(&["table \"four\"", "4294967296 rows", "at most 4294967295"]);
}

#[test]
fn a_corrupt_page_is_named_by_file_column_page_and_byte() {
    let written = Written::new();
    let flip_a_bit_of_a_bitmap = |bytes: &mut Vec<u8>| bytes[2 * PAGE_BYTES - 1] ^= 1;
    written.edit_file("1.pages", flip_a_bit_of_a_bitmap);
    let place = "page 1, byte 8";
    let error = written.assert_refused(&[
        "table/1.pages",
        "column \"wide\"",
        place,
        "the bitmap marks",
    ]);
    let TableError::Page { error, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(
        error.fault,
        PageFault::BitmapContradictsHeader { .. }
    ));
    written.edit_file("1.pages", flip_a_bit_of_a_bitmap);
    Table::open(&written.path("")).expect("mended");

    written.edit_file("3.pages", |bytes| bytes[6..8].copy_from_slice(&[0, 0]));
    written.assert_refused(&[
        "table/3.pages",
        "column \"text\"",
        "page 0, byte 6 of the page (byte 6 of the file)",
        "string 1 ends at offset 0, before the one in front of it at 1",
    ]);
}

#[test]
fn columns_of_different_lengths() {
    let columns = vec![
        NamedColumn::new("a", Column::from_i32(&[1, 2, 3])),
        NamedColumn::new("b", Column::from_i32(&[1, 2])),
    ];
    let error = Table::new("uneven", columns).expect_err("uneven");
    assert_says(
        error,
        &[
            "table \"uneven\"",
            "column \"b\" has 2 rows, the first column 3",
        ],
    );
}

#[test]
fn an_existing_folder_is_never_overwritten() {
    let written = Written::new();
    let error = table().write(&written.path("")).expect_err("it exists");
    assert_says(
        error,
        &["exists and is not an empty folder", "remove it first"],
    );
    Table::open(&written.path("")).expect("untouched");
    // An empty folder is as good as none.
    let empty = written.outer.path().join("empty");
    fs::create_dir(&empty).expect("writable");
    table().write(&empty).expect("an empty folder");
    Table::open(&empty).expect("whole");
}

#[test]
fn a_place_that_cannot_be_written() {
    let outer = TempDir::new().expect("a temporary folder");
    let file = outer.path().join("file");
    fs::write(&file, "in the way").expect("writable");
    let error = table()
        .write(&file.join("table"))
        .expect_err("below a file");
    assert_says(
        error,
        &["cannot write", "file/table", "a part of the path is a file"],
    );
    let error = table().write(&file).expect_err("a file");
    assert_says(error, &["exists and is not an empty folder"]);
    assert_eq!(fs::read(&file).expect("still there"), b"in the way");
    let error = table().write(Path::new("..")).expect_err("no name");
    assert_says(error, &["..", ";"]);
    assert_eq!(names_in(outer.path()), ["file"]);
}

#[test]
fn folders_that_lead_to_a_place_are_made_and_go_again_on_an_error() {
    let outer = TempDir::new().expect("a temporary folder");
    let (folder, file) = (outer.path().join("a/b/table"), outer.path().join("c/d/f"));
    let failed = |path: &Path| Err(TableError::io("write", path)(ErrorKind::Other.into()));
    let none: Result<(), TableError> = write_folder(&folder, failed);
    none.expect_err("nothing was written");
    write_new_file::<(), _>(&file, |_| failed(&file)).expect_err("nothing was written");
    assert!(names_in(outer.path()).is_empty());
    fs::create_dir(outer.path().join("a")).expect("writable");
    write_folder(&folder, failed).expect_err("nothing was written");
    assert!(names_in(&outer.path().join("a")).is_empty());

    table().write(&folder).expect("the folders are made");
    Table::open(&folder).expect("whole");
    let write = |mut to: &File| {
        to.write_all(b"whole")
            .map_err(TableError::io("write", &file))
    };
    write_new_file(&file, write).expect("the folders are made");
    assert_eq!(fs::read(&file).expect("there"), b"whole");
    let error = write_new_file(&file, write).expect_err("it exists");
    assert_says(error, &["exists", "remove it first"]);
    assert_eq!(names_in(&outer.path().join("c/d")), ["f"]);
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let outer = TempDir::new().expect("a temporary folder");
    let folder = outer.path().join("table");
    let error = write_folder(&folder, |inside| {
        fs::write(inside.join("0.pages"), "half").map_err(TableError::io("write", inside))?;
        let full = Path::new("/dev/full");
        let mut disk = File::options()
            .write(true)
            .open(full)
            .map_err(TableError::io("open", full))?;
        disk.write_all(&[0; PAGE_BYTES])
            .map_err(TableError::io("write", full))
    });
    let error = error.expect_err("the disk is full");
    assert_says(
        error,
        &["cannot write /dev/full", "No space left", "free some space"],
    );
    assert!(names_in(outer.path()).is_empty());
}

/// Runs this test once more in a shell that lets files grow to a few pages only.
#[test]
fn a_write_that_fails_half_way_leaves_nothing_behind() {
    const FOLDER: &str = "JOINERY_TEST_WRITE_TO";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let error = table()
            .write(Path::new(&folder))
            .expect_err("files may not grow");
        assert_says(
            error,
            &[
                "cannot write",
                "3.pages",
                "File too large",
                "raise the limit",
            ],
        );
        return;
    }
    let outer = TempDir::new().expect("a temporary folder");
    // Units of 512 bytes; the fourth column takes more than ten pages, the others fewer.
    let script = "trap '' XFSZ; ulimit -f 160; exec \"$0\" --exact \"$1\"";
    let run = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().expect("this program"))
        .arg("a_write_that_fails_half_way_leaves_nothing_behind")
        .env(FOLDER, outer.path().join("table"))
        .output()
        .expect("a shell");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stdout)
    );
    assert!(names_in(outer.path()).is_empty());
}

#[test]
fn what_is_not_finished_can_be_discarded() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("t");
    let of_another_process = parent.path().join(".t.0-0.partial");
    fs::create_dir(&of_another_process).unwrap();
    let written: Result<(), TableError> = write_folder(&folder, |temporary| {
        fs::write(temporary.join("0.pages"), "half").unwrap();
        discard_unfinished(&folder);
        assert!(!temporary.exists());
        Ok(())
    });
    assert!(written.is_err());
    let left = fs::read_dir(parent.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [of_another_process]);
}
