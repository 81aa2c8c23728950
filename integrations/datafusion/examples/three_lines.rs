//! A program that has Joinery in its DataFusion: three lines more than without.

use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use joinery_datafusion::SessionStateBuilderExt;

#[tokio::main]
async fn main() -> Result<()> {
    let state = SessionStateBuilder::new().with_default_features();
    let state = state.with_joinery().build();
    let context = SessionContext::new_with_state(state);

    for table in [
        "create table customers as values (1, 'Ada'), (2, 'Grace'), (3, 'Barbara')",
        "create table orders as values (10, 1), (11, 3), (12, 3), (13, 4)",
    ] {
        context.sql(table).await?.collect().await?;
    }
    let query = "select c.column2 as customer, o.column1 as number \
                 from customers c left join orders o on o.column2 = c.column1 order by 1, 2";
    context
        .sql(&format!("explain {query}"))
        .await?
        .show()
        .await?;
    context.sql(query).await?.show().await
}
