//! What becomes of chunks: pages, one COPY file, and the repair of a stream without marks.

mod common;

use std::fs;

use aligned_ingest::framing::{Event, Framing, Limits};
use aligned_ingest::overlap::{Failures, Rule, TrueRow, measure, truth};
use aligned_ingest::pages::{NumericAs, PagesError, to_table};
use aligned_ingest::store::{MappedStore, chunk_file};
use aligned_ingest::{
    Chunks, CompactError, Job, Layout, Manifest, Packed, PlacementKind, RowIndex, Sink,
    SourceColumn, Space, StoreKind, Writer, compact,
};
use common::{TestRow, plain_rows, stream};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Table, TableError, Value};

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
        stride: RowIndex::DEFAULT_STRIDE,
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
        "section 0, column \"c1\": 4 bytes where 8 were expected; was the manifest edited? load again"
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
fn two_columns_of_one_name_are_refused() {
    let rows = vec![vec![vec![Some(vec![0; 4]), Some(vec![0; 4])]; 3]];
    let source = chunks(&rows, &["int4", "int4"], 128, PlacementKind::Aligned);
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = source.manifest().clone();
    manifest.columns[1].name = "c0".into();
    manifest.write(folder.path()).unwrap();
    for (chunk, &length) in manifest.chunk_lengths.iter().enumerate() {
        let bytes = source.bytes(chunk as u64 * manifest.layout.chunk_bytes, length);
        fs::write(folder.path().join(chunk_file(chunk)), bytes).unwrap();
    }
    let twins = Chunks::open(folder.path()).unwrap();
    let error = to_table(&twins, "t", NumericAs::Fp64, &Team::single()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("two columns are named \"c0\";"),
        "{error}"
    );
}

/// A field of a type, alone in its row.
fn one(type_name: &str, bytes: Vec<u8>, numeric: NumericAs) -> Result<Value<'static>, String> {
    let chunks = chunks(
        &[vec![vec![Some(bytes)]]],
        &[type_name],
        4096,
        PlacementKind::Aligned,
    );
    let table = to_table(&chunks, "t", numeric, &Team::single()).map_err(|e| e.to_string())?;
    Ok(match row(&table.table, 0)[0] {
        Value::Int32(value) => Value::Int32(value),
        Value::Int64(value) => Value::Int64(value),
        Value::Fp64(value) => Value::Fp64(value),
        ref other => panic!("{other:?}"),
    })
}

#[test]
fn what_pages_do_not_hold_is_refused_with_a_way_out() {
    let numeric = |weight: u8, sign: u8, digits: &[u8]| -> Vec<u8> {
        let head = [0, digits.len() as u8 / 2, 0, weight, sign, 0, 0, 0];
        [&head[..], digits].concat()
    };
    let (fp64, scaled) = (NumericAs::Fp64, NumericAs::ScaledInt64(2));
    let (days, microseconds) = (10_957, 946_684_800_000_000);
    let date = |days: i32| ("date", days.to_be_bytes().to_vec(), fp64);
    let time = |time: i64| ("timestamptz", time.to_be_bytes().to_vec(), fp64);
    for (type_name, bytes, numeric, said) in [
        (
            "numeric",
            numeric(100, 0, &[0, 1]),
            fp64,
            "1e400 does not fit into FP64",
        ),
        (
            "numeric",
            numeric(100, 0x40, &[0, 1]),
            fp64,
            "-1e400 does not fit into FP64",
        ),
        (
            "numeric",
            numeric(5, 0, &[0, 1]),
            scaled,
            "1e20 does not fit into INT64 with 2 decimals",
        ),
        (
            "numeric",
            numeric(0, 0xc0, &[]),
            scaled,
            "NaN does not fit into INT64",
        ),
        (
            "numeric",
            numeric(0, 0xd0, &[]),
            scaled,
            "Infinity does not fit into INT64",
        ),
        (
            "numeric",
            numeric(0, 0xf0, &[]),
            scaled,
            "-Infinity does not fit into INT64",
        ),
    ]
    .into_iter()
    .chain(
        [
            (time(i64::MAX - 1), "a timestamp does not fit into INT64"),
            (
                time(i64::MAX - microseconds + 1),
                "a timestamp does not fit into INT64",
            ),
            // Would be infinity.
            (
                time(i64::MAX - microseconds),
                "a timestamp does not fit into INT64",
            ),
            (date(i32::MAX - 1), "a date does not fit into INT32"),
            (date(i32::MAX - days), "a date does not fit into INT32"),
        ]
        .map(|((type_name, bytes, numeric), said)| (type_name, bytes, numeric, said)),
    ) {
        let error = one(type_name, bytes, numeric).unwrap_err();
        assert!(error.contains(said), "{error}");
        assert!(
            error.contains("with --query") && error.contains("column \"c0\""),
            "{error}"
        );
    }
    for ((type_name, bytes, numeric), value) in [
        (time(i64::MAX), Value::Int64(i64::MAX)),
        (time(i64::MIN), Value::Int64(i64::MIN)),
        (
            time(i64::MAX - microseconds - 1),
            Value::Int64(i64::MAX - 1),
        ),
        (date(i32::MAX), Value::Int32(i32::MAX)),
        (date(i32::MIN), Value::Int32(i32::MIN)),
        (date(i32::MAX - days - 1), Value::Int32(i32::MAX - 1)),
        (
            ("numeric", numeric(0, 0xd0, &[]), fp64),
            Value::Fp64(f64::INFINITY),
        ),
    ] {
        assert_eq!(one(type_name, bytes, numeric), Ok(value));
    }
}

