//! The two ends of every join: its keys as the input mode says, its results as the consumer wants them. Here they become
//! phases and notes.

use super::context::{Context, JoinError};
use super::phases::Phases;
use super::table::{Kernel, RangeTable};
use crate::input::{InputMode, KeyColumn, KeyCursor, KeySource};
use crate::key::{Key, Tuple};
use crate::memory::{Buffer, OutOfMemory};
use crate::output::{Consumer, Pairs, RangeBuffer, Ranges, Results, SinkRef, collect};
use crate::parallel::Tasks;

/// A side of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that a table is made of.
    Build,
    /// The one whose keys are looked up.
    Probe,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Build => Self::Probe,
            Self::Probe => Self::Build,
        }
    }

    /// This side's of the two.
    pub fn of<T>(self, build: T, probe: T) -> T {
        match self {
            Self::Build => build,
            Self::Probe => probe,
        }
    }
}

/// The keys of a side, read as `mode` says (R1.2). Notes which way that is, and ends a phase where they are copied.
///
/// # Errors
///
/// If there is no memory for a copy.
pub fn prepare<'s, K: Key>(
    side: Side,
    mode: InputMode,
    column: &'s KeyColumn<'s, K>,
    context: &Context<'_>,
    phases: &mut Phases,
    notes: &mut Vec<String>,
) -> Result<Box<dyn KeySource<K> + 's>, JoinError> {
    let (name, copied) = match side {
        Side::Build => ("build", "materialise build keys"),
        Side::Probe => ("probe", "materialise probe keys"),
    };
    let nulls = column.has_nulls();
    notes.push(format!("{name} input {}", mode.chosen(nulls)));
    let source = mode.source(column, context.team, context.memory)?;
    if mode.copies(nulls) {
        phases.lap(copied);
    }
    Ok(source)
}

/// Runs `work` with a sink for each of `states`, one worker per state, and puts the results together as the context's
/// consumer wants them (R8.3). Ends the phase `name`, and `merge` where there is something to place.
///
/// # Errors
///
/// If memory runs out for the results.
pub fn consume<S: Send>(
    states: Vec<S>,
    context: &Context<'_>,
    phases: &mut Phases,
    name: &'static str,
    work: impl Fn(S, SinkRef<'_, '_>) + Sync,
) -> Result<Results, JoinError> {
    let results = collect(
        states,
        context.consumer,
        context.filter,
        context.team,
        context.memory,
        work,
    );
    phases.lap(name);
    place(results?, context, phases)
}

/// Looks up the keys of all `cursors`, one worker per cursor, in a table of ranges: the other way to results where the
/// context [begins with ranges](Context::begins_with_ranges). Ends the phases `probe`, `copy row ids` and `merge`.
///
/// # Errors
///
/// If memory runs out for the results.
pub fn find_ranges<K: Key>(
    cursors: Vec<Box<dyn KeyCursor<K> + '_>>,
    table: &dyn RangeTable<K>,
    kernel: Kernel,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Results, JoinError> {
    let found = context.team.run(cursors, |_, mut cursor| {
        let mut found = RangeBuffer::new(context.memory)?;
        while !found.is_exhausted()
            && let Some(block) = cursor.next_block()
        {
            table.find(block, kernel, &mut found);
        }
        found.finish()
    });
    phases.lap("probe");
    let mut chunks = Vec::new();
    for of_worker in found {
        chunks.extend(of_worker?);
    }
    let build_rows = row_ids(table.store(), context)?;
    phases.lap("copy row ids");
    let pairs = Pairs {
        ranges: vec![Ranges::new(build_rows, chunks)],
        ..Pairs::default()
    };
    place(Results::Pairs(pairs), context, phases)
}

/// The build rows of tuples: what is left of a table once its keys have been found.
fn row_ids<K: Key>(tuples: &[Tuple<K>], context: &Context<'_>) -> Result<Buffer<u32>, OutOfMemory> {
    /// Tuples that a worker copies at a time.
    const TUPLES: usize = 1 << 14;
    let mut rows = context.memory.uninit::<u32>(tuples.len())?;
    let shares = rows.chunks_mut(TUPLES).zip(tuples.chunks(TUPLES));
    let tasks = Tasks::new(shares);
    let workers = context.team.workers_for(tuples.len());
    context.team.run(vec![(); workers], |_, ()| {
        while let Some((_, (rows, tuples))) = tasks.take() {
            for (row, tuple) in rows.iter_mut().zip(tuples) {
                row.write(tuple.row_id());
            }
        }
    });
    drop(tasks);
    // SAFETY: the shares are all of both, which are equally long.
    Ok(unsafe { rows.assume_init() })
}

/// Puts the results of several rounds of [`consume`] under [`Context::round`] together as the context's consumer wants
/// them. Ends the phase `merge` where there is something to place.
///
/// # Errors
///
/// If memory runs out for the results.
pub fn merge(
    rounds: Vec<Results>,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Results, JoinError> {
    place(
        Results::of_rounds(rounds, context.consumer),
        context,
        phases,
    )
}

pub(crate) fn place(
    results: Results,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Results, JoinError> {
    let Consumer::Pairs(placement) = context.consumer else {
        return Ok(results);
    };
    let placed = results.placed(placement, context.team, context.memory)?;
    phases.lap("merge");
    Ok(placed)
}
