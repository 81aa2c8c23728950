//! One execution of a join, as those see it who read its output.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use datafusion::physical_plan::metrics::{BaselineMetrics, Time};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};

use crate::block::Block;
use crate::exchange::{Exchange, lock};

/// What a run does once somebody asks for its output: it fills a queue.
pub(crate) type Work =
    Box<dyn FnOnce(Arc<Exchange<Block>>) -> BoxFuture<'static, Result<()>> + Send>;

/// A run: what its partitions share.
pub(crate) struct Run {
    exchange: Arc<Exchange<Block>>,
    stage: Mutex<Stage>,
    taken: Mutex<Taken>,
}

enum Stage {
    /// Nobody has asked for anything.
    Waiting(Work),
    /// The task that reads the sides and waits for the threads. Dropping it ends it.
    Started(#[expect(dead_code, reason = "held to be dropped")] SpawnedTask<()>),
    /// Nobody will ask any more.
    Over,
}

struct Taken {
    partitions: Vec<bool>,
    live: usize,
}

impl Run {
    /// A run whose output has so many partitions.
    pub(crate) fn new(work: Work, partitions: usize) -> Arc<Self> {
        Arc::new(Self {
            // Blocks are pairs of row ids, which take little, and streams of which nothing has been read.
            exchange: Arc::new(Exchange::new(2 * partitions)),
            stage: Mutex::new(Stage::Waiting(work)),
            taken: Mutex::new(Taken {
                partitions: vec![false; partitions],
                live: 0,
            }),
        })
    }

    /// The stream of a partition; none where it was taken before, and so another run is asked for.
    pub(crate) fn take(
        self: &Arc<Self>,
        partition: usize,
        schema: SchemaRef,
        baseline: BaselineMetrics,
        join_time: Time,
    ) -> Option<SendableRecordBatchStream> {
        let mut taken = lock(&self.taken);
        if mem::replace(&mut taken.partitions[partition], true) {
            return None;
        }
        taken.live += 1;
        Some(Box::pin(Output {
            run: self.clone(),
            schema,
            baseline,
            join_time,
            stream: None,
        }))
    }

    /// Starts what is to be started; a task of the runtime that this is called on.
    pub(crate) fn start(&self) {
        let mut stage = lock(&self.stage);
        match mem::replace(&mut *stage, Stage::Over) {
            Stage::Waiting(work) => {
                let ending = Ending(self.exchange.clone());
                *stage = Stage::Started(SpawnedTask::spawn(async move {
                    let result = work(ending.0.clone()).await;
                    ending.0.finish(result);
                }));
            }
            other => *stage = other,
        }
    }

    /// Ends the work once no stream is left that was not read to its end.
    fn leave(&self) {
        let mut taken = lock(&self.taken);
        taken.live -= 1;
        if taken.live == 0 && !self.exchange.is_read() {
            self.exchange.cancel();
            *lock(&self.stage) = Stage::Over;
        }
    }
}

/// Lets nobody wait for a task that has panicked.
struct Ending(Arc<Exchange<Block>>);

impl Drop for Ending {
    fn drop(&mut self) {
        let message = "the task that collects the sides of a join panicked".to_owned();
        self.0.finish(Err(DataFusionError::Execution(message)));
    }
}

/// A partition of the output.
struct Output {
    run: Arc<Run>,
    schema: SchemaRef,
    baseline: BaselineMetrics,
    join_time: Time,
    /// One that was taken and has not been read to its end.
    stream: Option<SendableRecordBatchStream>,
}

impl Output {
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        loop {
            if let Some(stream) = &mut self.stream {
                if let Some(batch) = ready!(stream.poll_next_unpin(context)) {
                    return Poll::Ready(Some(batch));
                }
                self.stream = None;
            }
            let Some(block) = ready!(self.run.exchange.poll_next(context)?) else {
                return Poll::Ready(None);
            };
            let _timer = self.join_time.timer();
            let _compute = self.baseline.elapsed_compute().timer();
            return Poll::Ready(Some(match block {
                Block::Pairs(pairs, sides, question) => question.output.of(sides.both(), &pairs),
                Block::Rows(rows, forest) => forest.output(&rows),
                Block::Stream(stream) => {
                    self.stream = Some(stream);
                    continue;
                }
            }));
        }
    }
}

impl Stream for Output {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.run.start();
        let poll = self.poll_batch(context);
        self.baseline.record_poll(poll)
    }
}

impl RecordBatchStream for Output {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.run.leave();
    }
}
