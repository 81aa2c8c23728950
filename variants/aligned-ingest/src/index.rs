//! Where rows start: a place for each stride of a section, so that several can read a section at once.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;

use join_core::table::{TableError, open_file};

use crate::manifest::{Manifest, Section};
use crate::store::named;

/// The file of the index, beside the manifest.
pub const INDEX_FILE: &str = "rows.index";

const MAGIC: [u8; 8] = *b"ROWSTART";
const VERSION: u32 = 1;
/// Magic, version, checksum of the sections, stride.
const HEADER_BYTES: usize = 24;
const CRC_BYTES: usize = 4;

/// Where rows start in the sections of chunks. For each multiple of the stride that lies within a section's whole rows,
/// but for 0, it holds by how many bytes the first row start at or behind it lies behind it; the end of the whole
/// rows counts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowIndex {
    stride: u64,
    lags: Vec<Vec<u32>>,
}

/// An index that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be opened.
    #[error("{0}, or remove it")]
    File(TableError),
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not of the form, or of other chunks.
    #[error("{path}: {what}; make it again with `harness ingest index`, or remove it")]
    Wrong {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
}

/// The end of a section's whole rows, in bytes from its start.
fn end(section: &Section) -> u64 {
    section.used - section.tail
}

/// How many places an index has in a section whose whole rows end there.
fn places(end: u64, stride: u64) -> u64 {
    end.saturating_sub(1) / stride
}

impl RowIndex {
    /// Bytes of a stride, unless told otherwise.
    pub const DEFAULT_STRIDE: u64 = 64 << 10;

    /// An index of sections in the manifest's order.
    pub(crate) fn new(stride: u64, lags: Vec<Vec<u32>>) -> RowIndex {
        RowIndex { stride, lags }
    }

    /// Bytes of a stride.
    pub fn stride(&self) -> u64 {
        self.stride
    }

    /// The whole rows of a section in parts that begin with a row, about a stride each. In bytes from the section's start;
    /// where a row is longer than a stride, parts are left out that would be empty.
    pub(crate) fn parts(&self, number: usize, section: &Section) -> Vec<Range<u64>> {
        let lags = self.lags[number].iter().zip(1..);
        let starts = lags.map(|(&lag, k)| k * self.stride + u64::from(lag));
        let (mut from, mut parts) = (section.head, Vec::new());
        for to in starts.chain([end(section)]) {
            if to > from {
                parts.push(from..to);
                from = to;
            }
        }
        parts
    }

