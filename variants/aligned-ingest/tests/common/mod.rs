//! Rows for tests, encoded here and not by the crate, and streams that come in pieces.

#![allow(dead_code)]

use std::io::{self, BufRead, Read};

use proptest::prelude::*;

/// A row: bytes or NULL, field by field.
pub type TestRow = Vec<Option<Vec<u8>>>;

/// A row as the format has it.
pub fn encode(row: &TestRow) -> Vec<u8> {
    let mut bytes = (row.len() as i16).to_be_bytes().to_vec();
    for field in row {
        match field {
            None => bytes.extend([0xff; 4]),
            Some(value) => {
                bytes.extend((value.len() as i32).to_be_bytes());
                bytes.extend(value);
            }
        }
    }
    bytes
}

/// A whole stream with a header extension.
pub fn stream(rows: &[TestRow], extension: &[u8]) -> Vec<u8> {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0".to_vec();
    bytes.extend((extension.len() as i32).to_be_bytes());
    bytes.extend(extension);
    rows.iter().for_each(|row| bytes.extend(encode(row)));
    bytes.extend([0xff, 0xff]);
    bytes
}

/// Rows of `0..most_fields` fields.
pub fn rows(most_fields: usize, most_rows: usize) -> impl Strategy<Value = Vec<TestRow>> {
    let value = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Some),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Some),
        1 => Just(None),
    ];
    let row = prop::collection::vec(value, 0..=most_fields);
    prop::collection::vec(row, 0..most_rows)
}

/// `count` different rows of about `bytes` bytes each.
pub fn plain_rows(count: usize, bytes: usize, seed: u64) -> Vec<TestRow> {
    (0..count as u64)
        .map(|row| {
            let length =
                bytes / 2 + (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % bytes;
            vec![
                Some((seed << 32 | row).to_be_bytes().to_vec()),
                None,
                Some(vec![row as u8; length]),
            ]
        })
        .collect()
}

/// A stream in pieces of the given lengths, over and over.
pub struct Pieces<'a> {
    bytes: &'a [u8],
    lengths: std::iter::Cycle<std::vec::IntoIter<usize>>,
    piece: usize,
}

impl<'a> Pieces<'a> {
    pub fn new(bytes: &'a [u8], lengths: Vec<usize>) -> Self {
        Pieces {
            bytes,
            lengths: lengths.into_iter().cycle(),
            piece: 0,
        }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let taken = bytes.len().min(to.len());
        to[..taken].copy_from_slice(&bytes[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece == 0 {
            self.piece = self
                .lengths
                .next()
                .unwrap()
                .clamp(1, self.bytes.len().max(1));
        }
        Ok(&self.bytes[..self.piece.min(self.bytes.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.bytes = &self.bytes[bytes..];
        self.piece -= bytes;
    }
}
