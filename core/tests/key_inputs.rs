//! Key inputs against a plain `Vec<Option<_>>`: lookups by row, and every way of reading keys in blocks (R1.1, R1.2).

use join_core::input::{
    BlockRows, KeyBlock, KeyColumn, KeySource, Materialised, OwnedBlock, StreamSource,
};
use join_core::key::Key;
use join_core::memory::Memory;
use join_core::page::{FixedWriter, Page};
use join_core::parallel::{Division, MorselSize, Sharing, Team, ThreadStart};
use join_core::table::Column;
use proptest::prelude::*;
use proptest::sample::select;

/// Rows by page: pages of any fill, empty ones among them, of no NULLs, some, or NULLs alone.
fn pages() -> impl Strategy<Value = Vec<Vec<Option<i64>>>> {
    let page = (
        select(vec![0, 0, 0, 30, 90, 100]),
        select(vec![0, 1, 2, 7, 50, 300]),
    )
        .prop_flat_map(|(percent, most)| {
            let row = (0..100, any::<i64>());
            let row = row.prop_map(move |(draw, value)| (draw >= percent).then_some(value));
            proptest::collection::vec(row, 0..=most)
        });
    proptest::collection::vec(page, 0..8)
}

/// The column of these pages, and its rows.
fn column<K: Key>(
    pages: &[Vec<Option<i64>>],
    narrow: impl Fn(i64) -> K,
) -> (Column, Vec<Option<K>>) {
    let mut rows = Vec::new();
    let mut written = Vec::new();
    for page in pages {
        let mut writer = FixedWriter::<K>::new();
        for &row in page {
            let row = row.map(&narrow);
            writer.push(row);
            rows.push(row);
        }
        let before = written.len();
        written.extend(writer.finish());
        if written.len() == before {
            written.push(Page::EMPTY);
        }
    }
    let column = Column::from_pages(K::DATA_TYPE, written).expect("valid pages");
    (column, rows)
}

/// The keys of `rows` with their rows.
fn keys<K: Key>(rows: &[Option<K>]) -> Vec<(u32, K)> {
    let numbered = (0..).zip(rows);
    numbered
        .filter_map(|(row, &key)| Some((row, key?)))
        .collect()
}

/// Checks that `block` is one, and appends its keys.
fn take<K: Key>(block: KeyBlock<'_, K>, taken: &mut Vec<(u32, K)>) {
    assert!(!block.keys.is_empty(), "a block has a key");
    if let BlockRows::List(rows) = block.rows {
        assert_eq!(rows.len(), block.keys.len(), "a row for every key");
    }
    let before = taken.len();
    block.for_each(|key, row| taken.push((row, key)));
    let mut chunked = Vec::new();
    for chunk in block.chunks(7) {
        assert!(chunk.keys.len() <= 7);
        chunk.for_each(|key, row| chunked.push((row, key)));
    }
    assert_eq!(taken[before..], chunked, "a block and its chunks");
}

/// Reads a source with a worker each, and returns what each has read, in order.
fn read<K: Key>(
    source: &dyn KeySource<K>,
    team: &Team,
    sharing: Sharing,
    morsel: MorselSize,
) -> Vec<Vec<(u32, K)>> {
    let cursors = source.cursors(Division {
        workers: team.threads(),
        sharing,
        morsel,
    });
    assert_eq!(cursors.len(), team.threads(), "a cursor for every worker");
    team.run(cursors, |_, mut cursor| {
        let mut taken = Vec::new();
        while let Some(block) = cursor.next_block() {
            take(block, &mut taken);
        }
        assert!(cursor.next_block().is_none(), "an end that stays");
        taken
    })
}

fn sorted<K: Key>(shares: &[Vec<(u32, K)>]) -> Vec<(u32, K)> {
    let mut all = shares.concat();
    all.sort_unstable();
    all
}

