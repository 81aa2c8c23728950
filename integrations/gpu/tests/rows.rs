//! Rows on the device against the processor's reader, whatever is written; and what becomes of damage. Needs an adapter:
//! Debian's `mesa-vulkan-drivers` has one for any machine.

use std::fs;
use std::sync::LazyLock;

use aligned_ingest::framing::{HEADER, RowEncoder, TRAILER};
use aligned_ingest::overlap::{Rule, measure, truth};
use aligned_ingest::pages::{NumericAs, SourceType, to_table as on_processor};
use aligned_ingest::store::chunk_file;
use aligned_ingest::{
    Chunks, ChunksError, Crc, INDEX_FILE, Job, Layout, Manifest, PlacementKind, Section, Sink,
    SourceColumn, StoreKind,
};
use join_core::parallel::{Team, ThreadStart};
use joinery_gpu::{Device, GpuError, Reader, Search, Totals, code_lines, to_table};
use proptest::prelude::*;

/// All tests run on one device.
static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::open(None).unwrap());

const MEMORY: u64 = 64 << 20;

const TYPES: [&str; 11] = [
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "bool",
    "date",
    "timestamp",
    "text",
    "numeric",
    "varchar",
];

/// A field of a type: an end of it, or what the seed says.
fn field(type_name: &str, seed: u64) -> Option<Vec<u8>> {
    let bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
    let at = |ends: &[u64]| match (seed % 16) as usize {
        n if n < ends.len() => ends[n],
        _ => bits,
    };
    let low = |bytes: usize, value: u64| value.to_be_bytes()[8 - bytes..].to_vec();
    if seed.is_multiple_of(7) {
        return None;
    }
    Some(match type_name {
        "int2" => low(2, bits),
        "int4" => low(4, at(&[0, 1 << 31, (1 << 31) - 1])),
        "int8" => low(8, at(&[0, 1 << 63, (1 << 63) - 1])),
        "float4" => low(
            4,
            at(&[
                1,
                0x8000_0000,
                0x7f80_0001,
                0x7fc0_0000,
                0xff80_0000,
                0x7f_ffff,
                0x80_0000,
            ]),
        ),
        "float8" => low(8, at(&[1, 1 << 63, 0x7ff0_0000_0000_0001])),
        "bool" => low(1, bits & 1),
        "date" => low(
            4,
            at(&[1 << 31, (1 << 31) - 1, (1 << 31) - 1 - 10_958]) & !(1 << 30),
        ),
        "timestamp" => low(8, at(&[1 << 63, (1 << 63) - 1, 0]) & !(1 << 62)),
        // 12.34 and 0.
        "numeric" if bits & 1 == 0 => vec![0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 13, 72],
        "numeric" => vec![0; 8],
        _ => bits.to_le_bytes().repeat(40)[..(bits % 90) as usize].to_vec(),
    })
}

/// Streams of one worker each.
fn streams(types: &[&str], workers: &[Vec<u64>]) -> Vec<Vec<u8>> {
    let stream = |seeds: &Vec<u64>| {
        let mut rows = RowEncoder::new();
        for &seed in seeds {
            for (number, type_name) in types.iter().enumerate() {
                rows.field(field(type_name, seed.wrapping_add(number as u64 * 31)).as_deref());
            }
            rows.end_row();
        }
        [&HEADER[..], rows.rows(), &TRAILER].concat()
    };
    workers.iter().map(stream).collect()
}

/// Chunks of these streams in a folder.
fn folder(
    types: &[&str],
    streams: &[Vec<u8>],
    placement: PlacementKind,
    slot: u64,
    stride: u64,
) -> tempfile::TempDir {
    let column = |(number, name): (usize, &&str)| SourceColumn {
        name: format!("c{number}"),
        type_name: (*name).to_owned(),
    };
    let bytes = streams.iter().map(|s| s.len() as u64).sum();
    let workers = streams.len() as u32;
    let job = Job {
        source: "test".into(),
        columns: types.iter().enumerate().map(column).collect(),
        layout: Layout::for_bytes(slot, 2, bytes, workers).unwrap(),
        placement,
        workers,
        stride,
    };
    let work =
        |worker: u32, sink: &mut dyn Sink| sink.copy(&mut &streams[worker as usize][..]).map(drop);
    let folder = tempfile::tempdir().unwrap();
    job.load(&folder.path().join("chunks"), StoreKind::File, &work)
        .unwrap();
    folder
}

