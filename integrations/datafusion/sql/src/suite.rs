//! Suites: tables and queries.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use joinery_tpch::Benchmark;

/// A query and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Such as `q9`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The text as it was written, where this one's tables stand in another order.
    pub written: Option<String>,
}

impl Query {
    /// A query as it was written.
    pub fn new(name: String, text: String) -> Self {
        Self {
            name,
            text,
            written: None,
        }
    }
}

/// Where tables and queries come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Suite {
    /// A benchmark at a scale, made in memory.
    Made(Benchmark, f64),
    /// A folder of Parquet and CSV files, whose queries are `queries/*.sql`.
    Folder(PathBuf),
}

impl Suite {
    /// What records call it.
    pub fn name(&self) -> String {
        match self {
            Self::Made(benchmark, _) => benchmark.name().to_owned(),
            Self::Folder(folder) => {
                let name = folder.file_name().unwrap_or(folder.as_os_str());
                name.to_string_lossy().into_owned()
            }
        }
    }

    /// The queries, in order: numbers by their value.
    ///
    /// # Errors
    ///
    /// If the folder has none, or they cannot be read.
    pub fn queries(&self) -> Result<Vec<Query>> {
        match self {
            Self::Made(benchmark, _) => {
                let queries = benchmark.queries().into_iter();
                Ok(queries.map(|(name, text)| Query::new(name, text)).collect())
            }
            Self::Folder(folder) => queries_of(&folder.join("queries")),
        }
    }

    /// The tables, to be shared by all sessions.
    ///
    /// # Errors
    ///
    /// If files cannot be read.
    pub async fn tables(&self, context: &SessionContext) -> Result<Tables> {
        match self {
            Self::Made(benchmark, scale) => {
                let table = |&name: &&'static str| {
                    Ok((str::to_owned(name), in_memory(*benchmark, name, *scale)?))
                };
                let tables = benchmark.tables().iter().map(table);
                tables.collect::<Result<_>>().map(Tables)
            }
            Self::Folder(folder) => Files::of(folder, false)?.tables(context).await,
        }
    }
}

/// Rows of a row group in files that are written here. A group is read by one thread, of one worker; DuckDB writes as many.
const ROW_GROUP: usize = 122_880;

/// Files of tables, for those who read them by themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Files {
    /// By the names of the tables.
    pub tables: BTreeMap<String, PathBuf>,
    /// Whether tables are to be made of them, in memory, or each query reads them.
    pub in_memory: bool,
}

impl Files {
    /// The Parquet and CSV files of a folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has none.
    pub fn of(folder: &Path, in_memory: bool) -> Result<Self> {
        let folder = folder.canonicalize()?;
        let paths = files(&folder)?.into_iter();
        let tables: BTreeMap<String, PathBuf> = paths
            .filter_map(|path| Some((named(&path)?, path)))
            .collect();
        match tables.is_empty() {
            true => Err(exec_datafusion_err!(
                "{}: neither a Parquet nor a CSV file is there",
                folder.display()
            )),
            false => Ok(Self { tables, in_memory }),
        }
    }

    /// A benchmark at a scale, written to a folder, unless it is there already.
    ///
    /// # Errors
    ///
    /// If the files cannot be written.
    pub fn of_benchmark(
        folder: &Path,
        benchmark: Benchmark,
        scale: f64,
        in_memory: bool,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        for name in benchmark.tables() {
            let path = folder.join(format!("{name}.parquet"));
            if path.exists() {
                continue;
            }
            // A file appears whole or not at all.
            let part = folder.join(format!("{name}.part"));
            let reader = benchmark.table(name, scale);
            let groups = WriterProperties::builder().set_max_row_group_row_count(Some(ROW_GROUP));
            let (file, groups) = (File::create(&part)?, groups.build());
            let mut writer = ArrowWriter::try_new(file, reader.schema(), Some(groups))?;
            for batch in reader {
                writer.write(&batch?)?;
            }
            writer.close()?;
            std::fs::rename(part, path)?;
        }
        Self::of(folder, in_memory)
    }

