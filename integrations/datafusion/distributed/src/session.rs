//! Sessions whose queries run on workers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::display::{PlanType, StringifiedPlan};
use datafusion::common::format::ExplainFormat;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{Explain, LogicalPlan};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::explain::ExplainExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion_distributed::{
    DistributedExec, DistributedExt, DistributedMetricsFormat, NetworkBoundaryExt,
    NetworkBroadcastExec, NetworkCoalesceExec, NetworkShuffleExec, SessionStateBuilderExt as _,
    Stage, WorkerResolver, display_plan_ascii, rewrite_distributed_plan_with_metrics,
};
use joinery_datafusion::{JoineryOptions, take_over_in_place};

use crate::cluster::Cluster;
use crate::filters::FiltersBeforeShuffle;
use crate::loss::EndsByLoss;

/// Makes sessions use workers.
pub trait SessionStateBuilderExt: Sized {
    /// The same, with its queries divided among the workers of a cluster.
    ///
    /// Joinery's settings, at their defaults unless they are there already, go to the workers with each query. Its optimizer
    /// rules must not be in such a session: the engine divides DataFusion's joins, and can send no others.
    ///
    /// # Errors
    ///
    /// If the engine refuses.
    fn with_joinery_on(self, cluster: &Cluster) -> Result<Self>;
}

impl SessionStateBuilderExt for SessionStateBuilder {
    fn with_joinery_on(mut self, cluster: &Cluster) -> Result<Self> {
        let config = self.config().get_or_insert_default();
        let options = config.options().extensions.get::<JoineryOptions>();
        let options = options.cloned().unwrap_or_default();
        let filters = FiltersBeforeShuffle {
            workers: cluster.get_urls()?.len(),
        };
        let mut builder = self
            .with_physical_optimizer_rule(Arc::new(filters))
            .with_distributed_option_extension(options)
            .with_distributed_worker_resolver(cluster.clone())
            .with_distributed_channel_resolver(cluster.connections.clone())
            .with_distributed_planner();
        match builder.query_planner().take() {
            None => Ok(builder),
            Some(divide) => Ok(builder.with_query_planner(Arc::new(Planner { divide }))),
        }
    }
}

/// Takes joins over in the stage that a session keeps for itself, once the engine has divided a plan. A plan that it does not
/// divide is all such a stage.
struct Planner {
    divide: Arc<dyn QueryPlanner + Send + Sync>,
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planner").finish_non_exhaustive()
    }
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        query: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.divide.create_physical_plan(query, session).await?;
        match query {
            LogicalPlan::Explain(explain) => self.explain(explain, plan, session).await,
            _ => head(plan, session.config_options()),
        }
    }
}

impl Planner {
    /// What shows a plan, with the plan stage by stage if it is divided: the engine divides only what is executed.
    async fn explain(
        &self,
        explain: &Explain,
        shown: Arc<dyn ExecutionPlan>,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(shows) = shown.downcast_ref::<ExplainExec>() else {
            return Ok(shown);
        };
        let is_text = |plan: &StringifiedPlan| plan.plan_type == PlanType::FinalPhysicalPlan;
        if explain.explain_format != ExplainFormat::Indent
            || !shows.stringified_plans().iter().any(is_text)
        {
            return Ok(shown);
        }
        let plan = self.create_physical_plan(&explain.plan, session).await?;
        let text = match plan.is::<DistributedExec>() {
            true => explained(plan, session.config_options())?,
            false => displayable(plan.as_ref())
                .indent(explain.verbose)
                .to_string(),
        };
        let plans = shows
            .stringified_plans()
            .iter()
            .map(|plan| match is_text(plan) {
                true => StringifiedPlan::new(PlanType::FinalPhysicalPlan, text.clone()),
                false => plan.clone(),
            });
        let shows = ExplainExec::new(shows.schema(), plans.collect(), shows.verbose());
        Ok(Arc::new(shows))
    }
}

fn is_border(node: &dyn ExecutionPlan) -> bool {
    node.is_network_boundary()
}

