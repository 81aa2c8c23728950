//! Pages that break the format: each fault is found, named and located.

use join_core::page::{DataType, Page, PageError, validate};

fn page(runs: &[(usize, &[u8])]) -> Page {
    let mut bytes = [0; 8192];
    for &(at, run) in runs {
        bytes[at..at + run.len()].copy_from_slice(run);
    }
    Page::from_bytes(bytes)
}

/// A good page of any type: two rows, both NULL.
const GOOD: Page = {
    let mut page = Page::EMPTY;
    page.set_header(2, 0);
    page
};

/// Validates a good page and then `pages`; the fault must be in the last of them.
fn fault(data_type: DataType, pages: &[Page]) -> PageError {
    let pages = [&[GOOD], pages].concat();
    let error = validate(data_type, &pages).expect_err("the page breaks the format");
    assert_eq!(error.page, pages.len() - 1);
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    let whole = error.page * 8192 + error.byte;
    let place = format!(
        "page {}, byte {} of the page (byte {whole} of the file): ",
        error.page, error.byte
    );
    assert!(message.starts_with(&place), "{message}");
    error
}

#[track_caller]
fn assert_fault(data_type: DataType, pages: &[Page], byte: usize, says: &str) {
    let error = fault(data_type, pages);
    assert_eq!(error.byte, byte, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn more_values_than_rows() {
    let bad = page(&[(0, &[1, 0, 2, 0]), (8191, &[0b11])]);
    for data_type in DataType::ALL {
        assert_fault(data_type, &[bad], 2, "2 values in a page of 1 rows");
    }
}

#[test]
fn values_that_run_into_the_bitmap() {
    // 1985 INT32 values end at byte 7944, their bitmap would begin at 7943.
    let mut rows_1985 = page(&[(7943, &[0xff; 249])]);
    rows_1985.set_header(1985, 1985);
    assert_fault(
        DataType::Int32,
        &[rows_1985],
        0,
        "1985 INT32 values end at byte 7944, but the bitmap of 1985 rows begins at byte 7943",
    );
    // 1008 INT64 values end at byte 8072, their bitmap would begin at 8066.
    let mut rows_1008 = page(&[(8066, &[0xff; 126])]);
    rows_1008.set_header(1008, 1008);
    for data_type in [DataType::Int64, DataType::Fp64] {
        assert_fault(data_type, &[rows_1008], 0, "end at byte 8072");
    }
    // An INT32 page that is declared as another type.
    let mut rows_1984 = page(&[(7944, &[0xff; 248])]);
    rows_1984.set_header(1984, 1984);
    assert!(validate(DataType::Int32, &[rows_1984]).is_ok());
    assert_fault(
        DataType::Int64,
        &[rows_1984],
        0,
        "check that the column is INT64",
    );
    // End offsets alone fill the page.
    let mut offsets = page(&[(0, &[0; 4])]);
    offsets.set_header(4090, 4090);
    assert_fault(DataType::Varchar, &[offsets], 0, "4090 VARCHAR values");
}

#[test]
fn a_bitmap_larger_than_the_page() {
    let mut bad = Page::EMPTY;
    bad.set_header(0xfffd, 0);
    for data_type in DataType::ALL {
        assert_fault(
            data_type,
            &[bad],
            0,
            "bitmap of 65533 rows begins at byte 0",
        );
    }
    // 65504 rows are the most that fit: then only the header is left.
    let mut largest = Page::EMPTY;
    largest.set_header(65504, 0);
    for data_type in DataType::ALL {
        assert_eq!(
            validate(data_type, &[largest]).map(|counts| counts.rows),
            Ok(65504)
        );
    }
    largest.set_header(65505, 0);
    assert_fault(DataType::Int32, &[largest], 0, "begins at byte 3");
}

#[test]
fn a_bitmap_that_contradicts_the_header() {
    for (bits, marked) in [(0b000, 0), (0b001, 1), (0b111, 3)] {
        let bad = page(&[(0, &[3, 0, 2, 0]), (8191, &[bits])]);
        for data_type in DataType::ALL {
            assert_fault(
                data_type,
                &[bad],
                8191,
                &format!("marks {marked} of 3 rows as valid, but the header says 2 values"),
            );
        }
    }
}

#[test]
fn padding_is_ignored() {
    // Bits from n_r on, and bytes between the values and the bitmap.
    let padded = page(&[
        (0, &[3, 0, 2, 0]),
        (4, &[0, 0, 0, 0]),
        (100, &[0xff; 8000]),
        (8191, &[0b1111_1101]),
    ]);
    for data_type in DataType::ALL {
        let counts = validate(data_type, &[padded]).expect("padding has no meaning");
        assert_eq!((counts.rows, counts.values), (3, 2));
    }
    assert_eq!(padded.validity().valid_rows().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(padded.validity().count(), 2);
}

#[test]
fn offsets_that_run_backwards() {
    let bad = page(&[
        (0, &[3, 0, 3, 0]),
        (4, &[4, 0, 3, 0, 9, 0]),
        (8191, &[0b111]),
    ]);
    assert_fault(
        DataType::Varchar,
        &[bad],
        6,
        "string 1 ends at offset 3, before the one in front of it at 4",
    );
}

#[test]
fn offsets_outside_of_the_page() {
    let with_end = |end: u16| page(&[(0, &[1, 0, 1, 0]), (4, &end.to_le_bytes()), (8191, &[1])]);
    assert!(validate(DataType::Varchar, &[with_end(8185)]).is_ok());
    for end in [8186, 0xffff] {
        assert_fault(
            DataType::Varchar,
            &[with_end(end)],
            4,
            &format!("string 0 ends at offset {end}, but there is room for 8185 characters"),
        );
    }
}

#[test]
fn a_following_page_without_its_first_page() {
    let next = page(&[(0, &[0xfe, 0xff, 3, 0])]);
    assert_fault(
        DataType::Varchar,
        &[next],
        0,
        "restore the missing 0xffff page",
    );
    let first = page(&[(0, &[0xff, 0xff, 3, 0])]);
    assert!(validate(DataType::Varchar, &[first, next, next]).is_ok());
    assert!(validate(DataType::Varchar, &[first, first]).is_ok());
    assert_fault(
        DataType::Varchar,
        &[first, GOOD, next],
        0,
        "no page of a long string precedes",
    );
}

#[test]
fn a_page_of_a_long_string_in_a_column_of_fixed_width() {
    for data_type in [DataType::Int32, DataType::Int64, DataType::Fp64] {
        for (marker, name) in [(0xff, "0xffff"), (0xfe, "0xfffe")] {
            let bad = page(&[(0, &[marker, 0xff, 3, 0])]);
            assert_fault(
                data_type,
                &[bad],
                0,
                &format!("n_r is {name}, a page of a long string, in an {data_type} column"),
            );
        }
    }
}

#[test]
fn a_page_of_a_long_string_with_too_many_characters() {
    let first = |chars: u16| {
        let mut page = Page::EMPTY;
        page.set_header(0xffff, chars);
        page
    };
    assert!(validate(DataType::Varchar, &[first(8188)]).is_ok());
    assert_fault(
        DataType::Varchar,
        &[first(8189)],
        2,
        "8189 characters in a page of a long string, which holds at most 8188",
    );
}

#[test]
fn readers_of_pages_that_were_never_validated_stay_inside_the_page() {
    for (rows, values) in [
        (0xfffd, 0xfffd),
        (0xffff, 0xffff),
        (0xfffe, 0xffff),
        (1, 0xffff),
        (0xfffd, 1),
    ] {
        let mut page = page(&[(4, &[0xff; 8188])]);
        page.set_header(rows, values);
        assert!(page.fixed::<i32>().len() <= 2047);
        assert!(page.fixed::<i64>().len() <= 1023);
        assert!(page.fixed::<f64>().len() <= 1023);
        assert!(page.long_bytes().len() <= 8188);
        assert!(page.strings().iter().all(|string| string.len() <= 8188));
        let validity = page.validity();
        assert!(validity.rows() <= 65504);
        assert_eq!(validity.valid_rows().count(), validity.count());
        assert_eq!(page.fixed_rows::<i64>().count(), validity.rows());
    }
}
