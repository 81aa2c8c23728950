//! One execution of a join: both sides are read, then threads find pairs of their rows.

use std::mem;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;
use join_core::join::{Context as Work, JoinError, Side as Table};
use join_core::kind::{Kind, Semantics};
use join_core::memory::Memory;
use join_core::output::{Consumer, Pair, PairConsumer, PairFilter};
use join_core::parallel::{Team, ThreadStart};
use join_core::unchained::DefaultScheme;
use partitioned_join::{PartitionedJoin, Settings};

use crate::block::Block;
use crate::columns::{Columns, Sides};
use crate::exchange::{Exchange, lock};
use crate::fallback::{Half, Stock};
use crate::filter::{Condition, Sieve};
use crate::keys::{Form, Keys, Nulls};
use crate::memory::{Pool, Refusal};
use crate::metrics::{Input, JoinMetrics};
use crate::pruning::Pruning;
use crate::side::{Collected, Collector, Partition, Request};
use crate::streaming;

/// Bytes that a table takes for a row, DataFusion's when it has just grown included.
pub(crate) const TABLE_ROW: usize = 48;

/// Bytes that joins of few rows take.
pub(crate) const SMALL: usize = 64 << 10;

/// Rows of a left side of which a table is made before the right side has been read. To find out whether that one is smaller
/// would save some milliseconds at most, and costs that all of it is kept.
const STREAMED_BELOW: usize = 1 << 20;

/// What is asked of a join.
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) nulls: Nulls,
    /// What is kept of the left side.
    pub(crate) left: Arc<Request>,
    /// What is kept of the right side.
    pub(crate) right: Arc<Request>,
    pub(crate) output: Columns,
    pub(crate) condition: Option<Condition>,
    /// The same in DataFusion's words.
    pub(crate) stock: Stock,
}

impl Question {
    /// How keys are looked up, of which these are the left ones.
    pub(crate) fn form(&self, left: &SchemaRef) -> Result<Form> {
        let keys = self.left.keys.iter().map(|key| key.data_type(left));
        Ok(Form::of(&keys.collect::<Result<Vec<_>>>()?, self.nulls))
    }

    /// Whether rows of the left side are results after all pairs.
    pub(crate) fn has_left_rest(&self) -> bool {
        self.kind.has_rest(Table::Build)
    }

    /// Whether rows of the right side are results beside or instead of their pairs.
    pub(crate) fn has_right_rest(&self) -> bool {
        self.kind.has_rest(Table::Probe)
    }

    /// Whether there is nothing to be found without rows on the left, whatever is on the right.
    pub(crate) fn needs_left(&self) -> bool {
        match self.kind {
            Kind::Inner | Kind::Semi(_) => true,
            Kind::FullOuter => false,
            Kind::Outer(side) | Kind::Anti(side) | Kind::NullAwareAnti(side) | Kind::Mark(side) => {
                side == Table::Build
            }
        }
    }
}

/// What a side is read from.
pub(crate) struct Source {
    pub(crate) schema: SchemaRef,
    /// Its partitions.
    pub(crate) streams: Vec<SendableRecordBatchStream>,
}

/// All that a join needs to run.
pub(crate) struct Job {
    pub(crate) question: Arc<Question>,
    pub(crate) left: Source,
    pub(crate) right: Source,
    /// Whether the right side is to stream by where the left one is small.
    pub(crate) streams: bool,
    pub(crate) pruning: Option<Pruning>,
    pub(crate) equipment: Equipment,
}

/// What a join works with.
#[derive(Clone)]
pub(crate) struct Equipment {
    pub(crate) context: Arc<TaskContext>,
    pub(crate) threads: usize,
    pub(crate) metrics: Arc<JoinMetrics>,
    /// Filled with what the join chose.
    pub(crate) notes: Arc<OnceLock<String>>,
}

impl Equipment {
    pub(crate) fn reserve(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(self.context.memory_pool())
    }

    pub(crate) fn collector(
        &self,
        request: &Arc<Request>,
        schema: &SchemaRef,
        input: &Input,
    ) -> Collector {
        Collector {
            request: request.clone(),
            schema: schema.clone(),
            reservation: Arc::new(self.reserve("JoineryInput")),
            input: input.clone(),
            time: self.metrics.build_time.clone(),
            sieve: None,
            most: usize::MAX,
            kept: AtomicUsize::new(0),
            refusal: OnceLock::new(),
        }
    }

