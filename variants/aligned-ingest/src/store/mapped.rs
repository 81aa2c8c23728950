//! Chunks in memory: anonymous, or mapped from files.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use memmap2::{MmapOptions, MmapRaw};

use super::{Store, chunk_file, create, finish, named, stream};
use crate::space::Layout;

/// Chunks in memory.
#[derive(Debug)]
pub struct MappedStore {
    maps: Vec<MmapRaw>,
    files: Option<(PathBuf, Vec<File>)>,
    chunk_bytes: u64,
}

impl MappedStore {
    /// Zeroed memory. Only what is written to takes any.
    ///
    /// # Errors
    /// If there is not so much.
    pub fn anonymous(layout: Layout) -> io::Result<MappedStore> {
        MappedStore::of_memory(layout, false)
    }

    /// Zeroed memory that is there already, so that writing to it costs no page faults.
    ///
    /// # Errors
    /// If there is not so much.
    pub fn touched(layout: Layout) -> io::Result<MappedStore> {
        MappedStore::of_memory(layout, true)
    }

    fn of_memory(layout: Layout, touched: bool) -> io::Result<MappedStore> {
        let maps = (0..layout.chunks)
            .map(|_| {
                let mut options = MmapOptions::new();
                options.len(length(layout.chunk_bytes)?).no_reserve_swap();
                let mut map = options.map_anon()?;
                #[cfg(target_os = "linux")]
                let _ = map.advise(memmap2::Advice::HugePage);
                if touched {
                    map.fill(0);
                }
                Ok(MmapRaw::from(map))
            })
            .collect::<io::Result<_>>()?;
        Ok(MappedStore {
            maps,
            files: None,
            chunk_bytes: layout.chunk_bytes,
        })
    }

    /// Files in `folder`, mapped.
    ///
    /// # Errors
    /// If one exists, or the system refuses.
    pub fn create(folder: &Path, layout: Layout) -> io::Result<MappedStore> {
        let files = create(folder, layout.chunks)?;
        let map = |(chunk, file): (usize, &File)| {
            let map = file.set_len(layout.chunk_bytes).and_then(|()| {
                let length = length(layout.chunk_bytes)?;
                MmapOptions::new().len(length).map_raw(file)
            });
            map.map_err(|error| named("map", &folder.join(chunk_file(chunk)), error))
        };
        Ok(MappedStore {
            maps: files
                .iter()
                .enumerate()
                .map(map)
                .collect::<Result<_, _>>()?,
            files: Some((folder.to_owned(), files)),
            chunk_bytes: layout.chunk_bytes,
        })
    }

    /// The chunks, to be read: nobody writes to them any more.
    pub fn into_chunks(self) -> Vec<Frozen> {
        self.maps.into_iter().map(Frozen).collect()
    }

    /// Cuts mapped files to these lengths and waits until they are on the disk; memory stays as it is.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn finish(self, lengths: &[u64]) -> io::Result<()> {
        let Some((folder, files)) = self.files else {
            return Ok(());
        };
        for map in &self.maps {
            map.flush()?;
        }
        drop(self.maps);
        finish(&folder, &files, lengths)
    }
}

/// A chunk in memory that nobody writes to any more.
#[derive(Debug)]
pub struct Frozen(MmapRaw);

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the map is as long as it says, all its bytes are zero or written, and it was moved out of the only
        // store that writes to it.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.0.len()) }
    }
}

fn length(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// The pages that lie wholly in a range.
fn whole_pages(offset: u64, bytes: u64) -> Option<(i64, i64)> {
    const PAGE: u64 = 4096;
    let from = offset.next_multiple_of(PAGE);
    let to = (offset + bytes) / PAGE * PAGE;
    (from < to).then(|| (from as i64, (to - from) as i64))
}

impl Store for MappedStore {
    /// What is parsed is copied while it is in the first-level cache.
    const BLOCK: usize = 4 << 10;

    /// Writing to a mapped hole of a full disk would end the process, so the room is taken here.
    fn prepare(&self, chunk: usize, offset: u64, bytes: u64) -> io::Result<()> {
        let Some((folder, files)) = &self.files else {
            return Ok(());
        };
        let fd = files[chunk].as_raw_fd();
        // SAFETY: a system call on a file that is open, which changes no memory.
        if unsafe { libc::fallocate(fd, 0, offset as i64, bytes as i64) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        Err(named(
            "make room in",
            &folder.join(chunk_file(chunk)),
            error,
        ))
    }

    type Writing<'b> = stream::Copying<'b>;

    unsafe fn write<'b>(
        &'b self,
        chunk: usize,
        offset: u64,
        bytes: &'b [u8],
    ) -> io::Result<stream::Copying<'b>> {
        debug_assert!(offset + bytes.len() as u64 <= self.chunk_bytes);
        // SAFETY: the caller promises a range inside of the chunk that nobody else uses, and maps do not move.
        unsafe {
            let to = self.maps[chunk].as_mut_ptr().add(offset as usize);
            Ok(stream::Copying::new(to, bytes))
        }
    }

    fn settle(&self) {
        stream::done();
    }

    fn release(&self, chunk: usize, offset: u64, bytes: u64) {
        let (Some((_, files)), Some((from, length))) = (&self.files, whole_pages(offset, bytes))
        else {
            return;
        };
        let fd = files[chunk].as_raw_fd();
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // A file system without holes keeps the zeros that are there.
        // SAFETY: a system call on a file that is open; nobody reads or writes the range.
        unsafe { libc::fallocate(fd, punch, from, length) };
    }
}