    /// Writes the index into the folder of its chunks, in place of one that is there. It is there whole or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, folder: &Path, manifest: &Manifest) -> io::Result<()> {
        let path = folder.join(INDEX_FILE);
        let partial = folder.join(format!("{INDEX_FILE}.partial"));
        let write = || {
            let mut file = File::create(&partial)?;
            file.write_all(&self.bytes(manifest))?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&partial);
            named("write", &path, error)
        })
    }

    fn bytes(&self, manifest: &Manifest) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(fingerprint(manifest).to_le_bytes());
        bytes.extend(self.stride.to_le_bytes());
        let lags = self.lags.iter().flatten();
        bytes.extend(lags.flat_map(|lag| lag.to_le_bytes()));
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads and checks the index of a folder; `None` if it has none. That rows do start where it says is only known by
    /// reading them.
    ///
    /// # Errors
    /// If it is damaged, or not of these chunks.
    pub fn read(folder: &Path, manifest: &Manifest) -> Result<Option<RowIndex>, IndexError> {
        let path = folder.join(INDEX_FILE);
        let mut file = match open_file(&path) {
            Ok(file) => file,
            Err(TableError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(IndexError::File(error)),
        };
        Self::from_file(&mut file, &path, manifest).map(Some)
    }

    fn from_file(
        file: &mut File,
        path: &Path,
        manifest: &Manifest,
    ) -> Result<RowIndex, IndexError> {
        let io = |error| IndexError::Io(named("read", path, error));
        let wrong = |what: &str| IndexError::Wrong {
            path: path.display().to_string(),
            what: what.to_owned(),
        };
        let length = file.metadata().map_err(io)?.len();
        if length < (HEADER_BYTES + CRC_BYTES) as u64 {
            return Err(wrong("it was cut off"));
        }
        let mut bytes = vec![0; HEADER_BYTES];
        file.read_exact(&mut bytes).map_err(io)?;
        let (header, _) = bytes.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(header[at]);
        if bytes[..MAGIC.len()] != MAGIC {
            return Err(wrong("it is no index of row starts"));
        }
        if word(2) != VERSION {
            return Err(wrong(&format!(
                "version {}; this version reads {VERSION}",
                word(2)
            )));
        }
        let (of, stride) = (word(3), u64::from(word(5)) << 32 | u64::from(word(4)));
        if stride == 0 {
            return Err(wrong("its stride is 0 bytes"));
        }
        let counts = manifest.sections.iter().map(|s| places(end(s), stride));
        let entries = counts
            .clone()
            .try_fold(0u64, |sum, count| sum.checked_add(count));
        let expected = entries.and_then(|n| {
            n.checked_mul(4)?
                .checked_add((HEADER_BYTES + CRC_BYTES) as u64)
        });
        if expected != Some(length) || of != fingerprint(manifest) {
            return Err(wrong("it is not of the chunks beside it, or was cut off"));
        }
        file.read_to_end(&mut bytes).map_err(io)?;
        let Some((body, crc)) = bytes
            .split_last_chunk::<CRC_BYTES>()
            .filter(|_| bytes.len() as u64 == length)
        else {
            return Err(wrong("it changed while it was read"));
        };
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(wrong("it was changed since it was written"));
        }
        let mut words = body[HEADER_BYTES..]
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&b| u32::from_le_bytes(b));
        let lags = counts.map(|count| words.by_ref().take(count as usize).collect());
        let index = RowIndex::new(stride, lags.collect());
        match manifest
            .sections
            .iter()
            .enumerate()
            .find(|(n, s)| !index.is_ordered(*n, s))
        {
            Some((number, _)) => Err(wrong(&format!(
                "its row starts in section {number} cannot be"
            ))),
            None => Ok(index),
        }
    }

    /// Whether the starts of a section follow one another within its whole rows.
    fn is_ordered(&self, number: usize, section: &Section) -> bool {
        let mut last = section.head;
        self.lags[number].iter().zip(1..).all(|(&lag, k)| {
            let start = k * self.stride + u64::from(lag);
            let fits = last <= start && start <= end(section);
            last = start;
            fits
        })
    }
}

/// What tells these sections from others.
fn fingerprint(manifest: &Manifest) -> u32 {
    let mut all = crc32fast::Hasher::new();
    for section in &manifest.sections {
        all.update(&section.offset.to_le_bytes());
        all.update(&section.used.to_le_bytes());
        all.update(&section.crc32.0.to_le_bytes());
    }
    all.finalize()
}

/// Gathers the row starts of a section as they become known, for a [`RowIndex`].
#[derive(Debug)]
pub(crate) struct Marks {
    stride: u64,
    /// The multiple of the stride at or behind which a row start is looked for.
    next: u64,
    lags: Vec<u32>,
}

impl Marks {
    pub(crate) fn new(stride: u64) -> Marks {
        Marks {
            stride,
            next: stride,
            lags: Vec::new(),
        }
    }

    /// A row starts here, or the whole rows end.
    #[inline]
    pub(crate) fn row(&mut self, start: u64) {
        while self.next <= start {
            // Less than a row, which has at most 2 GiB.
            self.lags.push((start - self.next) as u32);
            self.next += self.stride;
        }
    }

    /// The section's whole rows end here. Begins another section.
    pub(crate) fn finish(&mut self, end: u64) -> Vec<u32> {
        self.row(end);
        self.next = self.stride;
        let mut lags = std::mem::take(&mut self.lags);
        lags.truncate(places(end, self.stride) as usize);
        lags
    }
}
