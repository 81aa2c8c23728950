//! The join of a side whose table needs no partitions.

use join_core::input::{BlockRows, KeySource};
use join_core::join::{Context, JoinError, Outcome, Phases, consume};
use join_core::key::{Key, Tuple};
use join_core::parallel::{MorselSize, Sharing};
use join_core::unchained::Scheme;

use crate::local::LocalTable;
use crate::{Settings, Sides};

/// Builds one table on one worker and looks up keys where they lie on all.
pub(crate) fn join<K: Key, S: Scheme>(
    sides: &Sides<'_, '_, K>,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Outcome, JoinError> {
    let mut phases = Phases::start();
    let slots = settings.slots_per_tuple;
    let mut table = LocalTable::<K, S>::new(sides.table.len(), 0, slots, context.memory)?;
    table.build(sides.table);
    phases.lap("build");
    let table_bytes = table.bytes();
    let ranges = table.ranges();
    let workers = context.team.workers_for(sides.probe.len());
    let cursors = sides
        .probe
        .cursors(workers, Sharing::Counter, MorselSize::default());
    let results = consume(
        cursors,
        context,
        &mut phases,
        "probe",
        |mut cursor, mut sink| {
            while let Some(block) = cursor.next_block() {
                let keys = block.keys.iter();
                let sink = sink.reborrow();
                match block.rows {
                    BlockRows::From(row) => {
                        let probes = (row..).zip(keys).map(|(row, &key)| Tuple::new(key, row));
                        ranges.probe(probes, sides.how, sink);
                    }
                    BlockRows::List(rows) => {
                        let probes = rows.iter().zip(keys);
                        let probes = probes.map(|(&row, &key)| Tuple::new(key, row));
                        ranges.probe(probes, sides.how, sink);
                    }
                }
            }
        },
    )?;
    drop(table);
    phases.lap("free");
    Ok(Outcome {
        results,
        phases,
        table_bytes,
        notes: vec!["no partitions: the table fits in L2".to_owned()],
    })
}
