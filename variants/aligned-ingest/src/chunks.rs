//! Finished chunks, read section by section, in parallel (S6).

use std::borrow::Cow;
use std::io;
use std::path::Path;

use join_core::parallel::{Division, Sharing, Team};
use join_core::table::{TableError, open_file};
use memmap2::Mmap;

use crate::framing::{FramingError, Limits, Rows};
use crate::manifest::{Manifest, ManifestError, Section};
use crate::store::{MappedStore, chunk_file, named};

/// Chunks with their manifest.
pub struct Chunks {
    manifest: Manifest,
    chunks: Vec<Box<dyn AsRef<[u8]> + Send + Sync>>,
}

/// Chunks that do not hold what their manifest says.
#[derive(Debug, thiserror::Error)]
pub enum ChunksError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file cannot be opened.
    #[error("{0}, or load again")]
    File(#[from] TableError),
    /// A file cannot be read.
    #[error("{0}")]
    Io(io::Error),
    /// A file has another length.
    #[error("{file} has {bytes} bytes where its manifest says {expected}; load again")]
    Length {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The length that it should have.
        expected: u64,
    },
    /// The bytes of a section are others than were written.
    #[error(
        "section {section} ({used} bytes at {offset}) was changed since it was written: its CRC-32 is {found:08x}; load again"
    )]
    Changed {
        /// Number of the section.
        section: usize,
        /// Its address.
        offset: u64,
        /// Its length.
        used: u64,
        /// The checksum of the bytes that are there.
        found: u32,
    },
    /// A section is not made of whole rows.
    #[error("section {section}: {error}; load again")]
    Framing {
        /// Number of the section.
        section: usize,
        /// What is wrong. Its offset is an address in the chunks.
        error: FramingError,
    },
    /// A section has another number of rows.
    #[error("section {section} has {found} rows where its manifest says {expected}; load again")]
    Rows {
        /// Number of the section.
        section: usize,
        /// As counted.
        found: u64,
        /// As promised.
        expected: u64,
    },
}

/// A section to be read.
#[derive(Debug)]
pub struct SectionBytes<'a> {
    /// Its number.
    pub number: usize,
    /// What the manifest says of it.
    pub section: &'a Section,
    bytes: Cow<'a, [u8]>,
    limits: Limits,
}

impl SectionBytes<'_> {
    /// All bytes that were written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of its whole rows.
    pub fn whole(&self) -> &[u8] {
        let Section { head, tail, .. } = self.section;
        &self.bytes[*head as usize..self.bytes.len() - *tail as usize]
    }

    /// Its whole rows. Offsets in errors are addresses in the chunks.
    pub fn rows(&self) -> Rows<'_> {
        let start = self.section.offset + self.section.head;
        Rows::new(self.whole(), self.limits, start)
    }

    /// Its rows as a reader finds them who does not know where the first one starts.
    pub fn rows_unaided(&self) -> Rows<'_> {
        Rows::new(&self.bytes, self.limits, self.section.offset)
    }
}

impl Chunks {
    /// Opens a folder of chunks, which must not change while it is in use.
    ///
    /// # Errors
    /// If there is no valid manifest, or a file is missing or of another length.
    pub fn open(folder: &Path) -> Result<Chunks, ChunksError> {
        let manifest = Manifest::read(folder)?;
        let chunks = manifest
            .chunk_lengths
            .iter()
            .enumerate()
            .map(|(chunk, &expected)| map(folder, chunk, expected))
            .collect::<Result<_, _>>()?;
        Ok(Chunks { manifest, chunks })
    }

    /// Chunks in memory.
    pub fn in_memory(manifest: Manifest, store: MappedStore) -> Chunks {
        let chunks = store.into_chunks().into_iter();
        Chunks {
            manifest,
            chunks: chunks.map(|chunk| Box::new(chunk) as _).collect(),
        }
    }

    /// What they hold.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of an address range, copied only where it goes over the end of a chunk or of its file. Behind the last
    /// section of a chunk there are zeros.
    pub fn bytes(&self, at: u64, bytes: u64) -> Cow<'_, [u8]> {
        let mut all = Vec::new();
        for (chunk, offset, part) in self.manifest.layout.cut(at, bytes) {
            let chunk = (*self.chunks[chunk]).as_ref();
            let place = |at: u64| chunk.len().min(at as usize);
            let found = &chunk[place(offset)..place(offset + part)];
            if found.len() as u64 == bytes {
                return Cow::Borrowed(found);
            }
            all.extend_from_slice(found);
            all.resize(all.len() + part as usize - found.len(), 0);
        }
        Cow::Owned(all)
    }

    /// A section.
    pub fn section(&self, number: usize) -> SectionBytes<'_> {
        let section = &self.manifest.sections[number];
        let fields = u16::try_from(self.manifest.columns.len()).ok();
        SectionBytes {
            number,
            section,
            bytes: self.bytes(section.offset, section.used),
            limits: Limits {
                fields: fields.filter(|&n| n > 0),
                ..Limits::default()
            },
        }
    }

    /// Calls `read` once for every section, on a worker for each of the `states`, which is the worker's own, and
    /// returns them. With [`Sharing::Static`] each worker gets a contiguous range of sections, in order.
    ///
    /// # Errors
    /// The first error of a worker.
    pub fn read<T: Send, E: Send>(
        &self,
        team: &Team,
        sharing: Sharing,
        states: Vec<T>,
        read: impl Fn(&mut T, SectionBytes<'_>) -> Result<(), E> + Sync,
    ) -> Result<Vec<T>, E> {
        let all = self.manifest.sections.len();
        let division = Division {
            sharing,
            ..Division::counter(states.len()).by(1)
        };
        let shares = division.morsels(all);
        let states: Vec<_> = states.into_iter().zip(shares).collect();
        team.run(states, |_, (mut state, sections)| {
            for number in sections.flatten() {
                read(&mut state, self.section(number))?;
            }
            Ok(state)
        })
        .into_iter()
        .collect()
    }

    /// Checks every section's bytes against its checksum and its rows against their number. Returns the rows.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, team: &Team) -> Result<u64, ChunksError> {
        let states = vec![0u64; team.threads()];
        let counts = self.read(team, Sharing::Counter, states, |all, section| {
            let found = crc32fast::hash(section.bytes());
            if found != section.section.crc32.0 {
                return Err(ChunksError::Changed {
                    section: section.number,
                    offset: section.section.offset,
                    used: section.section.used,
                    found,
                });
            }
            let mut rows = 0;
            for row in section.rows() {
                row.map_err(|error| ChunksError::Framing {
                    section: section.number,
                    error,
                })?;
                rows += 1;
            }
            if rows != section.section.rows {
                return Err(ChunksError::Rows {
                    section: section.number,
                    found: rows,
                    expected: section.section.rows,
                });
            }
            *all += rows;
            Ok(())
        })?;
        Ok(counts.iter().sum())
    }
}

fn map(
    folder: &Path,
    chunk: usize,
    expected: u64,
) -> Result<Box<dyn AsRef<[u8]> + Send + Sync>, ChunksError> {
    let path = folder.join(chunk_file(chunk));
    let io = |error| ChunksError::Io(named("read", &path, error));
    let file = open_file(&path)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes != expected {
        return Err(ChunksError::Length {
            file: path.display().to_string(),
            bytes,
            expected,
        });
    }
    if bytes == 0 {
        return Ok(Box::new([0u8; 0]));
    }
    // SAFETY: a finished chunk does not change; nothing in this crate writes to a chunk that exists.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    Ok(Box::new(map))
}
