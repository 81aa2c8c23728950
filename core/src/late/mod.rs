//! Rows whose values are fetched *late*: the join is one of row ids, and each block of pairs, still in the cache, has its
//! values gathered by a [`RowsConsumer`].
//!
//! Of one side values are fetched in the order of its rows at best, of the other at random. Where the smaller side has
//! several columns of fixed width, they are first written row by row: a row of the result then waits for one cache miss or
//! two, and not for one a column. [`crate::early`] is the other way.

use crate::compound::Keys;
use crate::join::{Context, DynJoin, JoinError, Outcome, Phases, Side};
use crate::kind::Semantics;
use crate::output::{Consumer, FixedColumn, Form, RowColumn, Rows, RowsConsumer, Tuples};

/// The rows of any join, made of these columns of either side in `form`. The context's consumer is not asked.
///
/// The phases are those of the join, `values by row` before them where a side's are written row by row, and `free` after.
///
/// # Errors
///
/// Those of the join; columns that have another number of rows than the keys, or fit no page where `form` is pages; or memory
/// that runs out for the rows, or for a copy of columns.
pub fn join_late(
    join: &dyn DynJoin,
    keys: &Keys<'_>,
    semantics: &Semantics<'_>,
    [build, probe]: [&[RowColumn<'_>]; 2],
    form: Form,
    context: &Context<'_>,
) -> Result<(Outcome, Rows), JoinError> {
    let mut phases = Phases::start();
    let rows = |side: Side| keys.rows(side);
    // Refused before anything is copied.
    let as_given = RowsConsumer::new(
        (build.to_vec(), rows(Side::Build)),
        (probe.to_vec(), rows(Side::Probe)),
        form,
        context.memory,
    )?;
    let smaller = match rows(Side::Build) <= rows(Side::Probe) {
        true => Side::Build,
        false => Side::Probe,
    };
    let columns = smaller.of(build, probe);
    let moved: Vec<&FixedColumn<'_>> = columns.iter().filter_map(RowColumn::travelling).collect();
    // A single column is as near as it can be, and rows that are not paired are read in order.
    let pays = moved.len() > 1 && semantics.kind.has_pairs();
    let tuples = match pays {
        true => {
            let team = context.team;
            let tuples = Tuples::of(&moved, rows(smaller), team, context.memory)?;
            phases.lap("values by row");
            Some(tuples)
        }
        false => None,
    };
    let consumer = match &tuples {
        None => as_given,
        Some(tuples) => {
            let mut by_row = tuples.columns();
            let columns = columns.iter().map(|column| match column.travelling() {
                Some(_) => by_row.next().expect("as many as were moved"),
                None => column.clone(),
            });
            let columns = columns.collect();
            match smaller {
                Side::Build => as_given.then(columns, probe.to_vec()),
                Side::Probe => as_given.then(build.to_vec(), columns),
            }
        }
    };
    let own = Context {
        consumer: Consumer::Stream(&consumer),
        ..*context
    };
    let mut outcome = semantics.join_keys(join, keys, &own)?;
    phases.append(outcome.phases);
    let made = consumer.finish()?;
    if let Some(tuples) = tuples {
        outcome.table_bytes += tuples.bytes();
        outcome.notes.push(format!(
            "{} columns of the {} side gathered by row",
            moved.len(),
            smaller.of("build", "probe")
        ));
    }
    phases.lap("free");
    outcome.phases = phases;
    Ok((outcome, made))
}

#[cfg(test)]
mod tests;
