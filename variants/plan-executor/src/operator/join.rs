//! One join: build, probe, materialise.

use join_core::join::{self as core, Build, Phases, consume};
use join_core::key::Key;
use join_core::output::{Consumer, PairPlacement, Pairs, Results};
use join_core::page::DataType;
use join_core::parallel::{Division, MorselSize};

use super::OperatorAtATime;
use super::column::{ColumnData, Relation};
use super::gather::gather;
use super::keys::source;
use crate::telemetry::Step;
use crate::{Bundle, Context, ExecuteError, Join};

/// The pairs of a join, and bytes of its table.
struct Matches {
    pairs: Pairs,
    table_bytes: usize,
}

impl OperatorAtATime {
    pub(super) fn join<'a>(
        &self,
        bundle: &Bundle,
        node: usize,
        join: Join,
        (left, right): (Relation<'a>, Relation<'a>),
        context: &Context<'_>,
    ) -> Result<(Relation<'a>, Step), ExecuteError> {
        let mut phases = Phases::start();
        let (left_key, right_key) = (
            &left.columns[join.left_attr],
            &right.columns[join.right_attr],
        );
        let ((build, build_key), (probe, probe_key)) = if join.build_left {
            ((&left, left_key), (&right, right_key))
        } else {
            ((&right, right_key), (&left, left_key))
        };
        let matched = match build_key.data_type() {
            DataType::Int32 => {
                self.matches::<i32>(build_key, probe_key, probe.rows, context, &mut phases)
            }
            _ => self.matches::<i64>(build_key, probe_key, probe.rows, context, &mut phases),
        };
        let Matches { pairs, table_bytes } = matched.map_err(ExecuteError::join(node))?;
        let pairs = match &pairs.chunks[..] {
            [pairs] => &pairs[..],
            _ => &[],
        };
        ExecuteError::refuse_beyond_limit(node, pairs.len() as u64)?;
        let columns = bundle.plan().nodes()[node].output.iter().map(|output| {
            let from_left = output.index < left.columns.len();
            let column = if from_left {
                &left.columns[output.index]
            } else {
                &right.columns[output.index - left.columns.len()]
            };
            if from_left == join.build_left {
                gather(column, pairs.len(), |at| pairs[at].build, context)
            } else {
                gather(column, pairs.len(), |at| pairs[at].probe, context)
            }
        });
        let columns: Vec<ColumnData<'a>> = columns
            .collect::<Result<_, _>>()
            .map_err(ExecuteError::memory(node))?;
        phases.lap("materialise");
        let bytes = columns.iter().map(ColumnData::bytes).sum::<usize>() + table_bytes;
        let step = Step {
            name: format!("join {node}"),
            detail: format!(
                "{} build on the {}",
                self.build_name,
                if join.build_left { "left" } else { "right" }
            ),
            rows_in: probe.rows as u64,
            build_rows: Some(build.rows as u64),
            rows_out: pairs.len() as u64,
            bytes: bytes as u64,
            ..Step::default()
        };
        let rows = pairs.len();
        Ok((Relation { rows, columns }, step.timed(&phases)))
    }

    fn matches<K: Key>(
        &self,
        build: &ColumnData<'_>,
        probe: &ColumnData<'_>,
        probe_rows: usize,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Matches, core::JoinError> {
        let context = core::Context::new(context.team, context.memory)
            .with_consumer(Consumer::Pairs(PairPlacement::Parallel));
        let (build, probe) = (source::<K>(build), source::<K>(probe));
        let table = self.build.build(&*build, &context, phases)?;
        let workers = context.team.workers_for(probe_rows);
        let cursors = probe.cursors(Division {
            morsel: MorselSize::Contest,
            ..Division::counter(workers)
        });
        let results = consume(
            cursors,
            &context,
            phases,
            "probe",
            |mut cursor, mut sink| {
                while !sink.is_exhausted()
                    && let Some(block) = cursor.next_block()
                {
                    table.probe(block, self.kernel, sink.reborrow());
                }
            },
        )?;
        let Results::Pairs(pairs) = results else {
            unreachable!("the consumer wanted pairs")
        };
        Ok(Matches {
            pairs,
            table_bytes: table.bytes(),
        })
    }
}
