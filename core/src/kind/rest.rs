//! What comes after the pairs of rows with equal keys.

use super::Truth;
use super::marks::Marks;
use crate::join::{Context, JoinError, JoinInput, Side};
use crate::memory::{Buffer, OutOfMemory};
use crate::output::{Aggregate, Pair, PairFilter, Results, Sink, SinkRef, collect};
use crate::parallel::{Division, Morsels};

/// Pairs that a condition looks at together.
const BLOCK: usize = 1 << 11;

/// The rows of a side whose key is NULL.
pub(super) fn nulls(
    input: &JoinInput<'_>,
    side: Side,
    context: &Context<'_>,
) -> Result<Buffer<u32>, OutOfMemory> {
    let mut nulls = context.memory.zeroed::<u32>(input.nulls(side).count())?;
    for (place, row) in nulls.iter_mut().zip(input.nulls(side)) {
        *place = row;
    }
    Ok(nulls)
}

/// A row of a side and one of the other.
fn pair(side: Side, row: u32, other: u32) -> Pair {
    match side {
        Side::Build => Pair {
            build: row,
            probe: other,
        },
        Side::Probe => Pair {
            build: other,
            probe: row,
        },
    }
}

/// The pairs of NULL keys, through the filter of `context`.
pub(super) fn equal_nulls(
    input: &JoinInput<'_>,
    context: &Context<'_>,
) -> Result<Results, JoinError> {
    let build = nulls(input, Side::Build, context)?;
    let probe = nulls(input, Side::Probe, context)?;
    let workers = context
        .team
        .workers_for(build.len().saturating_mul(probe.len()));
    let states = Division::counter(workers).by(1).morsels(probe.len());
    let work = |morsels: Morsels, mut sink: SinkRef<'_, '_>| {
        let mut block = Vec::with_capacity(BLOCK);
        for &probe in morsels.flat_map(|rows| &probe[rows]) {
            for builds in build.chunks(BLOCK) {
                if sink.is_exhausted() {
                    return;
                }
                block.clear();
                block.extend(builds.iter().map(|&build| Pair { build, probe }));
                match sink.reborrow() {
                    SinkRef::Aggregate(sink) => sink.emit_block(&block),
                    SinkRef::Pairs(sink) => sink.emit_block(&block),
                }
            }
        }
    };
    Ok(collect(
        states,
        context.consumer,
        context.filter,
        context.team,
        context.memory,
        work,
    )?)
}

/// Marks the rows of `side` that might have a partner because a key is NULL, its own or the other's. Returns what is true of
/// the rows that are not marked.
pub(super) fn unknown(
    input: &JoinInput<'_>,
    side: Side,
    marks: &Marks,
    condition: Option<&dyn PairFilter>,
    context: &Context<'_>,
) -> Result<Truth, JoinError> {
    let others = input.rows(side.other());
    if others == 0 {
        return Ok(Truth::False);
    }
    let Some(condition) = condition else {
        // Any row of the other side will do.
        if input.has_nulls(side.other()) {
            return Ok(Truth::Unknown);
        }
        for row in input.nulls(side) {
            marks.set(row, Truth::Unknown);
        }
        return Ok(Truth::False);
    };
    let own_nulls = nulls(input, side, context)?;
    let other_nulls = nulls(input, side.other(), context)?;
    // Whether the condition holds for the row and one of the others.
    let any = |row: u32, others: &mut dyn Iterator<Item = u32>, block: &mut Vec<Pair>| {
        loop {
            block.clear();
            block.extend(others.take(BLOCK).map(|other| pair(side, row, other)));
            if block.is_empty() {
                return false;
            }
            if condition.keep(block) > 0 {
                return true;
            }
        }
    };
    let all = 0..others as u32;
    for_each_row(own_nulls.len(), context, |at, block| {
        let row = own_nulls[at];
        if any(row, &mut all.clone(), block) {
            marks.set(row, Truth::Unknown);
        }
    });
    if other_nulls.is_empty() {
        return Ok(Truth::False);
    }
    for_each_row(marks.rows(), context, |row, block| {
        let row = row as u32;
        if marks.get(row) == Truth::False && any(row, &mut other_nulls.iter().copied(), block) {
            marks.set(row, Truth::Unknown);
        }
    });
    Ok(Truth::False)
}

/// Calls `each` with every number below `rows` and room for a block, on all workers.
fn for_each_row(rows: usize, context: &Context<'_>, each: impl Fn(usize, &mut Vec<Pair>) + Sync) {
    let workers = context.team.workers_for(rows);
    let states = Division::counter(workers).by(BLOCK).morsels(rows);
    context.team.run(states, |_, morsels| {
        let mut block = Vec::new();
        morsels.flatten().for_each(|row| each(row, &mut block));
    });
}

