//! What becomes of chunks: pages, one COPY file, and the repair of a stream without marks.

mod common;

use std::fs;

use aligned_ingest::framing::{Event, Framing, Limits};
use aligned_ingest::overlap::{Failures, Rule, TrueRow, measure, truth};
use aligned_ingest::pages::{NumericAs, PagesError, to_table};
use aligned_ingest::store::MappedStore;
use aligned_ingest::{
    Chunks, CompactError, Job, Layout, Manifest, Packed, PlacementKind, Sink, SourceColumn, Space,
    Writer, compact,
};
use common::{TestRow, plain_rows, stream};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Table, Value};

fn columns(types: &[&str]) -> Vec<SourceColumn> {
    let name = |(number, type_name): (usize, &&str)| SourceColumn {
        name: format!("c{number}"),
        type_name: (*type_name).to_owned(),
    };
    types.iter().enumerate().map(name).collect()
}

fn chunks(rows: &[Vec<TestRow>], types: &[&str], slot: u64, placement: PlacementKind) -> Chunks {
    let streams: Vec<_> = rows.iter().map(|rows| stream(rows, &[])).collect();
    let bytes = streams.iter().map(|s| s.len() as u64).sum();
    let workers = rows.len() as u32;
    let job = Job {
        source: "test".into(),
        columns: columns(types),
        layout: Layout::for_bytes(slot, 2, bytes, workers).unwrap(),
        placement,
        workers,
    };
    let work =
        |worker: u32, sink: &mut dyn Sink| sink.copy(&mut &streams[worker as usize][..]).map(drop);
    let (manifest, store) = job.load_in_memory(&work).unwrap();
    Chunks::in_memory(manifest, store)
}

/// One row of every type, and one of NULLs.
fn every_type() -> (Vec<TestRow>, Vec<&'static str>) {
    let fields: Vec<(&str, Vec<u8>)> = vec![
        ("int2", (-2i16).to_be_bytes().to_vec()),
        ("int4", i32::MIN.to_be_bytes().to_vec()),
        ("int8", i64::MAX.to_be_bytes().to_vec()),
        ("float4", 1.5f32.to_be_bytes().to_vec()),
        ("float8", (-0.1f64).to_be_bytes().to_vec()),
        ("numeric", vec![0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 13, 72]),
        ("bool", vec![1]),
        ("date", 1i32.to_be_bytes().to_vec()),
        ("timestamp", (-1i64).to_be_bytes().to_vec()),
        ("text", b"text".to_vec()),
        ("varchar", vec![]),
        ("bpchar", b"x  ".to_vec()),
    ];
    let types = fields.iter().map(|f| f.0).collect();
    let values: TestRow = fields.into_iter().map(|f| Some(f.1)).collect();
    let nulls = vec![None; values.len()];
    (vec![values, nulls], types)
}

fn row(table: &Table, row: u32) -> Vec<Value<'_>> {
    table
        .columns()
        .iter()
        .map(|column| column.column.value(row))
        .collect()
}

#[test]
fn every_type_becomes_what_the_documentation_says() {
    let (rows, types) = every_type();
    let chunks = chunks(&[rows], &types, 4096, PlacementKind::Aligned);
    let paged = to_table(&chunks, "t", NumericAs::Fp64, &Team::single()).unwrap();
    let expected = vec![
        Value::Int32(-2),
        Value::Int32(i32::MIN),
        Value::Int64(i64::MAX),
        Value::Fp64(1.5),
        Value::Fp64(-0.1),
        Value::Fp64(12.34),
        Value::Int32(1),
        Value::Int32(10_958),
        Value::Int64(946_684_800_000_000 - 1),
        Value::Varchar(b"text".into()),
        Value::Varchar(b"".into()),
        Value::Varchar(b"x  ".into()),
    ];
    assert_eq!(row(&paged.table, 0), expected);
    assert!(
        row(&paged.table, 1)
            .iter()
            .all(|value| *value == Value::Null)
    );
    assert!(paged.losses.is_empty());
    let paged = to_table(&chunks, "t", NumericAs::ScaledInt64(1), &Team::single()).unwrap();
    assert_eq!(row(&paged.table, 0)[5], Value::Int64(123));
    assert_eq!(paged.losses, [("c5".to_owned(), 1)]);
}

