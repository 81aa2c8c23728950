//! Rows in, pages, the same rows out; and each page as full as it can be.

use join_core::page::{DataType, Fixed, Page, PageKind, validate};
use join_core::table::{Column, ColumnBuilder, Value};
use proptest::prelude::*;
use proptest::sample::select;

/// Up to `most` rows of which 0, 1, 50, 99 or 100 % are NULL.
fn with_nulls<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T> + Clone,
    most: usize,
) -> impl Strategy<Value = Vec<Option<T>>> {
    select(vec![0, 1, 50, 99, 100]).prop_flat_map(move |percent| {
        let row = (0..100, value.clone());
        let row = row.prop_map(move |(draw, value)| (draw >= percent).then_some(value));
        proptest::collection::vec(row, 0..=most)
    })
}

/// Checks that `pages` are valid and hold `rows` both in sequence and at random.
fn check_fixed<T: Fixed>(rows: &[Option<T>], column: &Column, to_bits: impl Fn(T) -> u64) {
    let bits = |rows: &mut dyn Iterator<Item = Option<T>>| -> Vec<Option<u64>> {
        rows.map(|row| row.map(&to_bits)).collect()
    };
    let counts = validate(T::DATA_TYPE, column.pages()).expect("our own pages follow the format");
    assert_eq!(counts.rows, rows.len() as u64);
    assert_eq!(column.row_count(), rows.len() as u64);
    assert_eq!(column.has_nulls(), rows.iter().any(Option::is_none));
    let read = bits(&mut column.pages().iter().flat_map(Page::fixed_rows::<T>));
    assert_eq!(read, bits(&mut rows.iter().copied()));

    let paged = column.paged();
    let offsets = paged.offsets();
    for row in (0..rows.len()).step_by(97) {
        let (page, slot) = offsets.locate(row as u32);
        let page = &column.pages()[page];
        let validity = page.validity();
        let value = validity
            .is_valid(slot)
            .then(|| page.fixed::<T>()[validity.rank(slot)]);
        assert_eq!(value.map(&to_bits), rows[row].map(&to_bits));
    }
}

fn check_strings(rows: &[Option<Vec<u8>>], column: &Column) {
    let counts =
        validate(DataType::Varchar, column.pages()).expect("our own pages follow the format");
    assert_eq!(counts.rows, rows.len() as u64);
    assert_eq!(counts.values, rows.iter().flatten().count() as u64);
    let expected = |row: &Option<Vec<u8>>| match row {
        Some(string) => Value::Varchar(string.clone().into()),
        None => Value::Null,
    };
    assert!(column.values().eq(rows.iter().map(expected)));
    for row in (0..rows.len()).step_by(13) {
        assert_eq!(column.value(row as u32), expected(&rows[row]));
    }
}