fn team(threads: usize) -> Team {
    Team::new(threads, ThreadStart::Fresh)
}

/// The pages of a table, column by column.
fn pages(table: &join_core::table::Table) -> Vec<Vec<u8>> {
    let columns = table.columns().iter();
    columns
        .map(|c| {
            c.column
                .pages()
                .iter()
                .flat_map(|page| *page.bytes())
                .collect()
        })
        .collect()
}

/// The device's totals and pages are the processor's.
fn agrees(chunks: &Chunks, memory: u64, shares: usize) {
    let reader = Reader::new(&DEVICE, chunks, memory, shares).unwrap();
    let (totals, timing) = reader.read(&mut |_| ()).unwrap();
    assert_eq!(totals, Totals::of(chunks, &team(1)));
    let manifest = chunks.manifest();
    let parts: u64 = manifest.sections.iter().map(|s| s.head + s.tail).sum();
    assert_eq!(timing.bytes, manifest.used - parts);
    if manifest.split_rows == 0 {
        let ours = to_table(&reader, "t", NumericAs::Fp64, shares, &mut |_| ()).unwrap();
        let theirs = on_processor(chunks, "t", NumericAs::Fp64, &team(shares)).unwrap();
        assert_eq!(pages(&ours.table), pages(&theirs.table));
        assert_eq!(ours.losses, theirs.losses);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_device_reads_what_the_processor_reads(
        types in prop::collection::vec(prop::sample::select(TYPES.to_vec()), 1..9),
        workers in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..300), 1..4),
        placement in prop::sample::select(PlacementKind::ALL.to_vec()),
        slot in 1500u64..20_000,
        stride in prop_oneof![1u64..300, 300u64..9000],
        is_indexed in any::<bool>(),
        memory in prop_oneof![Just(400u64 << 10), Just(MEMORY)],
        shares in 1usize..12,
    ) {
        let folder = folder(&types, &streams(&types, &workers), placement, slot, stride);
        let path = folder.path().join("chunks");
        let chunks = match is_indexed {
            true => Chunks::open(&path).unwrap(),
            false => Chunks::open_without_index(&path).unwrap(),
        };
        agrees(&chunks, memory, shares);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_search_on_the_device_loses_and_invents_what_the_processors_does(
        types in prop::collection::vec(prop::sample::select(TYPES.to_vec()), 1..9),
        workers in prop::collection::vec(prop::collection::vec(any::<u64>(), 1..300), 1..4),
        placement in prop::sample::select(PlacementKind::ALL.to_vec()),
        slot in 1500u64..20_000,
        section in prop_oneof![1u64..300, 300u64..9000],
        confirm in 1u32..4,
        longest in prop_oneof![20u64..200, 200u64..2000],
        memory in prop_oneof![Just(2u64 << 20), Just(MEMORY)],
    ) {
        let folder = folder(&types, &streams(&types, &workers), placement, slot, 1 << 10);
        let chunks = Chunks::open(&folder.path().join("chunks")).unwrap();
        let width = |name: &&str| SourceType::of(name, NumericAs::Fp64)?.width();
        let rule = Rule {
            fields: types.len() as u16,
            widths: types.iter().map(width).collect(),
            row_bytes: longest,
            confirm,
        };
        let truth = truth(&chunks);
        let expected = measure(&chunks, &truth, section, &rule);
        let search = Search { section, confirm, longest };
        match Reader::measure(&DEVICE, &chunks, memory, search, &truth, &mut |_| ()) {
            // A software device stops where nearly each byte of a long section is tried, and must say so.
            Err(GpuError::Unfinished { .. }) => assert!(DEVICE.is_software() && section > 1000),
            found => assert_eq!(found.unwrap().0, expected),
        }
    }
}

