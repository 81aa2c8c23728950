//! Every placement, store and size of slot: what is split and what is not, and that every row comes out once.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use aligned_ingest::store::MappedStore;
use aligned_ingest::{
    Aligned, Chunks, Job, Layout, LoadError, Manifest, PlacementKind, RowIndex, Sink, Space,
    StoreKind, WriteError, run_workers,
};
use common::{Pieces, TestRow, encode, plain_rows, rows, stream};
use join_core::parallel::{Sharing, Team, ThreadStart};
use proptest::prelude::*;

fn job(placement: PlacementKind, slot: u64, chunks: u32, workers: u32, bytes: u64) -> Job {
    Job {
        source: "test".into(),
        columns: Vec::new(),
        layout: Layout::for_bytes(slot, chunks, bytes, workers).unwrap(),
        placement,
        workers,
        stride: RowIndex::DEFAULT_STRIDE,
    }
}

/// How often each row is found by a reader that is told where the first row of a section starts.
fn bag(chunks: &Chunks) -> BTreeMap<Vec<u8>, u64> {
    let team = Team::new(3, ThreadStart::Fresh);
    let maps = chunks
        .read(
            &team,
            Sharing::Counter,
            vec![BTreeMap::new(); 3],
            |bag, section| {
                for row in section.rows() {
                    *bag.entry(row?.bytes.to_vec()).or_insert(0) += 1;
                }
                Ok::<_, aligned_ingest::framing::FramingError>(())
            },
        )
        .unwrap();
    let mut all = BTreeMap::new();
    for (row, times) in maps.into_iter().flatten() {
        *all.entry(row).or_insert(0) += times;
    }
    all
}

fn expected(streams: &[Vec<TestRow>]) -> BTreeMap<Vec<u8>, u64> {
    let mut all = BTreeMap::new();
    for row in streams.iter().flatten() {
        *all.entry(encode(row)).or_insert(0) += 1;
    }
    all
}

fn load(job: &Job, streams: &[Vec<TestRow>], pieces: &[usize]) -> (Manifest, MappedStore) {
    let streams: Vec<_> = streams.iter().map(|rows| stream(rows, b"x")).collect();
    let work = |worker: u32, sink: &mut dyn Sink| {
        for stream in streams
            .iter()
            .skip(worker as usize)
            .step_by(job.workers as usize)
        {
            sink.copy(&mut Pieces::new(stream, pieces.to_vec()))?;
        }
        Ok(())
    };
    job.load_in_memory(&work).unwrap()
}