    /// The tables for sessions.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub async fn tables(&self, context: &SessionContext) -> Result<Tables> {
        let mut tables = Vec::new();
        for (name, path) in &self.tables {
            let table = match self.in_memory {
                true => held(context, path).await?,
                false => file(context, path).await?,
            };
            tables.push((name.clone(), table));
        }
        Ok(Tables(tables))
    }
}

/// A file's rows in memory, in as many partitions as a session has.
async fn held(context: &SessionContext, path: &Path) -> Result<Arc<dyn TableProvider>> {
    let location = path.to_string_lossy().into_owned();
    let frame = match path.extension().is_some_and(|extension| extension == "csv") {
        true => context.read_csv(location, CsvReadOptions::new()).await?,
        false => {
            context
                .read_parquet(location, ParquetReadOptions::new())
                .await?
        }
    };
    let schema = frame.schema().inner().clone();
    let partitions = frame.collect_partitioned().await?;
    Ok(Arc::new(MemTable::try_new(schema, partitions)?))
}

/// Tables by name.
pub struct Tables(Vec<(String, Arc<dyn TableProvider>)>);

impl Tables {
    /// Makes them known to a session.
    ///
    /// # Errors
    ///
    /// If the session refuses.
    pub fn register(&self, context: &SessionContext) -> Result<()> {
        for (name, table) in &self.0 {
            context.register_table(name.as_str(), table.clone())?;
        }
        Ok(())
    }
}

/// Two partitions or one: tables that are made in memory are read by two threads.
fn in_memory(benchmark: Benchmark, name: &str, scale: f64) -> Result<Arc<dyn TableProvider>> {
    let reader = benchmark.table(name, scale);
    let schema = reader.schema();
    let batches = reader.collect::<std::result::Result<Vec<RecordBatch>, _>>()?;
    let (first, second) = batches.split_at(batches.len() / 2);
    let partitions = vec![first.to_vec(), second.to_vec()];
    Ok(Arc::new(MemTable::try_new(schema, partitions)?))
}

/// The name of the table that a file is, if it is one.
pub(crate) fn named(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    matches!(extension, "parquet" | "csv").then(|| stem.to_owned())
}

/// The table in a Parquet or CSV file.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) async fn file(context: &SessionContext, path: &Path) -> Result<Arc<dyn TableProvider>> {
    let location = path.to_string_lossy().into_owned();
    let frame = match path.extension().is_some_and(|extension| extension == "csv") {
        true => context.read_csv(location, CsvReadOptions::new()).await?,
        false => {
            context
                .read_parquet(location, ParquetReadOptions::new())
                .await?
        }
    };
    Ok(frame.into_view())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |error: std::io::Error| exec_datafusion_err!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let paths = entries.map(|entry| Ok(entry.map_err(cannot)?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, DataFusionError>>()?;
    paths.sort();
    Ok(paths)
}

fn queries_of(folder: &Path) -> Result<Vec<Query>> {
    let mut queries = Vec::new();
    for path in files(folder)? {
        if path.extension().is_some_and(|extension| extension == "sql") {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| exec_datafusion_err!("{}: {error}", path.display()))?;
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = text.trim().trim_end_matches(';').to_owned();
            queries.push(Query::new(name, text));
        }
    }
    let number = |query: &Query| -> u64 {
        let digits = query.name.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits[..end].parse().unwrap_or(0)
    };
    queries.sort_by_key(|query| (number(query), query.name.clone()));
    match queries.is_empty() {
        true => Err(exec_datafusion_err!(
            "{}: no query, that is no file *.sql, is there",
            folder.display()
        )),
        false => Ok(queries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = || Files::of_benchmark(folder.path(), Benchmark::Ssb, 0.001, false).unwrap();
        let first = files();
        let names: Vec<&str> = first.tables.keys().map(String::as_str).collect();
        assert_eq!(names, Benchmark::Ssb.tables());
        std::fs::write(&first.tables["lineorder"], "not touched").unwrap();
        assert_eq!(files(), first);
        let text = std::fs::read_to_string(&first.tables["lineorder"]).unwrap();
        assert_eq!(text, "not touched");
    }
}
