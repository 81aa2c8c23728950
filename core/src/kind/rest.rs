//! What comes after the pairs of rows with equal keys.

use std::ops::Range;

use super::marks::Marks;
use super::{Kind, Truth};
use crate::join::{Context, JoinError, JoinInput, Side};
use crate::memory::{Buffer, OutOfMemory};
use crate::output::{Pair, PairFilter, Results, Sink, SinkRef, collect};
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

/// Marks the rows of `side` that might have a partner because a key is NULL, its own or the other's.
pub(super) fn unknown(
    input: &JoinInput<'_>,
    side: Side,
    marks: &Marks,
    condition: Option<&dyn PairFilter>,
    context: &Context<'_>,
) -> Result<(), JoinError> {
    let others = input.rows(side.other());
    if others == 0 {
        return Ok(());
    }
    let Some(condition) = condition else {
        // Any row of the other side will do.
        for row in input.nulls(side) {
            marks.set(row, Truth::Unknown);
        }
        if input.has_nulls(side.other()) {
            for_each_row(marks.rows(), context, |row, _| {
                let known = marks.get(row as u32) as usize;
                marks.set(
                    row as u32,
                    [Truth::Unknown, Truth::True, Truth::Unknown][known],
                );
            });
        }
        return Ok(());
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
        return Ok(());
    }
    for_each_row(marks.rows(), context, |row, block| {
        let row = row as u32;
        if marks.get(row) == Truth::False && any(row, &mut other_nulls.iter().copied(), block) {
            marks.set(row, Truth::Unknown);
        }
    });
    Ok(())
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

/// Emits the rows of a side that are results by what is known of them.
pub(super) fn emit(
    kind: Kind,
    side: Side,
    marks: &Marks,
    context: &Context<'_>,
) -> Result<Results, JoinError> {
    let workers = context.team.workers_for(marks.rows());
    let states = Division::counter(workers).morsels(marks.rows());
    let work = |morsels: Morsels, mut sink: SinkRef<'_, '_>| {
        for rows in morsels {
            match sink.reborrow() {
                SinkRef::Aggregate(sink) => emit_rows(kind, side, marks, rows, sink),
                SinkRef::Pairs(sink) => emit_rows(kind, side, marks, rows, sink),
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

fn emit_rows(kind: Kind, side: Side, marks: &Marks, rows: Range<usize>, sink: &mut impl Sink) {
    // No branch on what is known of a row, which is as hard to predict as its partner.
    let emitted = [Truth::False, Truth::True, Truth::Unknown].map(|truth| kind.emits(truth));
    let (emits, others) = (
        emitted.map(|other| other.is_some()),
        emitted.map(Option::unwrap_or_default),
    );
    for row in rows.start as u32..rows.end as u32 {
        let known = marks.get(row) as usize;
        let pair = pair(side, row, others[known]);
        sink.emit_if(emits[known], pair.build, pair.probe);
    }
}
