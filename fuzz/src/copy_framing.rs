//! Arbitrary bytes as a COPY BINARY stream. Whatever they are, the reader says the same of them in one piece and in
//! many, takes every byte at most once, and what it calls rows are rows.

#![no_main]

use aligned_ingest::framing::{Event, Framing, FramingError, HEADER, Limits, Rows};
use libfuzzer_sys::fuzz_target;

/// Ends of rows, and how it ended.
fn read(bytes: &[u8], limits: Limits, pieces: &[u8]) -> (Vec<u64>, Result<(), FramingError>) {
    let mut framing = Framing::new(limits);
    let mut ends = Vec::new();
    let mut pieces = pieces.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = pieces
            .next()
            .map_or(rest.len(), |&n| usize::from(n).clamp(1, rest.len()));
        let (mut piece, after) = rest.split_at(length);
        rest = after;
        while !piece.is_empty() {
            match framing.next(piece) {
                Err(error) => return (ends, Err(error)),
                Ok((taken, event)) => {
                    assert!(taken > 0 && (event.is_some() || taken == piece.len()));
                    piece = &piece[taken..];
                    if event == Some(Event::Row) {
                        ends.push(framing.offset());
                    }
                }
            }
        }
    }
    (ends, framing.finish())
}

fuzz_target!(|input: &[u8]| {
    let [options, pieces, bytes @ ..] = input else {
        return;
    };
    let limits = Limits {
        row_bytes: if options & 1 == 0 { 1 << 31 } else { 64 },
        fields: (options & 2 != 0).then_some(u16::from(options >> 2)),
    };
    let stream = [&HEADER[..], bytes].concat();
    for bytes in [&stream[..], bytes] {
        let (ends, how) = read(bytes, limits, &[]);
        assert_eq!(read(bytes, limits, &[1]), (ends.clone(), how.clone()));
        assert_eq!(
            read(bytes, limits, &[*pieces, 3]),
            (ends.clone(), how.clone())
        );
        if let Err(error) = how {
            assert!(!error.to_string().contains('\n'));
        }
        // What was read as rows from a stream is rows in memory, with the fields that they say they have.
        let Some(&last) = ends.last() else { continue };
        let first = bytes.len().min(HEADER.len());
        let rows: Vec<_> = Rows::new(&bytes[first..last as usize], limits, first as u64).collect();
        if bytes[15..19] == [0; 4] {
            assert_eq!(rows.len(), ends.len());
            for row in rows {
                let fields = row.expect("a row").fields();
                let count = fields.len();
                assert_eq!(fields.count(), count);
            }
        }
    }
});
