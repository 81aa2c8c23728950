//! TPC-H and the Star Schema Benchmark at a small scale.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::Mode;
use joinery_tpch::Benchmark;

use crate::answers::{in_mode, joins, plan, rows, stock};

/// Some 60,000 lines of orders: enough for more than one thread and more than one batch.
const SCALE: f64 = 0.01;

pub fn tables(benchmark: Benchmark) -> Vec<(&'static str, Arc<MemTable>)> {
    let load = |&name: &&'static str| {
        let reader = benchmark.table(name, SCALE);
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let (first, second) = batches.split_at(batches.len() / 2);
        let partitions = vec![first.to_vec(), second.to_vec()];
        (
            name,
            Arc::new(MemTable::try_new(schema, partitions).unwrap()),
        )
    };
    benchmark.tables().iter().map(load).collect()
}

/// The rows of a query, in order.
async fn answer(context: &SessionContext, query: &str) -> Vec<String> {
    rows(&context.sql(query).await.unwrap().collect().await.unwrap())
}

/// Answers each query in every mode, and returns how many hash joins they have in all.
async fn answered_alike(benchmark: Benchmark) -> usize {
    let config = || SessionConfig::new().with_target_partitions(2);
    let stock = stock(config());
    let modes =
        [Mode::Join, Mode::Tree, Mode::Streaming].map(|mode| (mode, in_mode(config(), mode)));
    for (name, table) in tables(benchmark) {
        let sessions = modes.iter().map(|(_, session)| session);
        for context in sessions.chain([&stock]) {
            context.register_table(name, table.clone()).unwrap();
        }
    }
    let mut taken = 0;
    for (name, query) in benchmark.queries() {
        let of_stock = joins(&plan(&stock, &query).await.unwrap()).1;
        taken += of_stock;
        let expected = answer(&stock, &query).await;
        for (mode, session) in &modes {
            let found = joins(&plan(session, &query).await.unwrap());
            assert_eq!(found, (of_stock, 0), "joins of {name}, {mode}");
            assert_eq!(answer(session, &query).await, expected, "{name}, {mode}");
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_tpch_is_answered_alike_and_every_hash_join_taken_over() {
    let taken = answered_alike(Benchmark::Tpch).await;
    assert!(taken > 50, "{taken} joins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_star_schema_benchmark_is_answered_alike() {
    let taken = answered_alike(Benchmark::Ssb).await;
    assert!(taken > 35, "{taken} joins");
}