/// Whether the first row of each plain page would not have fitted into the page before.
fn is_tight(column: &Column) -> bool {
    let bytes = |value: Value<'_>| match value {
        Value::Null => 0,
        Value::Int32(_) => 4,
        Value::Int64(_) | Value::Fp64(_) => 8,
        Value::Varchar(string) => 2 + string.len(),
    };
    let values_at = match column.data_type() {
        DataType::Int32 | DataType::Varchar => 4,
        DataType::Int64 | DataType::Fp64 => 8,
    };
    let pages = column.pages();
    (1..pages.len())
        .filter(|&page| {
            let pair = [&pages[page - 1], &pages[page]];
            pair.iter().all(|page| page.kind() == PageKind::Plain)
        })
        .all(|page| {
            let rows = pages[page - 1].rows();
            let of_row = |slot| bytes(column.value_at(page - 1, slot));
            let used = values_at + (0..rows).map(of_row).sum::<usize>();
            used + bytes(column.value_at(page, 0)) + (rows + 1).div_ceil(8) > 8192
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn int32(rows in with_nulls(any::<i32>(), 9000)) {
        let column = Column::from_i32_options(rows.iter().copied());
        check_fixed(&rows, &column, |value| value as u64);
        prop_assert!(is_tight(&column));
    }

    #[test]
    fn int64(rows in with_nulls(any::<i64>(), 5000)) {
        let column = Column::from_options(rows.iter().copied());
        check_fixed(&rows, &column, |value| value as u64);
        prop_assert!(is_tight(&column));
    }

    #[test]
    fn fp64(rows in with_nulls(any::<u64>().prop_map(f64::from_bits), 5000)) {
        let column = Column::from_options(rows.iter().copied());
        check_fixed(&rows, &column, f64::to_bits);
    }

    #[test]
    fn varchar(rows in with_nulls(
        prop_oneof![
            8 => (0usize..200).boxed(),
            1 => Just(0usize).boxed(),
            1 => select(vec![8183usize, 8184, 8185, 8186, 8187, 8188, 8189, 16376, 16377, 30000]).boxed(),
        ].prop_flat_map(|bytes| any::<u8>().prop_map(move |byte| {
            (0..bytes).map(|at| byte.wrapping_add(at as u8)).collect::<Vec<u8>>()
        })).boxed(), 300))
    {
        let column = Column::from_strings(rows.iter().map(Option::as_deref));
        check_strings(&rows, &column);
        prop_assert!(is_tight(&column));
    }

    #[test]
    fn rank_and_valid_rows_agree_with_the_bits(rows in with_nulls(any::<i32>(), 1984)) {
        let column = Column::from_i32_options(rows.iter().copied());
        for page in column.pages() {
            let validity = page.validity();
            let bits: Vec<bool> = validity.iter().collect();
            let valid: Vec<usize> = (0..bits.len()).filter(|&row| bits[row]).collect();
            prop_assert!(validity.valid_rows().eq(valid.iter().copied()));
            for row in 0..=bits.len() {
                prop_assert_eq!(validity.rank(row), valid.partition_point(|&valid| valid < row));
            }
        }
    }
}

#[test]
fn bulk_filling_gives_the_same_pages_as_row_by_row() {
    for rows in [0, 1, 1983, 1984, 1985, 3968, 100_000] {
        let keys: Vec<i32> = (0..rows).map(|row| row * 31 - 7).collect();
        let one_by_one = Column::from_i32_options(keys.iter().copied().map(Some));
        assert_eq!(one_by_one.pages().len(), (rows as usize).div_ceil(1984));
        assert_eq!(Column::from_i32(&keys).pages(), one_by_one.pages());
        for threads in [1, 2, 3, 64] {
            let threads = threads.try_into().expect("not zero");
            let filled = Column::filled(rows as usize, threads, |first, page: &mut [i32]| {
                page.copy_from_slice(&keys[first..first + page.len()]);
            });
            assert_eq!(filled.pages(), one_by_one.pages());
        }
        let wide: Vec<i64> = keys.iter().map(|&key| i64::from(key) << 20).collect();
        let one_by_one = Column::from_options(wide.iter().copied().map(Some));
        assert_eq!(one_by_one.pages().len(), (rows as usize).div_ceil(1007));
        assert_eq!(Column::from_i64(&wide).pages(), one_by_one.pages());
    }
}

#[test]
fn rows_per_page_around_the_limits() {
    let rows_of = |column: Column| column.pages().iter().map(Page::rows).collect::<Vec<_>>();
    let ones = |rows: usize| Column::from_i32_options(vec![Some(1); rows]);
    assert_eq!(rows_of(ones(1983)), [1983]);
    assert_eq!(rows_of(ones(1984)), [1984]);
    assert_eq!(rows_of(ones(1985)), [1984, 1]);
    // A NULL takes a bit only: seven bits are left over in a page of 1984 rows and one byte of bitmap
    // more does not fit with a value, but does without.
    let null_at_the_end = (0..1984).map(Some).chain([None; 40]);
    assert_eq!(
        rows_of(Column::from_i32_options(null_at_the_end)),
        [2016, 8]
    );
    let nulls = std::iter::repeat_n(None, 65_505);
    assert_eq!(rows_of(Column::from_i32_options(nulls)), [65_504, 1]);
}

#[test]
fn strings_around_the_limits() {
    let pages_of = |bytes: usize| {
        let column = Column::from_strings([Some(vec![b'x'; bytes])]);
        check_strings(&[Some(vec![b'x'; bytes])], &column);
        column.pages().iter().map(Page::kind).collect::<Vec<_>>()
    };
    use PageKind::{LongFirst, LongNext, Plain};
    for (bytes, pages) in [
        (0, vec![Plain]),
        (8185, vec![Plain]),
        (8186, vec![LongFirst]),
        (8188, vec![LongFirst]),
        (8189, vec![LongFirst, LongNext]),
        (16376, vec![LongFirst, LongNext]),
        (16377, vec![LongFirst, LongNext, LongNext]),
        (30000, vec![LongFirst, LongNext, LongNext, LongNext]),
    ] {
        assert_eq!(pages_of(bytes), pages, "{bytes} bytes");
    }
}

#[test]
fn the_builder_of_any_type_takes_what_it_gives_and_refuses_other_types() {
    let values = [
        Value::Int32(-1),
        Value::Int64(i64::MAX),
        Value::Fp64(0.5),
        Value::Varchar(b"text"[..].into()),
    ];
    for (data_type, own) in DataType::ALL.into_iter().zip(&values) {
        let mut builder = ColumnBuilder::new(data_type);
        for value in &values {
            let pushed = builder.push(value);
            assert_eq!(pushed.is_ok(), value == own);
            if let Err(error) = pushed {
                let expected = format!("in an {data_type} column");
                assert!(error.to_string().contains(&expected), "{error}");
            }
        }
        builder.push(&Value::Null).expect("NULL is of every type");
        let column = builder.finish();
        assert_eq!(column.data_type(), data_type);
        assert!(column.values().eq([own.clone(), Value::Null]));
    }
}
