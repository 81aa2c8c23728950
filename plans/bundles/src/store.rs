//! Bundles that share columns: a file that several of them need is written once and linked into each.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use join_core::page::{DataType, FixedWriter, Page, VarcharWriter};
use join_core::table::{Column, ColumnMeta, TableError, TableMeta, write_folder};
use plan_executor::write_plan;

use crate::MakeError;
use crate::shape::{Attribute, InputShape, Tree};

/// A folder of bundles that is being made.
pub struct Store {
    folder: PathBuf,
    next: AtomicUsize,
    shared: Mutex<HashMap<String, Arc<Mutex<Option<Link>>>>>,
    bundles: Mutex<Vec<String>>,
}

/// A column that has been written.
#[derive(Clone, Debug)]
pub struct Link {
    file: PathBuf,
    data_type: DataType,
    pages: u64,
}

/// A scan's table.
#[derive(Clone, Debug)]
pub struct StoredInput {
    /// The alias that the query knows it by.
    pub alias: String,
    /// The table's name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Names and columns.
    pub columns: Vec<(String, Link)>,
}

/// The folder in which columns lie until they are linked into their bundles.
const COLUMNS: &str = ".columns";

impl Store {
    /// Lets `fill` make bundles in the new folder `out`, which appears whole or not at all. Returns their folders, in
    /// the order of their names.
    ///
    /// # Errors
    /// If `out` exists and is not empty, `fill` fails, or the system refuses.
    pub fn fill(
        out: &Path,
        fill: impl FnOnce(&Store) -> Result<(), MakeError>,
    ) -> Result<Vec<PathBuf>, MakeError> {
        write_folder(out, |folder| {
            let columns = folder.join(COLUMNS);
            fs::create_dir(&columns).map_err(TableError::io("write", &columns))?;
            let store = Store {
                folder: folder.to_owned(),
                next: AtomicUsize::new(0),
                shared: Mutex::default(),
                bundles: Mutex::default(),
            };
            fill(&store)?;
            fs::remove_dir_all(&columns).map_err(TableError::io("write", &columns))?;
            let mut bundles = locked(&store.bundles).clone();
            bundles.sort();
            Ok(bundles.iter().map(|name| out.join(name)).collect())
        })
    }

    /// Writes a column that one bundle needs.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn add(&self, column: Column) -> Result<Link, MakeError> {
        let mut file = ColumnFile::new(self, column.data_type())?;
        file.write(column.pages())?;
        file.end()
    }

    /// A column of INT32 or VARCHAR that is written row by row.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn begin(&self, data_type: DataType) -> Result<RowWriter, MakeError> {
        let pages = match data_type {
            DataType::Int32 => PageWriter::Int32(FixedWriter::new()),
            DataType::Varchar => PageWriter::Varchar(VarcharWriter::new()),
            other => panic!("columns of {other} are not written row by row"),
        };
        let file = ColumnFile::new(self, data_type)?;
        Ok(RowWriter { file, pages })
    }

    /// The column of this name, which `make` makes when it is first asked for.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn once(&self, name: &str, make: impl FnOnce() -> Column) -> Result<Link, MakeError> {
        let link = Arc::clone(locked(&self.shared).entry(name.to_owned()).or_default());
        // Others that need the same column wait here, and only they.
        let mut link = locked(&link);
        match &*link {
            Some(made) => Ok(made.clone()),
            None => Ok(link.insert(self.add(make())?).clone()),
        }
    }

    /// Makes a bundle of columns that have been written.
    ///
    /// # Errors
    /// If tree, selection and inputs do not go together, or the system refuses.
    pub fn bundle(
        &self,
        name: &str,
        tree: &Tree,
        select: &[Attribute],
        inputs: Vec<StoredInput>,
    ) -> Result<(), MakeError> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).map_err(TableError::io("write", &folder))?;
        let shapes: Vec<InputShape> = inputs.iter().map(StoredInput::shape).collect();
        let nodes = tree.nodes(select, &shapes);
        let nodes = nodes.map_err(|error| MakeError::Shape {
            query: name.to_owned(),
            error,
        })?;
        let mut tables = Vec::new();
        for (number, input) in inputs.into_iter().enumerate() {
            let mut columns = Vec::new();
            for (place, (name, link)) in input.columns.into_iter().enumerate() {
                let file = format!("{number}_{place}.pages");
                let to = folder.join(&file);
                // Not every file system has links.
                fs::hard_link(&link.file, &to)
                    .or_else(|_| fs::copy(&link.file, &to).map(drop))
                    .map_err(TableError::io("write", &to))?;
                columns.push(ColumnMeta {
                    name,
                    data_type: link.data_type,
                    file,
                    pages: link.pages,
                });
            }
            tables.push(TableMeta {
                name: input.table,
                num_rows: input.rows,
                columns,
            });
        }
        write_plan(&folder, name, &nodes, nodes.len() - 1, tables)?;
        locked(&self.bundles).push(name.to_owned());
        Ok(())
    }
}

