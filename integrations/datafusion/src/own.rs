//! What operators have beside what they do: properties, figures, and the run that their partitions share.

use std::sync::{Arc, Mutex, OnceLock};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, EvaluationType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};

use tokio::runtime::Handle;

use crate::exchange::lock;
use crate::job::{Equipment, Source};
use crate::metrics::JoinMetrics;
use crate::run::{Run, Work};

/// The state of an operator.
pub(crate) struct Own {
    pub(crate) properties: Arc<PlanProperties>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
    /// What was chosen, once that is known.
    pub(crate) notes: Arc<OnceLock<String>>,
    run: Mutex<Option<Arc<Run>>>,
}

impl Own {
    /// No order, and as many partitions of unknown rows as there are threads.
    pub(crate) fn new(mut equivalences: EquivalenceProperties, partitions: usize) -> Self {
        equivalences.clear_orderings();
        equivalences.clear_per_partition_constants();
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            properties: Arc::new(properties.with_evaluation_type(EvaluationType::Eager)),
            metrics: ExecutionPlanMetricsSet::new(),
            notes: Arc::default(),
            run: Mutex::new(None),
        }
    }

    /// Threads, and partitions of the output.
    pub(crate) fn partitions(&self) -> usize {
        self.properties.output_partitioning().partition_count()
    }

    /// The stream of a partition, of the run that is on or of a new one, which does what `work` says.
    pub(crate) fn execute(
        &self,
        partition: usize,
        schema: SchemaRef,
        context: &Arc<TaskContext>,
        work: impl FnOnce(Equipment) -> Result<Work>,
    ) -> Result<SendableRecordBatchStream> {
        let mut run = lock(&self.run);
        let take = |run: &Arc<Run>| {
            let baseline = BaselineMetrics::new(&self.metrics, partition);
            let time = MetricBuilder::new(&self.metrics).subset_time("join_time", partition);
            run.take(partition, schema.clone(), baseline, time)
        };
        if let Some(stream) = run.as_ref().and_then(take) {
            return Ok(stream);
        }
        // The plan is executed for the first time, or once more.
        let equipment = Equipment {
            context: context.clone(),
            threads: self.partitions(),
            // Those of a run, which are counted in the first partition.
            metrics: Arc::new(JoinMetrics::new(&self.metrics, 0)),
            notes: self.notes.clone(),
        };
        let new = run.insert(Run::new(work(equipment)?, self.partitions()));
        match take(new) {
            Some(stream) => {
                // Inputs are read from now on, as `CoalescePartitionsExec` does below a join of DataFusion's: what stands above
                // may wait for another input first, and leave threads idle.
                if Handle::try_current().is_ok() {
                    new.start();
                }
                Ok(stream)
            }
            None => internal_err!("a partition of a new run was taken"),
        }
    }
}

/// All partitions of a plan, to be read.
pub(crate) fn source(plan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<Source> {
    let partitions = 0..plan.output_partitioning().partition_count();
    let streams = partitions.map(|partition| plan.execute(partition, context.clone()));
    Ok(Source {
        schema: plan.schema(),
        streams: streams.collect::<Result<_>>()?,
    })
}
