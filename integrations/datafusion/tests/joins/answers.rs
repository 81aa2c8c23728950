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
pub fn in_mode(config: SessionConfig, mode: Mode) -> SessionContext {
    with_options(config, JoineryOptions::of(mode, Without::default()))
}

/// Settings of trees whose last leaf streams, however many rows it has.
pub fn streaming_trees() -> JoineryOptions {
    let mut options = JoineryOptions::of(Mode::Tree, Without::default());
    options.stream_from = 0;
    options
}

/// The same with these settings.
pub fn with_options(mut config: SessionConfig, options: JoineryOptions) -> SessionContext {
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