#[test]
fn sections_longer_than_a_flight_are_cut_with_and_without_an_index() {
    let seeds: Vec<u64> = (0..20_000).collect();
    let streams = streams(&TYPES, &[seeds]);
    for stride in [1 << 10, 1 << 30] {
        let folder = folder(&TYPES, &streams, PlacementKind::Aligned, 8 << 20, stride);
        let chunks = Chunks::open(&folder.path().join("chunks")).unwrap();
        let reader = Reader::new(&DEVICE, &chunks, 1 << 20, 3).unwrap();
        assert!(reader.flights_and_lanes().0 > 10);
        agrees(&chunks, 1 << 20, 3);
    }
}

/// Neighbours whose long strings are in different columns: a software device may stop before their end, and must say so.
#[test]
fn long_strings_are_read_whole_or_not_at_all() {
    let types = ["text"; 8];
    let mut rows = RowEncoder::new();
    for row in 0..64 {
        for column in 0..8 {
            let bytes = if row % 8 == column { 100_000 } else { 1 };
            rows.field(Some(&vec![b'a' + column as u8; bytes]));
        }
        rows.end_row();
    }
    let stream = [&HEADER[..], rows.rows(), &TRAILER].concat();
    let folder = folder(&types, &[stream], PlacementKind::Aligned, 8 << 20, 1 << 10);
    let chunks = Chunks::open(&folder.path().join("chunks")).unwrap();
    let reader = Reader::new(&DEVICE, &chunks, MEMORY, 1).unwrap();
    match to_table(&reader, "t", NumericAs::Fp64, 1, &mut |_| ()) {
        Err(GpuError::Wrong { section: 0 }) => assert!(DEVICE.is_software()),
        Err(error) => panic!("{error}"),
        Ok(ours) => {
            let theirs = on_processor(&chunks, "t", NumericAs::Fp64, &team(1)).unwrap();
            assert_eq!(pages(&ours.table), pages(&theirs.table));
        }
    }
}

/// Changes a byte of a folder's index or rows and makes checksums fit again, so that only the reader can find out.
fn damaged(path: &std::path::Path, byte: u64, mask: u8, is_index: bool) {
    if is_index {
        let file = path.join(INDEX_FILE);
        let mut bytes = fs::read(&file).unwrap();
        let body = bytes.len() - 4;
        // All but the name of the format.
        bytes[8 + byte as usize % (body - 8)] ^= mask;
        let crc = crc32fast::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(&crc.to_le_bytes());
        return fs::write(file, bytes).unwrap();
    }
    let mut manifest = Manifest::read(path).unwrap();
    let mut at = byte % manifest.used;
    let has = |section: &&mut Section| {
        let is_in = at < section.used;
        at -= if is_in { 0 } else { section.used };
        is_in
    };
    let section = manifest.sections.iter_mut().find(has).unwrap();
    let layout = manifest.layout;
    let file = path.join(chunk_file(layout.chunk_of(section.offset)));
    let start = (section.offset % layout.chunk_bytes) as usize;
    let mut bytes = fs::read(&file).unwrap();
    bytes[start + at as usize] ^= mask;
    let rows = &bytes[start..start + section.used as usize];
    section.crc32 = Crc(crc32fast::hash(rows));
    fs::write(file, bytes).unwrap();
    // The index is of the sections that the manifest has.
    let lags = fs::read(path.join(INDEX_FILE)).unwrap();
    manifest.write(path).unwrap();
    let mut all = crc32fast::Hasher::new();
    for section in &manifest.sections {
        all.update(&section.offset.to_le_bytes());
        all.update(&section.used.to_le_bytes());
        all.update(&section.crc32.0.to_le_bytes());
    }
    let mut index = lags[..lags.len() - 4].to_vec();
    index[12..16].copy_from_slice(&all.finalize().to_le_bytes());
    index.extend(crc32fast::hash(&index).to_le_bytes());
    fs::write(path.join(INDEX_FILE), index).unwrap();
}

