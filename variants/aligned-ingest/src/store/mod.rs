//! Where the bytes of chunks are kept: in memory, in files, or in mapped files.

mod file;
mod mapped;
mod stream;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub use file::FileStore;
pub use mapped::{Frozen, MappedStore};

/// Chunks that many threads write to at disjoint places.
pub trait Store: Send + Sync {
    /// Bytes that are worth a write of their own; less is gathered first.
    const BLOCK: usize;

    /// Makes sure that a range can be written to.
    ///
    /// # Errors
    /// If there is no room.
    fn prepare(&self, chunk: usize, offset: u64, bytes: u64) -> io::Result<()>;

    /// A write to a chunk that has begun. Dropping it ends it.
    type Writing<'b>: Writing
    where
        Self: 'b;

    /// Begins to write to a chunk.
    ///
    /// # Safety
    /// - The range lies inside of the chunk and was prepared.
    /// - Nobody else reads or writes it before the write has ended.
    unsafe fn write<'b>(
        &'b self,
        chunk: usize,
        offset: u64,
        bytes: &'b [u8],
    ) -> io::Result<Self::Writing<'b>>;

    /// What this thread wrote can be read by others from here on.
    fn settle(&self) {}

    /// A range that was prepared stays empty. It reads as zeros, and takes no room where the system allows it (S8).
    fn release(&self, chunk: usize, offset: u64, bytes: u64);
}

/// A write that goes on bit by bit while its owner does something else.
pub trait Writing {
    /// Writes some more.
    fn advance(&mut self);
}

/// One that was done at once.
impl Writing for () {
    fn advance(&mut self) {}
}

/// The name of a chunk's file in its folder.
pub fn chunk_file(chunk: usize) -> String {
    format!("chunk-{chunk:04}.rows")
}

/// Creates the files of empty chunks in `folder`.
fn create(folder: &Path, chunks: u32) -> io::Result<Vec<File>> {
    (0..chunks as usize)
        .map(|chunk| {
            let path = folder.join(chunk_file(chunk));
            File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(|error| named("create", &path, error))
        })
        .collect()
}

/// Cuts the files to what is used of them and waits until they are on the disk, where a full one shows at the latest.
fn finish(folder: &Path, files: &[File], lengths: &[u64]) -> io::Result<()> {
    for (chunk, (file, &length)) in files.iter().zip(lengths).enumerate() {
        file.set_len(length)
            .and_then(|()| file.sync_all())
            .map_err(|error| named("write", &folder.join(chunk_file(chunk)), error))?;
    }
    Ok(())
}

/// The error with the file's name.
pub(crate) fn named(doing: &str, path: &Path, error: io::Error) -> io::Error {
    let path: PathBuf = path.to_owned();
    io::Error::new(
        error.kind(),
        format!("cannot {doing} {}: {error}", path.display()),
    )
}
