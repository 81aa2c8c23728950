//! What a folder of chunks holds: `manifest.json`, written last and in one step.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::Path;

use join_core::table::{TableError, open_file};
use serde::{Deserialize, Serialize};

use crate::placement::PlacementKind;
use crate::space::Layout;
use crate::store::named;

/// The file that describes the chunks beside it.
pub const MANIFEST_FILE: &str = "manifest.json";

/// What one flush wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Address of its first byte; addresses run through all chunks.
    pub offset: u64,
    /// Bytes written.
    pub used: u64,
    /// Whole rows in it.
    pub rows: u64,
    /// Who wrote it.
    pub worker: u32,
    /// CRC-32 of the bytes written.
    pub crc32: Crc,
    /// Bytes at its start that belong to a row begun in another flush. Only `packed` has such.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub head: u64,
    /// Bytes at its end that belong to a row that goes on in another flush. Only `packed` has such.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tail: u64,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl Section {
    pub(crate) fn empty(worker: u32) -> Section {
        Section {
            offset: 0,
            used: 0,
            rows: 0,
            worker,
            crc32: Crc(0),
            head: 0,
            tail: 0,
        }
    }
}

/// A CRC-32, written as 8 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Crc(pub u32);

impl From<Crc> for String {
    fn from(Crc(crc): Crc) -> String {
        format!("{crc:08x}")
    }
}

impl TryFrom<String> for Crc {
    type Error = String;

    fn try_from(text: String) -> Result<Crc, String> {
        let crc = u32::from_str_radix(&text, 16);
        crc.map(Crc)
            .map_err(|_| format!("{text:?} is no CRC-32; it has 8 hex digits"))
    }
}

/// A column of the rows, as the server names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// The server's name of its type, for instance `int4`; with its schema, as `public.mood`, where the type is not one of
    /// the server's own.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// A folder of chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format: 1.
    pub schema: u32,
    /// The table, or the query in parentheses, that the rows came from.
    pub source: String,
    /// Its columns; empty where nobody knows them.
    pub columns: Vec<SourceColumn>,
    /// How flushes were placed.
    pub placement: PlacementKind,
    /// Chunks and slots.
    #[serde(flatten)]
    pub layout: Layout,
    /// Bytes of each chunk's file.
    pub chunk_lengths: Vec<u64>,
    /// Workers that wrote.
    pub workers: u32,
    /// Rows in all, split ones included.
    pub rows: u64,
    /// Rows that lie in two flushes or more: lost to a reader of sections.
    pub split_rows: u64,
    /// Bytes written.
    pub used: u64,
    /// Addresses given away. What no section lists of them is empty.
    pub reserved: u64,
    /// What was flushed, by offset.
    pub sections: Vec<Section>,
}

/// A manifest that cannot be had, or that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// None is there.
    #[error(
        "{folder} has no {MANIFEST_FILE}: no load into it was finished; load again into another folder"
    )]
    Missing {
        /// The folder.
        folder: String,
    },
    /// It cannot be opened.
    #[error("{0}, or load again")]
    File(TableError),
    /// It is not of the form.
    #[error("{path}: {source}; was it edited? load again")]
    Json {
        /// The file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It contradicts itself.
    #[error("{path}: {what}; was it edited? load again")]
    Inconsistent {
        /// The file.
        path: String,
        /// How.
        what: String,
    },
}

impl Manifest {
    /// Describes sections, in any order.
    pub fn new(
        source: String,
        columns: Vec<SourceColumn>,
        placement: PlacementKind,
        layout: Layout,
        workers: u32,
        reserved: u64,
        mut sections: Vec<Section>,
    ) -> Manifest {
        sections.sort_by_key(|section| section.offset);
        let split_rows = sections.iter().filter(|s| s.tail > 0).count() as u64;
        let mut manifest = Manifest {
            schema: 1,
            source,
            columns,
            placement,
            layout,
            chunk_lengths: Vec::new(),
            workers,
            rows: sections.iter().map(|s| s.rows).sum::<u64>() + split_rows,
            split_rows,
            used: sections.iter().map(|s| s.used).sum(),
            reserved,
            sections,
        };
        manifest.chunk_lengths = manifest.lengths();
        manifest
    }