/// A column that is being written; no more of it than a few pages is in memory.
pub struct RowWriter {
    file: ColumnFile,
    pages: PageWriter,
}

enum PageWriter {
    Int32(FixedWriter<i32>),
    Varchar(VarcharWriter),
}

impl RowWriter {
    /// Appends a row to a column of INT32.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn int(&mut self, value: Option<i32>) -> Result<(), MakeError> {
        match &mut self.pages {
            PageWriter::Int32(writer) => writer.push(value),
            PageWriter::Varchar(_) => panic!("an integer in a column of text"),
        }
        self.write_full()
    }

    /// Appends a row to a column of VARCHAR.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn text(&mut self, value: Option<&[u8]>) -> Result<(), MakeError> {
        match &mut self.pages {
            PageWriter::Int32(_) => panic!("text in a column of integers"),
            PageWriter::Varchar(writer) => writer.push(value),
        }
        self.write_full()
    }

    fn write_full(&mut self) -> Result<(), MakeError> {
        let full = match &mut self.pages {
            PageWriter::Int32(writer) => writer.take_pages(),
            PageWriter::Varchar(writer) => writer.take_pages(),
        };
        match full.is_empty() {
            true => Ok(()),
            false => self.file.write(&full),
        }
    }

    /// The column.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn end(mut self) -> Result<Link, MakeError> {
        let rest = match self.pages {
            PageWriter::Int32(writer) => writer.finish(),
            PageWriter::Varchar(writer) => writer.finish(),
        };
        self.file.write(&rest)?;
        self.file.end()
    }
}

/// The file of a column.
struct ColumnFile {
    path: PathBuf,
    file: File,
    data_type: DataType,
    pages: u64,
}

impl ColumnFile {
    fn new(store: &Store, data_type: DataType) -> Result<ColumnFile, MakeError> {
        let number = store.next.fetch_add(1, Ordering::Relaxed);
        let path = store.folder.join(COLUMNS).join(number.to_string());
        let file = File::create_new(&path).map_err(TableError::io("write", &path))?;
        Ok(ColumnFile {
            path,
            file,
            data_type,
            pages: 0,
        })
    }

    fn write(&mut self, pages: &[Page]) -> Result<(), MakeError> {
        self.pages += pages.len() as u64;
        let written = self.file.write_all(bytemuck::cast_slice(pages));
        Ok(written.map_err(TableError::io("write", &self.path))?)
    }

    /// Waits until all is on the disk, where a full disk shows at the latest.
    fn end(self) -> Result<Link, MakeError> {
        let synced = self.file.sync_all();
        synced.map_err(TableError::io("write", &self.path))?;
        Ok(Link {
            file: self.path,
            data_type: self.data_type,
            pages: self.pages,
        })
    }
}

/// What a panic left is never read: it goes on through all threads.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoredInput {
    fn shape(&self) -> InputShape {
        let columns = self.columns.iter();
        InputShape {
            alias: self.alias.clone(),
            columns: columns
                .map(|(name, link)| (name.clone(), link.data_type))
                .collect(),
        }
    }
}
