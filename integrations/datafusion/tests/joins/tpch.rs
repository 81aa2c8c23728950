//! TPC-H at a small scale.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::Mode;
use joinery_tpch::{TABLES, queries, table};

use crate::answers::{in_mode, joins, plan, rows, stock};

/// Some 60,000 lines of orders: enough for more than one thread and more than one batch.
const SCALE: f64 = 0.01;

fn tables() -> Vec<(&'static str, Arc<MemTable>)> {
    let load = |name| {
        let reader = table(name, SCALE);
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let (first, second) = batches.split_at(batches.len() / 2);
        let partitions = vec![first.to_vec(), second.to_vec()];
        (
            name,
            Arc::new(MemTable::try_new(schema, partitions).unwrap()),
        )
    };
    TABLES.into_iter().map(load).collect()
}

/// The rows of a query, in order.
async fn answer(context: &SessionContext, query: &str) -> Vec<String> {
    rows(&context.sql(query).await.unwrap().collect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_is_answered_alike_and_every_hash_join_taken_over() {
    let config = || SessionConfig::new().with_target_partitions(2);
    let stock = stock(config());
    let modes = [Mode::Join, Mode::Tree].map(|mode| (mode, in_mode(config(), mode)));
    for (name, table) in tables() {
        let sessions = modes.iter().map(|(_, session)| session);
        for context in sessions.chain([&stock]) {
            context.register_table(name, table.clone()).unwrap();
        }
    }
    let mut taken = 0;
    for (number, query) in (1..).zip(queries()) {
        let of_stock = joins(&plan(&stock, &query).await.unwrap()).1;
        taken += of_stock;
        let expected = answer(&stock, &query).await;
        for (mode, session) in &modes {
            let found = joins(&plan(session, &query).await.unwrap());
            assert_eq!(found, (of_stock, 0), "joins of Q{number}, {mode}");
            assert_eq!(answer(session, &query).await, expected, "Q{number}, {mode}");
        }
    }
    assert!(taken > 50, "{taken} joins");
}
