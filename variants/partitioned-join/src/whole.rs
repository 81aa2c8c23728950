//! The join of a side whose table needs no partitions.

use join_core::input::{BlockRows, KeySource};
use join_core::join::{
    Context, JoinError, Kernel, Outcome, Phases, Schedule, consume, find_ranges,
};
use join_core::key::{Key, Tuple};
use join_core::parallel::Division;
use join_core::unchained::Scheme;

use crate::local::LocalTable;
use crate::{Settings, Sides};

/// Keys that are made tuples of and then looked up: their tuples stay in L1.
const BLOCK: usize = 512;

/// Builds one table on one worker and looks up keys where they lie on all.
pub(crate) fn join<K: Key, S: Scheme>(
    sides: &Sides<'_, '_, K>,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Outcome, JoinError> {
    let mut phases = Phases::start();
    let slots = settings.slots_per_tuple::<K>();
    let mut table = LocalTable::<K, S>::new(sides.table.len(), 0, slots, context.memory)?;
    table.build(sides.table);
    phases.lap("build");
    let table_bytes = table.bytes();
    let ranges = table.ranges();
    let workers = context.team.workers_for(sides.probe.len());
    let cursors = sides.probe.cursors(Division::counter(workers));
    let results = if sides.begins_with_ranges(context) {
        let kernel = Kernel {
            schedule: Schedule::Direct,
            compare: sides.how.compare,
        };
        find_ranges(cursors, &ranges, kernel, context, &mut phases)?
    } else {
        consume(
            cursors,
            context,
            &mut phases,
            "probe",
            |mut cursor, mut sink| {
                let mut tuples = [Tuple::new(K::zeroed(), 0); BLOCK];
                while let Some(block) = cursor.next_block() {
                    for block in block.chunks(BLOCK) {
                        let probes = &mut tuples[..block.keys.len()];
                        match block.rows {
                            BlockRows::From(first) => {
                                let keys = block.keys.iter().enumerate();
                                for (tuple, (index, &key)) in probes.iter_mut().zip(keys) {
                                    *tuple = Tuple::new(key, first + index as u32);
                                }
                            }
                            BlockRows::List(rows) => {
                                for ((tuple, &key), &row) in
                                    probes.iter_mut().zip(block.keys).zip(rows)
                                {
                                    *tuple = Tuple::new(key, row);
                                }
                            }
                        }
                        ranges.probe(&[probes], sides.how, None, sink.reborrow());
                    }
                    if sink.is_exhausted() {
                        return;
                    }
                }
            },
        )?
    };
    drop(table);
    phases.lap("free");
    Ok(Outcome {
        results,
        phases,
        table_bytes,
        notes: vec!["no partitions: the table fits in L2".to_owned()],
    })
}
