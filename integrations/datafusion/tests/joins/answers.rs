//! Sessions with and without Joinery, and their answers.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
pub use joinery_datafusion::hash_joins as joins;
use joinery_datafusion::{JoineryOptions, Mode, SessionStateBuilderExt, Without};

/// DataFusion as it is.
pub fn stock(config: SessionConfig) -> SessionContext {
    SessionContext::new_with_config(config)
}

/// The same with Joinery, join by join.
pub fn joinery(config: SessionConfig) -> SessionContext {
    in_mode(config, Mode::Join)
}

/// The same in this mode.
pub fn in_mode(mut config: SessionConfig, mode: Mode) -> SessionContext {
    let options = JoineryOptions::of(mode, Without::default());
    config.options_mut().extensions.insert(options);
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features();
    SessionContext::new_with_state(builder.with_joinery().build())
}

/// The physical plan of a query.
pub async fn plan(context: &SessionContext, query: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(query).await?.create_physical_plan().await
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