/// What must hold of any load.
fn check(job: &Job, streams: &[Vec<TestRow>], pieces: &[usize]) {
    let (manifest, store) = load(job, streams, pieces);
    let slot = job.layout.slot;
    let longest = streams
        .iter()
        .flatten()
        .map(|row| encode(row).len() as u64)
        .max()
        .unwrap_or(0);
    let bytes: u64 = streams
        .iter()
        .flatten()
        .map(|row| encode(row).len() as u64)
        .sum();
    assert_eq!(
        manifest.rows,
        streams.iter().map(Vec::len).sum::<usize>() as u64
    );
    assert_eq!(manifest.used, bytes);
    let mut last: BTreeMap<u32, &aligned_ingest::Section> = BTreeMap::new();
    for section in &manifest.sections {
        assert!(section.used <= slot);
        if job.placement == PlacementKind::Aligned {
            assert_eq!(section.offset % slot, 0);
        }
        let newest = last.entry(section.worker).or_insert(section);
        if section.offset > newest.offset {
            *newest = section;
        }
    }
    for section in &manifest.sections {
        // Only a worker's last flush may waste more than a row.
        if last[&section.worker] != section {
            assert!(section.used + longest > slot, "{section:?}");
        }
    }
    match job.placement {
        PlacementKind::Packed => assert_eq!(manifest.reserved, bytes),
        PlacementKind::Aligned => {
            assert_eq!(manifest.reserved, manifest.sections.len() as u64 * slot);
        }
        PlacementKind::PackedRows => {
            assert!(manifest.wasted() < slot * u64::from(job.layout.chunks));
        }
    }
    let chunks = Chunks::in_memory(manifest.clone(), store);
    let team = Team::new(2, ThreadStart::Fresh);
    assert_eq!(
        chunks.verify(&team).unwrap(),
        manifest.rows - manifest.split_rows
    );
    let (found, expected) = (bag(&chunks), expected(streams));
    if job.placement == PlacementKind::Packed {
        let found: u64 = found.values().sum();
        assert_eq!(found, manifest.rows - manifest.split_rows);
    } else {
        assert_eq!(manifest.split_rows, 0);
        assert_eq!(found, expected);
        // A file of rows that are whole can be read alone.
        for section in &manifest.sections {
            let chunk_of = |at: u64| at / job.layout.chunk_bytes;
            let last = section.offset + section.used - 1;
            assert_eq!(chunk_of(section.offset), chunk_of(last), "{section:?}");
        }
        // The tails of slots are zero.
        let mut end = 0;
        for section in &manifest.sections {
            assert!(
                chunks
                    .bytes(end, section.offset - end)
                    .iter()
                    .all(|&b| b == 0)
            );
            end = section.offset + section.used;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_comes_out_once(
        streams in prop::collection::vec(rows(3, 60), 1..6),
        slot in prop::sample::select(vec![1000u64, 4096, 65536]),
        workers in 1..5u32,
        chunks in 1..4u32,
        pieces in prop::collection::vec(1..600usize, 1..9),
    ) {
        let bytes = streams.iter().flatten().map(|row| encode(row).len() as u64).sum();
        for placement in PlacementKind::ALL {
            check(&job(placement, slot, chunks, workers, bytes), &streams, &pieces);
        }
    }
}

#[test]
fn large_runs_and_byte_by_byte() {
    let streams: Vec<_> = (0..4).map(|seed| plain_rows(2000, 150, seed)).collect();
    for placement in PlacementKind::ALL {
        for pieces in [vec![usize::MAX], vec![1], vec![8192], vec![100_000, 3]] {
            check(&job(placement, 64 << 10, 3, 3, 1 << 21), &streams, &pieces);
        }
    }
}

#[test]
fn packed_splits_rows_and_a_reader_that_does_not_know_loses_them() {
    let streams: Vec<_> = (0..4).map(|seed| plain_rows(1000, 150, seed)).collect();
    let (manifest, store) = load(
        &job(PlacementKind::Packed, 4096, 1, 4, 1 << 20),
        &streams,
        &[500],
    );
    assert!(manifest.split_rows > 100, "{}", manifest.split_rows);
    let chunks = Chunks::in_memory(manifest, store);
    let unaided: u64 = (0..chunks.manifest().sections.len())
        .map(|n| {
            chunks
                .section(n)
                .rows_unaided()
                .take_while(Result::is_ok)
                .count() as u64
        })
        .sum();
    assert!(unaided < chunks.manifest().rows / 2, "{unaided}");
}

#[test]
fn a_slot_of_4_kib_and_one_of_64_mib_hold_the_same_rows() {
    let streams: Vec<_> = (0..3).map(|seed| plain_rows(500, 100, seed)).collect();
    let bags: Vec<_> = [4096, 64 << 20]
        .into_iter()
        .map(|slot| {
            let (manifest, store) = load(
                &job(PlacementKind::Aligned, slot, 2, 3, 1 << 18),
                &streams,
                &[999],
            );
            bag(&Chunks::in_memory(manifest, store))
        })
        .collect();
    assert_eq!(bags[0], bags[1]);
    assert_eq!(bags[0], expected(&streams));
}

#[test]
fn files_and_mapped_files_hold_what_memory_holds() {
    let folder = tempfile::tempdir().unwrap();
    let rows = plain_rows(3000, 150, 1);
    let bytes = stream(&rows, &[]);
    for placement in PlacementKind::ALL {
        for store in [StoreKind::File, StoreKind::Mapped] {
            let path = folder.path().join(format!("{placement}-{store:?}"));
            let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &bytes[..]).map(drop);
            let job = job(placement, 8192, 3, 2, 1 << 20);
            let manifest = job.load(&path, store, &work).unwrap();
            assert_eq!(manifest.rows, 6000);
            let chunks = Chunks::open(&path).unwrap();
            assert_eq!(chunks.manifest(), &manifest);
            assert_eq!(
                chunks.verify(&Team::single()).unwrap(),
                6000 - manifest.split_rows
            );
            if placement != PlacementKind::Packed {
                assert_eq!(bag(&chunks), expected(&[rows.clone(), rows.clone()]));
            }
        }
    }
}

#[test]
fn tails_of_slots_take_no_room() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    // A row is 40 KB, so that more than a third of a slot of 64 KiB stays empty.
    let rows: Vec<TestRow> = (0..20).map(|_| vec![Some(vec![1; 40_000])]).collect();
    let bytes = stream(&rows, &[]);
    for store in [StoreKind::File, StoreKind::Mapped] {
        let path = folder.path().join(format!("{store:?}"));
        let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &bytes[..]).map(drop);
        job(PlacementKind::Aligned, 64 << 10, 1, 1, 1 << 20)
            .load(&path, store, &work)
            .unwrap();
        let file = fs::metadata(path.join("chunk-0000.rows")).unwrap();
        assert_eq!(file.len(), 19 * 65536 + 40_006);
        assert!(
            file.blocks() * 512 < 20 * 49152,
            "{store:?}: {}",
            file.blocks()
        );
    }
}

