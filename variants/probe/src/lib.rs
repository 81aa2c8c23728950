//! Probes of a finished table: keys zero-copy or materialised, looked up one after the other, in groups with software
//! prefetch or interleaved, work shared in three ways (R8.1 to R8.3).

use join_core::input::{InputMode, KeyColumn};
use join_core::join::{
    Context, DynJoinTable, JoinError, Kernel, Phases, Probe, Side, consume, find_ranges, prepare,
};
use join_core::key::Key;
use join_core::output::Results;
use join_core::parallel::{Division, MorselSize, Sharing};

/// A probe that reads a key column once, in input order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelinedProbe {
    /// How the probe side's keys are read (R1.2).
    pub input: InputMode,
    /// In what order keys are looked up, and how tuples are compared.
    pub kernel: Kernel,
    /// How workers share the rows (R8.1, R8.2).
    pub sharing: Sharing,
    /// Rows that a worker takes at a time (R8.2).
    pub morsel: MorselSize,
}

impl Default for PipelinedProbe {
    fn default() -> Self {
        Self {
            input: InputMode::ZeroCopy,
            kernel: Kernel::SCALAR,
            sharing: Sharing::Counter,
            morsel: MorselSize::default(),
        }
    }
}

impl Probe for PipelinedProbe {
    fn probe<K: Key>(
        &self,
        table: &dyn DynJoinTable<K>,
        column: &KeyColumn<'_, K>,
        context: &Context<'_>,
        phases: &mut Phases,
        notes: &mut Vec<String>,
    ) -> Result<Results, JoinError> {
        let source = prepare(Side::Probe, self.input, column, context, phases, notes)?;
        let kernel = self.kernel.for_table(table.bytes(), context.caches);
        notes.push(kernel.to_string());
        let workers = context.team.workers_for(column.len());
        let cursors = source.cursors(Division {
            workers,
            sharing: self.sharing,
            morsel: self.morsel,
        });
        if context.begins_with_ranges()
            && let Some(ranges) = table.as_ranges()
        {
            notes.push("matches found as ranges".to_owned());
            return find_ranges(cursors, ranges, kernel, context, phases);
        }
        consume(cursors, context, phases, "probe", |mut cursor, mut sink| {
            while !sink.is_exhausted()
                && let Some(block) = cursor.next_block()
            {
                table.probe(block, kernel, sink.reborrow());
            }
        })
    }
}
