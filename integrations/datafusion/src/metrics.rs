//! What `EXPLAIN ANALYZE` shows of a join, under the names that DataFusion's own joins use.

use std::sync::Arc;

use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, RatioMetrics, ScopedTimerGuard, Time,
};
use join_core::output::Pair;

/// The figures of both sides.
pub(crate) struct JoinMetrics {
    set: ExecutionPlanMetricsSet,
    /// Of the left side.
    pub(crate) left: Input,
    /// Of the right side.
    pub(crate) right: Input,
    /// Time of collecting, spent here and not in the inputs.
    pub(crate) build_time: Time,
    /// Time of finding pairs, wall clock.
    pub(crate) join_time: Time,
    /// Bytes reserved at most.
    pub(crate) build_mem_used: Gauge,
}

/// The figures of a partition of the right side that streams by.
pub(crate) struct StreamMetrics {
    pub(crate) join: Arc<JoinMetrics>,
    compute: Time,
    /// Rows of the right side that have partners, of all.
    pub(crate) probe_hit_rate: RatioMetrics,
    /// Partners of those that have any.
    avg_fanout: RatioMetrics,
}

impl StreamMetrics {
    /// Time that is spent here.
    pub(crate) fn timers(&self) -> [ScopedTimerGuard<'_>; 2] {
        [self.join.join_time.timer(), self.compute.timer()]
    }

    /// Counts pairs, those of a row of the right side one after the other.
    pub(crate) fn count(&self, pairs: &[Pair]) {
        let rows = pairs.chunk_by(|a, b| a.probe == b.probe).count();
        self.probe_hit_rate.add_part(rows);
        self.avg_fanout.add_part(pairs.len());
        self.avg_fanout.add_total(rows);
    }
}

/// What came from a side.
#[derive(Clone)]
pub(crate) struct Input {
    /// Batches.
    pub(crate) batches: Count,
    /// Rows.
    pub(crate) rows: Count,
}

impl JoinMetrics {
    /// Those that are counted in a partition.
    pub(crate) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        let time = |name: &'static str| MetricBuilder::new(set).subset_time(name, partition);
        Self {
            set: set.clone(),
            left: Input {
                batches: counter("build_input_batches"),
                rows: counter("build_input_rows"),
            },
            right: Input {
                batches: counter("input_batches"),
                rows: counter("input_rows"),
            },
            build_time: time("build_time"),
            join_time: time("join_time"),
            build_mem_used: MetricBuilder::new(set).peak_memory_usage("build_mem_used", partition),
        }
    }

    /// Those of a partition of the right side that streams by.
    pub(crate) fn of_stream(self: Arc<Self>, partition: usize) -> StreamMetrics {
        let builder = || MetricBuilder::new(&self.set);
        StreamMetrics {
            compute: builder().elapsed_compute(partition),
            probe_hit_rate: builder().ratio_metrics("probe_hit_rate", partition),
            avg_fanout: builder().ratio_metrics("avg_fanout", partition),
            join: self,
        }
    }
}