#[test]
fn a_row_larger_than_the_slot_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![vec![Some(vec![0; 10])], vec![Some(vec![0; 5000])]];
    let bytes = stream(&rows, &[]);
    let path = folder.path().join("out");
    let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &bytes[..]).map(drop);
    for placement in [PlacementKind::Aligned, PlacementKind::PackedRows] {
        let error = job(placement, 4096, 1, 1, 1 << 20)
            .load(&path, StoreKind::File, &work)
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("row of at least 5006 bytes where 4096 is the limit"),
            "{text}"
        );
        assert!(!path.exists());
    }
    // `packed` cuts it into pieces and says so.
    let manifest = job(PlacementKind::Packed, 4096, 1, 1, 1 << 20)
        .load(&path, StoreKind::File, &work)
        .unwrap();
    assert_eq!((manifest.rows, manifest.split_rows), (2, 1));
}

#[test]
fn a_worker_that_dies_leaves_its_slot_known_as_empty() {
    let rows = plain_rows(200, 100, 1);
    let bytes = stream(&rows, &[]);
    let layout = Layout::for_bytes(4096, 1, 1 << 20, 4).unwrap();
    for panics in [true, false] {
        let space = Space::new(layout, MappedStore::anonymous(layout).unwrap());
        let done = AtomicU32::new(0);
        let work = |worker: u32, sink: &mut dyn Sink| {
            if worker != 2 {
                let copied = sink.copy(&mut &bytes[..]).map(drop);
                done.fetch_add(1, Ordering::Relaxed);
                return copied;
            }
            // The others would be stopped by its end.
            while done.load(Ordering::Relaxed) < 3 {
                thread::yield_now();
            }
            // Half of its second slot is written when it dies.
            let cut = bytes.len().min(6000);
            let result = sink.copy(&mut &bytes[..cut]);
            assert!(!panics, "hit by a meteor");
            result.map(drop)
        };
        let outcomes = run_workers::<Aligned, _>(&space, 4, None, &work);
        let died: Vec<_> = outcomes.iter().map(|o| o.failure.is_some()).collect();
        assert_eq!(died, [false, false, true, false]);
        let text = outcomes[2].failure.as_ref().unwrap().to_string();
        assert!(
            text.contains(if panics { "hit by a meteor" } else { "cut off" }),
            "{text}"
        );
        assert_eq!(outcomes[2].sections.len(), 1);
        let reserved = space.reserved();
        let sections: Vec<_> = outcomes.into_iter().flat_map(|o| o.sections).collect();
        assert_eq!(reserved, (sections.len() as u64 + 1) * 4096);
        let manifest = Manifest::new(
            "test".into(),
            Vec::new(),
            PlacementKind::Aligned,
            layout,
            4,
            reserved,
            sections,
        );
        let chunks = Chunks::in_memory(manifest, space.into_store());
        let found = bag(&chunks);
        assert!(
            rows.iter()
                .all(|row| (3..=4).contains(&found[&encode(row)]))
        );
        assert_eq!(
            chunks.verify(&Team::single()).unwrap(),
            chunks.manifest().rows
        );
    }
}

