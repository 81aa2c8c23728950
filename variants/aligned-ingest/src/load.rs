//! Many workers, one set of chunks.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::thread;

use crate::index::RowIndex;
use crate::manifest::{Manifest, Section, SourceColumn};
use crate::placement::{Aligned, Packed, PackedRows, Placement, PlacementKind};
use crate::space::{Layout, Space};
use crate::store::{FileStore, MappedStore, Store, named};
use crate::writer::{WriteError, Writer};

/// Where chunks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In files, written in place.
    File,
    /// In files, mapped.
    Mapped,
}

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct Job {
    /// The table or query, for the manifest.
    pub source: String,
    /// Columns of the rows; empty where nobody knows them.
    pub columns: Vec<SourceColumn>,
    /// Chunks and slots.
    pub layout: Layout,
    /// How flushes are placed.
    pub placement: PlacementKind,
    /// Workers.
    pub workers: u32,
    /// For how many bytes of a section the index has a row start; see [`RowIndex::DEFAULT_STRIDE`].
    pub stride: u64,
}

/// A load that failed. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A worker stopped.
    #[error("worker {worker}: {error}")]
    Worker {
        /// Which.
        worker: u32,
        /// Why.
        error: WriteError,
    },
    /// A worker panicked.
    #[error("worker {worker} died: {what}")]
    Died {
        /// Which.
        worker: u32,
        /// Its last words.
        what: String,
    },
    /// The system starts no more threads.
    #[error("cannot start worker {worker}: {error}; use fewer workers")]
    Thread {
        /// Which.
        worker: u32,
        /// What the system says.
        error: io::Error,
    },
    /// The folder is in use.
    #[error("{folder} exists and is not empty; name another folder, or remove it")]
    Exists {
        /// The folder.
        folder: String,
    },
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl LoadError {
    fn is_stopped(&self) -> bool {
        let Self::Worker { error, .. } = self else {
            return false;
        };
        matches!(error, WriteError::Stopped)
    }
}

/// A worker's share of a load, whatever the placement and the store: takes one whole stream of rows at a time.
pub trait Sink {
    /// The rows of one whole stream, header to trailer. Returns how many.
    ///
    /// # Errors
    /// As [`Writer::copy`].
    fn copy(&mut self, stream: &mut dyn io::BufRead) -> Result<u64, WriteError>;
}

impl<P: Placement, S: Store> Sink for Writer<'_, P, S> {
    fn copy(&mut self, mut stream: &mut dyn io::BufRead) -> Result<u64, WriteError> {
        Writer::copy(self, &mut stream)
    }
}

/// What became of a worker: the sections that it wrote, and why it stopped before its end.
#[derive(Debug)]
pub struct Outcome {
    /// Sections that are whole.
    pub sections: Vec<Section>,
    /// Where the rows of each start, for an index.
    pub starts: Vec<Vec<u32>>,
    /// Why there are no more.
    pub failure: Option<LoadError>,
}

/// Runs `work` on a thread for each worker, each with a writer of its own. Once one has failed, the others stop at the
/// next piece of their streams; where the system starts too few threads, the first outcome says so.
pub fn run_workers<P: Placement, S: Store>(
    space: &Space<S>,
    workers: u32,
    fields: Option<u16>,
    work: &(dyn Fn(u32, &mut dyn Sink) -> Result<(), WriteError> + Sync),
) -> Vec<Outcome> {
    let run = |worker: u32| {
        let mut writer = Writer::<P, S>::new(space, worker, fields);
        let failure = run_worker(worker, &mut writer, work).err();
        if failure.is_some() {
            space.stop();
        }
        let (sections, starts) = writer.into_sections();
        Outcome {
            sections,
            starts,
            failure,
        }
    };
    thread::scope(|scope| {
        let mut others = Vec::new();
        let mut refused = None;
        for worker in 1..workers {
            match thread::Builder::new().spawn_scoped(scope, move || run(worker)) {
                Ok(thread) => others.push(thread),
                Err(error) => {
                    space.stop();
                    refused = Some(LoadError::Thread { worker, error });
                    break;
                }
            }
        }
        // This thread works too.
        let mut outcomes = vec![match refused {
            None => run(0),
            failure => Outcome {
                sections: Vec::new(),
                starts: Vec::new(),
                failure,
            },
        }];
        let joined = others.into_iter().map(thread::ScopedJoinHandle::join);
        outcomes.extend(joined.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))));
        outcomes
    })
}

