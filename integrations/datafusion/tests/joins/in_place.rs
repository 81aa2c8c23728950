//! Joins that are taken over in plans that are finished.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::{JoineryOptions, Mode, Without, take_over_in_place};
use joinery_tpch::Benchmark;

use crate::answers::{joins, plan, rows, stock};
use crate::tpch::tables;

/// DataFusion with TPC-H, whose joins have both sides partitioned.
fn partitioned() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(2);
    let optimizer = &mut config.options_mut().optimizer;
    optimizer.hash_join_single_partition_threshold = 0;
    optimizer.hash_join_single_partition_threshold_rows = 0;
    let context = stock(config);
    for (name, table) in tables(Benchmark::Tpch) {
        context.register_table(name, table).unwrap();
    }
    context
}

fn settings(mode: Mode) -> ConfigOptions {
    let mut options = ConfigOptions::new();
    options
        .extensions
        .insert(JoineryOptions::of(mode, Without::default()));
    options
}

fn taken_over(plan: &Arc<dyn ExecutionPlan>, mode: Mode) -> Arc<dyn ExecutionPlan> {
    take_over_in_place(plan.clone(), &settings(mode), |_| false).unwrap()
}

/// Operators by depth, joins by one name.
fn shape(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let text = displayable(plan.as_ref()).indent(false).to_string();
    let name = |line: &str| {
        line.split(':')
            .next()
            .unwrap_or(line)
            .replace("JoineryExec", "HashJoinExec")
    };
    text.lines().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_keep_their_shape_and_their_answers() {
    let context = partitioned();
    for mode in [Mode::Join, Mode::Streaming] {
        let mut all = 0;
        for (name, query) in Benchmark::Tpch.queries() {
            let of_stock = plan(&context, &query).await.unwrap();
            // Planned again: plans share what is below their joins, and it is executed once.
            let taken = taken_over(&plan(&context, &query).await.unwrap(), mode);
            assert_eq!(shape(&taken), shape(&of_stock), "{name}, {mode}");
            let found = joins(&taken);
            assert_eq!(found, (joins(&of_stock).1, 0), "{name}, {mode}");
            all += found.0;
            let expected = collect(of_stock, context.task_ctx()).await.unwrap();
            let answer = collect(taken, context.task_ctx()).await.unwrap();
            assert_eq!(rows(&answer), rows(&expected), "{name}, {mode}");
        }
        assert!(all > 50, "{all}");
    }
}

#[tokio::test]
async fn a_join_collects_only_where_its_rows_are_not_counted_on() {
    let context = partitioned();
    let text = async |query: &str, mode| {
        let of_stock = plan(&context, query).await.unwrap();
        let taken = taken_over(&of_stock, mode);
        displayable(taken.as_ref()).indent(false).to_string()
    };
    // Rows of a group are in one partition, as the join has them; or they are not.
    let join = "from orders join lineitem on o_orderkey = l_orderkey";
    let grouped = format!("select o_orderkey, count(*) {join} group by o_orderkey");
    let counted = format!("select o_orderpriority, count(*) {join} group by o_orderpriority");
    for (query, mode, expected) in [
        (&grouped, Mode::Join, "JoineryExec: mode=streaming"),
        (&counted, Mode::Join, "JoineryExec: mode=join"),
        (&counted, Mode::Tree, "JoineryExec: mode=join"),
        (&counted, Mode::Streaming, "JoineryExec: mode=streaming"),
        (&counted, Mode::Off, "HashJoinExec: "),
    ] {
        let text = text(query, mode).await;
        assert!(text.contains(expected), "{mode}: {text}");
    }
    // Nothing is done behind a border.
    let of_stock = plan(&context, &counted).await.unwrap();
    let is_border = |node: &dyn ExecutionPlan| node.name() == "HashJoinExec";
    let behind = take_over_in_place(of_stock, &settings(Mode::Join), is_border).unwrap();
    assert_eq!(joins(&behind), (0, 1));
}