#[test]
fn a_failed_load_leaves_nothing_and_says_which_worker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let bytes = stream(&plain_rows(100, 100, 1), &[]);
    let work = |worker: u32, sink: &mut dyn Sink| {
        assert!(worker != 1, "worker bug");
        sink.copy(&mut &bytes[..]).map(drop)
    };
    let job = job(PlacementKind::Aligned, 4096, 2, 3, 1 << 20);
    let error = job.load(&path, StoreKind::Mapped, &work).unwrap_err();
    assert_eq!(error.to_string(), "worker 1 died: worker bug");
    assert!(!path.exists());
}

#[test]
fn full_chunks_say_how_to_get_more() {
    let bytes = stream(&plain_rows(1000, 100, 1), &[]);
    for placement in PlacementKind::ALL {
        let mut job = job(placement, 4096, 2, 2, 0);
        job.layout = Layout::new(4096, 2, 8192).unwrap();
        let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &bytes[..]).map(drop);
        let error = job.load_in_memory(&work).map(drop).unwrap_err();
        assert!(matches!(
            error,
            LoadError::Worker {
                error: WriteError::Full(_),
                ..
            }
        ));
        assert!(error.to_string().contains("raise --chunk-size"), "{error}");
    }
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "x").unwrap();
    let work = |_: u32, _: &mut dyn Sink| Ok(());
    let job = job(PlacementKind::Aligned, 4096, 1, 1, 0);
    let error = job.load(folder.path(), StoreKind::File, &work).unwrap_err();
    assert!(matches!(error, LoadError::Exists { .. }), "{error}");
    assert!(folder.path().join("mine").exists());
}

#[test]
fn packed_rows_end_with_their_chunk() {
    // Two flushes fit into a chunk, and a tenth of one.
    let mut job = job(PlacementKind::PackedRows, 4096, 1, 1, 0);
    job.layout = Layout::new(4096, 32, 8192).unwrap();
    check(&job, &[vec![vec![Some(vec![7; 1000])]; 40]], &[1 << 20]);
}

#[test]
fn rows_that_fill_slots_leave_none_of_them_empty() {
    // 2 bytes of a row, 4 of its field and 58 of the value.
    let rows = [vec![vec![Some(vec![7; 58])]; 128]];
    for placement in [PlacementKind::Aligned, PlacementKind::PackedRows] {
        let (manifest, _) = load(&job(placement, 4096, 1, 1, 8192), &rows, &[1 << 20]);
        let used: Vec<u64> = manifest.sections.iter().map(|s| s.used).collect();
        assert_eq!(used, [4096, 4096]);
    }
}

/// A stream that a signal interrupts before each of its pieces.
struct Interrupted<'a>(Pieces<'a>, bool);

impl Read for Interrupted<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl BufRead for Interrupted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.1 = !self.1;
        match self.1 {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => self.0.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.0.consume(bytes);
    }
}

#[test]
fn a_signal_ends_no_load() {
    let bytes = stream(&plain_rows(100, 100, 1), &[]);
    let work = |_: u32, sink: &mut dyn Sink| {
        let pieces = Pieces::new(&bytes, vec![700]);
        sink.copy(&mut Interrupted(pieces, false)).map(drop)
    };
    let job = job(PlacementKind::Aligned, 4096, 1, 1, 1 << 20);
    assert_eq!(job.load_in_memory(&work).unwrap().0.rows, 100);
}

#[test]
fn a_manifest_that_cannot_be_written_leaves_nothing_beside_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("manifest.json");
    fs::create_dir(&there).unwrap();
    let rows = [plain_rows(10, 100, 1)];
    let (manifest, _) = load(
        &job(PlacementKind::Aligned, 4096, 1, 1, 8192),
        &rows,
        &[100],
    );
    let error = manifest.write(folder.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.json: "), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn no_rows_are_no_sections() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = stream(&[], &[]);
    let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &bytes[..]).map(drop);
    for (placement, store) in [
        (PlacementKind::Aligned, StoreKind::File),
        (PlacementKind::PackedRows, StoreKind::Mapped),
    ] {
        let path = folder.path().join(placement.name());
        job(placement, 4096, 2, 3, 0)
            .load(&path, store, &work)
            .unwrap();
        let chunks = Chunks::open(&path).unwrap();
        assert!(chunks.manifest().sections.is_empty());
        assert_eq!(chunks.verify(&Team::single()).unwrap(), 0);
    }
}

