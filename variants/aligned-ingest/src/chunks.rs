//! Finished chunks, read section by section, in parallel (S6).

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::Path;

use join_core::parallel::{Division, Sharing, Team};
use join_core::table::{TableError, open_file};
use memmap2::Mmap;

use crate::framing::{FramingError, Limits, Rows};
use crate::index::{IndexError, Marks, RowIndex};
use crate::manifest::{Manifest, ManifestError, Section};
use crate::store::{MappedStore, chunk_file, named};

/// Chunks with their manifest.
pub struct Chunks {
    manifest: Manifest,
    index: Option<RowIndex>,
    chunks: Vec<Box<dyn AsRef<[u8]> + Send + Sync>>,
}

/// Chunks that do not hold what their manifest says.
#[derive(Debug, thiserror::Error)]
pub enum ChunksError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The index of row starts.
    #[error(transparent)]
    Index(#[from] IndexError),
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
    /// No row starts where the index says.
    #[error(
        "section {section}: rows do not start where the index says; make it again with `harness ingest index`, or remove it"
    )]
    Starts {
        /// Number of the section.
        section: usize,
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

/// Rows of a section that follow one another: all whole ones, or those between two places that an index knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Number of the section.
    pub section: usize,
    /// Its bytes, from the section's first one.
    pub range: Range<u64>,
}

/// A piece to be read.
#[derive(Debug)]
pub struct PieceBytes<'a> {
    /// Number of its section.
    pub section: usize,
    /// Address of its first byte.
    pub address: u64,
    bytes: Cow<'a, [u8]>,
    limits: Limits,
}

