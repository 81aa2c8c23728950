//! A query ends as soon as one of its workers is lost.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use futures::stream::poll_fn;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Where connections that were made for a query say what they broke by.
pub(crate) struct Loss(UnboundedSender<DataFusionError>);

impl Loss {
    /// Tells the query that is executed in this context; nobody, if it does not ask.
    pub(crate) fn tell(context: &TaskContext, error: DataFusionError) {
        if let Some(query) = context.session_config().get_extension::<Self>() {
            // A query that has ended needs no error.
            let _ = query.0.send(error);
        }
    }
}

/// The engine's root of a divided plan, which fails by the first connection that breaks.
///
/// The engine waits for rows, and looks after connections that bring none only when there are no more rows: a query would
/// go on without a worker whose part it has, for as long as the others take, and then fail.
#[derive(Debug)]
pub(crate) struct EndsByLoss(Arc<dyn ExecutionPlan>);

impl EndsByLoss {
    pub(crate) fn new(root: Arc<dyn ExecutionPlan>) -> Self {
        Self(root)
    }
}

impl DisplayAs for EndsByLoss {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as(kind, f)
    }
}

impl ExecutionPlan for EndsByLoss {
    fn name(&self) -> &str {
        self.0.name()
    }

    /// The engine looks for its root to tell figures and plans.
    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.0.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.0.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.0.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let root = self.0.clone().replace_children(children, options)?;
        Ok(Arc::new(Self(root)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (sender, mut lost) = unbounded_channel();
        let config = context.session_config().clone();
        let context = TaskContext::new(
            context.task_id(),
            context.session_id(),
            config.with_extension(Arc::new(Loss(sender))),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            context.runtime_env(),
        );
        let mut rows = self.0.execute(partition, Arc::new(context))?;
        // Rows first: they may say more of what happened.
        let rows = poll_fn(move |task| match rows.poll_next_unpin(task) {
            Poll::Pending => match lost.poll_recv(task) {
                Poll::Ready(Some(error)) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
            ready => ready,
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.0.metrics()
    }
}