#[test]
fn chunks_that_were_tampered_with_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let bytes = stream(&plain_rows(100, 100, 1), &[]);
    let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &bytes[..]).map(drop);
    let job = job(PlacementKind::Aligned, 4096, 1, 1, 1 << 20);
    let manifest = job.load(&path, StoreKind::File, &work).unwrap();
    let verify = || {
        Chunks::open(&path)
            .and_then(|chunks| chunks.verify(&Team::single()))
            .unwrap_err()
            .to_string()
    };

    let file = path.join("chunk-0000.rows");
    let good = fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[5000] ^= 1;
    fs::write(&file, &bad).unwrap();
    assert!(
        verify().contains("section 1 (") && verify().contains("was changed"),
        "{}",
        verify()
    );
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(
        verify().contains("bytes where its manifest says"),
        "{}",
        verify()
    );
    fs::write(&file, &good).unwrap();

    let mut wrong = manifest.clone();
    wrong.sections[1].offset -= 4000;
    wrong.write(&path).unwrap();
    assert!(verify().contains("section 1 overlaps"), "{}", verify());
    let mut wrong = manifest.clone();
    wrong.sections[0].used = u64::MAX;
    wrong.write(&path).unwrap();
    assert!(verify().contains("section 0 has"), "{}", verify());
    type Change = fn(&mut Manifest);
    let wrong: [(&str, Change); 5] = [
        ("schema 2", |wrong| wrong.schema = 2),
        ("parts larger", |wrong| wrong.sections[0].head = 4097),
        // Beyond what was given away, empty, and more than a slot.
        ("section 1 has", |wrong| wrong.reserved = 8000),
        ("section 0 has", |wrong| wrong.sections[0].used = 0),
        ("section 0 has", |wrong| wrong.sections[0].used = 4097),
    ];
    for (said, change) in wrong {
        let mut wrong = manifest.clone();
        change(&mut wrong);
        wrong.write(&path).unwrap();
        assert!(verify().contains(said), "{}", verify());
    }
    let mut wrong = manifest.clone();
    wrong.rows += 1;
    wrong.write(&path).unwrap();
    assert!(verify().contains("totals"), "{}", verify());

    // Counts that nothing in the folder is in proportion to.
    let wrong: [(&str, Change); 4] = [
        ("1 lengths for 4194304 chunks", |wrong| {
            wrong.layout.chunks = 1 << 22;
        }),
        ("bytes are given away of", |wrong| wrong.reserved = u64::MAX),
        ("section 0 has", |wrong| {
            wrong.sections[0].rows = u64::MAX / 2
        }),
        ("section 1 has", |wrong| {
            wrong.sections[1].rows = wrong.sections[1].used / 2 + 1;
        }),
    ];
    for (said, change) in wrong {
        let mut wrong = manifest.clone();
        change(&mut wrong);
        wrong.write(&path).unwrap();
        assert!(verify().contains(said), "{}", verify());
    }
    // It is never opened: nobody writes into it.
    manifest.write(&path).unwrap();
    for name in ["chunk-0000.rows", "manifest.json"] {
        fs::remove_file(path.join(name)).unwrap();
        let name = std::ffi::CString::new(path.join(name).to_str().unwrap()).unwrap();
        // SAFETY: a system call that reads the name, which ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(
            verify().contains("is no regular file but a pipe"),
            "{}",
            verify()
        );
    }
    fs::remove_file(path.join("manifest.json")).unwrap();

    fs::write(path.join("manifest.json"), "{\"schema\": 1,").unwrap();
    assert!(verify().contains("manifest.json"), "{}", verify());
    fs::remove_file(path.join("manifest.json")).unwrap();
    assert!(
        verify().contains("no load into it was finished"),
        "{}",
        verify()
    );
}
