//! Sessions with and without Joinery, and their answers.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::SessionStateBuilderExt;

/// DataFusion as it is.
pub fn stock(config: SessionConfig) -> SessionContext {
    SessionContext::new_with_config(config)
}

/// The same with Joinery.
pub fn joinery(config: SessionConfig) -> SessionContext {
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features();
    SessionContext::new_with_state(builder.with_joinery().build())
}

/// The physical plan of a query.
pub async fn plan(context: &SessionContext, query: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(query).await?.create_physical_plan().await
}

/// Names of the operators of a plan.
pub fn operators(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let below = plan.children().into_iter().flat_map(operators);
    std::iter::once(plan.name().to_owned())
        .chain(below)
        .collect()
}

/// Joins of a plan that run in Joinery, and those that were left.
pub fn joins(plan: &Arc<dyn ExecutionPlan>) -> (usize, usize) {
    let operators = operators(plan);
    let count = |name: &str| {
        operators
            .iter()
            .filter(|operator| *operator == name)
            .count()
    };
    (count("JoineryExec"), count("HashJoinExec"))
}

/// Rows as text, in order.
pub fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns = columns.map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let columns: Vec<_> = columns.collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let values = columns.iter().map(|column| column.value(row).to_string());
            values.collect::<Vec<_>>().join("|")
        }));
    }
    rows
}

/// Rows as text, sorted.
pub async fn sorted(context: &SessionContext, query: &str) -> Result<Vec<String>> {
    let mut rows = rows(&context.sql(query).await?.collect().await?);
    rows.sort_unstable();
    Ok(rows)
}
