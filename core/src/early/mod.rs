//! Rows whose values travel *early*: with their keys, through a partitioning of both sides.
//!
//! Both sides are divided by a hash of their keys, and the values of a row with its key, side by side. Each pair of partitions
//! is then joined by itself, by any variant, and its values are read from a cache that holds them. What
//! [`crate::late`] does reads memory at random for each row of the result; this writes and reads each value once more, in
//! order.

use std::mem::MaybeUninit;

use crate::hash::{KeyHash, Murmur};
use crate::input::{KeyColumn, KeySlice, KeySource};
use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome, Phases, Side};
use crate::key::Key;
use crate::memory::{Buffer, OutOfMemory};
use crate::output::{
    Consumer, FixedColumn, Form, Results, RowColumn, Rows, RowsConsumer, RowsError, Wanted,
    columns_of,
};
use crate::parallel::{Division, Tasks, Team};

/// log2 of the partitions at the most: each has a place that is written to.
const MOST_BITS: u32 = 12;

/// Rows whose values are moved together.
const GROUP: usize = 128;

/// Why room is there.
const ROOM: &str = "the histograms add up";

/// The rows of an inner join of integer keys, made of these columns of either side, by `join` partition by partition. The
/// context's consumer and filter are not asked.
///
/// # Errors
///
/// Those of the join; columns that have another number of rows than the keys, have NULLs, or are of no fixed width; or memory
/// that runs out for a copy of the keys and columns.
pub fn join_early(
    join: &dyn DynJoin,
    input: &JoinInput<'_>,
    build: &[RowColumn<'_>],
    probe: &[RowColumn<'_>],
    context: &Context<'_>,
) -> Result<(Outcome, Rows), JoinError> {
    let columns = [
        fixed(build, input.rows(Side::Build))?,
        fixed(probe, input.rows(Side::Probe))?,
    ];
    match input {
        JoinInput::Int32(build, probe) => {
            let input_of: InputOf<i32> = |build, probe| JoinInput::Int32(build, probe);
            join_keys(join, [build, probe], &columns, input_of, context)
        }
        JoinInput::Int64(build, probe) => {
            let input_of: InputOf<i64> = |build, probe| JoinInput::Int64(build, probe);
            join_keys(join, [build, probe], &columns, input_of, context)
        }
    }
}

/// The columns, if they can travel and are of so many rows.
fn fixed<'a>(columns: &[RowColumn<'a>], rows: usize) -> Result<Vec<FixedColumn<'a>>, RowsError> {
    let columns = columns.iter().map(|column| {
        let fixed = column.travelling().ok_or(RowsError::NotEarly)?;
        match fixed.rows() == rows {
            true => Ok(fixed.clone()),
            false => Err(RowsError::Rows(fixed.rows(), rows)),
        }
    });
    columns.collect()
}

/// What makes an input of two key columns.
type InputOf<K> = for<'k> fn(KeyColumn<'k, K>, KeyColumn<'k, K>) -> JoinInput<'k>;