    pub(crate) fn note(&self, note: String) {
        // Of a plan that is executed again, the first execution tells.
        let _ = self.notes.set(note);
    }

    /// Threads for sides of at most so many rows: one where these are too few to be worth more.
    pub(crate) fn team(&self, rows: usize) -> Result<Team> {
        match rows < Team::PARALLEL_FROM {
            true => Ok(Team::single()),
            false => Team::try_new(self.threads, ThreadStart::Pool)
                .map_err(|error| DataFusionError::ResourcesExhausted(error.to_string())),
        }
    }
}

impl Job {
    /// Reads the left side, and the right one as well, unless that is to stream by, and has threads find the pairs. Where the pool has no room for the right side beside the left one and a table,
    /// DataFusion's join takes over, which needs no more of the right one than a batch.
    pub(crate) async fn run(self, exchange: Arc<Exchange<Block>>) -> Result<()> {
        let Self {
            question,
            left,
            right,
            streams,
            pruning,
            equipment,
        } = self;
        let metrics = &equipment.metrics;
        let collector = equipment.collector(&question.left, &left.schema, &metrics.left);
        let left_bytes = collector.reservation.clone();
        let rows = collector.collect_all(left.streams).await?;
        if rows.rows() == 0 && question.needs_left() {
            return Ok(());
        }
        if let Some(pruning) = pruning {
            pruning.fill(&rows)?;
        }
        let collector = equipment.collector(&question.right, &right.schema, &metrics.right);
        let right_bytes = collector.reservation.clone();
        // The right side must leave room for a table of the left one.
        let table = equipment.reserve("JoineryTable");
        match table.try_grow(rows.rows() * TABLE_ROW + SMALL) {
            // With fewer streams than threads some of these would have nothing to do.
            Ok(())
                if streams
                    && rows.rows() < STREAMED_BELOW
                    && right.streams.len() >= equipment.threads =>
            {
                drop(table);
                let form = question.form(&left.schema)?;
                let left = (rows, left_bytes);
                let streams = streaming::streams(question, form, left, right, &equipment);
                for stream in streams.await? {
                    exchange.send(Block::Stream(stream)).await;
                }
                return Ok(());
            }
            Ok(()) => {}
            Err(refusal) => _ = collector.refusal.set(refusal),
        }
        let collected = collector.collect(right.streams).await?;
        drop(table);
        let (rows, partitions) = match collected {
            Collected::Part(partitions, _) | Collected::Enough(partitions) => (rows, partitions),
            Collected::All(right) => {
                let sides = Arc::new(Sides {
                    left: rows,
                    right,
                    reservations: [left_bytes.clone(), right_bytes.clone()],
                });
                let search = Search {
                    question: question.clone(),
                    equipment: equipment.clone(),
                    exchange: exchange.clone(),
                };
                // Not a worker of the runtime: it blocks while nobody asks for what it found.
                let search = SpawnedTask::spawn_blocking(move || search.run(sides));
                match search.join().await.map_err(unjoined)?? {
                    Searched::Done => return Ok(()),
                    Searched::Refused(sides) => (sides.left, vec![Partition::of(sides.right)]),
                }
            }
        };
        left_bytes.free();
        let left = Half {
            schema: left.schema,
            request: question.left.clone(),
            partitions: vec![Partition::of(rows)],
            reservation: left_bytes,
        };
        let right = Half {
            schema: right.schema,
            request: question.right.clone(),
            partitions,
            reservation: right_bytes,
        };
        equipment
            .note("joined by DataFusion: the memory pool has no room for both sides".to_owned());
        let join = question.stock.join(&question, left, right)?;
        let schema = question.output.schema();
        stock(Arc::new(join), schema, &equipment.context, &exchange).await
    }
}

/// Hands over the partitions of a plan of DataFusion's own joins. Its columns are called as `schema` says.
pub(crate) async fn stock(
    plan: Arc<dyn ExecutionPlan>,
    schema: &SchemaRef,
    context: &Arc<TaskContext>,
    exchange: &Exchange<Block>,
) -> Result<()> {
    for partition in 0..plan.output_partitioning().partition_count() {
        let stream = plan.execute(partition, context.clone())?;
        let of = schema.clone();
        let renamed = stream.map(move |batch| {
            let batch = batch?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            let batch = RecordBatch::try_new_with_options(of.clone(), columns, &options)?;
            Ok(batch)
        });
        let stream = Box::pin(RecordBatchStreamAdapter::new(schema.clone(), renamed));
        exchange.send(Block::Stream(stream)).await;
    }
    Ok(())
}

