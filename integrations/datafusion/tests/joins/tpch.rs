//! TPC-H and the Star Schema Benchmark at a small scale.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::physical_plan::{collect, displayable};
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

/// Q5, whose customers and suppliers are of one nation, and so all but one of its tables stand in a cycle.
const Q5: &str = "select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue from {tables} \
                  where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey \
                  and c_nationkey = s_nationkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey \
                  and r_name = 'ASIA' and o_orderdate >= date '1994-01-01' \
                  and o_orderdate < date '1995-01-01' group by n_name order by revenue desc";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_joins_by_the_same_keys_whatever_the_order_of_tables() {
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_collect_statistics(false);
    let session = in_mode(config, Mode::Tree);
    for (name, table) in tables(Benchmark::Tpch) {
        session.register_table(name, table).unwrap();
    }
    let mut tables = [
        "customer", "orders", "lineitem", "supplier", "nation", "region",
    ];
    let mut all: Vec<(Vec<String>, usize)> = Vec::new();
    for turn in 0..tables.len() {
        // Each table is first once, and neighbours of others are among the neighbours.
        tables.rotate_left(1);
        tables.swap(1, 1 + turn % 4);
        let query = Q5.replace("{tables}", &tables.join(", "));
        let plan = plan(&session, &query).await.unwrap();
        assert_eq!(joins(&plan), (5, 0));
        let found = collect(plan.clone(), session.task_ctx()).await.unwrap();
        let told = displayable(plan.as_ref()).indent(false).to_string();
        let (_, result) = told.split_once("; result: ").expect("a result");
        let (_, joined) = result.split_once(" → ").unwrap();
        let (joined, _) = joined.split_once(']').unwrap();
        all.push((rows(&found), joined.parse::<usize>().unwrap()));
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:#?}");
    // Rows that come out of the joins before the cycle is closed.
    let joined = all[0].1;
    assert!(joined < 1_000, "{joined} rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_star_schema_benchmark_is_answered_alike() {
    let taken = answered_alike(Benchmark::Ssb).await;
    assert!(taken > 35, "{taken} joins");
}
