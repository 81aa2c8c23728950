//! A join that leaves the plan as it is: where DataFusion's would be, it makes Joinery's table of the left side, or of each
//! partition of it, and lets the right one stream by.
//!
//! Whoever polls a partition of the output works for it, and nobody else, but for a table that all of them share: it is made
//! by as many threads as a session has partitions, which wait for it in the meantime. Results come in the order of the right
//! side's rows, as DataFusion promises.

mod probe;
mod table;

use std::sync::{Arc, Mutex, OnceLock};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::future::{self, BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryFutureExt, stream};
use join_core::parallel::Team;

use crate::exchange::lock;
use crate::job::{Equipment, Question, Source, unjoined};
use crate::keys::Form;
use crate::metrics::JoinMetrics;
use crate::own::source;
use crate::pruning::{InParts, Pruning};
use crate::side::Side;
use probe::Probe;
use table::{LeftTable, Order};

/// The state of an operator.
#[derive(Default)]
pub(crate) struct Streaming {
    pub(crate) metrics: ExecutionPlanMetricsSet,
    /// What was chosen, once that is known.
    pub(crate) notes: Arc<OnceLock<String>>,
    /// The execution that is on.
    execution: Mutex<Option<Execution>>,
}

/// What the partitions of an execution share.
struct Execution {
    parts: Parts,
    /// Which partitions have been executed.
    taken: Vec<bool>,
}

#[derive(Clone)]
struct Parts {
    question: Arc<Question>,
    form: Form,
    left: Left,
}

/// Where tables come from.
#[derive(Clone)]
enum Left {
    /// There is one of all rows.
    Whole(Shared<BoxFuture<'static, Result<Arc<LeftTable>, Arc<DataFusionError>>>>),
    /// There is one of each partition; and the filter that is to be filled.
    Partitioned(Option<Arc<InParts>>),
}

impl Streaming {
    /// The stream of a partition of a join. What is asked of it, and the filter that it is to fill, is `asked` once an execution.
    pub(crate) fn execute(
        &self,
        join: &HashJoinExec,
        partition: usize,
        context: &Arc<TaskContext>,
        asked: impl FnOnce() -> Result<(Question, Option<Pruning>)>,
    ) -> Result<SendableRecordBatchStream> {
        let equipment = Equipment {
            context: context.clone(),
            threads: context.session_config().target_partitions(),
            metrics: Arc::new(JoinMetrics::new(&self.metrics, partition)),
            notes: self.notes.clone(),
        };
        let parts = self.parts(join, partition, &equipment, asked)?;
        let question = parts.question;
        let table = match parts.left {
            Left::Whole(table) => table.map_err(DataFusionError::Shared).boxed(),
            Left::Partitioned(pruning) => {
                let left = Source {
                    schema: join.left().schema(),
                    streams: vec![join.left().execute(partition, context.clone())?],
                };
                let order = Order {
                    question: question.clone(),
                    form: parts.form,
                    equipment: equipment.clone(),
                    partitions: 1,
                };
                // The others work meanwhile.
                table(order, left, pruning, 1).map_ok(Arc::new).boxed()
            }
        };
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let right = join.right().execute(partition, context.clone())?;
        let figures = equipment.metrics.clone().of_stream(partition);
        let probe = Probe::new(question, parts.form, right, table, figures, &equipment)?;
        let mut batches = probe.limited(join.fetch()).batches();
        let recorded =
            stream::poll_fn(move |context| baseline.record_poll(batches.poll_next_unpin(context)));
        let schema = join.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, recorded)))
    }

    /// What the partition shares with the others of the execution that is on, or of a new one where it was executed before.
    fn parts(
        &self,
        join: &HashJoinExec,
        partition: usize,
        equipment: &Equipment,
        asked: impl FnOnce() -> Result<(Question, Option<Pruning>)>,
    ) -> Result<Parts> {
        let partitions = join.properties().partitioning.partition_count();
        let mut slot = lock(&self.execution);
        let is_on = |execution: &Execution| execution.taken.get(partition) == Some(&false);
        let mut execution = match slot.take().filter(is_on) {
            Some(execution) => execution,
            None => Execution {
                parts: Parts::new(join, equipment, partitions, asked()?)?,
                taken: vec![false; partitions],
            },
        };
        let Some(taken) = execution.taken.get_mut(partition) else {
            return internal_err!("a join of {partitions} partitions has no partition {partition}");
        };
        *taken = true;
        let parts = execution.parts.clone();
        // Once all are taken what they share is theirs: it goes with the last of them.
        if execution.taken.contains(&false) {
            *slot = Some(execution);
        }
        Ok(parts)
    }
}

