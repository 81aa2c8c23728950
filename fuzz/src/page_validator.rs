//! Arbitrary bytes as the pages of a column. What the validator accepts must be readable in every way
//! and mean what the format says, what it refuses must be described in one line, and the page readers
//! must cope with either.

#![no_main]

use join_core::checksum::RowHasher;
use join_core::page::{DataType, PAGE_BYTES, Page, PageKind, validate};
use join_core::table::{Column, ColumnBuilder, Value};
use libfuzzer_sys::fuzz_target;

/// More pages than this only make the fuzzer slower.
const MOST_PAGES: usize = 4;

/// An input is a type, a number of pages, and a list of runs: a two-byte place, a length byte, and the
/// bytes that stand there; all else is zero. So a short input reaches headers, offsets and bitmaps
/// without spelling out what lies between them.
fn pages(input: &[u8]) -> Option<(DataType, Vec<Page>)> {
    let [data_type, count, input @ ..] = input else {
        return None;
    };
    let mut pages = vec![Page::EMPTY; usize::from(*count) % (MOST_PAGES + 1)];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut pages);
    let mut input = input;
    while let [low, high, length, rest @ ..] = input {
        let at = usize::from(u16::from_le_bytes([*low, *high]));
        let (run, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        for (place, byte) in bytes.iter_mut().skip(at).zip(run) {
            *place = *byte;
        }
        input = rest;
    }
    let data_type = DataType::ALL[usize::from(*data_type) % DataType::ALL.len()];
    Some((data_type, pages))
}

/// Calls every reader of a page. None may panic, whatever the bytes are.
fn read(page: &Page) {
    let validity = page.validity();
    assert_eq!(validity.valid_rows().count(), validity.count());
    assert_eq!(page.fixed_rows::<i32>().count(), validity.rows());
    assert_eq!(page.fixed_rows::<i64>().count(), validity.rows());
    assert_eq!(page.fixed_rows::<f64>().count(), validity.rows());
    assert_eq!(page.strings().iter().count(), page.strings().len());
    assert!(page.long_bytes().len() < PAGE_BYTES);
}

/// Checks what the format promises of a page that the validator accepted.
fn check(data_type: DataType, page: &Page) {
    if page.kind() != PageKind::Plain {
        assert_eq!(data_type, DataType::Varchar);
        assert_eq!(page.long_bytes().len(), usize::from(page.header().1));
        return;
    }
    assert_eq!(page.validity().rows(), page.rows());
    assert_eq!(page.validity().count(), page.values());
    assert_eq!(page.has_nulls(), page.values() < page.rows());
    match data_type {
        DataType::Int32 => assert_eq!(page.fixed::<i32>().len(), page.values()),
        DataType::Int64 => assert_eq!(page.fixed::<i64>().len(), page.values()),
        DataType::Fp64 => assert_eq!(page.fixed::<f64>().len(), page.values()),
        DataType::Varchar => {
            let strings = page.strings();
            assert_eq!(strings.len(), page.values());
            let mut start = 0;
            for (string, &end) in strings.iter().zip(strings.ends()) {
                assert_eq!(string.len(), usize::from(end - start));
                start = end;
            }
        }
    }
}

fn hash(value: Value<'_>) -> u64 {
    let mut row = RowHasher::new();
    row.value(&value);
    row.finish()
}

fuzz_target!(|input: &[u8]| {
    let Some((data_type, pages)) = pages(input) else {
        return;
    };
    pages.iter().for_each(read);
    let column = match Column::from_pages(data_type, pages) {
        Ok(column) => column,
        Err(error) => return assert!(!error.to_string().contains('\n')),
    };
    column
        .pages()
        .iter()
        .for_each(|page| check(data_type, page));

    let paged = column.paged();
    let offsets = paged.offsets();
    assert_eq!(column.row_count(), u64::from(offsets.row_count()));
    for row in (0..offsets.row_count()).step_by(101) {
        let (page, slot) = offsets.locate(row);
        column.value_at(page, slot);
    }

    // Written again by our own writer, the rows are the same; by their hashes, because NaN is not equal
    // to itself.
    let mut rewritten = ColumnBuilder::new(data_type);
    for value in column.values() {
        rewritten
            .push(&value)
            .expect("a value of the column's type");
    }
    let rewritten = rewritten.finish();
    validate(data_type, rewritten.pages()).expect("our own pages");
    assert!(rewritten.values().map(hash).eq(column.values().map(hash)));
});
