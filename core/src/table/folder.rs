//! Table folders: `table.json` and one file of raw pages per column.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path};

use memmap2::MmapOptions;

use super::{
    Column, ColumnMeta, NamedColumn, Table, TableError, TableMeta, check_names, rows_as_u32,
    write_folder,
};
use crate::page::{PAGE_BYTES, Page, validate};

/// The file of a table folder that describes the table.
pub const TABLE_FILE: &str = "table.json";

impl TableMeta {
    /// Reads the description of the table in `folder`.
    ///
    /// # Errors
    /// If it cannot be read, or two columns have the same name.
    pub fn read(folder: &Path) -> Result<TableMeta, TableError> {
        let path = folder.join(TABLE_FILE);
        let mut text = Vec::new();
        open_file(&path)?
            .read_to_end(&mut text)
            .map_err(TableError::io("read", &path))?;
        let meta: TableMeta =
            serde_json::from_slice(&text).map_err(|source| TableError::Meta { path, source })?;
        check_names(&meta.name, meta.columns.iter().map(|column| &column.name))?;
        Ok(meta)
    }
}

/// Opens a file; `None` if it is no regular one. That is found out before it is opened: a pipe that nobody writes to would
/// never open, and a device never end.
///
/// # Errors
/// If it is not there, or the system refuses.
pub fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let regular = fs::metadata(path)?.is_file();
    regular.then(|| File::open(path)).transpose()
}

/// As [`open_regular`], with an error that says what there is instead of a file.
///
/// # Errors
/// If it is no regular file, or the system refuses.
pub fn open_file(path: &Path) -> Result<File, TableError> {
    let file = open_regular(path).map_err(TableError::io("read", path))?;
    file.ok_or_else(|| TableError::NoFile {
        path: path.to_owned(),
        found: kind(path),
    })
}

/// What there is instead of a file.
fn kind(path: &Path) -> &'static str {
    match fs::metadata(path).map(|found| found.file_type()) {
        Ok(found) if found.is_dir() => "a folder",
        Ok(found) if found.is_fifo() => "a pipe",
        Ok(found) if found.is_socket() => "a socket",
        Ok(found) if found.is_block_device() || found.is_char_device() => "a device",
        _ => "something else",
    }
}

impl Table {
    /// Reads a table folder. The pages are mapped, not copied, and every one is validated.
    ///
    /// The files must not change while the table is in use; [`Table::write`] never changes a file that
    /// exists. Should another program do so, values become wrong, and reading a page that was cut off
    /// ends the process.
    pub fn open(folder: &Path) -> Result<Table, TableError> {
        let meta = TableMeta::read(folder)?;
        Table::open_described(folder, &meta)
    }

    /// Reads the table that `meta` describes from the files in `folder`, as [`Table::open`] does. Plan
    /// bundles hold many such descriptions.
    pub fn open_described(folder: &Path, meta: &TableMeta) -> Result<Table, TableError> {
        let num_rows = rows_as_u32(&meta.name, meta.num_rows)?;
        let columns = meta
            .columns
            .iter()
            .map(|column| open_column(folder, meta, column))
            .collect::<Result<_, _>>()?;
        Ok(Table {
            name: meta.name.clone(),
            num_rows,
            columns,
        })
    }

    /// Writes a table folder. It appears whole or not at all.
    ///
    /// # Errors
    /// If `folder` exists and is not empty, or the system refuses; nothing is left behind then.
    pub fn write(&self, folder: &Path) -> Result<(), TableError> {
        write_folder(folder, |folder| {
            let meta = write_pages(self, folder, "")?;
            let path = folder.join(TABLE_FILE);
            let mut text = serde_json::to_vec_pretty(&meta).map_err(|source| TableError::Meta {
                path: path.clone(),
                source,
            })?;
            text.push(b'\n');
            write_file(&path, &text)
        })
    }
}

/// Writes the pages of each column of `table` to a new file `<prefix><column number>.pages` in
/// `folder`, and returns the description to go with them.
pub fn write_pages(table: &Table, folder: &Path, prefix: &str) -> Result<TableMeta, TableError> {
    let mut columns = Vec::with_capacity(table.columns.len());
    for (number, NamedColumn { name, column }) in table.columns.iter().enumerate() {
        let file = format!("{prefix}{number}.pages");
        write_file(&folder.join(&file), bytemuck::cast_slice(column.pages()))?;
        columns.push(ColumnMeta {
            name: name.clone(),
            data_type: column.data_type(),
            file,
            pages: column.pages().len() as u64,
        });
    }
    Ok(TableMeta {
        name: table.name.clone(),
        num_rows: table.num_rows.into(),
        columns,
    })
}

/// Writes a new file and waits until it is on the disk, where a full disk shows at the latest.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TableError> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(TableError::io("write", path))
}

fn open_column(
    folder: &Path,
    table: &TableMeta,
    meta: &ColumnMeta,
) -> Result<NamedColumn, TableError> {
    let file = Path::new(&meta.file);
    let stays_inside = |part| matches!(part, Component::Normal(_));
    if meta.file.is_empty() || !file.components().all(stays_inside) {
        return Err(TableError::FileOutside {
            table: table.name.clone(),
            column: meta.name.clone(),
            file: meta.file.clone(),
        });
    }
    let path = folder.join(file);
    let column = map_column(&path, table.num_rows, meta)?;
    Ok(NamedColumn::new(meta.name.clone(), column))
}

fn map_column(path: &Path, num_rows: u64, meta: &ColumnMeta) -> Result<Column, TableError> {
    let at = || (path.to_owned(), meta.name.clone());
    let file = open_file(path)?;
    let bytes = file.metadata().map_err(TableError::io("read", path))?.len();
    if !bytes.is_multiple_of(PAGE_BYTES as u64) {
        let (path, column) = at();
        return Err(TableError::TornPage {
            path,
            column,
            bytes,
        });
    }
    let pages = bytes / PAGE_BYTES as u64;
    if pages != meta.pages {
        let (path, column) = at();
        return Err(TableError::PageCount {
            path,
            column,
            expected: meta.pages,
            found: pages,
        });
    }
    // SAFETY: the map is only read, through slices whose bounds never come from the mapped bytes
    // without being cut to the page first. That nobody changes the file meanwhile cannot be checked;
    // `Table::open` says so, and this crate replaces folders and never writes to an existing file.
    let map = unsafe { MmapOptions::new().len(bytes as usize).map(&file) };
    let map = map.map_err(TableError::io("map", path))?;
    let mapped: &[Page] = bytemuck::cast_slice(&map);
    let counts = validate(meta.data_type, mapped).map_err(|error| {
        let (path, column) = at();
        TableError::Page {
            path,
            column,
            error,
        }
    })?;
    if counts.rows != num_rows {
        let (path, column) = at();
        return Err(TableError::RowCount {
            path,
            column,
            pages,
            expected: num_rows,
            found: counts.rows,
        });
    }
    Ok(Column::from_validated_map(meta.data_type, map))
}