fn check<K: Key>(
    pages: &[Vec<Option<i64>>],
    narrow: impl Fn(i64) -> K,
    team: &Team,
    sharing: Sharing,
    morsel: MorselSize,
) {
    let (column, rows) = column(pages, narrow);
    let expected = keys(&rows);
    let zero_copy = KeyColumn::<K>::new(&column).expect("a column of such keys");
    assert_eq!(zero_copy.len(), rows.len());
    assert_eq!(zero_copy.is_empty(), rows.is_empty());
    assert_eq!(zero_copy.keys(), expected.len());
    assert_eq!(zero_copy.has_nulls(), expected.len() < rows.len());
    for (row, &key) in (0..).zip(&rows) {
        assert_eq!(zero_copy.key(row), key, "row {row}");
    }
    let copy = Materialised::new(&zero_copy, team, &Memory::unlimited()).expect("unlimited");
    let stream = StreamSource(|index: usize, block: &mut OwnedBlock<K>| {
        let Some(part) = expected.chunks(5).nth(index) else {
            return false;
        };
        block.rows.extend(part.iter().map(|(row, _)| *row));
        block.keys.extend(part.iter().map(|(_, key)| *key));
        true
    });
    assert_eq!(KeySource::<K>::rows(&zero_copy), Some(rows.len()));
    assert_eq!(KeySource::<K>::rows(&copy), Some(rows.len()));
    assert_eq!(KeySource::<K>::rows(&stream), None);
    let again: [&dyn KeySource<K>; 2] = [&zero_copy, &copy];
    for source in again {
        let shares = read(source, team, sharing, morsel);
        assert_eq!(sorted(&shares), expected, "every key once");
        for share in &shares {
            // Stolen morsels come out of order, their own never.
            if sharing != Sharing::Deques {
                assert!(share.is_sorted(), "a worker reads in input order");
            }
        }
        if sharing == Sharing::Static {
            let second = read(source, team, sharing, morsel);
            assert_eq!(shares, second, "static shares are the same each time");
        }
    }
    assert_eq!(sorted(&read(&stream, team, sharing, morsel)), expected);
    let third = rows.len() / 3;
    for range in [0..third, third..third, third..rows.len()] {
        let slice = zero_copy.slice(range.clone());
        assert_eq!(KeySource::<K>::rows(&slice), Some(range.len()));
        let within = expected.iter().copied();
        let within: Vec<_> = within
            .filter(|(row, _)| range.contains(&(*row as usize)))
            .collect();
        assert_eq!(sorted(&read(&slice, team, sharing, morsel)), within);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_source_yields_every_key_once(
        pages in pages(),
        threads in select(vec![1, 2, 3, 5]),
        sharing in select(vec![Sharing::Counter, Sharing::Deques, Sharing::Static]),
        morsel in select(vec![
            MorselSize::Contest,
            MorselSize::Units(1),
            MorselSize::Units(7),
            MorselSize::Units(64),
            MorselSize::Units(1 << 16),
            MorselSize::Units(usize::MAX),
        ]),
    ) {
        let team = Team::new(threads, ThreadStart::Fresh).parallel_from(0);
        check::<i32>(&pages, |value| value as i32, &team, sharing, morsel);
        check::<i64>(&pages, |value| value, &team, sharing, morsel);
    }
}

#[test]
fn a_column_of_another_type_is_refused() {
    let column = Column::from_i32(&[1, 2]);
    assert!(KeyColumn::<i64>::new(&column).is_none());
    let strings = Column::from_strings([Some("1")]);
    assert!(KeyColumn::<i32>::new(&strings).is_none());
}

#[test]
#[should_panic(expected = "no row 2 of 2")]
fn a_row_beyond_the_end_is_refused() {
    let column = Column::from_i32(&[1, 2]);
    KeyColumn::<i32>::new(&column).expect("INT32").key(2);
}

#[test]
fn a_page_of_nulls_alone_yields_nothing() {
    let column = Column::from_i32_options(vec![None; 40_000]);
    let keys = KeyColumn::<i32>::new(&column).expect("INT32");
    assert_eq!((keys.len(), keys.keys()), (40_000, 0));
    let team = Team::single();
    let shares = read(&keys, &team, Sharing::Counter, MorselSize::Contest);
    assert!(shares.concat().is_empty());
    let copy = Materialised::new(&keys, &team, &Memory::unlimited()).expect("unlimited");
    assert!(
        read(&copy, &team, Sharing::Counter, MorselSize::Contest)
            .concat()
            .is_empty()
    );
}
