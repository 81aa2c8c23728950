//! The reader of the framing against rows that the test encodes itself.

mod common;

use aligned_ingest::framing::{Event, Framing, FramingError, HEADER, Limits, RowEncoder, Rows};
use common::{TestRow, encode, rows, stream};
use proptest::prelude::*;

/// The bytes in pieces of these lengths, over and over; in one where none is given.
fn cut<'b>(bytes: &'b [u8], pieces: &[usize]) -> impl Iterator<Item = &'b [u8]> {
    let mut rest = bytes;
    let mut pieces = pieces.iter().cycle();
    std::iter::from_fn(move || {
        let length = pieces.next().map_or(rest.len(), |&n| n.max(1));
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Everything that a reader finds in a stream that comes in pieces: the ends of rows, or an error.
fn read(bytes: &[u8], limits: Limits, pieces: &[usize]) -> Result<Vec<u64>, FramingError> {
    let mut framing = Framing::new(limits);
    let mut ends = Vec::new();
    for mut piece in cut(bytes, pieces) {
        while !piece.is_empty() {
            let (taken, event) = framing.next(piece)?;
            assert!(taken > 0);
            assert!(event.is_some() || taken == piece.len());
            piece = &piece[taken..];
            if event == Some(Event::Row) {
                ends.push(framing.offset());
                assert_eq!(framing.row_offset(), framing.offset());
            }
        }
    }
    framing.finish()?;
    Ok(ends)
}

/// The same by whole rows at once, as far as that goes: rows, and where they end that ended a batch.
fn read_batches(
    bytes: &[u8],
    limits: Limits,
    pieces: &[usize],
    most: usize,
) -> Result<(u64, Vec<u64>), FramingError> {
    let mut framing = Framing::new(limits);
    let (mut rows, mut ends) = (0, Vec::new());
    for mut piece in cut(bytes, pieces) {
        while !piece.is_empty() {
            let (taken, found) = framing.rows(piece, most);
            assert!(taken <= most && (taken > 0 || found == 0));
            rows += found;
            piece = &piece[taken..];
            if found > 0 {
                ends.push(framing.offset());
                continue;
            }
            let (taken, event) = framing.next(piece)?;
            piece = &piece[taken..];
            if event == Some(Event::Row) {
                rows += 1;
                ends.push(framing.offset());
            }
        }
        assert!(framing.row_offset() <= framing.offset());
    }
    framing.finish()?;
    Ok((rows, ends))
}

/// Rows as tables have them: most fields of one width, now and then NULL or of another, and some that vary.
fn alike_rows() -> impl Strategy<Value = Vec<TestRow>> {
    let width = prop_oneof![9 => 0..40usize, 1 => 200..400usize];
    let column = (width, prop_oneof![Just(0u8), Just(1), Just(2)]);
    prop::collection::vec(column, 0..12).prop_flat_map(|columns| {
        let row = columns
            .into_iter()
            .map(|(width, kind)| match kind {
                0 => Just(Some(vec![0xff; width])).boxed(),
                1 => prop_oneof![30 => Just(Some(vec![0; width])), 1 => Just(None), 1 => Just(Some(vec![1; 5]))].boxed(),
                _ => prop::collection::vec(any::<u8>(), 0..width + 1).prop_map(Some).boxed(),
            })
            .collect::<Vec<_>>();
        prop::collection::vec(row, 0..60)
    })
}

fn fields(row: &aligned_ingest::framing::Row<'_>) -> TestRow {
    row.fields()
        .map(|field| field.map(<[u8]>::to_vec))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_end_where_they_were_encoded(
        rows in rows(5, 30),
        extension in prop::collection::vec(any::<u8>(), 0..40),
        pieces in prop::collection::vec(1..50usize, 1..20),
    ) {
        let bytes = stream(&rows, &extension);
        let mut at = 19 + extension.len() as u64;
        let expected: Vec<u64> = rows.iter().map(|row| { at += encode(row).len() as u64; at }).collect();
        for pieces in [&[usize::MAX][..], &[1], &pieces] {
            prop_assert_eq!(read(&bytes, Limits::default(), pieces).unwrap(), expected.clone());
        }
    }

    #[test]
    fn batches_of_rows_are_the_rows_one_by_one_and_refuse_the_same(
        rows in prop_oneof![3 => alike_rows(), 1 => rows(5, 30)],
        pieces in prop::collection::vec(1..3000usize, 1..6),
        most in prop_oneof![1..600usize, Just(usize::MAX)],
        limit in prop_oneof![3 => Just(1u64 << 31), 1 => 10..400u64],
        lies in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = stream(&rows, b"ext");
        for (place, byte) in lies {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let limits = Limits { row_bytes: limit, fields: None };
        let one_by_one = read(&bytes, limits, &[usize::MAX]);
        for pieces in [&[usize::MAX][..], &pieces] {
            match (read_batches(&bytes, limits, pieces, most), &one_by_one) {
                (Ok((rows, ends)), Ok(all)) => {
                    prop_assert_eq!(rows, all.len() as u64);
                    prop_assert!(ends.iter().all(|end| all.binary_search(end).is_ok()));
                    prop_assert_eq!(ends.last(), all.last());
                }
                (found, expected) => prop_assert_eq!(found.err(), expected.clone().err()),
            }
        }
    }

    #[test]
    fn rows_in_memory_are_the_fields_that_went_in(rows in rows(5, 30)) {
        let bytes: Vec<u8> = rows.iter().flat_map(encode).collect();
        let found: Vec<TestRow> = Rows::new(&bytes, Limits::default(), 0)
            .map(|row| fields(&row.unwrap()))
            .collect();
        prop_assert_eq!(&found, &rows);

        let mut encoder = RowEncoder::new();
        for row in &rows {
            row.iter().for_each(|field| encoder.field(field.as_deref()));
            encoder.end_row();
        }
        prop_assert_eq!(encoder.rows(), bytes);
    }

    #[test]
    fn a_stream_cut_off_anywhere_is_refused_at_its_end(rows in rows(3, 6), cut in any::<prop::sample::Index>()) {
        let bytes = stream(&rows, b"ext");
        let bytes = &bytes[..cut.index(bytes.len())];
        for pieces in [&[usize::MAX][..], &[1], &[3]] {
            let error = read(bytes, Limits::default(), pieces).unwrap_err();
            let expected = bytes.len() as u64;
            prop_assert!(matches!(error, FramingError::Truncated { at, .. } if at == expected), "{error}");
        }
    }

    #[test]
    fn pieces_do_not_change_what_is_said_of_any_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        rows in rows(3, 5),
        pieces in prop::collection::vec(1..7usize, 1..9),
    ) {
        let mut wrong = stream(&rows, &[]);
        if let Some((at, byte)) = change {
            let at = at.index(wrong.len());
            wrong[at] = byte;
        }
        let limits = Limits { row_bytes: 5000, fields: None };
        for bytes in [[&HEADER[..], &bytes].concat(), bytes, wrong] {
            let whole = read(&bytes, limits, &[usize::MAX]);
            prop_assert_eq!(&read(&bytes, limits, &[1]), &whole);
            prop_assert_eq!(&read(&bytes, limits, &pieces), &whole);
        }
    }
}

/// The error of a stream made of a header and `rows`, however it comes.
fn error_of(rows: &[u8], limits: Limits) -> FramingError {
    let bytes = [&HEADER[..], rows].concat();
    let error = read(&bytes, limits, &[usize::MAX]).unwrap_err();
    for piece in [1, 2, 3, 5] {
        assert_eq!(read(&bytes, limits, &[piece]).unwrap_err(), error);
    }
    assert!(!error.to_string().contains('\n'));
    error
}

#[test]
fn counts_and_lengths_that_lie_are_refused_where_they_stand() {
    let two = encode(&vec![Some(vec![7; 4]), None]);
    let limits = Limits {
        row_bytes: 100,
        fields: Some(2),
    };
    let count = |count: i16| error_of(&[&two[..], &count.to_be_bytes()].concat(), limits);
    for wrong in [-2, i16::MIN, 0, 1, 3, i16::MAX] {
        let (at, expected) = (19 + two.len() as u64, Some(2));
        assert_eq!(
            count(wrong),
            FramingError::FieldCount {
                at,
                count: wrong,
                expected
            }
        );
    }
    for length in [-2, i32::MIN] {
        let row = [&[0, 2, 0, 0, 0, 0][..], &length.to_be_bytes()].concat();
        assert_eq!(
            error_of(&row, limits),
            FramingError::FieldLength { at: 19 + 6, length }
        );
    }
}

#[test]
fn a_row_beyond_the_limit_is_refused_before_its_bytes_come() {
    let limits = Limits {
        row_bytes: 100,
        fields: None,
    };
    let of_length = |length: i32| [&[0, 1][..], &length.to_be_bytes()].concat();
    let too_long = |at, bytes| FramingError::RowTooLong {
        at,
        bytes,
        limit: 100,
    };
    assert_eq!(error_of(&of_length(95), limits), too_long(19, 101));
    assert_eq!(
        error_of(&of_length(i32::MAX), limits),
        too_long(19, 6 + i32::MAX as u64)
    );
    assert_eq!(error_of(&[0, 25], limits), too_long(19, 102));
    let fits = encode(&vec![Some(vec![0; 94])]);
    assert_eq!(fits.len(), 100);
    assert_eq!(
        error_of(&[&fits[..], &of_length(95)].concat(), limits),
        too_long(119, 101)
    );
}

#[test]
fn bytes_after_the_trailer_are_refused() {
    let error = error_of(&[0xff, 0xff, 0], Limits::default());
    assert_eq!(error, FramingError::Trailing { at: 21 });
}

#[test]
fn rows_without_fields_are_rows() {
    let bytes = stream(&[vec![], vec![], vec![]], &[]);
    assert_eq!(read(&bytes, Limits::default(), &[1]).unwrap(), [21, 23, 25]);
    assert_eq!(
        read(&bytes, Limits::default(), &[usize::MAX]).unwrap(),
        [21, 23, 25]
    );
}

#[test]
fn other_files_and_unknown_flags_are_refused() {
    let of = |bytes: &[u8]| read(bytes, Limits::default(), &[4]).unwrap_err();
    assert_eq!(of(b"PGCOPY\n\xff\n"), FramingError::Signature { at: 8 });
    assert_eq!(of(b"1\t2\n"), FramingError::Signature { at: 0 });
    let mut oids = HEADER;
    oids[12] = 1;
    assert_eq!(
        of(&oids),
        FramingError::Flags {
            at: 11,
            flags: 1 << 16
        }
    );
    let mut ignorable = stream(&[vec![]], &[]);
    ignorable[14] = 9;
    assert_eq!(read(&ignorable, Limits::default(), &[4]).unwrap(), [21]);
    let mut negative = HEADER;
    negative[15] = 0x80;
    assert_eq!(
        of(&negative),
        FramingError::Extension {
            at: 15,
            length: i32::MIN
        }
    );
}

#[test]
fn a_trailer_inside_of_a_section_is_no_row() {
    let rows = [encode(&vec![None]), vec![0xff, 0xff], encode(&vec![None])].concat();
    let found: Vec<_> = Rows::new(&rows, Limits::default(), 100).collect();
    assert_eq!(found.len(), 2);
    assert!(matches!(
        found[1],
        Err(FramingError::FieldCount {
            at: 106,
            count: -1,
            ..
        })
    ));
}
