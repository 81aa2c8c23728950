//! The index of row starts: what the writer notes, what is found afterwards, and what becomes of one that is wrong.

mod common;

use std::fs;

use aligned_ingest::pages::{NumericAs, to_table};
use aligned_ingest::{
    Chunks, ChunksError, INDEX_FILE, IndexError, Job, Layout, PlacementKind, Sink, SourceColumn,
    StoreKind,
};
use common::{Pieces, TestRow, encode, plain_rows, rows, stream};
use join_core::parallel::{Team, ThreadStart};
use proptest::prelude::*;

/// Chunks of these rows in a folder, written from pieces of streams.
fn folder(
    workers: &[Vec<TestRow>],
    columns: &[&str],
    placement: PlacementKind,
    slot: u64,
    stride: u64,
    pieces: &[usize],
) -> tempfile::TempDir {
    let streams: Vec<_> = workers.iter().map(|rows| stream(rows, &[])).collect();
    let bytes = streams.iter().map(|s| s.len() as u64).sum();
    let column = |name: &&str| SourceColumn {
        name: format!("a {name}"),
        type_name: (*name).to_owned(),
    };
    let job = Job {
        source: "test".into(),
        columns: columns.iter().map(column).collect(),
        layout: Layout::for_bytes(slot, 2, bytes, workers.len() as u32).unwrap(),
        placement,
        workers: workers.len() as u32,
        stride,
    };
    let work = |worker: u32, sink: &mut dyn Sink| {
        let bytes = &streams[worker as usize];
        sink.copy(&mut Pieces::new(bytes, pieces.to_vec()))
            .map(drop)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chunks");
    let store = match slot % 2 {
        0 => StoreKind::File,
        _ => StoreKind::Mapped,
    };
    job.load(&path, store, &work).unwrap();
    folder
}

/// Where rows start by the definition: for each multiple of the stride the first row start at or behind it.
fn expected(chunks: &Chunks, section: usize, stride: u64) -> Vec<u64> {
    let read = chunks.section(section);
    let (head, tail) = (read.section.head, read.section.tail);
    let end = read.section.used - tail;
    let starts: Vec<u64> = read
        .rows()
        .map(|row| head + row.unwrap().offset as u64)
        .collect();
    let mut places = vec![head];
    for multiple in (1..).map(|k| k * stride).take_while(|&at| at < end) {
        places.push(
            *starts
                .iter()
                .find(|&&start| start >= multiple)
                .unwrap_or(&end),
        );
    }
    places.dedup();
    places.pop_if(|last| *last == end);
    places
}

fn team(threads: usize) -> Team {
    Team::new(threads, ThreadStart::Fresh)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_writer_notes_the_first_row_at_or_behind_each_multiple_of_the_stride(
        workers in prop::collection::vec(rows(4, 60), 1..4),
        placement in prop::sample::select(PlacementKind::ALL.to_vec()),
        slot in 1300u64..6000,
        stride in prop_oneof![1u64..40, 40u64..1000, 1000u64..9000],
        pieces in prop::collection::vec(1usize..5000, 1..4),
    ) {
        let folder = folder(&workers, &[], placement, slot, stride, &pieces);
        let path = folder.path().join("chunks");
        let chunks = Chunks::open(&path).unwrap();
        prop_assert_eq!(chunks.index().unwrap().stride(), stride);
        let pieces = chunks.pieces(usize::MAX);
        for section in 0..chunks.manifest().sections.len() {
            let of_section = pieces.iter().filter(|piece| piece.section == section);
            let mut found: Vec<u64> = of_section.clone().map(|piece| piece.range.start).collect();
            if of_section.clone().all(|piece| piece.range.is_empty()) {
                found.clear();
            }
            prop_assert_eq!(found, expected(&chunks, section, stride));
        }
        // The same is found afterwards, and rows that are read by it are the same ones.
        let made = chunks.make_index(stride, &team(2)).unwrap();
        prop_assert_eq!(chunks.index(), Some(&made));
        let whole = chunks.manifest().rows - chunks.manifest().split_rows;
        for threads in [1, 16] {
            prop_assert_eq!(chunks.verify(&team(threads)).unwrap(), whole);
        }
    }
}

#[test]
fn more_threads_than_sections_read_the_same_table() {
    let rows = plain_rows(3000, 40, 7);
    let types = ["int8", "int4", "text"];
    let folder = folder(
        &[rows],
        &types,
        PlacementKind::Aligned,
        1 << 20,
        700,
        &[9999],
    );
    let chunks = Chunks::open(&folder.path().join("chunks")).unwrap();
    assert_eq!(chunks.manifest().sections.len(), 1);
    assert!(chunks.pieces(1).len() == 1 && chunks.pieces(2).len() > 100);
    let values = |threads| {
        let paged = to_table(&chunks, "t", NumericAs::Fp64, &team(threads)).unwrap();
        let columns = paged.table.columns().iter();
        let values = columns.map(|c| format!("{:?}", c.column.values().collect::<Vec<_>>()));
        values.collect::<Vec<_>>()
    };
    assert_eq!(values(1), values(5));
}

#[test]
fn an_index_that_is_damaged_is_refused_and_can_be_made_again() {
    let rows = plain_rows(60, 40, 7);
    let folder = folder(&[rows], &[], PlacementKind::Aligned, 4096, 300, &[500]);
    let path = folder.path().join("chunks");
    let file = path.join(INDEX_FILE);
    let good = fs::read(&file).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&file, &bad).unwrap();
        let Err(ChunksError::Index(IndexError::Wrong { what, .. })) = Chunks::open(&path) else {
            panic!("byte {at} was changed");
        };
        assert!(!what.contains('\n'));
    }
    for bytes in 0..good.len() {
        fs::write(&file, &good[..bytes]).unwrap();
        assert!(Chunks::open(&path).is_err(), "{bytes} bytes");
    }
    let chunks = Chunks::open_without_index(&path).unwrap();
    let made = chunks.make_index(300, &team(1)).unwrap();
    made.write(&path, chunks.manifest()).unwrap();
    assert_eq!(fs::read(&file).unwrap(), good);
    fs::remove_file(&file).unwrap();
    assert!(Chunks::open(&path).unwrap().index().is_none());
}

#[test]
fn an_index_that_lies_is_found_out_by_the_framing() {
    let rows = plain_rows(60, 40, 7);
    let row_bytes: Vec<u64> = rows.iter().map(|row| encode(row).len() as u64).collect();
    let folder = folder(&[rows], &[], PlacementKind::Aligned, 1 << 20, 300, &[500]);
    let path = folder.path().join("chunks");
    let file = path.join(INDEX_FILE);
    let good = fs::read(&file).unwrap();
    let last = row_bytes.iter().sum::<u64>() / 300;
    for place in 0..last as usize - 1 {
        for change in [1, 7, 20] {
            let mut lie = good[..good.len() - 4].to_vec();
            let lag = lie[24 + 4 * place..].first_chunk_mut::<4>().unwrap();
            *lag = (u32::from_le_bytes(*lag) + change).to_le_bytes();
            lie.extend(crc32fast::hash(&lie).to_le_bytes());
            fs::write(&file, &lie).unwrap();
            let chunks = match Chunks::open(&path) {
                Ok(chunks) => chunks,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(chunks.verify(&team(1)).unwrap(), 60, "it is not used");
            let found = chunks.verify(&team(4));
            assert!(
                matches!(found, Err(ChunksError::Starts { section: 0 })),
                "{place} {change}"
            );
        }
    }
}
