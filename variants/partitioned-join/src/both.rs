//! The join of both sides by partition.

use join_core::input::KeySource;
use join_core::join::{Context, JoinError, Outcome, Phases, RangeTable, consume, merge};
use join_core::key::{Key, Tuple};
use join_core::output::{Pairs, RangeBuffer, Ranges, Results};
use join_core::parallel::Tasks;
use join_core::partition::Segments;
use join_core::unchained::Scheme;

use crate::entries::Partition;
use crate::filter::{Filter, Passing, worth_below};
use crate::local::LocalTable;
use crate::passes::partitioned;
use crate::ranges::How;
use crate::sample::sampled;
use crate::task::divide;
use crate::{MemoryUse, Semijoin, Settings, Sides};

/// Fewest rows of a round.
const MIN_ROUND: usize = 1 << 14;

/// Partitions the side of the table, then rounds of the other one, and joins each round with it.
pub(crate) fn join<K: Key, S: Scheme>(
    sides: &Sides<'_, '_, K>,
    part_bits: u32,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Outcome, JoinError> {
    let mut phases = Phases::start();
    let rows = sides.probe.len();
    let (mut table_bytes, mut rounds) = (0, Vec::new());
    let mut notes = vec![format!("2^{part_bits} partitions")];
    let builds = sides.table.len();
    partitioned::<K, S::Hash, _>(
        sides.table,
        builds,
        part_bits,
        settings,
        context,
        |builds| {
            phases.lap("partition build");
            let mut tables = tables::<K, S>(sides, builds, part_bits, settings, context)?;
            let tuples: usize = (0..builds.parts()).map(|part| builds.len(part)).sum();
            table_bytes = settings.table_bytes::<K>(tuples);
            let filter = match settings.filter {
                Semijoin::Off => false,
                Semijoin::On => true,
                Semijoin::Sampled => {
                    let bytes = Filter::<S::Hash>::bytes(tuples, builds.parts());
                    let worth = worth_below(bytes, context.caches.l2).and_then(|most| {
                        let matches = sampled(sides.probe, &tables[0], builds, &mut notes)?;
                        Some(matches < most)
                    });
                    worth.unwrap_or(false)
                }
            };
            let filter = filter.then(|| Filter::<S::Hash>::new(builds, context));
            let filter = filter.transpose()?;
            if let Some(filter) = &filter {
                notes.push(format!("filter of {} bytes", filter.len_bytes()));
                phases.lap("filter build");
            }
            let round = match settings.memory {
                MemoryUse::Fast => rows.max(1),
                MemoryUse::Low => {
                    // What partitioning takes beside the entries does not grow with the rows.
                    let spare =
                        (table_bytes + table_bytes / 2).saturating_sub(context.memory.used());
                    let beside = builds.parts() * 512 * context.team.threads();
                    (spare.saturating_sub(beside) / size_of::<Tuple<K>>()).max(MIN_ROUND)
                }
            };
            for start in (0..rows).step_by(round) {
                let source = sides
                    .probe
                    .slice(start..rows.min(start.saturating_add(round)));
                let rows = KeySource::<K>::rows(&source).unwrap_or(0);
                let passing;
                let source: &dyn KeySource<K> = match &filter {
                    None => &source,
                    Some(filter) => {
                        passing = Passing { source, filter };
                        &passing
                    }
                };
                let round = partitioned::<K, S::Hash, _>(
                    source,
                    rows,
                    part_bits,
                    settings,
                    context,
                    |probes| {
                        phases.lap("partition probe");
                        let context = context.round();
                        let join = match sides.begins_with_ranges(&context) {
                            true => ranges_of_round::<K, S>,
                            false => join_round::<K, S>,
                        };
                        join(
                            &mut tables,
                            builds,
                            probes,
                            sides.how,
                            &context,
                            &mut phases,
                        )
                    },
                )?;
                rounds.push(round);
            }
            Ok(())
        },
    )?;
    phases.lap("free");
    if rounds.len() > 1 {
        notes.push(format!("probe side in {} rounds", rounds.len()));
    }
    Ok(Outcome {
        results: merge(rounds, context, &mut phases)?,
        phases,
        table_bytes,
        notes,
    })
}

/// A table for each worker, with room for the largest partition. The first is of [`typical`] one.
fn tables<K: Key, S: Scheme>(
    sides: &Sides<'_, '_, K>,
    builds: &Segments<'_, Tuple<K>>,
    part_bits: u32,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Vec<LocalTable<K, S>>, JoinError> {
    let largest = (0..builds.parts()).map(|part| builds.len(part)).max();
    let finds_tuples = sides.how.finds_tuples(context.filter);
    let table = |slots| {
        let largest = largest.unwrap_or(0);
        let table = LocalTable::<K, S>::new(largest, part_bits, slots, context.memory)?;
        match finds_tuples {
            true => table.with_seen(context.memory),
            false => Ok(table),
        }
    };
    let typical = Partition(builds, typical(builds));
    let mut slots = settings.slots_per_tuple::<K>();
    let mut first = table(slots)?;
    first.build(&typical);
    if let Some(more) = settings.slots_of_repeated::<K>(first.tuples_per_key()) {
        slots = more;
        first = table(slots)?;
        first.build(&typical);
    }
    let workers = context
        .team
        .workers_for(sides.probe.len().max(sides.table.len()));
    let mut tables = vec![first];
    while tables.len() < workers {
        tables.push(table(slots)?);
    }
    Ok(tables)
}

/// The partition that tells of all: hashing spreads keys evenly.
pub(crate) fn typical<K: Key>(builds: &Segments<'_, Tuple<K>>) -> usize {
    builds.parts() / 2
}

/// Joins all of the table's side with a part of the other one.
fn join_round<K: Key, S: Scheme>(
    tables: &mut [LocalTable<K, S>],
    builds: &Segments<'_, Tuple<K>>,
    probes: &Segments<'_, Tuple<K>>,
    how: How,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Results, JoinError> {
    let tasks = Tasks::new(divide(builds, probes, tables.len()));
    let tables: Vec<_> = tables.iter_mut().collect();
    consume(tables, context, phases, "join", |table, mut sink| {
        while let Some((_, task)) = tasks.take() {
            table.build(&Partition(builds, task.part));
            table.probe(&task.probes, how, sink.reborrow());
        }
    })
}

/// As [`join_round`], where matches stay ranges. All partitions' build rows stand behind one another, written by who builds
/// the first table of a partition.
fn ranges_of_round<K: Key, S: Scheme>(
    tables: &mut [LocalTable<K, S>],
    builds: &Segments<'_, Tuple<K>>,
    probes: &Segments<'_, Tuple<K>>,
    how: How,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Results, JoinError> {
    let lens = (0..builds.parts()).map(|part| builds.len(part));
    // Zeroes, since partitions without probes stay unwritten.
    let mut build_rows = context.memory.zeroed::<u32>(lens.clone().sum())?;
    let mut left: &mut [u32] = &mut build_rows;
    let mut base = 0;
    let mut places: Vec<(usize, Option<&mut [u32]>)> = Vec::with_capacity(builds.parts());
    for len in lens {
        places.push((base, left.split_off_mut(..len)));
        base += len;
    }
    let tasks = divide(builds, probes, tables.len()).into_iter();
    let tasks = Tasks::new(tasks.map(|task| {
        let (base, rows) = &mut places[task.part];
        (task, *base, rows.take())
    }));
    let tables: Vec<_> = tables.iter_mut().collect();
    let found = context.team.run(tables, |_, table| {
        let mut found = RangeBuffer::new(context.memory)?;
        while let Some((_, (task, base, rows))) = tasks.take() {
            table.build(&Partition(builds, task.part));
            let ranges = table.ranges();
            for (row, tuple) in rows.into_iter().flatten().zip(ranges.store()) {
                *row = tuple.row_id();
            }
            ranges.leave(&task.probes, base, how.compare, &mut found);
        }
        found.finish()
    });
    phases.lap("join");
    drop(tasks);
    let mut chunks = Vec::new();
    for of_worker in found {
        chunks.extend(of_worker?);
    }
    Ok(Results::Pairs(Pairs {
        ranges: vec![Ranges::new(build_rows, chunks)],
        ..Pairs::default()
    }))
}