impl Parts {
    fn new(
        join: &HashJoinExec,
        equipment: &Equipment,
        partitions: usize,
        (question, pruning): (Question, Option<Pruning>),
    ) -> Result<Self> {
        let form = question.form(&join.left().schema())?;
        let question = Arc::new(question);
        let in_parts = |parts| pruning.map(|pruning| Arc::new(InParts::new(pruning, parts)));
        let left = match join.partition_mode() {
            PartitionMode::CollectLeft => {
                let order = Order {
                    question: question.clone(),
                    form,
                    equipment: equipment.clone(),
                    partitions,
                };
                let left = source(join.left(), &equipment.context)?;
                let table = table(order, left, in_parts(1), equipment.threads);
                let table = table.map_ok(Arc::new).map_err(Arc::new);
                Left::Whole(table.boxed().shared())
            }
            PartitionMode::Partitioned => {
                let left = join.left().output_partitioning().partition_count();
                if left != partitions {
                    return internal_err!(
                        "a join of {left} partitions with {partitions} partitions"
                    );
                }
                Left::Partitioned(in_parts(partitions))
            }
            PartitionMode::Auto => {
                return internal_err!("a join whose partition mode was not decided on");
            }
        };
        Ok(Self {
            question,
            form,
            left,
        })
    }
}

/// The output of a join, a stream for each of the right side's, whose left side has been collected. For its rows so many bytes
/// are reserved.
///
/// # Errors
///
/// If the pool has no room for a table.
pub(crate) async fn streams(
    question: Arc<Question>,
    form: Form,
    (left, bytes): (Side, Arc<MemoryReservation>),
    right: Source,
    equipment: &Equipment,
) -> Result<Vec<SendableRecordBatchStream>> {
    let order = Order {
        question: question.clone(),
        form,
        equipment: equipment.clone(),
        partitions: right.streams.len(),
    };
    let table = Arc::new(table_of(left, bytes, order, equipment.threads).await?);
    let streams = right.streams.into_iter().enumerate();
    let streams = streams.map(|(partition, stream)| {
        let figures = equipment.metrics.clone().of_stream(partition);
        let table = future::ready(Ok(table.clone())).boxed();
        let probe = Probe::new(question.clone(), form, stream, table, figures, equipment)?;
        let schema = question.output.schema().clone();
        let stream = RecordBatchStreamAdapter::new(schema, probe.batches());
        Ok(Box::pin(stream) as SendableRecordBatchStream)
    });
    streams.collect()
}

/// Collects a left side, or a partition of one, and makes a table of it by so many threads.
async fn table(
    order: Order,
    left: Source,
    pruning: Option<Arc<InParts>>,
    threads: usize,
) -> Result<LeftTable> {
    let equipment = &order.equipment;
    let metrics = &equipment.metrics;
    let collector = equipment.collector(&order.question.left, &left.schema, &metrics.left);
    let bytes = collector.reservation.clone();
    let left = collector.collect_all(left.streams).await?;
    // Before the table is there: what this partition says may be the last that the others wait for.
    if let Some(pruning) = &pruning {
        pruning.tell(&left)?;
    }
    drop(pruning);
    table_of(left, bytes, order, threads).await
}

/// Makes a table of a left side, for which so many bytes are reserved, by so many threads.
async fn table_of(
    left: Side,
    bytes: Arc<MemoryReservation>,
    order: Order,
    threads: usize,
) -> Result<LeftTable> {
    if threads == 1 || left.rows() < Team::PARALLEL_FROM {
        return LeftTable::new(left, bytes, &order, &Team::single());
    }
    // Not a worker of the runtime, which would wait for the others.
    let build = move || {
        let team = order.equipment.team(left.rows())?;
        LeftTable::new(left, bytes, &order, &team)
    };
    SpawnedTask::spawn_blocking(build)
        .join()
        .await
        .map_err(unjoined)?
}
