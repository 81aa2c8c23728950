//! Faults of workers, each of which names the worker.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse,
    SetPlanRequest, WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::HeaderMap;
use url::Url;

use crate::loss::Loss;

/// A connection whose errors say who is at its other end.
pub(crate) struct Named {
    url: Url,
    channel: Box<dyn WorkerChannel>,
}

impl Named {
    pub(crate) fn new(url: &Url, channel: Box<dyn WorkerChannel>) -> Self {
        Self {
            url: url.clone(),
            channel,
        }
    }

    /// What the worker at `url` failed by, in one line. An error that came through it from another worker has that one's name
    /// already, and keeps it.
    pub(crate) fn error(url: &Url, error: DataFusionError) -> DataFusionError {
        let said = said(&error);
        let told = match said.starts_with(MARK) {
            true => said,
            false => format!("{MARK}{}: {said}", authority(url)),
        };
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                DataFusionError::ResourcesExhausted(match told.contains(MORE) {
                    true => told,
                    false => format!("{told}; {MORE}"),
                })
            }
            _ => DataFusionError::Execution(told),
        }
    }

    fn naming(&self) -> impl Fn(DataFusionError) -> DataFusionError + Send + 'static {
        let url = self.url.clone();
        move |error| Self::error(&url, error)
    }
}

/// What an error that has a worker's name begins with.
const MARK: &str = "worker ";

/// What helps a worker that has no memory left.
const MORE: &str = "start it with more --memory, or without";

/// Host and port, as a user gave them.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// What an error says, without what the engine and the protocol wrap around it.
fn said(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::External(outside) => broken(outside.as_ref()),
        DataFusionError::Execution(text)
        | DataFusionError::ResourcesExhausted(text)
        | DataFusionError::Internal(text)
        | DataFusionError::Plan(text) => first_line(text),
        root => first_line(&root.strip_backtrace()),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What happened to a connection, and the cause below what its libraries say of it.
fn broken(error: &(dyn Error + 'static)) -> String {
    let mut what = "the connection to it broke";
    for error in causes(error) {
        let text = error.to_string();
        if text.contains("tcp connect error") || text.contains("dns error") {
            what = "it cannot be reached";
        } else if text.contains("keep-alive timed out") {
            what = "it gave no sign of life";
        }
    }
    format!("{what}: {}", cause(error))
}

/// An error, what it was caused by, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        error.source()
    })
}

/// The first cause, in one line.
pub(crate) fn cause(error: &(dyn Error + 'static)) -> String {
    let last = causes(error).last().unwrap_or(error);
    let said = match last.downcast_ref::<tonic::Status>() {
        Some(status) => status.message().to_owned(),
        None => last.to_string(),
    };
    first_line(&said)
}

#[async_trait]
impl WorkerChannel for Named {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let (naming, query) = (self.naming(), context.clone());
        let told = move |error| {
            let error = Arc::new(naming(error));
            Loss::tell(&query, DataFusionError::Shared(error.clone()));
            DataFusionError::Shared(error)
        };
        let answer = self
            .channel
            .coordinator_channel(headers, request, messages, metrics, context)
            .await;
        match answer {
            Ok(answer) => Ok(answer.map_err(told).boxed()),
            Err(error) => Err(told(error)),
        }
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let answer = self
            .channel
            .execute_task(headers, request, metrics, context)
            .await;
        let streams = answer.map_err(self.naming())?;
        let named = |stream: BoxStream<'static, _>| stream.map_err(self.naming()).boxed();
        Ok(streams.into_iter().map(named).collect())
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        let answer = self.channel.get_worker_info(request).await;
        answer.map_err(self.naming())
    }
}
