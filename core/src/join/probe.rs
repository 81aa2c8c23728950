//! What a probe variant implements, and the join made of a build and a probe.

use super::build::Build;
use super::context::{Consumer, Context, JoinError, Outcome, PairPlacement, Results, TypedJoin};
use super::phases::Phases;
use super::sink::{Aggregate, Pair, PairBuffer, Pairs, SinkRef};
use super::table::JoinTable;
use crate::input::{InputMode, KeyColumn, Materialised};
use crate::key::Key;
use crate::memory::{Buffer, Memory, OutOfMemory};
use crate::parallel::{Tasks, Team};

/// A probe variant: finds the matches of a key column in a table.
pub trait Probe: Send + Sync {
    /// Probes `table` with all keys of `column`, naming its phases on the way, and notes what it chose.
    fn probe<K: Key>(
        &self,
        table: &dyn JoinTable<K>,
        column: &KeyColumn<'_, K>,
        context: &Context<'_>,
        phases: &mut Phases,
        notes: &mut Vec<String>,
    ) -> Result<Results, JoinError>;
}

/// A join made of a build variant and a probe variant.
#[derive(Debug, Clone, Copy)]
pub struct BuildProbe<B, P> {
    /// How the build side's keys are read (R1.2, R1.3).
    pub build_input: InputMode,
    /// The build variant.
    pub build: B,
    /// The probe variant.
    pub probe: P,
}

impl<B: Build, P: Probe> TypedJoin for BuildProbe<B, P> {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let mut phases = Phases::start();
        let nulls = build.has_nulls();
        let mut notes = vec![format!("build input {}", self.build_input.chosen(nulls))];
        let copy = self
            .build_input
            .copies(nulls)
            .then(|| Materialised::new(build, context.team, context.memory))
            .transpose()?;
        if copy.is_some() {
            phases.lap("materialise build keys");
        }
        let source = self.build_input.source(build, copy.as_ref());
        let table = self.build.build(&*source, context, &mut phases)?;
        let table_bytes = table.bytes();
        let results = self
            .probe
            .probe(&*table, probe, context, &mut phases, &mut notes)?;
        drop(table);
        drop(source);
        drop(copy);
        phases.lap("free");
        Ok(Outcome {
            results,
            phases,
            table_bytes,
            notes,
        })
    }
}

/// Runs `work` with a sink for each of `states`, one worker a state, and puts the results together as the context's
/// consumer wants them (R8.3). Ends the phase `name`, and `merge` where there is something to place.
pub fn consume<S: Send>(
    states: Vec<S>,
    context: &Context<'_>,
    phases: &mut Phases,
    name: &'static str,
    work: impl Fn(S, SinkRef<'_, '_>) + Sync,
) -> Result<Results, JoinError> {
    match context.consumer {
        Consumer::Aggregate => {
            let sums = context.team.run(states, |_, state| {
                let mut sums = Aggregate::default();
                work(state, SinkRef::Aggregate(&mut sums));
                sums
            });
            let mut all = Aggregate::default();
            sums.iter().for_each(|sums| all.merge(sums));
            phases.lap(name);
            Ok(Results::Aggregate(all))
        }
        Consumer::Pairs(placement) => {
            let workers = context.team.run(states, |_, state| {
                let mut pairs = PairBuffer::keeping(context.memory)?;
                work(state, SinkRef::Pairs(&mut pairs));
                pairs.finish()
            });
            phases.lap(name);
            let workers = workers
                .into_iter()
                .collect::<Result<Vec<_>, OutOfMemory>>()?;
            let pairs = place(workers, placement, context.team, context.memory)?;
            phases.lap("merge");
            Ok(Results::Pairs(pairs))
        }
        Consumer::Stream(consumer) => {
            let done = context.team.run(states, |worker, state| {
                let mut pairs = PairBuffer::streaming(context.memory, consumer, worker)?;
                work(state, SinkRef::Pairs(&mut pairs));
                pairs.finish().map(drop)
            });
            phases.lap(name);
            done.into_iter().collect::<Result<(), OutOfMemory>>()?;
            Ok(Results::Streamed)
        }
    }
}

/// Puts the results of several rounds of [`consume`] under [`Context::round`] together as the context's consumer wants
/// them. Ends the phase `merge` where there is something to place.
pub fn merge(
    rounds: Vec<Results>,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Results, JoinError> {
    let mut sums = Aggregate::default();
    let mut chunks = Vec::new();
    for round in rounds {
        match round {
            Results::Aggregate(round) => sums.merge(&round),
            Results::Pairs(Pairs(round)) => chunks.push(round),
            Results::Streamed => {}
        }
    }
    Ok(match context.consumer {
        Consumer::Aggregate => Results::Aggregate(sums),
        Consumer::Stream(_) => Results::Streamed,
        Consumer::Pairs(placement) => {
            let pairs = place(chunks, placement, context.team, context.memory)?;
            phases.lap("merge");
            Results::Pairs(pairs)
        }
    })
}

/// Places the workers' chunks as one result.
fn place(
    workers: Vec<Vec<Buffer<Pair>>>,
    placement: PairPlacement,
    team: &Team,
    memory: &Memory,
) -> Result<Pairs, OutOfMemory> {
    let chunks: Vec<Buffer<Pair>> = workers.into_iter().flatten().collect();
    if placement == PairPlacement::Chunks {
        return Ok(Pairs(chunks));
    }
    let total = chunks.iter().map(|chunk| chunk.len()).sum();
    let mut merged = memory.uninit::<Pair>(total)?;
    let mut left: &mut [_] = &mut merged;
    let copies = chunks.into_iter().map(|chunk| {
        (
            left.split_off_mut(..chunk.len())
                .expect("room for every pair"),
            chunk,
        )
    });
    let copies = Tasks::new(copies);
    let threads = match placement {
        PairPlacement::Serial => 1,
        _ => team.workers_for(total),
    };
    team.run(vec![(); threads], |_, ()| {
        while let Some((_, (place, chunk))) = copies.take() {
            place.write_copy_of_slice(&chunk);
        }
    });
    drop(copies);
    // SAFETY: the copies divide the buffer among the chunks, and each writes all of its part.
    Ok(Pairs(vec![unsafe { merged.assume_init() }]))
}
