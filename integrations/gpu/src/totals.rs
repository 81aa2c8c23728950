//! What rows add up to, by which those of the device are compared with those of the processor.

use aligned_ingest::Chunks;
use join_core::parallel::{Sharing, Team};

use crate::layout::Kind;

/// What the values of a column add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnSum {
    /// Values that are not NULL.
    pub values: u64,
    /// Of integers their sum, of FP64 that of their bits, of strings that of their bytes; modulo 2^64.
    pub sum: u64,
}

/// Rows, and what they add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Each column.
    pub columns: Vec<ColumnSum>,
}

impl Totals {
    /// Of no row.
    pub fn new(columns: usize) -> Totals {
        Totals {
            rows: 0,
            columns: vec![ColumnSum::default(); columns],
        }
    }

    /// Of chunks, as the processor reads them. Rows behind one that is wrong are left out.
    pub fn of(chunks: &Chunks, team: &Team) -> Totals {
        let kinds: Vec<Kind> = chunks.manifest().columns.iter().map(Kind::of).collect();
        let states = vec![Totals::new(kinds.len()); team.threads()];
        let read = chunks.read_pieces(team, Sharing::Counter, states, |totals, piece| {
            for row in piece.rows().flatten() {
                totals.rows += 1;
                for ((column, kind), field) in
                    totals.columns.iter_mut().zip(&kinds).zip(row.fields())
                {
                    let Some(value) = field.and_then(|field| kind.summand(field)) else {
                        continue;
                    };
                    column.values += 1;
                    column.sum = column.sum.wrapping_add(value);
                }
            }
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(all) = read;
        all.iter().fold(Totals::new(kinds.len()), Totals::and)
    }

    fn and(mut self, other: &Totals) -> Totals {
        self.rows += other.rows;
        for (column, other) in self.columns.iter_mut().zip(&other.columns) {
            column.values += other.values;
            column.sum = column.sum.wrapping_add(other.sum);
        }
        self
    }
}
