//! Chunks in files, written in place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Store, chunk_file, create, finish, named};

/// Chunks in files. What is never written to is a hole.
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    files: Vec<File>,
}

impl FileStore {
    /// Empty files in `folder`.
    ///
    /// # Errors
    /// If one exists, or the system refuses.
    pub fn create(folder: &Path, chunks: u32) -> io::Result<FileStore> {
        Ok(FileStore {
            folder: folder.to_owned(),
            files: create(folder, chunks)?,
        })
    }

    /// Cuts the files to these lengths and waits until they are on the disk.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn finish(self, lengths: &[u64]) -> io::Result<()> {
        finish(&self.folder, &self.files, lengths)
    }
}

impl Store for FileStore {
    /// A system call costs about what copying some kilobytes does.
    const BLOCK: usize = 256 << 10;

    fn prepare(&self, _: usize, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    type Writing<'b> = ();

    unsafe fn write(&self, chunk: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.files[chunk]
            .write_all_at(bytes, offset)
            .map_err(|error| named("write", &self.folder.join(chunk_file(chunk)), error))
    }

    fn release(&self, _: usize, _: u64, _: u64) {}
}
