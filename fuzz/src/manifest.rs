//! Arbitrary bytes as a folder of chunks: `manifest.json`, and what its chunks hold. What is accepted must be readable in
//! every way, what is not must be described in one line; nothing may take memory or time that the bytes are not in
//! proportion to.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use aligned_ingest::overlap::{Rule, measure, truth};
use aligned_ingest::pages::{NumericAs, to_table};
use aligned_ingest::store::chunk_file;
use aligned_ingest::{Chunks, Crc, MANIFEST_FILE, Manifest, compact};
use join_core::parallel::Team;
use libfuzzer_sys::fuzz_target;

/// Chunks that get a file.
const FILES: usize = 3;
/// Bytes of a chunk's file. A manifest that says more is refused.
const MOST_BYTES: u64 = 16 << 10;

/// The folder of the chunks, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let folder = parent.join(format!("joinery-fuzz-manifest-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for chunks");
    folder
});

/// Writes the files of the chunks, as long as the manifest says, from the same bytes over and over.
fn write_chunks(lengths: &[u64], bytes: &[u8]) {
    let mut bytes = bytes.iter().copied().chain([0]).cycle();
    for chunk in 0..FILES {
        let length = lengths
            .get(chunk)
            .map_or(0, |&length| length.min(MOST_BYTES));
        let bytes: Vec<u8> = bytes.by_ref().take(length as usize).collect();
        fs::write(FOLDER.join(chunk_file(chunk)), bytes).expect("chunks can be written");
    }
}

fn open() -> Option<Chunks> {
    match Chunks::open(&FOLDER) {
        Ok(chunks) => Some(chunks),
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            None
        }
    }
}

/// The manifest with the checksums of the bytes that are there, which no fuzzer guesses.
fn correct(chunks: &Chunks) -> Manifest {
    let mut manifest = chunks.manifest().clone();
    for (number, section) in manifest.sections.iter_mut().enumerate() {
        section.crc32 = Crc(crc32fast::hash(chunks.section(number).bytes()));
    }
    manifest
}

/// Reads verified chunks in every way.
fn read(chunks: &Chunks, rows: u64) {
    let manifest = chunks.manifest();
    assert_eq!(rows, manifest.rows - manifest.split_rows);
    assert!(manifest.used + manifest.wasted() == manifest.reserved);
    match to_table(chunks, "t", NumericAs::Fp64, &Team::single()) {
        Ok(paged) => assert_eq!(paged.table.num_rows() as u64, rows),
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
    let file = FOLDER.join("file.copy");
    if let Ok(bytes) = compact(chunks, &file) {
        assert_eq!(fs::metadata(&file).expect("a file").len(), bytes);
        fs::remove_file(&file).expect("the file goes");
    }
    let longest = manifest.sections.iter().map(|section| section.used).max();
    let rule = Rule {
        fields: manifest.columns.len().clamp(1, 100) as u16,
        widths: Vec::new(),
        row_bytes: longest.unwrap_or(0),
        confirm: 2,
    };
    let found = measure(chunks, &truth(chunks), 256, &rule);
    assert_eq!(found.rows, manifest.rows);
}

fuzz_target!(|input: &[u8]| {
    let zero = input.iter().position(|&byte| byte == 0);
    let (text, bytes) = input.split_at(zero.unwrap_or(input.len()));
    let parsed = serde_json::from_slice::<Manifest>(text).ok();
    write_chunks(
        &parsed.map_or(Vec::new(), |m| m.chunk_lengths),
        bytes.get(1..).unwrap_or(&[]),
    );
    fs::write(FOLDER.join(MANIFEST_FILE), text).expect("a manifest can be written");
    let Some(chunks) = open() else { return };
    correct(&chunks)
        .write(&FOLDER)
        .expect("a manifest can be written");
    let chunks = open().expect("checksums are not looked at before sections are");
    match chunks.verify(&Team::single()) {
        Ok(rows) => read(&chunks, rows),
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
});