fn run_worker<P: Placement, S: Store>(
    worker: u32,
    writer: &mut Writer<'_, P, S>,
    work: &(dyn Fn(u32, &mut dyn Sink) -> Result<(), WriteError> + Sync),
) -> Result<(), LoadError> {
    let failed = |error| LoadError::Worker { worker, error };
    match catch_unwind(AssertUnwindSafe(|| work(worker, writer))) {
        Ok(done) => done.and_then(|()| writer.flush()).map_err(failed),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let what = text.unwrap_or("it panicked").to_owned();
            Err(LoadError::Died { worker, what })
        }
    }
}

impl Job {
    /// Runs the workers and describes what they wrote.
    fn run<S: Store>(
        &self,
        store: S,
        work: &(dyn Fn(u32, &mut dyn Sink) -> Result<(), WriteError> + Sync),
    ) -> Result<(Manifest, RowIndex, S), LoadError> {
        let space = Space::new(self.layout, store).with_stride(self.stride);
        let fields = u16::try_from(self.columns.len()).ok().filter(|&n| n > 0);
        let run = match self.placement {
            PlacementKind::Packed => run_workers::<Packed, S>,
            PlacementKind::Aligned => run_workers::<Aligned, S>,
            PlacementKind::PackedRows => run_workers::<PackedRows, S>,
        };
        let outcomes = run(&space, self.workers, fields, work);
        let (mut written, mut failures) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            failures.extend(outcome.failure);
            written.extend(outcome.sections.into_iter().zip(outcome.starts));
        }
        // Those that were stopped are stopped by one that failed.
        failures.sort_by_key(LoadError::is_stopped);
        if !failures.is_empty() {
            return Err(failures.swap_remove(0));
        }
        written.sort_by_key(|(section, _)| section.offset);
        let (sections, starts) = written.into_iter().unzip();
        let manifest = Manifest::new(
            self.source.clone(),
            self.columns.clone(),
            self.placement,
            self.layout,
            self.workers,
            space.reserved(),
            sections,
        );
        let index = RowIndex::new(space.stride(), starts);
        Ok((manifest, index, space.into_store()))
    }

    /// Loads into memory.
    ///
    /// # Errors
    /// If a worker fails or there is not enough memory.
    pub fn load_in_memory(
        &self,
        work: &(dyn Fn(u32, &mut dyn Sink) -> Result<(), WriteError> + Sync),
    ) -> Result<(Manifest, MappedStore), LoadError> {
        let (manifest, _, store) = self.run(MappedStore::anonymous(self.layout)?, work)?;
        Ok((manifest, store))
    }

    /// Loads into a folder, which is absent or empty before. The manifest is written last.
    ///
    /// # Errors
    /// If a worker fails or the system refuses; the folder is removed then.
    pub fn load(
        &self,
        folder: &Path,
        store: StoreKind,
        work: &(dyn Fn(u32, &mut dyn Sink) -> Result<(), WriteError> + Sync),
    ) -> Result<Manifest, LoadError> {
        let used = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(named("write", folder, error).into()),
        };
        if used {
            return Err(LoadError::Exists {
                folder: folder.display().to_string(),
            });
        }
        fs::create_dir_all(folder).map_err(|error| named("create", folder, error))?;
        let loaded = self.load_files(folder, store, work);
        if loaded.is_err() {
            // The error below says why; one more would add nothing.
            let _ = fs::remove_dir_all(folder);
        }
        loaded
    }

    fn load_files(
        &self,
        folder: &Path,
        store: StoreKind,
        work: &(dyn Fn(u32, &mut dyn Sink) -> Result<(), WriteError> + Sync),
    ) -> Result<Manifest, LoadError> {
        let (manifest, index) = match store {
            StoreKind::File => {
                let files = FileStore::create(folder, self.layout.chunks)?;
                let (manifest, index, files) = self.run(files, work)?;
                files.finish(&manifest.chunk_lengths)?;
                (manifest, index)
            }
            StoreKind::Mapped => {
                let files = MappedStore::create(folder, self.layout)?;
                let (manifest, index, files) = self.run(files, work)?;
                files.finish(&manifest.chunk_lengths)?;
                (manifest, index)
            }
        };
        index.write(folder, &manifest)?;
        manifest.write(folder)?;
        Ok(manifest)
    }
}