pub(crate) fn unjoined(error: tokio::task::JoinError) -> DataFusionError {
    DataFusionError::ExecutionJoin(Box::new(error))
}

/// The search for pairs.
struct Search {
    question: Arc<Question>,
    equipment: Equipment,
    exchange: Arc<Exchange<Block>>,
}

/// How a search ended.
enum Searched {
    /// All pairs were handed over.
    Done,
    /// The pool refused what it takes, before there was any pair.
    Refused(Sides),
}

impl Search {
    fn run(self, sides: Arc<Sides>) -> Result<Searched> {
        match self.pairs(&sides) {
            Ok(()) => Ok(Searched::Done),
            Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
                // Whoever has got a pair has a part in the sides.
                Arc::into_inner(sides).map(Searched::Refused).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn pairs(&self, sides: &Arc<Sides>) -> Result<()> {
        let Self {
            question,
            equipment,
            exchange,
        } = self;
        let _timer = equipment.metrics.join_time.timer();
        let of_keys = equipment.reserve("JoineryKeys");
        of_keys.try_grow(Keys::bytes(&sides.left, &sides.right, question.nulls))?;
        let keys = Keys::new(&sides.left, &sides.right, question.nulls)?;
        let input = keys.input().map_err(failed)?;
        let refusal = Refusal::default();
        let memory = Memory::lent(Pool {
            reservation: equipment.reserve("JoineryTable"),
            exchange: Some(exchange.clone()),
            refusal: refusal.clone(),
        });
        let team = equipment.team(sides.left.rows().max(sides.right.rows()))?;
        let emitter = Emitter {
            exchange,
            sides,
            question,
            batch_size: equipment.context.session_config().batch_size(),
            workers: (0..team.threads()).map(|_| Mutex::default()).collect(),
        };
        let sieve = Sieve {
            exchange,
            sides,
            comparator: keys.comparator.as_ref(),
            condition: question.condition.as_ref(),
            failure: Mutex::default(),
        };
        // A filter that only looks for readers would have all partners of each row found, where one is enough.
        let filters = sieve.filters() || question.kind.has_pairs();
        let work = Work {
            filter: filters.then_some(&sieve as &dyn PairFilter),
            ..Work::new(&team, &memory).with_consumer(Consumer::Stream(&emitter))
        };
        let join = PartitionedJoin::<DefaultScheme>::new(Settings::DEFAULT);
        let outcome = Semantics::from(question.kind).join(&join, &input, &work);
        let bytes = sides.bytes() + of_keys.size() + memory.peak();
        equipment.metrics.build_mem_used.set_max(bytes);
        if let Some(failure) = sieve.failure() {
            return Err(failure);
        }
        match outcome {
            Ok(outcome) => {
                emitter.finish();
                equipment.note(outcome.notes.join("; "));
                Ok(())
            }
            Err(JoinError::OutOfMemory(error)) => Err(refusal.explain(&error)),
            Err(error) => Err(failed(error)),
        }
    }
}

pub(crate) fn failed(error: JoinError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Makes blocks of what workers find.
struct Emitter<'a> {
    exchange: &'a Exchange<Block>,
    sides: &'a Arc<Sides>,
    question: &'a Arc<Question>,
    batch_size: usize,
    /// Pairs of each worker that are not yet a batch. Only the worker takes its lock.
    workers: Vec<Mutex<Vec<Pair>>>,
}

impl Emitter<'_> {
    fn push(&self, pairs: Vec<Pair>) {
        let (sides, question) = (self.sides.clone(), self.question.clone());
        self.exchange.push(Block::Pairs(pairs, sides, question));
    }

    /// Hands over full batches, and leaves the rest where it is.
    fn push_batches(&self, pairs: &mut Vec<Pair>) {
        while pairs.len() >= self.batch_size {
            let rest = pairs.split_off(self.batch_size);
            self.push(mem::replace(pairs, rest));
        }
    }

    /// Hands over what workers have left, together.
    fn finish(self) {
        let mut rest = Vec::new();
        for worker in &self.workers {
            rest.append(&mut lock(worker));
            self.push_batches(&mut rest);
        }
        if !rest.is_empty() {
            self.push(rest);
        }
    }
}

impl PairConsumer for Emitter<'_> {
    fn consume(&self, worker: usize, pairs: &[Pair]) {
        let mut own = lock(&self.workers[worker]);
        own.extend_from_slice(pairs);
        self.push_batches(&mut own);
    }
}
