//! From rows to pages and back.

use join_core::page::Page;
use join_core::table::{Column, PageOffsets};
use proptest::prelude::*;

/// Pages of these row counts, all rows NULL; 0xffff and 0xfffe make pages of long strings.
fn pages(rows: &[u16]) -> Vec<Page> {
    let page = |&rows: &u16| {
        let mut page = Page::EMPTY;
        page.set_header(rows, 0);
        page
    };
    rows.iter().map(page).collect()
}

fn offsets_of(pages: &[Page]) -> PageOffsets {
    PageOffsets::from_row_counts(pages.iter().map(Page::rows)).expect("few rows")
}

/// Every row in order, by walking over the pages.
fn walk(offsets: &PageOffsets) -> Vec<(usize, usize)> {
    let starts = offsets.starts();
    let slots =
        |page: usize| (0..starts[page + 1] - starts[page]).map(move |slot| (page, slot as usize));
    (0..starts.len() - 1).flat_map(slots).collect()
}

fn check(pages: &[Page]) {
    let offsets = offsets_of(pages);
    let all = walk(&offsets);
    assert_eq!(offsets.row_count() as usize, all.len());
    for (row, place) in all.iter().enumerate() {
        assert_eq!(offsets.locate(row as u32), *place);
    }
}

proptest! {
    #[test]
    fn pages_of_any_size(
        rows in proptest::collection::vec(
            prop_oneof![4 => 0u16..50, 1 => Just(0xffff), 1 => Just(0xfffe)], 0..40),
    ) {
        check(&pages(&rows));
    }

    #[test]
    fn pages_of_one_size_but_for_the_last(
        size in 1u16..40, full in 0usize..40, last in 0u16..40
    ) {
        let mut rows = vec![size; full];
        rows.push(last);
        check(&pages(&rows));
    }
}

#[test]
fn no_pages_and_no_rows() {
    for pages in [pages(&[]), pages(&[0]), pages(&[0, 0, 0xfffe])] {
        let offsets = offsets_of(&pages);
        assert_eq!(offsets.row_count(), 0);
        assert_eq!(offsets.starts().len(), pages.len() + 1);
    }
}

#[test]
fn the_largest_row_ids() {
    // 65504 rows a page, all NULL: the last page brings the rows to u32::MAX exactly.
    let full = 65_568;
    let last = u32::MAX - full * 65_504;
    let mut rows = vec![65_504; full as usize];
    rows.push(last as usize);
    let offsets = PageOffsets::from_row_counts(rows.iter().copied()).expect("just as many");
    assert_eq!(offsets.row_count(), u32::MAX);
    rows.push(1);
    assert!(PageOffsets::from_row_counts(rows.into_iter()).is_none());
    for row in [
        0,
        65_503,
        65_504,
        1 << 31,
        u32::MAX - last - 1,
        u32::MAX - last,
        u32::MAX - 1,
    ] {
        assert_eq!(
            offsets.locate(row),
            ((row / 65_504) as usize, (row % 65_504) as usize)
        );
    }
}

#[test]
fn a_column_of_several_pages() {
    let column = Column::from_i32(&(0..5000).collect::<Vec<_>>());
    let paged = column.paged();
    let offsets = paged.offsets();
    assert_eq!(offsets.starts(), [0, 1984, 3968, 5000]);
    assert_eq!(offsets.locate(1983), (0, 1983));
    assert_eq!(offsets.locate(1984), (1, 0));
    assert_eq!(offsets.locate(4999), (2, 1031));
}

#[test]
#[should_panic(expected = "no row 2 of 2")]
fn a_row_beyond_the_end() {
    Column::from_i32(&[1, 2]).paged().offsets().locate(2);
}