impl PieceBytes<'_> {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its rows. Offsets in errors are addresses in the chunks.
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(&self.bytes, self.limits, self.address)
    }
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
    /// If there is no valid manifest, a file is missing or of another length, or there is an index that is not valid.
    pub fn open(folder: &Path) -> Result<Chunks, ChunksError> {
        let chunks = Chunks::open_without_index(folder)?;
        let index = RowIndex::read(folder, &chunks.manifest)?;
        Ok(Chunks { index, ..chunks })
    }

    /// As [`Chunks::open`], as if there was no index.
    ///
    /// # Errors
    /// If there is no valid manifest, or a file is missing or of another length.
    pub fn open_without_index(folder: &Path) -> Result<Chunks, ChunksError> {
        let manifest = Manifest::read(folder)?;
        let chunks = manifest
            .chunk_lengths
            .iter()
            .enumerate()
            .map(|(chunk, &expected)| map(folder, chunk, expected))
            .collect::<Result<_, _>>()?;
        Ok(Chunks {
            manifest,
            index: None,
            chunks,
        })
    }

    /// Chunks in memory.
    pub fn in_memory(manifest: Manifest, store: MappedStore) -> Chunks {
        let chunks = store.into_chunks().into_iter();
        Chunks {
            manifest,
            index: None,
            chunks: chunks.map(|chunk| Box::new(chunk) as _).collect(),
        }
    }

    /// The same chunks with this index, which is theirs.
    #[must_use]
    pub fn with_index(self, index: RowIndex) -> Chunks {
        Chunks {
            index: Some(index),
            ..self
        }
    }

    /// Where rows start, if that is known.
    pub fn index(&self) -> Option<&RowIndex> {
        self.index.as_ref()
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
        SectionBytes {
            number,
            section,
            bytes: self.bytes(section.offset, section.used),
            limits: self.limits(),
        }
    }

    fn limits(&self) -> Limits {
        let fields = u16::try_from(self.manifest.columns.len()).ok();
        Limits {
            fields: fields.filter(|&n| n > 0),
            ..Limits::default()
        }
    }

    /// The rows of all sections in order, in pieces for so many readers: sections, or where there are more readers than
    /// those, and an index, strides of them.
    pub fn pieces(&self, readers: usize) -> Vec<Piece> {
        let sections = &self.manifest.sections;
        let index = self.index.as_ref().filter(|_| readers > sections.len());
        let of = |(number, section): (usize, &Section)| {
            let whole = section.head..section.used - section.tail;
            let parts = index.map_or(Vec::new(), |index| index.parts(number, section));
            let parts = if parts.is_empty() { vec![whole] } else { parts };
            parts.into_iter().map(move |range| Piece {
                section: number,
                range,
            })
        };
        sections.iter().enumerate().flat_map(of).collect()
    }

    /// A piece.
    pub fn piece(&self, piece: &Piece) -> PieceBytes<'_> {
        let section = &self.manifest.sections[piece.section];
        let (at, bytes) = (piece.range.start, piece.range.end - piece.range.start);
        PieceBytes {
            section: piece.section,
            address: section.offset + at,
            bytes: self.bytes(section.offset + at, bytes),
            limits: self.limits(),
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
        share(team, sharing, states, all, |state, number| {
            read(state, self.section(number))
        })
    }

    /// As [`Chunks::read`] for [`Chunks::pieces`] instead of sections. An index must be one that [`Chunks::verify`] found
    /// right.
    ///
    /// # Errors
    /// The first error of a worker.
    pub fn read_pieces<T: Send, E: Send>(
        &self,
        team: &Team,
        sharing: Sharing,
        states: Vec<T>,
        read: impl Fn(&mut T, PieceBytes<'_>) -> Result<(), E> + Sync,
    ) -> Result<Vec<T>, E> {
        let pieces = self.pieces(states.len());
        share(team, sharing, states, pieces.len(), |state, number| {
            read(state, self.piece(&pieces[number]))
        })
    }

    /// Where rows start, found by reading all rows.
    ///
    /// # Errors
    /// If a section is not made of whole rows.
    pub fn make_index(&self, stride: u64, team: &Team) -> Result<RowIndex, ChunksError> {
        let states = vec![Vec::new(); team.threads()];
        let read = |found: &mut Vec<_>, section: SectionBytes<'_>| {
            let mut marks = Marks::new(stride);
            let Section {
                head, used, tail, ..
            } = *section.section;
            for row in section.rows() {
                let row = row.map_err(|error| ChunksError::Framing {
                    section: section.number,
                    error,
                })?;
                marks.row(head + row.offset as u64);
            }
            found.push((section.number, marks.finish(used - tail)));
            Ok::<_, ChunksError>(())
        };
        let mut found = self.read(team, Sharing::Counter, states, read)?.concat();
        found.sort_unstable_by_key(|(number, _)| *number);
        let lags = found.into_iter().map(|(_, lags)| lags);
        Ok(RowIndex::new(stride, lags.collect()))
    }

    /// Checks every section's bytes against its checksum and its rows against their number; where there is an index and
    /// more threads than sections, also that rows start where it says. Returns the rows.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, team: &Team) -> Result<u64, ChunksError> {
        let pieces = self.pieces(team.threads());
        let states = vec![Vec::new(); team.threads()];
        let found = share(
            team,
            Sharing::Counter,
            states,
            pieces.len(),
            |found, number| {
                found.push((number, self.look_at(&pieces, number)));
                Ok::<_, ChunksError>(())
            },
        )?;
        let mut found = found.concat();
        found.sort_unstable_by_key(|(number, _)| *number);
        let of_section = |section: usize| {
            let first = pieces.partition_point(|piece| piece.section < section);
            let after = pieces.partition_point(|piece| piece.section <= section);
            &found[first..after]
        };
        (0..self.manifest.sections.len())
            .map(|section| self.judge(section, of_section(section)))
            .sum()
    }

    /// What is in a piece: the checksum of its bytes, with those in front of the first whole row and behind the last, and
    /// its rows.
    fn look_at(&self, pieces: &[Piece], number: usize) -> Looked {
        let piece = &pieces[number];
        let section = &self.manifest.sections[piece.section];
        let is_next_to = |other: Option<&Piece>| other.is_some_and(|p| p.section == piece.section);
        let from = match is_next_to(number.checked_sub(1).map(|n| &pieces[n])) {
            true => piece.range.start,
            false => 0,
        };
        let to = match is_next_to(pieces.get(number + 1)) {
            true => piece.range.end,
            false => section.used,
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.bytes(section.offset + from, to - from));
        let rows = self
            .piece(piece)
            .rows()
            .try_fold(0, |n, row| row.map(|_| n + 1));
        Looked { crc, rows }
    }

    /// Whether what was found in the pieces of a section is what its manifest says.
    fn judge(&self, number: usize, pieces: &[(usize, Looked)]) -> Result<u64, ChunksError> {
        let section = &self.manifest.sections[number];
        let mut crc = crc32fast::Hasher::new();
        pieces.iter().for_each(|(_, piece)| crc.combine(&piece.crc));
        let found = crc.finalize();
        if found != section.crc32.0 {
            return Err(ChunksError::Changed {
                section: number,
                offset: section.offset,
                used: section.used,
                found,
            });
        }
        let of_pieces = pieces.iter().map(|(_, piece)| piece.rows.clone());
        let found = of_pieces.sum::<Result<u64, _>>();
        let is_whole =
            |found: &Result<u64, FramingError>| found.as_ref().is_ok_and(|&n| n == section.rows);
        if pieces.len() > 1 && !is_whole(&found) {
            let rows = self
                .section(number)
                .rows()
                .try_fold(0, |n, row| row.map(|_| n + 1));
            if is_whole(&rows) {
                return Err(ChunksError::Starts { section: number });
            }
        }
        let found = found.map_err(|error| ChunksError::Framing {
            section: number,
            error,
        })?;
        if found != section.rows {
            return Err(ChunksError::Rows {
                section: number,
                found,
                expected: section.rows,
            });
        }
        Ok(found)
    }
}

/// What was found in a piece.
#[derive(Clone)]
struct Looked {
    crc: crc32fast::Hasher,
    rows: Result<u64, FramingError>,
}

/// Shares `0..all` among a worker for each of the `states`.
fn share<T: Send, E: Send>(
    team: &Team,
    sharing: Sharing,
    states: Vec<T>,
    all: usize,
    work: impl Fn(&mut T, usize) -> Result<(), E> + Sync,
) -> Result<Vec<T>, E> {
    let division = Division {
        sharing,
        ..Division::counter(states.len()).by(1)
    };
    let shares = division.morsels(all);
    let states: Vec<_> = states.into_iter().zip(shares).collect();
    team.run(states, |_, (mut state, numbers)| {
        for number in numbers.flatten() {
            work(&mut state, number)?;
        }
        Ok(state)
    })
    .into_iter()
    .collect()
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
