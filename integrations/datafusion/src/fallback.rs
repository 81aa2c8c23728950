//! DataFusion's own join of what was read, where the memory pool has no room for both sides at a time: it holds the left side
//! and lets the right one stream by, as it would have from the beginning.

use std::fmt;
use std::sync::{Arc, Mutex};

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{JoinSide, JoinType, NullEquality, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, HashJoinExecBuilder, PartitionMode};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, stream};

use crate::exchange::lock;
use crate::job::Question;
use crate::keys::plain_type;
use crate::side::{Part, Partition, Request};

/// How DataFusion says what is asked.
#[derive(Clone, Copy)]
pub(crate) struct Stock {
    pub(crate) join_type: JoinType,
    pub(crate) null_equality: NullEquality,
    pub(crate) null_aware: bool,
}

/// A side, as far as it was read.
pub(crate) struct Half {
    pub(crate) schema: SchemaRef,
    pub(crate) request: Arc<Request>,
    pub(crate) partitions: Vec<Partition>,
    /// Holds the bytes of the parts, which are given back as they are read again.
    pub(crate) reservation: Arc<MemoryReservation>,
}

impl Stock {
    /// The join of two sides, the left one of one partition. Its columns are those of the question's output, under other
    /// names.
    pub(crate) fn join(
        &self,
        question: &Question,
        left: Half,
        right: Half,
    ) -> Result<HashJoinExec> {
        let on = left.keys().zip(right.keys()).collect();
        let left_width = left.width();
        let (left, right) = (Arc::new(left.replayed()?), Arc::new(right.replayed()?));
        let filter = question.condition.as_ref().map(|condition| {
            let columns = &condition.columns;
            JoinFilter::new(
                condition.expression.clone(),
                columns.kept(),
                columns.schema().clone(),
            )
        });
        let join = HashJoinExecBuilder::new(left, right, on, self.join_type)
            .with_filter(filter)
            .with_partition_mode(PartitionMode::CollectLeft)
            .with_null_equality(self.null_equality)
            .with_null_aware(self.null_aware)
            .build()?;
        let left_width = match self.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => 0,
            _ => left_width,
        };
        let last = join.join_schema().fields().len() - 1;
        let output = question
            .output
            .kept()
            .into_iter()
            .map(|column| match column.side {
                JoinSide::Left => column.index,
                JoinSide::Right => left_width + column.index,
                JoinSide::None => last,
            });
        join.builder()
            .with_projection(Some(output.collect()))
            .build()
    }
}

impl Half {
    /// Columns and keys.
    fn width(&self) -> usize {
        self.request.columns.len() + self.request.keys.len()
    }

    /// The keys, which stand behind the columns.
    fn keys(&self) -> impl Iterator<Item = PhysicalExprRef> + use<> {
        let key = |place| -> PhysicalExprRef { Arc::new(Column::new("key", place)) };
        (self.request.columns.len()..self.width()).map(key)
    }

    /// What is kept of the side.
    fn kept(&self) -> Result<SchemaRef> {
        let columns = self.request.columns.iter();
        let columns = columns.map(|&column| Ok(self.schema.field(column).clone()));
        let keys = self.request.keys.iter().map(|key| {
            let plain = plain_type(&key.data_type(&self.schema)?);
            Ok(Field::new("key", plain, true))
        });
        let fields = columns.chain(keys).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The side as a plan, which can be executed once.
    pub(crate) fn replayed(self) -> Result<StreamingTableExec> {
        let schema = self.kept()?;
        let partitions = self
            .partitions
            .into_iter()
            .map(|partition| -> Arc<dyn PartitionStream> {
                Arc::new(Replay {
                    schema: schema.clone(),
                    request: self.request.clone(),
                    reservation: self.reservation.clone(),
                    partition: Mutex::new(Some(partition)),
                })
            });
        let partitions = partitions.collect();
        StreamingTableExec::try_new(schema, partitions, None, None, false, None)
    }
}

/// A partition that was read in part, read again and to its end.
struct Replay {
    schema: SchemaRef,
    request: Arc<Request>,
    reservation: Arc<MemoryReservation>,
    partition: Mutex<Option<Partition>>,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl PartitionStream for Replay {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let partition = lock(&self.partition).take();
        let (parts, rest) = partition.map_or((Vec::new(), None), |read| (read.parts, read.rest));
        let batch = |schema: &SchemaRef, part: Part| -> Result<RecordBatch> {
            let options = RecordBatchOptions::new().with_row_count(Some(part.rows));
            let columns = part.columns.into_iter().chain(part.keys).collect();
            Ok(RecordBatch::try_new_with_options(
                schema.clone(),
                columns,
                &options,
            )?)
        };
        let (schema, reservation) = (self.schema.clone(), self.reservation.clone());
        let read = stream::iter(parts).map(move |part| {
            reservation.shrink(part.bytes);
            batch(&schema, part)
        });
        let (schema, request) = (self.schema.clone(), self.request.clone());
        let unread = stream::iter(rest).flat_map(move |rest| {
            let (schema, request) = (schema.clone(), request.clone());
            rest.map(move |part| batch(&schema, request.of(&part?, 0)?))
        });
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            read.chain(unread),
        ))
    }
}