#[test]
fn workers_pages_hold_the_rows_in_order() {
    let row = |n: i32| {
        vec![
            Some(n.to_be_bytes().to_vec()),
            (n % 3 > 0).then(|| vec![b'x'; n as usize % 50]),
        ]
    };
    let rows: Vec<TestRow> = (0..20_000).map(row).collect();
    let chunks = chunks(&[rows], &["int4", "text"], 4096, PlacementKind::Aligned);
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 2, 5] {
        let team = Team::new(threads, ThreadStart::Fresh);
        let table = to_table(&chunks, "t", NumericAs::Fp64, &team)
            .unwrap()
            .table;
        assert!(
            table.columns()[0]
                .column
                .values()
                .eq((0..20_000).map(Value::Int32))
        );
        let path = folder.path().join(threads.to_string());
        table.write(&path).unwrap();
        let again = Table::open(&path).unwrap();
        let texts = again.columns()[1].column.values();
        assert!(texts.zip(0..).all(|(value, n)| match value {
            Value::Null => n % 3 == 0,
            Value::Varchar(text) => n % 3 > 0 && text.len() == n as usize % 50,
            _ => false,
        }));
    }
}

#[test]
fn what_cannot_become_pages_is_refused_by_name() {
    let rows = vec![vec![vec![Some(vec![0; 4]), Some(vec![0; 4])]; 100]];
    let refused = |types: &[&str], placement| {
        let chunks = chunks(&rows, types, 128, placement);
        to_table(&chunks, "t", NumericAs::Fp64, &Team::single()).unwrap_err()
    };
    let error = refused(&["int4", "jsonb"], PlacementKind::Aligned).to_string();
    assert!(error.starts_with("column \"c1\" has type jsonb"), "{error}");
    let error = refused(&["int4", "int8"], PlacementKind::Aligned).to_string();
    assert_eq!(
        error,
        "section 0, column \"c1\": 4 bytes where 8 were expected"
    );
    assert!(matches!(
        refused(&["int4", "int4"], PlacementKind::Packed),
        PagesError::Split { .. }
    ));
    assert!(matches!(
        refused(&[], PlacementKind::Aligned),
        PagesError::NoColumns
    ));
}