    /// Where the last section of each chunk ends.
    fn lengths(&self) -> Vec<u64> {
        let mut lengths = vec![0; self.layout.chunks as usize];
        for section in &self.sections {
            for (chunk, offset, bytes) in self.layout.cut(section.offset, section.used) {
                lengths[chunk] = offset + bytes;
            }
        }
        lengths
    }

    /// Writes the manifest into the folder of its chunks. It is there whole or not at all, after a crash too.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(MANIFEST_FILE);
        let partial = folder.join(format!("{MANIFEST_FILE}.partial"));
        let write = || {
            let mut text = serde_json::to_vec(self)?;
            text.push(b'\n');
            let mut file = File::create(&partial)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&partial);
            named("write", &path, error)
        })
    }

    /// Reads and checks the manifest of a folder.
    ///
    /// # Errors
    /// If none is there, or it is wrong.
    pub fn read(folder: &Path) -> Result<Manifest, ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        let file = open_file(&path).map_err(|error| match error {
            TableError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                ManifestError::Missing {
                    folder: folder.display().to_string(),
                }
            }
            other => ManifestError::File(other),
        })?;
        let manifest: Manifest =
            serde_json::from_reader(BufReader::new(file)).map_err(|source| {
                ManifestError::Json {
                    path: path.display().to_string(),
                    source,
                }
            })?;
        manifest
            .check()
            .map_err(|what| ManifestError::Inconsistent {
                path: path.display().to_string(),
                what,
            })?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.schema != 1 {
            return Err(format!("schema {}; this version reads 1", self.schema));
        }
        let layout = self.layout;
        Layout::new(layout.slot, layout.chunks, layout.chunk_bytes).map_err(|e| e.to_string())?;
        if self.chunk_lengths.len() != layout.chunks as usize {
            return Err(format!(
                "{} lengths for {} chunks",
                self.chunk_lengths.len(),
                layout.chunks
            ));
        }
        if self.reserved > layout.bytes() {
            return Err(format!(
                "{} bytes are given away of {}",
                self.reserved,
                layout.bytes()
            ));
        }
        let mut end = 0;
        for (number, section) in self.sections.iter().enumerate() {
            let after = section.offset.checked_add(section.used);
            let inside = after.is_some_and(|after| after <= self.reserved);
            let parts = section.head.checked_add(section.tail);
            if !inside || section.used == 0 || section.used > layout.slot {
                return Err(format!(
                    "section {number} has {} bytes at {}",
                    section.used, section.offset
                ));
            }
            if parts.is_none_or(|parts| parts > section.used) {
                return Err(format!("section {number} has parts larger than itself"));
            }
            // A row has at least the two bytes of its number of fields.
            if section.rows > section.used / 2 {
                return Err(format!(
                    "section {number} has {} rows in {} bytes",
                    section.rows, section.used
                ));
            }
            if section.offset < end {
                return Err(format!("section {number} overlaps the one before"));
            }
            end = section.offset + section.used;
        }
        let again = Manifest::new(
            String::new(),
            Vec::new(),
            self.placement,
            layout,
            self.workers,
            self.reserved,
            self.sections.clone(),
        );
        let sums = |m: &Manifest| (m.rows, m.split_rows, m.used, m.chunk_lengths.clone());
        if sums(&again) != sums(self) {
            return Err("its totals are not the sums of its sections".into());
        }
        Ok(())
    }

    /// Addresses that were given away and hold nothing: tails of slots, and places of workers that died.
    pub fn wasted(&self) -> u64 {
        self.reserved - self.used
    }
}