#[test]
fn a_type_with_a_schema_is_none_of_the_servers_own() {
    for name in ["public.int4", "case_s.timestamp", "a.b.text", ".int4"] {
        let error = one(name, vec![0; 4], NumericAs::Fp64).unwrap_err();
        assert!(
            error.starts_with(&format!("column \"c0\" has type {name}")),
            "{error}"
        );
    }
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
            Err(CompactError::File(TableError::Exists { .. }))
        ));
    }
    let aligned = chunks(&rows, &[], 4096, PlacementKind::Aligned);
    fs::write(folder.path().join("taken"), "").unwrap();
    let nowhere = folder.path().join("taken/file");
    let error = compact(&aligned, &nowhere).unwrap_err().to_string();
    assert!(error.contains("taken/file: "), "{error}");
    let packed = chunks(&rows, &[], 4096, PlacementKind::Packed);
    let path = folder.path().join("packed");
    assert!(matches!(
        compact(&packed, &path),
        Err(CompactError::Split { .. })
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

/// Chunks, and the rows in them.
fn marked(chunks: Chunks) -> (Chunks, Vec<TrueRow>) {
    let rows = truth(&chunks);
    (chunks, rows)
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
        .flat_map(|writer| writer.into_sections().0)
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
    let (one, starts) = marked(one);
    // Short sections also end with fewer rows behind them than are asked for.
    for section in [1000, 60] {
        let failures = measure(&one, &starts, section, &rule(true, 3));
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
    let (many, starts) = marked(many);
    let failures = measure(&many, &starts, 4096, &rule(true, 3));
    assert!(
        failures.mangled > 50 && failures.wrong_sections > 50,
        "{failures:?}"
    );
    assert_eq!(failures.rows, 6000);
    // After a row that cannot be read the next ones are found.
    let long = measure(&many, &starts, 64 << 10, &rule(true, 3));
    assert!((1..100).contains(&long.lost), "{long:?}");
}

/// Chunks in files end at their last section, the addresses given away do not.
#[test]
fn the_repair_reads_over_what_is_empty() {
    let streams: Vec<_> = (0..3)
        .map(|n| stream(&plain_rows(n * 40 + 1, 80, 1), &[]))
        .collect();
    let work =
        |worker: u32, sink: &mut dyn Sink| sink.copy(&mut &streams[worker as usize][..]).map(drop);
    let temporary = tempfile::tempdir().unwrap();
    for chunk_bytes in [4096, 16 << 10] {
        let job = Job {
            source: "test".into(),
            columns: columns(&["int8", "int4", "text"]),
            layout: Layout::new(4096, 8, chunk_bytes).unwrap(),
            placement: PlacementKind::Aligned,
            workers: 3,
            stride: RowIndex::DEFAULT_STRIDE,
        };
        let folder = temporary.path().join(chunk_bytes.to_string());
        let manifest = job.load(&folder, StoreKind::File, &work).unwrap();
        assert!(manifest.chunk_lengths.iter().sum::<u64>() < manifest.reserved);
        let chunks = Chunks::open(&folder).unwrap();
        let rows = truth(&chunks);
        for section in [100, 5000, 1 << 40] {
            for rule in [rule(true, 1), rule(true, 3)] {
                let failures = measure(&chunks, &rows, section, &rule);
                assert_eq!((failures.rows, failures.mangled), (123, 0));
                // A reader who starts just before what is empty has too few rows to be sure.
                if section == 100 && rule.confirm == 1 {
                    assert_eq!((failures.lost, failures.invented), (0, 0));
                    let last = manifest.sections.last().unwrap();
                    let sections = (last.offset + last.used).div_ceil(section);
                    assert_eq!(failures.sections, sections);
                }
            }
        }
    }
}

#[test]
fn widths_and_more_rows_tell_what_looks_like_a_row_from_one() {
    // A text that holds one row of the same fields, the first of them narrower, or no row after it.
    let like = |width: usize| {
        let row = vec![Some(vec![1; width]), None, Some(vec![2; 9])];
        let inner = [common::encode(&row), vec![0xee; 30]].concat();
        let row = vec![Some(vec![0; 8]), None, Some(inner)];
        marked(chunks(
            &[vec![row; 50]],
            &[],
            64 << 10,
            PlacementKind::PackedRows,
        ))
    };
    let invented = |(chunks, starts): &(Chunks, Vec<TrueRow>), rule: &Rule| {
        measure(chunks, starts, 60, rule).invented > 0
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
    let (chunks, starts) = marked(chunks);
    let failures = measure(&chunks, &starts, 300, &rule(true, 3));
    assert!(failures.invented > 0, "{failures:?}");
}