#[test]
fn a_compact_file_is_one_stream_of_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..3).map(|seed| plain_rows(400, 80, seed)).collect();
    for placement in [PlacementKind::Aligned, PlacementKind::PackedRows] {
        let chunks = chunks(&rows, &[], 4096, placement);
        let path = folder.path().join(placement.name());
        let bytes = compact(&chunks, &path).unwrap();
        let file = fs::read(&path).unwrap();
        assert_eq!(file.len() as u64, bytes);
        let sections = 0..chunks.manifest().sections.len();
        let whole = sections.flat_map(|number| chunks.section(number).bytes().to_vec());
        let ends = stream(&[], &[]);
        let (header, trailer) = ends.split_at(19);
        let expected: Vec<u8> = header.iter().copied().chain(whole).collect();
        assert!(file == [&expected, trailer].concat(), "in order");
        let mut framing = Framing::new(Limits::default());
        let (mut at, mut count) = (0, 0);
        while at < file.len() {
            let (taken, event) = framing.next(&file[at..]).unwrap();
            at += taken;
            count += u64::from(event == Some(Event::Row));
        }
        framing.finish().unwrap();
        assert_eq!(count, 1200);
        assert!(matches!(
            compact(&chunks, &path),
            Err(CompactError::Exists { .. })
        ));
    }
    let aligned = chunks(&rows, &[], 4096, PlacementKind::Aligned);
    let nowhere = folder.path().join("none/file");
    let error = compact(&aligned, &nowhere).unwrap_err().to_string();
    assert!(error.contains("none/file: "), "{error}");
    let packed = chunks(&rows, &[], 4096, PlacementKind::Packed);
    let path = folder.path().join("packed");
    assert!(matches!(
        compact(&packed, &path),
        Err(CompactError::Split { .. })
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// The bytes of chunks without their manifest, and the rows in them.
fn marked(chunks: &Chunks) -> (Vec<u8>, Vec<TrueRow>) {
    let bytes = chunks.bytes(0, chunks.manifest().reserved).into_owned();
    (bytes, truth(chunks))
}

/// 6,000 rows from four writers that `packed` in turn, so that the halves of split rows lie apart.
fn in_turn() -> Chunks {
    let layout = Layout::for_bytes(4096, 1, 1 << 21, 4).unwrap();
    let space = Space::new(layout, MappedStore::anonymous(layout).unwrap());
    let mut writers: Vec<_> = (0..4)
        .map(|worker| Writer::<Packed, _>::new(&space, worker, None))
        .collect();
    for round in 0..60 {
        for writer in &mut writers {
            let rows = stream(&plain_rows(25, 80, round), &[]);
            assert_eq!(writer.copy(&mut &rows[..]).unwrap(), 25);
        }
    }
    writers
        .iter_mut()
        .for_each(|writer| writer.flush().unwrap());
    let sections = writers
        .into_iter()
        .flat_map(Writer::into_sections)
        .collect();
    let reserved = space.reserved();
    let manifest = Manifest::new(
        "test".into(),
        Vec::new(),
        PlacementKind::Packed,
        layout,
        4,
        reserved,
        sections,
    );
    Chunks::in_memory(manifest, space.into_store())
}

fn rule(widths: bool, confirm: u32) -> Rule {
    Rule {
        fields: 3,
        widths: if widths {
            vec![Some(8), Some(4), None]
        } else {
            Vec::new()
        },
        row_bytes: 4096,
        confirm,
    }
}

#[test]
fn the_repair_works_where_rows_follow_one_another_and_not_where_flushes_split_them() {
    let one = chunks(&[plain_rows(3000, 80, 1)], &[], 4096, PlacementKind::Packed);
    let (bytes, starts) = marked(&one);
    // Short sections also end with fewer rows behind them than are asked for.
    for section in [1000, 60] {
        let failures = measure(&bytes, &starts, section, &rule(true, 3));
        assert_eq!(
            failures,
            Failures {
                sections: failures.sections,
                rows: 3000,
                ..Failures::default()
            }
        );
    }

    let many = in_turn();
    let (bytes, starts) = marked(&many);
    let failures = measure(&bytes, &starts, 4096, &rule(true, 3));
    assert!(
        failures.mangled > 50 && failures.wrong_sections > 50,
        "{failures:?}"
    );
    assert_eq!(failures.rows, 6000);
    // After a row that cannot be read the next ones are found.
    let long = measure(&bytes, &starts, 64 << 10, &rule(true, 3));
    assert!((1..100).contains(&long.lost), "{long:?}");
}

#[test]
fn widths_and_more_rows_tell_what_looks_like_a_row_from_one() {
    // A text that holds one row of the same fields, the first of them narrower, or no row after it.
    let like = |width: usize| {
        let row = vec![Some(vec![1; width]), None, Some(vec![2; 9])];
        let inner = [common::encode(&row), vec![0xee; 30]].concat();
        let row = vec![Some(vec![0; 8]), None, Some(inner)];
        marked(&chunks(
            &[vec![row; 50]],
            &[],
            64 << 10,
            PlacementKind::PackedRows,
        ))
    };
    let invented = |(bytes, starts): &(Vec<u8>, Vec<TrueRow>), rule: &Rule| {
        measure(bytes, starts, 60, rule).invented > 0
    };
    let (narrow, right) = (like(7), like(8));
    assert!(invented(&narrow, &rule(false, 1)) && !invented(&narrow, &rule(true, 1)));
    assert!(invented(&right, &rule(true, 1)) && !invented(&right, &rule(true, 2)));
}

#[test]
fn rows_inside_of_a_value_are_taken_for_rows() {
    // A text that holds what look like rows: nothing in the format tells them from rows.
    let inner: Vec<u8> = plain_rows(5, 20, 9)
        .iter()
        .flat_map(common::encode)
        .collect();
    let row = vec![Some(vec![0; 8]), None, Some(inner)];
    let chunks = chunks(&[vec![row; 50]], &[], 64 << 10, PlacementKind::PackedRows);
    let (bytes, starts) = marked(&chunks);
    let failures = measure(&bytes, &starts, 300, &rule(true, 3));
    assert!(failures.invented > 0, "{failures:?}");
}
