//! What rows carry besides their key: INT64 columns, which an engine hands on with the rows of a result.

use std::num::NonZeroUsize;

use join_core::compound::Keys;
use join_core::early::join_early;
use join_core::join::{Context, DynJoin, JoinError, Outcome, Side};
use join_core::kind::Semantics;
use join_core::late::join_late;
use join_core::output::{Aggregate, Form, RowColumn, Rows, RowsError, Values};
use join_core::table::Column;

/// Columns besides the key, as many on each side, of which the rows of a result are made. The value of a row is a multiple of
/// its row id, another one in each column, so that sums of values tell which rows they are of.
#[derive(Debug, Clone)]
pub struct Payload {
    build: Vec<Column>,
    probe: Vec<Column>,
}

/// What the row id is multiplied by: 1, 2, 4, 6 … Together they are an odd number, which has an inverse.
fn factor(column: usize) -> i64 {
    if column == 0 { 1 } else { 2 * column as i64 }
}

impl Payload {
    /// Bytes of a value.
    pub const WIDTH: u32 = size_of::<i64>() as u32;

    /// So many columns for sides of so many rows.
    pub fn new(columns: usize, build_rows: u64, probe_rows: u64, threads: NonZeroUsize) -> Self {
        let side = |rows: u64| {
            let column = |column: usize| {
                Column::filled(rows as usize, threads, |first, values: &mut [i64]| {
                    for (value, row) in values.iter_mut().zip(first as i64..) {
                        *value = row * factor(column);
                    }
                })
            };
            (0..columns).map(column).collect()
        };
        Self {
            build: side(build_rows),
            probe: side(probe_rows),
        }
    }

    /// The columns of a side.
    pub fn of(&self, side: Side) -> &[Column] {
        side.of(&self.build, &self.probe)
    }

    /// Columns of a side.
    pub fn columns(&self) -> usize {
        self.build.len()
    }

    /// Bytes of a row of a side.
    pub fn bytes(&self) -> u32 {
        self.columns() as u32 * Self::WIDTH
    }

    /// Bytes of all columns' pages.
    pub fn page_bytes(&self) -> u64 {
        let columns = self.build.iter().chain(&self.probe);
        columns
            .map(|column| size_of_val(column.pages()) as u64)
            .sum()
    }

    /// What rows are gathered from.
    pub fn sources(&self) -> Sources<'_> {
        fn side(columns: &[Column]) -> Vec<RowColumn<'_>> {
            let columns = columns.iter().map(RowColumn::new);
            let all = columns.collect::<Option<_>>();
            all.expect("as many rows as a side has, which are counted")
        }
        Sources {
            build: side(&self.build),
            probe: side(&self.probe),
        }
    }

    /// Count and sums of the row ids that rows are of.
    pub fn sums(&self, rows: &Rows) -> Aggregate {
        let mut sums = [0_u64; 2];
        if let Rows::Buffers(chunks) = rows {
            for chunk in chunks {
                let (build, probe) = chunk.columns.split_at(self.columns());
                for (sum, columns) in sums.iter_mut().zip([build, probe]) {
                    *sum = columns.iter().map(sum_of).fold(*sum, u64::wrapping_add);
                }
            }
        }
        let rows = rows.len() as u64;
        self.of_values(Aggregate {
            rows,
            sum_build: sums[0],
            sum_probe: sums[1],
        })
    }

    /// Count and sums of row ids, where those of all values are known.
    pub fn of_values(&self, values: Aggregate) -> Aggregate {
        let factors = (0..self.columns()).map(|column| factor(column) as u64);
        let inverse = inverse(factors.sum());
        Aggregate {
            rows: values.rows,
            sum_build: values.sum_build.wrapping_mul(inverse),
            sum_probe: values.sum_probe.wrapping_mul(inverse),
        }
    }
}

/// The columns of both sides, as rows are gathered from them.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    build: Vec<RowColumn<'a>>,
    probe: Vec<RowColumn<'a>>,
}

impl Sources<'_> {
    /// The rows of a join whose values are fetched once pairs of rows are found.
    ///
    /// # Errors
    /// Those of the join, or the keys have another number of rows.
    pub fn late(
        &self,
        join: &dyn DynJoin,
        keys: &Keys<'_>,
        semantics: &Semantics<'_>,
        context: &Context<'_>,
    ) -> Result<(Outcome, Rows), JoinError> {
        let columns = [&self.build[..], &self.probe];
        join_late(join, keys, semantics, columns, Form::Buffers, context)
    }

    /// The rows of an inner join whose values travel with the keys.
    ///
    /// # Errors
    /// Those of the join, or the keys are no integers.
    pub fn early(
        &self,
        join: &dyn DynJoin,
        keys: &Keys<'_>,
        context: &Context<'_>,
    ) -> Result<(Outcome, Rows), JoinError> {
        match keys {
            Keys::Integer(input) => join_early(join, input, &self.build, &self.probe, context),
            Keys::Compound(_) => Err(RowsError::NotEarly.into()),
        }
    }
}

fn sum_of(values: &Values) -> u64 {
    let Values::Fixed { bytes, .. } = values else {
        return 0;
    };
    let values: &[u64] = bytemuck::cast_slice(bytes);
    values.iter().copied().fold(0, u64::wrapping_add)
}

/// What an odd number is multiplied by to be 1, modulo 2^64 (Newton's iteration, which doubles the bits that are right).
fn inverse(odd: u64) -> u64 {
    (0..5).fold(odd, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::memory::Memory;
    use join_core::output::{Pair, PairConsumer, RowsConsumer};

    #[test]
    fn sums_of_values_tell_the_rows() {
        for columns in [1, 2, 5, 16] {
            let payload = Payload::new(columns, 100, 3000, NonZeroUsize::MIN);
            let sources = payload.sources();
            let sides = ((sources.build, 100), (sources.probe, 3000));
            let memory = Memory::unlimited();
            let consumer = RowsConsumer::new(sides.0, sides.1, Form::Buffers, &memory).unwrap();
            let pairs: Vec<Pair> = (0..5000)
                .map(|at| Pair {
                    build: at * 7 % 100,
                    probe: at % 3000,
                })
                .collect();
            consumer.consume(0, &pairs);
            let rows: Rows = consumer.finish().unwrap();
            let sum =
                |row: fn(&Pair) -> u32| pairs.iter().map(|pair| u64::from(row(pair))).sum::<u64>();
            let expected = Aggregate {
                rows: 5000,
                sum_build: sum(|pair| pair.build),
                sum_probe: sum(|pair| pair.probe),
            };
            assert_eq!(payload.sums(&rows), expected, "{columns} columns");
        }
    }

    #[test]
    fn odd_numbers_have_an_inverse() {
        for odd in [1, 3, 241, u64::MAX, 0x1234_5678_9ABC_DEF1] {
            assert_eq!(odd.wrapping_mul(inverse(odd)), 1, "{odd}");
        }
    }
}