/// Joinery's joins in the stages of a plan that stay here.
fn head(plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    let is_divided = plan.exists(|node| Ok(node.is::<DistributedExec>()))?;
    if !is_divided {
        return take_over_in_place(plan, config, is_border);
    }
    plan.transform_down(|node| {
        if !node.is::<DistributedExec>() {
            return Ok(Transformed::no(node));
        }
        let stages = node.children().into_iter().cloned();
        let stages = stages.map(|stage| take_over_in_place(stage, config, is_border));
        let stages = stages.collect::<Result<_>>()?;
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let node = EndsByLoss::new(node.replace_children(stages, options)?);
        Ok(Transformed::new(
            Arc::new(node) as _,
            true,
            TreeNodeRecursion::Jump,
        ))
    })
    .data()
}

/// Joinery's joins in the place of the hash joins of a stage: what a worker does with each stage that it is sent.
///
/// # Errors
///
/// If DataFusion cannot say what the output of an operator is.
pub(crate) fn stage(
    plan: Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    take_over_in_place(plan, config, is_border)
}

/// A plan of a session with its stages as its workers will have them, to be looked at: it is not to be executed.
///
/// # Errors
///
/// If DataFusion cannot say what the output of an operator is.
pub fn on_workers(
    plan: Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_down(|node| {
        let Some(boundary) = node.as_network_boundary() else {
            return Ok(Transformed::no(node));
        };
        let Stage::Local(below) = boundary.input_stage() else {
            return Ok(Transformed::no(node));
        };
        let mut below = below.clone();
        below.plan = stage(below.plan, config)?;
        let boundary: Arc<dyn ExecutionPlan> = boundary.with_input_stage(Stage::Local(below))?;
        Ok(Transformed::yes(boundary))
    })
    .data()
}

/// A plan stage by stage, with the joins that are Joinery's under their name.
///
/// # Errors
///
/// If DataFusion cannot say what the output of an operator is.
pub fn explained(plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<String> {
    let plan = on_workers(plan, config)?;
    Ok(display_plan_ascii(plan.as_ref(), false))
}

/// How rows go from a stage to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Each to the one process that has its key.
    Shuffled,
    /// Each to all processes.
    Broadcast,
    /// All to one process.
    Gathered,
}

impl Way {
    /// What figures call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shuffled => "shuffled",
            Self::Broadcast => "broadcast",
            Self::Gathered => "gathered",
        }
    }
}

/// What a stage sent to processes other than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its number, as plans show it.
    pub stage: usize,
    /// How many tasks it was divided into.
    pub tasks: usize,
    /// Where its rows went.
    pub way: Way,
    /// Bytes, as they were encoded.
    pub bytes: usize,
    /// What all processes together took to receive and decode them.
    pub received: Duration,
}

/// What each stage of a plan that was executed to its end sent, by number; `None` where the plan was not divided.
///
/// Figures come after the last row. Those of a worker that is lost do not come, and are waited for.
///
/// # Errors
///
/// If the plan was not executed.
pub async fn sent(plan: Arc<dyn ExecutionPlan>) -> Result<Option<Vec<Sent>>> {
    if !plan.is::<DistributedExec>() {
        return Ok(None);
    }
    let plan = rewrite_distributed_plan_with_metrics(plan, DistributedMetricsFormat::Aggregated);
    let mut sent = Vec::new();
    plan.await?.apply(|node| {
        let way = if node.is::<NetworkShuffleExec>() {
            Way::Shuffled
        } else if node.is::<NetworkBroadcastExec>() {
            Way::Broadcast
        } else if node.is::<NetworkCoalesceExec>() {
            Way::Gathered
        } else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let Some(boundary) = node.as_network_boundary() else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let stage = boundary.input_stage();
        let metrics = node.metrics().unwrap_or_default();
        let values = metrics.iter().map(|metric| metric.value());
        let bytes = values.filter(|value| value.name() == "bytes_transferred");
        sent.push(Sent {
            stage: stage.num(),
            tasks: stage.task_count(),
            way,
            bytes: bytes.map(|bytes| bytes.as_usize()).sum(),
            received: Duration::from_nanos(metrics.elapsed_compute().unwrap_or(0) as u64),
        });
        Ok(TreeNodeRecursion::Continue)
    })?;
    sent.sort_unstable_by_key(|sent| sent.stage);
    Ok(Some(sent))
}
