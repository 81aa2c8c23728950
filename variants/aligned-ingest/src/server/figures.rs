//! Figures by which two bags of rows are compared.

use std::io::BufRead;

use crate::framing::{Event, Framing, Limits, Row};
use crate::load::Sink;
use crate::writer::WriteError;

/// Count and checksums of rows in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub rows: u64,
    /// Of whole rows.
    pub checksum: u64,
    pub columns: Vec<ColumnFigures>,
}

/// Count and checksum of the values of a column that are not NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnFigures {
    pub values: u64,
    pub checksum: u64,
}

impl Figures {
    /// Of no row with so many columns.
    pub fn new(columns: usize) -> Figures {
        Figures {
            rows: 0,
            checksum: 0,
            columns: vec![ColumnFigures::default(); columns],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, row: &[u8]) {
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(hash(row));
        let row = Row {
            offset: 0,
            bytes: row,
        };
        for (column, field) in self.columns.iter_mut().zip(row.fields()) {
            if let Some(value) = field {
                column.values += 1;
                column.checksum = column.checksum.wrapping_add(hash(value));
            }
        }
    }

    /// Adds the rows of another.
    pub fn add(&mut self, other: &Figures) {
        self.rows += other.rows;
        self.checksum = self.checksum.wrapping_add(other.checksum);
        for (column, other) in self.columns.iter_mut().zip(&other.columns) {
            column.values += other.values;
            column.checksum = column.checksum.wrapping_add(other.checksum);
        }
    }
}

impl Sink for Figures {
    fn copy(&mut self, stream: &mut dyn BufRead) -> Result<u64, WriteError> {
        let mut framing = Framing::new(Limits {
            fields: u16::try_from(self.columns.len()).ok(),
            ..Limits::default()
        });
        let before = self.rows;
        // The bytes so far of a row that came in pieces.
        let mut begun = Vec::new();
        loop {
            let bytes = stream.fill_buf()?;
            if bytes.is_empty() {
                framing.finish()?;
                return Ok(self.rows - before);
            }
            let (taken, event) = framing.next(bytes)?;
            match event {
                Some(Event::Row) if begun.is_empty() => self.row(&bytes[..taken]),
                Some(Event::Row) => {
                    begun.extend_from_slice(&bytes[..taken]);
                    self.row(&begun);
                    begun.clear();
                }
                None if framing.is_in_row() => begun.extend_from_slice(&bytes[..taken]),
                _ => begun.clear(),
            }
            stream.consume(taken);
        }
    }
}

/// FNV-1a, mixed at its end: its sums over values that differ in the last byte only are easily equal.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ hash >> 33).wrapping_mul(factor);
    }
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{HEADER, RowEncoder, TRAILER};

    fn stream(rows: &[[i32; 2]]) -> Vec<u8> {
        let mut encoder = RowEncoder::new();
        for row in rows {
            for value in row {
                let bytes = value.to_be_bytes();
                encoder.field((*value != 0).then_some(&bytes));
            }
            encoder.end_row();
        }
        [&HEADER[..], encoder.rows(), &TRAILER].concat()
    }

    fn figures(rows: &[[i32; 2]], piece: usize) -> Figures {
        let stream = stream(rows);
        let mut figures = Figures::new(2);
        let mut pieces = std::io::BufReader::with_capacity(piece, &stream[..]);
        assert_eq!(figures.copy(&mut pieces).unwrap(), rows.len() as u64);
        figures
    }

    #[test]
    fn pieces_and_order_do_not_matter_and_values_do() {
        let rows = [[1, 4], [2, 3], [0, 7], [5, 0]];
        let expected = figures(&rows, 1 << 10);
        assert_eq!(expected.columns[1].values, 3);
        for piece in 1..40 {
            assert_eq!(figures(&rows, piece), expected);
        }
        let mut turned = rows;
        turned.reverse();
        assert_eq!(figures(&turned, 1 << 10), expected);
        let (mut left, right) = (figures(&rows[..1], 64), figures(&rows[1..], 64));
        left.add(&right);
        assert_eq!(left, expected);
        // The same sum of each column, the same values of each in other rows.
        let other = figures(&[[2, 3], [1, 4], [0, 6], [5, 1]], 64);
        assert!(other.columns[1] != expected.columns[1]);
        let other = figures(&[[1, 3], [2, 4], [0, 7], [5, 0]], 64);
        assert_eq!(other.columns, expected.columns);
        assert!(other.checksum != expected.checksum);
        let sums = |values: [i32; 2]| figures(&values.map(|value| [value, 0]), 64).columns[0];
        assert!(sums([1, 4]) != sums([2, 3]));
    }
}