/// Flips, `JOINERY_FLIPS` of them: each ends in one clean error or in the rows that are there, as on the processor.
#[test]
fn flipped_bytes_end_in_an_error_or_in_the_rows_that_are_there() {
    let flips = std::env::var("JOINERY_FLIPS").map_or(300, |n| n.parse().unwrap());
    let types = ["int4", "bool", "date", "text", "int8", "timestamp"];
    let good = folder(
        &types,
        &streams(&types, &[(0..60).collect(), (60..120).collect()]),
        PlacementKind::Aligned,
        4096,
        400,
    );
    let names = [
        "manifest.json".to_owned(),
        INDEX_FILE.to_owned(),
        chunk_file(0),
        chunk_file(1),
    ];
    let (mut errors, mut lies) = (0, 0);
    for flip in 0..flips {
        let folder = tempfile::tempdir().unwrap();
        for name in &names {
            fs::copy(
                good.path().join("chunks").join(name),
                folder.path().join(name),
            )
            .unwrap();
        }
        let byte = (flip + 1u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        // One bit, or several.
        let mask = match flip % 2 {
            0 => 1 << (byte % 8),
            _ => (byte >> 32) as u8 | 1,
        };
        damaged(folder.path(), byte, mask, flip % 3 == 0);
        let Ok(chunks) = Chunks::open(folder.path()) else {
            errors += 1;
            continue;
        };
        let reader = Reader::new(&DEVICE, &chunks, MEMORY, 1).unwrap();
        let found = to_table(&reader, "t", NumericAs::Fp64, 1, &mut |_| ());
        let unaided = Chunks::open_without_index(folder.path()).unwrap();
        let expected = unaided
            .verify(&team(1))
            .map_err(|error| error.to_string())
            .and_then(|_| {
                let paged = on_processor(&unaided, "t", NumericAs::Fp64, &team(1));
                paged.map_err(|error| error.to_string())
            });
        match (found, expected) {
            (Ok(ours), Ok(theirs)) => assert_eq!(pages(&ours.table), pages(&theirs.table)),
            (Err(GpuError::Chunks(ChunksError::Starts { .. })), Ok(_)) if flip % 3 == 0 => {
                lies += 1;
            }
            (Err(ours), Err(theirs)) => {
                assert_eq!(ours.to_string(), theirs);
                errors += 1;
            }
            (Err(error), Ok(_)) => panic!("flip {flip}: {error}"),
            (Ok(_), Err(error)) => panic!("flip {flip}: only the processor says {error}"),
        }
    }
    assert!(
        errors > flips / 10 && lies > flips / 20,
        "{errors} errors, {lies} lies of {flips}"
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let types = ["int4", "text"];
    let folder = folder(
        &types,
        &streams(&types, &[(0..99).collect()]),
        PlacementKind::Aligned,
        4096,
        400,
    );
    let path = folder.path().join("chunks");
    let chunks = Chunks::open(&path).unwrap();
    let few = Reader::new(&DEVICE, &chunks, 1000, 1).map(|_| ());
    assert!(matches!(few, Err(GpuError::TooLittle { .. })));
    assert!(matches!(
        Device::open(Some("no such")),
        Err(GpuError::NoSuchAdapter { .. })
    ));
    let device = Device::open(None).unwrap();
    let reader = Reader::new(&device, &chunks, MEMORY, 1).unwrap();
    device.lose();
    let lost = reader.read(&mut |_| ());
    assert!(matches!(lost, Err(GpuError::Lost(_))), "{lost:?}");
    // A bit that no checksum covers up.
    let file = path.join(chunk_file(0));
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let chunks = Chunks::open(&path).unwrap();
    let reader = Reader::new(&DEVICE, &chunks, MEMORY, 1).unwrap();
    let changed = reader.read(&mut |_| ());
    assert!(matches!(
        changed,
        Err(GpuError::Chunks(ChunksError::Changed { section: 0, .. }))
    ));
}

#[test]
fn code_of_kernels_is_counted_with_what_they_call() {
    let lines = |kernels: &[&str]| code_lines(kernels);
    assert_eq!(lines(&["no such"]), 0);
    // `swapped` is four lines and calls nothing.
    assert_eq!(lines(&["swapped"]), 4);
    assert_eq!(lines(&["big"]), 3 + 4 + lines(&["load"]));
    assert!(lines(&["count", "place"]) < lines(&["count_overlapped", "place_overlapped"]));
}