fn join_keys<K: Key>(
    join: &dyn DynJoin,
    keys: [&KeyColumn<'_, K>; 2],
    columns: &[Vec<FixedColumn<'_>>; 2],
    input_of: InputOf<K>,
    context: &Context<'_>,
) -> Result<(Outcome, Rows), JoinError> {
    let mut phases = Phases::start();
    let width = |columns: &[FixedColumn<'_>]| columns.iter().map(FixedColumn::width).sum::<usize>();
    // What is read at random while a partition is joined: its table, and its values.
    let row = 4 * size_of::<K>() + width(&columns[0]);
    let parts = (keys[0].len() * row).div_ceil((context.caches.l2 / 2).max(1));
    let bits = parts.next_power_of_two().ilog2().min(MOST_BITS);
    let build = Divided::of(keys[0], &columns[0], bits, context)?;
    let probe = Divided::of(keys[1], &columns[1], bits, context)?;
    phases.lap("partition values");
    let tasks = Tasks::new(0..1_usize << bits);
    let workers = context.team.workers_for(keys[0].len() + keys[1].len());
    let made = context.team.run(vec![(); workers], |_, ()| {
        let team = Team::single();
        let none = || (Vec::new(), 0);
        let mut rows = RowsConsumer::new(none(), none(), Form::Buffers, context.memory)?;
        while let Some((_, part)) = tasks.take() {
            if build.is_empty(part) || probe.is_empty(part) {
                continue;
            }
            rows = rows.then(build.columns(part), probe.columns(part));
            let own = Context {
                team: &team,
                consumer: Consumer::Stream(&rows),
                filter: None,
                ..*context
            };
            join.join(&input_of(build.keys(part), probe.keys(part)), &own)?;
        }
        Ok::<_, JoinError>(rows.finish()?)
    });
    let mut chunks = Vec::new();
    for rows in made {
        if let Rows::Buffers(of_worker) = rows? {
            chunks.extend(of_worker);
        }
    }
    phases.lap("join");
    let table_bytes = build.bytes() + probe.bytes();
    drop((build, probe));
    phases.lap("free");
    let outcome = Outcome {
        results: Results::Streamed,
        phases,
        table_bytes,
        notes: vec![format!(
            "values moved with their keys to 2^{bits} partitions"
        )],
    };
    Ok((outcome, Rows::Buffers(chunks)))
}

/// A side, divided by a hash of its keys.
struct Divided<K: Key> {
    keys: Buffer<K>,
    /// The values of each row, side by side.
    tuples: Buffer<u8>,
    /// Bytes of each column's values.
    widths: Vec<usize>,
    /// The first row of each partition, and at last the number of rows.
    starts: Vec<usize>,
}

/// What is left of a worker's place in a partition.
struct Place<'a, K> {
    keys: &'a mut [MaybeUninit<K>],
    tuples: &'a mut [MaybeUninit<u8>],
}

impl<K: Key> Divided<K> {
    /// Divides a side among 2^`bits` partitions, in two passes over its keys. The hash is none that a table takes its slots
    /// from, whose bits would be alike in a partition.
    fn of(
        keys: &KeyColumn<'_, K>,
        columns: &[FixedColumn<'_>],
        bits: u32,
        context: &Context<'_>,
    ) -> Result<Self, OutOfMemory> {
        let part_of = |key: K| ((Murmur::hash(key) >> 1) >> (63 - bits)) as usize;
        let source = keys.slice(0..keys.len());
        let workers = context.team.workers_for(keys.len());
        let cursors = || source.cursors(Division::fixed(workers));
        let histograms = context.team.run(cursors(), |_, mut cursor| {
            let mut counts = vec![0_usize; 1 << bits];
            while let Some(block) = cursor.next_block() {
                block.keys.iter().for_each(|&key| counts[part_of(key)] += 1);
            }
            counts
        });
        let widths: Vec<usize> = columns.iter().map(FixedColumn::width).collect();
        let width: usize = widths.iter().sum();
        let total: usize = histograms.iter().flatten().sum();
        let mut all_keys = context.memory.uninit::<K>(total)?;
        let mut tuples = context.memory.uninit::<u8>(total * width)?;
        let (mut keys_left, mut tuples_left): (&mut [_], &mut [_]) = (&mut all_keys, &mut tuples);
        let mut starts = vec![0];
        let mut places: Vec<Vec<Place<'_, K>>> = histograms.iter().map(|_| Vec::new()).collect();
        for part in 0..1 << bits {
            for (places, counts) in places.iter_mut().zip(&histograms) {
                let len = counts[part];
                places.push(Place {
                    keys: keys_left.split_off_mut(..len).expect(ROOM),
                    tuples: tuples_left.split_off_mut(..len * width).expect(ROOM),
                });
            }
            starts.push(total - keys_left.len());
        }
        let states = cursors().into_iter().zip(places).collect();
        context.team.run(states, |_, (mut cursor, mut places)| {
            // The values of a group, column by column.
            let mut scratch = vec![MaybeUninit::<u8>::uninit(); width * GROUP];
            let mut rows = [0_u32; GROUP];
            while let Some(block) = cursor.next_block() {
                for block in block.chunks(GROUP) {
                    let mut len = 0;
                    block.for_each(|_, row| {
                        rows[len] = row;
                        len += 1;
                    });
                    let mut first = 0;
                    let wanted = Wanted::new(&rows[..len], 0);
                    for column in columns {
                        let to = &mut scratch[first..][..len * column.width()];
                        column.gather(&wanted, to, None, false);
                        first += GROUP * column.width();
                    }
                    for (nth, &key) in block.keys.iter().enumerate() {
                        let place = &mut places[part_of(key)];
                        place.keys.split_off_first_mut().expect(ROOM).write(key);
                        let tuple = place.tuples.split_off_mut(..width).expect(ROOM);
                        move_values(&widths, nth, &scratch, tuple);
                    }
                }
            }
            assert!(
                places.iter().all(|place| place.keys.is_empty()),
                "a source yields the same keys each time"
            );
        });
        // SAFETY: the places divide both buffers, and all of them have been filled.
        let (keys, tuples) = unsafe { (all_keys.assume_init(), tuples.assume_init()) };
        Ok(Self {
            keys,
            tuples,
            widths,
            starts,
        })
    }

    fn rows(&self, part: usize) -> std::ops::Range<usize> {
        self.starts[part]..self.starts[part + 1]
    }

    fn is_empty(&self, part: usize) -> bool {
        self.rows(part).is_empty()
    }

    fn keys(&self, part: usize) -> KeyColumn<'_, K> {
        let slice = KeySlice::new(&self.keys[self.rows(part)]);
        KeyColumn::of_slices(vec![slice]).expect("fewer rows than the side has")
    }

    fn columns(&self, part: usize) -> Vec<RowColumn<'_>> {
        let width: usize = self.widths.iter().sum();
        let rows = self.rows(part);
        columns_of(
            &self.tuples[rows.start * width..rows.end * width],
            &self.widths,
        )
        .collect()
    }

    fn bytes(&self) -> usize {
        self.keys.bytes() + self.tuples.bytes()
    }
}

/// Copies the values of a group's row from where they stand column by column.
#[inline(always)]
fn move_values(
    widths: &[usize],
    nth: usize,
    from: &[MaybeUninit<u8>],
    mut to: &mut [MaybeUninit<u8>],
) {
    let mut first = 0;
    for &width in widths {
        let value = &from[first + nth * width..][..width];
        let place = to.split_off_mut(..width).expect(ROOM);
        // A copy of 8 bytes is a store, one of so many a call.
        match (value.first_chunk::<8>(), place.first_chunk_mut::<8>()) {
            (Some(value), Some(place)) if width == 8 => *place = *value,
            _ => place.copy_from_slice(value),
        }
        first += GROUP * width;
    }
}

#[cfg(test)]
mod tests;
