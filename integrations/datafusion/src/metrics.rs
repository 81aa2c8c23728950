//! What `EXPLAIN ANALYZE` shows of a join, under the names that DataFusion's own joins use.

use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, Time,
};

/// The figures of both sides.
pub(crate) struct JoinMetrics {
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
}