/// Emits the rows of a side that are results by what is known of them: where a [`Truth`] is, so many `emits` has what stands
/// in place of a partner, or nothing where the row is no result.
pub(super) fn emit(
    emits: [Option<u32>; 3],
    side: Side,
    marks: &mut Marks,
    context: &Context<'_>,
) -> Result<Results, JoinError> {
    let known = marks.all();
    let workers = context.team.workers_for(known.len());
    let states = Division::counter(workers).morsels(known.len());
    let work = |morsels: Morsels, mut sink: SinkRef<'_, '_>| {
        for rows in morsels {
            let rest = Rest {
                side,
                first: rows.start as u32,
                known: &known[rows],
                emits,
            };
            match sink.reborrow() {
                SinkRef::Aggregate(sums) => sums.merge(&rest.sums()),
                SinkRef::Pairs(pairs) => rest.write(pairs),
            }
            if sink.is_exhausted() {
                return;
            }
        }
    };
    Ok(collect(
        states,
        context.consumer,
        None,
        context.team,
        context.memory,
        work,
    )?)
}

/// Consecutive rows of a side, and what is to become of them.
struct Rest<'a> {
    side: Side,
    first: u32,
    /// A [`Truth`] of each.
    known: &'a [u8],
    emits: [Option<u32>; 3],
}

impl Rest<'_> {
    /// The results, counted and summed: by each truth all rows at once.
    fn sums(&self) -> Aggregate {
        let mut sums = Aggregate::default();
        for (truth, other) in (0..).zip(self.emits) {
            let Some(other) = other else { continue };
            let (rows, places) = tally(self.known, truth);
            let own = places + rows * u64::from(self.first);
            let other = rows.wrapping_mul(u64::from(other));
            sums.merge(&Aggregate {
                rows,
                sum_build: self.side.of(own, other),
                sum_probe: self.side.of(other, own),
            });
        }
        sums
    }

    /// Writes the results, in order. Without a branch on what is known of a row, which is as hard to predict as its partner.
    fn write(&self, sink: &mut impl Sink) {
        let (is_result, others) = (
            self.emits.map(|other| other.is_some()),
            self.emits.map(Option::unwrap_or_default),
        );
        let mut pairs = [Pair { build: 0, probe: 0 }; 512];
        let mut row = self.first;
        for known in self.known.chunks(pairs.len()) {
            let mut end = 0;
            for &known in known {
                pairs[end] = pair(self.side, row, others[usize::from(known)]);
                end += usize::from(is_result[usize::from(known)]);
                row += 1;
            }
            sink.emit_block(&pairs[..end]);
        }
    }
}

/// How many rows this is known of, and the sum of their places.
///
/// Both are kept in a byte for each lane as long as they fit, so that a vector of the least machine takes sixteen rows.
fn tally(known: &[u8], truth: u8) -> (u64, u64) {
    const LANES: usize = 16;
    /// The sum of the numbers of so many lines is a byte.
    const LINES: usize = 22;
    let (mut rows, mut places) = (0, 0);
    for (block, known) in known.chunks(LINES * LANES).enumerate() {
        let (lines, rest) = known.as_chunks::<LANES>();
        let (mut counts, mut numbers) = ([0_u8; LANES], [0_u8; LANES]);
        // From the last line on, so that a row is counted when its line's number of lines are still to come.
        for line in lines.iter().rev() {
            for lane in 0..LANES {
                numbers[lane] += counts[lane];
                counts[lane] += u8::from(line[lane] == truth);
            }
        }
        let (mut count, mut place) = (0_u32, 0_u32);
        for lane in 0..LANES {
            count += u32::from(counts[lane]);
            place +=
                lane as u32 * u32::from(counts[lane]) + LANES as u32 * u32::from(numbers[lane]);
        }
        for (at, &known) in (lines.len() * LANES..).zip(rest) {
            count += u32::from(known == truth);
            place += at as u32 * u32::from(known == truth);
        }
        rows += u64::from(count);
        places += u64::from(place) + u64::from(count) * (block * LINES * LANES) as u64;
    }
    (rows, places)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_tallied_as_one_by_one(
            known in proptest::collection::vec(0_u8..3, 0..2000),
            truth in 0_u8..3,
            same: bool,
        ) {
            // Bytes are the fullest where all rows are alike.
            let known = if same { vec![truth; known.len()] } else { known };
            let places = (0_u64..).zip(&known).filter(|(_, known)| **known == truth);
            let one_by_one = places.fold((0, 0), |(rows, sum), (place, _)| (rows + 1, sum + place));
            prop_assert_eq!(tally(&known, truth), one_by_one);
        }
    }
}
