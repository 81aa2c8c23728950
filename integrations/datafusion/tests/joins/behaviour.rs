//! What DataFusion expects of an operator beside its rows.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Int64Array, ListArray, StringArray,
};
use datafusion::arrow::datatypes::{Int8Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{FutureExt, StreamExt};
use joinery_datafusion::{JoineryOptions, Mode, SessionStateBuilderExt, Without};

use crate::answers::{
    in_mode, joinery, joins, plan, rows, sorted, stock, streaming_trees, with_options,
};

/// Keys 0 to `distinct` over and over, and the number of the row, in two partitions.
fn numbers(rows: i64, distinct: i64) -> Arc<MemTable> {
    let batch = |rows: std::ops::Range<i64>| {
        let keys = Int64Array::from_iter_values(rows.clone().map(|row| row % distinct));
        let values = Int64Array::from_iter_values(rows);
        let columns = [("k", Arc::new(keys) as _), ("v", Arc::new(values) as _)];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let partitions = vec![vec![batch(0..rows / 2)], vec![batch(rows / 2..rows)]];
    Arc::new(MemTable::try_new(partitions[0][0].schema(), partitions).unwrap())
}

/// A session with two tables, one key of each of which is in ten rows of the other.
fn session(config: SessionConfig) -> SessionContext {
    let context = joinery(config);
    fill(&context, 100_000, 10_000);
    context
}

fn fill(context: &SessionContext, rows: i64, distinct: i64) {
    context
        .register_table("small", numbers(distinct, distinct))
        .unwrap();
    context
        .register_table("large", numbers(rows, distinct))
        .unwrap();
}

fn two_partitions() -> SessionConfig {
    SessionConfig::new().with_target_partitions(2)
}

const JOIN: &str = "select s.v, l.v from small s join large l on s.k = l.k";

/// The lines of `explain`.
async fn explained(context: &SessionContext, query: &str) -> String {
    let lines = context.sql(&format!("explain {query}")).await.unwrap();
    rows(&lines.collect().await.unwrap()).join("\n")
}

#[tokio::test]
async fn explain_names_what_was_taken_over_and_says_why_a_join_was_left() {
    let context = session(two_partitions());
    let plan = explained(&context, JOIN).await;
    assert!(
        plan.contains("JoineryExec: mode=join, join_type=Inner, on=[(k@0, k@0)]"),
        "{plan}"
    );

    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]);
    let batch = RecordBatch::try_from_iter([("k", Arc::new(lists) as _)]).unwrap();
    context.register_batch("lists", batch).unwrap();
    let plan = explained(&context, "select * from lists a join lists b on a.k = b.k").await;
    assert!(plan.contains("HashJoinExec"), "{plan}");
    assert!(
        plan.contains("left by joinery: a key of type List"),
        "{plan}"
    );
}

#[tokio::test]
async fn analysed_plans_say_what_was_chosen_and_count_rows() {
    let context = session(two_partitions());
    let plan = plan(&context, JOIN).await.unwrap();
    let found = collect(plan.clone(), context.task_ctx()).await.unwrap();
    let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 100_000);
    let text = displayable(plan.as_ref()).indent(false).to_string();
    assert!(text.contains("chosen=["), "{text}");
    let join = find(&plan).expect("a join");
    let metrics = join.metrics().unwrap();
    let of = |name: &str| metrics.sum_by_name(name).map(|value| value.as_usize());
    assert_eq!(metrics.output_rows(), Some(100_000));
    assert_eq!(of("build_input_rows"), Some(10_000));
    assert_eq!(of("input_rows"), Some(100_000));
    for name in [
        "build_input_batches",
        "input_batches",
        "build_mem_used",
        "join_time",
    ] {
        assert!(of(name).is_some_and(|value| value > 0), "{name}: {metrics}");
    }
}

fn find(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    find_named(plan, "JoineryExec")
}

fn find_named(plan: &Arc<dyn ExecutionPlan>, name: &str) -> Option<Arc<dyn ExecutionPlan>> {
    let mut children = plan.children().into_iter();
    match plan.name() == name {
        true => Some(plan.clone()),
        false => children.find_map(|child| find_named(child, name)),
    }
}

#[tokio::test]
async fn the_mode_is_a_setting() {
    let context = session(two_partitions());
    let taken = async || joins(&plan(&context, JOIN).await.unwrap());
    assert_eq!(taken().await, (1, 0));
    context.sql("set joinery.mode = 'off'").await.unwrap();
    assert_eq!(taken().await, (0, 1));
    let text = explained(&context, JOIN).await;
    assert!(!text.contains("joinery"), "{text}");
    let error = context
        .sql("set joinery.mode = 'fast'")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("joinery.mode is one of 'tree', 'join', 'streaming', 'off', not 'fast'"),
        "{error}"
    );
    context.sql("set joinery.mode = 'join'").await.unwrap();
    assert_eq!(taken().await, (1, 0));
}

#[tokio::test]
async fn what_is_sorted_below_is_not_taken_for_sorted_above() {
    let config = || two_partitions().with_batch_size(100);
    let (stock, joinery) = (stock(config()), session(config()));
    fill(&stock, 100_000, 10_000);
    let query = "select l.v from small s join (select * from large order by v limit 50000) l on s.k = l.k order by l.v";
    let answer = async |context: &SessionContext| {
        rows(&context.sql(query).await.unwrap().collect().await.unwrap())
    };
    assert_eq!(joins(&plan(&joinery, query).await.unwrap()), (1, 0));
    assert!(answer(&joinery).await == answer(&stock).await);
}

#[tokio::test]
async fn batches_are_no_longer_than_a_session_says() {
    let context = session(two_partitions().with_batch_size(999));
    let plan = plan(&context, JOIN).await.unwrap();
    let join = find(&plan).expect("a join");
    let mut rows = 0;
    for partition in 0..2 {
        let mut stream = join.execute(partition, context.task_ctx()).unwrap();
        while let Some(batch) = stream.next().await {
            let batch = batch.unwrap();
            assert!(
                (1..=999).contains(&batch.num_rows()),
                "{}",
                batch.num_rows()
            );
            rows += batch.num_rows();
        }
    }
    assert_eq!(rows, 100_000);
}

#[tokio::test]
async fn a_plan_can_be_executed_again() {
    let context = session(two_partitions());
    let plan = plan(&context, JOIN).await.unwrap();
    for _ in 0..2 {
        let found = collect(plan.clone(), context.task_ctx()).await.unwrap();
        assert_eq!(
            found.iter().map(RecordBatch::num_rows).sum::<usize>(),
            100_000
        );
    }
}

/// A session whose pool has so many bytes, and the pool.
fn pooled(bytes: usize) -> (SessionContext, Arc<dyn MemoryPool>) {
    pooled_in_mode(bytes, Mode::Join)
}

fn pooled_in_mode(bytes: usize, mode: Mode) -> (SessionContext, Arc<dyn MemoryPool>) {
    pooled_with(bytes, JoineryOptions::of(mode, Without::default()))
}

/// Trees of which all leaves are collected, and trees whose last leaf streams.
fn of_trees() -> [JoineryOptions; 2] {
    let collecting = JoineryOptions::of(Mode::Tree, Without::default());
    [collecting, streaming_trees()]
}

fn pooled_with(bytes: usize, options: JoineryOptions) -> (SessionContext, Arc<dyn MemoryPool>) {
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool.clone());
    let mut config = two_partitions();
    config.options_mut().extensions.insert(options);
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::new(runtime.build().unwrap()))
        .with_default_features();
    (
        SessionContext::new_with_state(builder.with_joinery().build()),
        pool,
    )
}

/// Waits until nothing is reserved any more: threads that have been told to stop need a moment. It is one of the processor time
/// of this process, tests beside this one included, since on a busy machine it may last as long as it likes.
async fn freed(pool: &Arc<dyn MemoryPool>) {
    let began = processor_seconds();
    while pool.reserved() > 0 {
        let reserved = pool.reserved();
        assert!(
            processor_seconds() < began + 120.0,
            "{reserved} bytes reserved"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Processor time of this process; 0 where the system does not tell as Linux does.
fn processor_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // Behind the name, which may be anything: time of its own is the 12th field, the system's on its behalf the 13th.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_too_small_for_the_left_side_is_an_error() {
    let (context, pool) = pooled(1 << 16);
    fill(&context, 100_000, 50_000);
    let error = sorted(&context, JOIN).await.unwrap_err();
    assert!(
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
        "{error}"
    );
    freed(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_too_small_for_both_sides_has_datafusion_join() {
    let kinds = [
        "join",
        "left join",
        "right join",
        "full join",
        "left anti join",
        "right semi join",
    ];
    for kind in kinds {
        let query = format!(
            "select * from (select v, k from small) s {kind} large l on s.k = l.k and s.v = l.k and s.v + l.v < 90000"
        );
        let (own, _) = pooled(1 << 30);
        fill(&own, 100_000, 50_000);
        let expected = sorted(&own, &query).await.unwrap();
        // The right side is refused; then the hashes of both keys; then nothing.
        for (bytes, refused) in [(3_500_000, true), (5_200_000, true), (64 << 20, false)] {
            let (context, pool) = pooled(bytes);
            fill(&context, 100_000, 50_000);
            let plan = plan(&context, &query).await.unwrap();
            let mut found = rows(&collect(plan.clone(), context.task_ctx()).await.unwrap());
            found.sort_unstable();
            assert!(
                found == expected,
                "{kind}, {bytes} bytes: {} rows",
                found.len()
            );
            let text = displayable(plan.as_ref()).indent(false).to_string();
            assert_eq!(text.contains("joined by DataFusion"), refused, "{text}");
            freed(&pool).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_dropped_stops_the_work() -> Result<()> {
    let (context, pool) = pooled(1 << 30);
    // 40 thousand million pairs, of one key.
    context.register_table("a", numbers(200_000, 1))?;
    let query = "select x.v from a x join a y on x.k = y.k";
    for condition in ["", " and x.v + y.v > -1"] {
        let plan = plan(&context, &format!("{query}{condition}")).await?;
        let mut stream = execute_stream(plan.clone(), context.task_ctx())?;
        assert!(stream.next().await.unwrap()?.num_rows() > 0);
        assert!(pool.reserved() > 0);
        drop(stream);
        freed(&pool).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_that_fails_is_an_error() {
    let context = session(two_partitions());
    let query = format!("{JOIN} and 1 / (l.v - s.v) > 0");
    let error = sorted(&context, &query).await.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("divide by zero"), "{error}");
}

/// Three leaves, of which one closes a cycle by `v`.
const TREE: &str = "select s.v, l.v, m.v from small s join large l on s.k = l.k \
                    join small m on m.k = l.k and m.v = s.v and s.v + l.v > 10";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_side_that_fails_is_an_error_where_it_is_read() {
    // The right side, which divides by zero in its last rows.
    let right = "(select * from large where 1 / (v - 99999) < 2)";
    for mode in [Mode::Join, Mode::Streaming, Mode::Tree] {
        let context = in_mode(two_partitions(), mode);
        fill(&context, 100_000, 10_000);
        let of = async |least: i64, kind: &str| {
            let left = format!("(select * from small where v >= {least})");
            let query = format!("select * from {left} s {kind} {right} l on s.k = l.k");
            sorted(&context, &query).await
        };
        for kind in [
            "join",
            "left join",
            "right join",
            "full join",
            "left semi join",
            "left anti join",
            "right semi join",
            "right anti join",
        ] {
            let Err(error) = of(0, kind).await else {
                panic!("{mode}, {kind}: no error");
            };
            let error = error.to_string();
            assert!(
                error.to_lowercase().contains("divide by zero"),
                "{mode}, {kind}: {error}"
            );
            // Without rows on the left these kinds have no result, whatever is on the right.
            let has_none = !["right join", "full join", "right anti join"].contains(&kind);
            let rows = of(1 << 40, kind).await.map(|rows| rows.len());
            assert_eq!(matches!(rows, Ok(0)), has_none, "{mode}, {kind}: {rows:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_one_operator_that_says_what_it_did() {
    let context = in_mode(two_partitions(), Mode::Tree);
    fill(&context, 100_000, 10_000);
    let plan = plan(&context, TREE).await.unwrap();
    assert_eq!(joins(&plan), (2, 0));
    let text = |plan: &Arc<dyn ExecutionPlan>| displayable(plan.as_ref()).indent(false).to_string();
    let planned = text(&plan);
    assert!(
        planned.contains("JoineryTreeExec: mode=tree, joins=2, on=[")
            && !planned.contains("HashJoin"),
        "{planned}"
    );
    let found = collect(plan.clone(), context.task_ctx()).await.unwrap();
    let mut found = rows(&found);
    found.sort_unstable();
    let single = in_mode(two_partitions(), Mode::Off);
    fill(&single, 100_000, 10_000);
    assert!(found == sorted(&single, TREE).await.unwrap());
    let analysed = text(&plan);
    for said in ["scan leaf 1", "scan leaf 2", "scan leaf 3", "root"] {
        assert!(analysed.contains(said), "{said}: {analysed}");
    }
    let streaming = "set joinery.stream_from = 0";
    context.sql(streaming).await.unwrap();
    let (again, analysed) = self::analysed(&context, TREE).await;
    assert!(again == found);
    for said in ["stream leaf 3 (k, …) through leaf", "array of 10000 keys"] {
        assert!(analysed.contains(said), "{said}: {analysed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn techniques_of_a_tree_are_settings() {
    let context = in_mode(two_partitions(), Mode::Tree);
    fill(&context, 10_000, 1_000);
    let expected = sorted(&context, TREE).await.unwrap();
    for without in [
        "filters",
        "own-order, multiplicity",
        "direct, tags, bitmasks",
        "streamed-leaf",
    ] {
        let setting = format!("set joinery.without = '{without}'");
        context.sql(&setting).await.unwrap();
        assert!(
            sorted(&context, TREE).await.unwrap() == expected,
            "{without}"
        );
    }
    let unknown = context.sql("set joinery.without = 'speed'").await;
    let error = unknown.unwrap_err().to_string();
    assert!(error.contains("not 'speed'"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_too_small_for_all_leaves_has_datafusion_join() {
    for options in of_trees() {
        let stream_from = options.stream_from;
        let refusals = refusals(options).await;
        assert!(
            (1..6).contains(&refusals),
            "{refusals} refusals, streams from {stream_from}"
        );
    }
}

/// In how many of some pools DataFusion's joins take over.
async fn refusals(options: JoineryOptions) -> usize {
    let (own, _) = pooled_in_mode(1 << 30, Mode::Tree);
    fill(&own, 100_000, 20_000);
    let expected = sorted(&own, TREE).await.unwrap();
    let mut refusals = 0;
    // From one that holds a leaf to one that holds all and the tables.
    for bytes in [
        2_500_000,
        3_500_000,
        4_500_000,
        6_000_000,
        8_000_000,
        64 << 20,
    ] {
        let (context, pool) = pooled_with(bytes, options.clone());
        fill(&context, 100_000, 20_000);
        let plan = plan(&context, TREE).await.unwrap();
        match collect(plan.clone(), context.task_ctx()).await {
            Ok(found) => {
                let mut found = rows(&found);
                found.sort_unstable();
                assert!(found == expected, "{bytes} bytes: {} rows", found.len());
            }
            Err(error) => {
                assert!(
                    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
                    "{bytes} bytes: {error}"
                );
                // Then DataFusion's own joins have no room either.
                let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
                let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
                let stock = SessionContext::new_with_config_rt(
                    two_partitions(),
                    Arc::new(runtime.build().unwrap()),
                );
                fill(&stock, 100_000, 20_000);
                assert!(
                    sorted(&stock, TREE).await.is_err(),
                    "{bytes} bytes are enough for stock"
                );
            }
        }
        let text = displayable(plan.as_ref()).indent(false).to_string();
        refusals += usize::from(text.contains("joined by DataFusion"));
        freed(&pool).await;
    }
    refusals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_a_tree_that_is_dropped_stops_the_work() -> Result<()> {
    // 2,500 million rows, of one key; and more than can be counted, which DataFusion joins.
    let query = "select x.v from a x join a y on x.k = y.k join one z on z.k = y.k";
    let more = "select x.v from one z join b x on z.k = x.k join b y on x.k = y.k";
    let queries = [(query, ""), (query, " and x.v + y.v > -1"), (more, "")];
    let all = of_trees().map(|options| queries.map(|query| (options.clone(), query)));
    for (options, (query, condition)) in all.into_iter().flatten() {
        let (context, pool) = pooled_with(1 << 30, options);
        context.register_table("a", numbers(50_000, 1))?;
        context.register_table("b", numbers(70_000, 1))?;
        context.register_table("one", numbers(1, 1))?;
        let plan = plan(&context, &format!("{query}{condition}")).await?;
        let mut stream = execute_stream(plan.clone(), context.task_ctx())?;
        assert!(stream.next().await.unwrap()?.num_rows() > 0);
        assert!(pool.reserved() > 0);
        drop(stream);
        freed(&pool).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_read_from_when_a_plan_is_executed() {
    for (mode, query) in [(Mode::Join, JOIN), (Mode::Tree, TREE)] {
        let (context, pool) = pooled_in_mode(1 << 30, mode);
        fill(&context, 100_000, 10_000);
        let plan = plan(&context, query).await.unwrap();
        let stream = plan.execute(0, context.task_ctx()).unwrap();
        let read = async {
            while pool.reserved() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), read).await;
        assert!(
            waited.is_ok(),
            "{mode}: nothing is read before it is asked for"
        );
        drop(stream);
        freed(&pool).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_of_a_tree_that_fails_is_an_error() {
    for options in of_trees() {
        let context = with_options(two_partitions(), options);
        fill(&context, 100_000, 10_000);
        let query = TREE.replace("s.v + l.v > 10", "1 / (l.v - s.v) > 0");
        let error = sorted(&context, &query).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("divide by zero"), "{error}");
    }
}

/// The operators of a plan, each with how deep it stands.
fn operators(plan: &Arc<dyn ExecutionPlan>, depth: usize) -> Vec<(usize, String)> {
    let own = (depth, plan.name().to_owned());
    let below = plan.children().into_iter();
    let below = below.flat_map(|child| operators(child, depth + 1));
    std::iter::once(own).chain(below).collect()
}

/// Sessions in which a left side is collected as a whole, and by partitions.
fn both_ways() -> [SessionConfig; 2] {
    let mut partitioned = two_partitions();
    let optimizer = &mut partitioned.options_mut().optimizer;
    optimizer.hash_join_single_partition_threshold = 0;
    optimizer.hash_join_single_partition_threshold_rows = 0;
    [two_partitions(), partitioned]
}

/// A query as executed in the default mode: its rows, sorted, and the plan with what was chosen.
async fn analysed(context: &SessionContext, query: &str) -> (Vec<String>, String) {
    let plan = plan(context, query).await.unwrap();
    let mut found = rows(&collect(plan.clone(), context.task_ctx()).await.unwrap());
    found.sort_unstable();
    let text = displayable(plan.as_ref()).indent(false).to_string();
    (found, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_side_of_a_single_join_streams_by_a_small_left_one() {
    // Rows of the left side, and what becomes of a right side of 1,000.
    for (rows, chosen) in [
        (10_000, "chosen=[array of 10000 keys]"),
        (
            1_200_000,
            "table of the probe side, which is the smaller one",
        ),
    ] {
        for config in both_ways() {
            let stock = stock(config.clone());
            let joinery = in_mode(config, Mode::Tree);
            for context in [&stock, &joinery] {
                context.register_table("a", numbers(rows, rows)).unwrap();
                context.register_table("b", numbers(1_000, 500)).unwrap();
                // The left side is the one that stands there in the query.
                let order = "set datafusion.optimizer.join_reordering = false";
                context.sql(order).await.unwrap();
            }
            for kind in ["join", "left join", "right join", "full join"] {
                let query = format!("select a.v, b.v from a {kind} b on a.k = b.k");
                let planned = explained(&joinery, &query).await;
                assert!(
                    planned.contains("JoineryExec: mode=either, join_type="),
                    "{planned}"
                );
                let (found, text) = analysed(&joinery, &query).await;
                assert!(found == sorted(&stock, &query).await.unwrap(), "{query}");
                assert!(text.contains(chosen), "{query}: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_join_keeps_partitions_that_are_asked_for() {
    let [_, partitioned] = both_ways();
    let context = in_mode(partitioned.clone(), Mode::Tree);
    fill(&context, 100_000, 10_000);
    let stock = stock(partitioned);
    fill(&stock, 100_000, 10_000);
    let of = |key: &str| {
        format!("select {key}, count(*) from small s left join large l on s.k = l.k group by {key}")
    };
    // By the key of the join, of which nothing is repartitioned twice.
    let planned = explained(&context, &of("s.k")).await;
    assert!(
        planned.contains("JoineryExec: mode=streaming, partition_mode=Partitioned"),
        "{planned}"
    );
    assert_eq!(planned.matches("RepartitionExec").count(), 2, "{planned}");
    // By another column.
    let planned = explained(&context, &of("l.v")).await;
    assert!(planned.contains("JoineryExec: mode=either"), "{planned}");
    assert_eq!(planned.matches("RepartitionExec").count(), 1, "{planned}");
    for key in ["s.k", "l.v"] {
        let found = sorted(&context, &of(key)).await.unwrap();
        assert!(found == sorted(&stock, &of(key)).await.unwrap(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_streams_takes_the_place_of_one_operator() {
    let query = format!("{JOIN} order by l.v limit 20");
    for config in both_ways() {
        let (stock, streaming) = (stock(config.clone()), in_mode(config, Mode::Streaming));
        for context in [&stock, &streaming] {
            fill(context, 100_000, 10_000);
        }
        let expected = plan(&stock, &query).await.unwrap();
        let found = plan(&streaming, &query).await.unwrap();
        assert_eq!(joins(&found), (1, 0));
        let mut expected = operators(&expected, 0);
        for (_, name) in &mut expected {
            *name = name.replace("HashJoinExec", "JoineryExec");
        }
        assert_eq!(operators(&found, 0), expected);
        let join = find(&found).unwrap();
        assert!(
            join.downcast_ref::<HashJoinExec>().is_some(),
            "a rule that looks for hash joins finds it"
        );
        let text = displayable(found.as_ref()).indent(false).to_string();
        assert!(
            text.contains("JoineryExec: mode=streaming, partition_mode="),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_streams_keeps_the_order_of_its_right_side() {
    let kinds = ["join", "right join", "right semi join", "right anti join"];
    for (kind, config) in kinds
        .into_iter()
        .flat_map(|kind| both_ways().map(|way| (kind, way)))
    {
        let context = in_mode(config.with_batch_size(100), Mode::Streaming);
        // Of the keys of the large table half are in the small one, and these twice.
        context
            .register_table("small", numbers(10_000, 5_000))
            .unwrap();
        context
            .register_table("large", numbers(100_000, 10_000))
            .unwrap();
        let query = format!("select l.v from small s {kind} large l on s.k = l.k");
        let plan = plan(&context, &query).await.unwrap();
        let join = find(&plan).expect("a join");
        assert_eq!(join.maintains_input_order(), [false, true], "{kind}");
        let values = async |plan: &Arc<dyn ExecutionPlan>, partition| {
            let mut values = Vec::new();
            let mut stream = plan.execute(partition, context.task_ctx()).unwrap();
            let column = plan.schema().index_of("v").unwrap();
            while let Some(batch) = stream.next().await {
                let batch = batch.unwrap();
                values.extend_from_slice(batch.column(column).as_primitive::<Int64Type>().values());
            }
            values
        };
        let mut rows = 0;
        for partition in 0..2 {
            let found = values(&join, partition).await;
            rows += found.len();
            // The right side may come from several tasks, of whose batches the join sees some order.
            let inner = kind == "join" || kind == "right join";
            let ascending = found.windows(2).filter(|pair| pair[0] <= pair[1]).count();
            assert!(
                found.len() - 1 - ascending <= found.len() / 50,
                "{kind}: {ascending} of {}",
                found.len()
            );
            if inner {
                let repeated = found.windows(2).filter(|pair| pair[0] == pair[1]).count();
                assert!(repeated >= found.len() / 4, "{kind}");
            }
        }
        let expected = match kind {
            "join" => 100_000,
            "right join" => 150_000,
            _ => 50_000,
        };
        assert_eq!(rows, expected, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_of_a_join_that_streams_can_be_read_one_after_the_other_and_again() {
    for (config, kind) in both_ways().into_iter().flat_map(|config| {
        ["left join", "left anti join", "full join"].map(|kind| (config.clone(), kind))
    }) {
        let context = in_mode(config, Mode::Streaming);
        context
            .register_table("small", numbers(10_000, 10_000))
            .unwrap();
        context
            .register_table("large", numbers(50_000, 1_000))
            .unwrap();
        let query = format!("select * from small s {kind} large l on s.k = l.k");
        let plan = plan(&context, &query).await.unwrap();
        let join = find(&plan).expect("a join");
        let stock = join.downcast_ref::<HashJoinExec>().unwrap();
        let name = stock.join_type().to_string().to_lowercase();
        assert_eq!(
            name,
            kind.replace(" join", "").replace(" ", ""),
            "not swapped"
        );
        // What repartitions below a join can be read once.
        let times = match stock.partition_mode() {
            PartitionMode::CollectLeft => 2,
            _ => 1,
        };
        for _ in 0..times {
            let mut rows = 0;
            for partition in 0..2 {
                let mut stream = join.execute(partition, context.task_ctx()).unwrap();
                while let Some(batch) = stream.next().await {
                    rows += batch.unwrap().num_rows();
                }
            }
            let expected = match kind {
                "left anti join" => 9_000,
                _ => 59_000,
            };
            assert_eq!(rows, expected, "{kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_streams_counts_what_stock_counts() {
    for config in both_ways() {
        let context = in_mode(config, Mode::Streaming);
        fill(&context, 100_000, 10_000);
        let plan = plan(&context, &format!("{JOIN} and l.v < 60000"))
            .await
            .unwrap();
        collect(plan.clone(), context.task_ctx()).await.unwrap();
        let metrics = find(&plan).expect("a join").metrics().unwrap();
        let of = |name: &str| metrics.sum_by_name(name).map(|value| value.as_usize());
        assert_eq!(metrics.output_rows(), Some(60_000));
        assert_eq!(of("build_input_rows"), Some(10_000));
        assert_eq!(of("input_rows"), Some(60_000));
        for name in [
            "build_input_batches",
            "input_batches",
            "build_mem_used",
            "join_time",
            "build_time",
        ] {
            assert!(of(name).is_some_and(|value| value > 0), "{name}: {metrics}");
        }
        let text = displayable(plan.as_ref()).indent(false).to_string();
        assert!(text.contains("chosen=[array of "), "{text}");
        let shown = metrics.to_string();
        assert!(
            shown.contains("probe_hit_rate") && shown.contains("avg_fanout"),
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_streams_has_little_memory_or_fails() {
    let query = format!("{JOIN} and s.v = l.k");
    for bytes in [1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 26] {
        let (context, pool) = pooled_in_mode(bytes, Mode::Streaming);
        fill(&context, 100_000, 20_000);
        let found = sorted(&context, &query).await;
        freed(&pool).await;
        let stock_pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(stock_pool);
        let stock = SessionContext::new_with_config_rt(
            two_partitions(),
            Arc::new(runtime.build().unwrap()),
        );
        fill(&stock, 100_000, 20_000);
        match (found, sorted(&stock, &query).await) {
            (Ok(found), Ok(expected)) => assert!(found == expected, "{bytes} bytes"),
            (Ok(found), Err(_)) => assert_eq!(found.len(), 100_000),
            (Err(error), expected) => {
                let root = error.find_root();
                assert!(
                    matches!(root, DataFusionError::ResourcesExhausted(_)),
                    "{error}"
                );
                assert!(expected.is_err(), "{bytes} bytes are enough for stock");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_of_one_key_streams_in_little_memory_and_stops_when_it_is_dropped() -> Result<()> {
    let (context, pool) = pooled_in_mode(64 << 20, Mode::Streaming);
    // 40 thousand million pairs, of one key.
    context.register_table("a", numbers(200_000, 1))?;
    let queries = [
        "select x.v from a x join a y on x.k = y.k",
        "select x.v from a x join a y on x.k = y.k and x.v + y.v > -1",
        "select x.v from a x left join a y on x.k = y.k",
    ];
    for query in queries {
        let plan = plan(&context, query).await?;
        let mut stream = execute_stream(plan.clone(), context.task_ctx())?;
        for _ in 0..10 {
            assert!(stream.next().await.unwrap()?.num_rows() > 0);
        }
        assert!(pool.reserved() > 0);
        drop(stream);
        freed(&pool).await;
    }
    // Nothing comes out while rows of the left side are marked.
    let query = "select x.v from a x left semi join a y on x.k = y.k and x.v + y.v > -1";
    let plan = plan(&context, query).await?;
    let mut stream = execute_stream(plan.clone(), context.task_ctx())?;
    let waited = tokio::time::timeout(Duration::from_millis(200), stream.next()).await;
    assert!(waited.is_err(), "40 thousand million pairs were looked at");
    drop(stream);
    freed(&pool).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_ends_a_join_that_streams() {
    for config in both_ways() {
        let context = in_mode(config, Mode::Streaming);
        // Without an end it would be 40 thousand million pairs.
        context.register_table("a", numbers(200_000, 1)).unwrap();
        let query = "select x.v from a x join a y on x.k = y.k limit 12345";
        assert_eq!(sorted(&context, query).await.unwrap().len(), 12_345);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_of_a_join_that_streams_fails_for_all() {
    for config in both_ways() {
        let context = in_mode(config, Mode::Streaming);
        fill(&context, 100_000, 10_000);
        let query = format!("{JOIN} and 1 / (l.v - s.v) > 0");
        let error = sorted(&context, &query).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("divide by zero"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_with_many_partners_stream_alike() {
    let conditions = ["", " and x.v % 7 <> y.v % 5"];
    let kinds = ["join", "left join", "right join", "full join"];
    let rows_alone = [
        "left semi join",
        "left anti join",
        "right semi join",
        "right anti join",
    ];
    for config in both_ways() {
        let config = config.with_batch_size(64);
        let (stock, streaming) = (stock(config.clone()), in_mode(config, Mode::Streaming));
        for context in [&stock, &streaming] {
            // Two hundred rows of each key of `x`, of which half have partners.
            context.register_table("x", numbers(800, 4)).unwrap();
            context.register_table("y", numbers(1_000, 2)).unwrap();
        }
        for condition in conditions {
            let both = kinds.map(|kind| {
                format!("select count(*), count(x.v), sum(x.v), sum(y.v) from x {kind} y on x.k = y.k{condition}")
            });
            let one = rows_alone.map(|kind| {
                let side = if kind.starts_with("left") { "x" } else { "y" };
                format!("select count(*), sum({side}.v) from x {kind} y on x.k = y.k{condition}")
            });
            for query in both.iter().chain(&one) {
                let plan = plan(&streaming, query).await.unwrap();
                assert_eq!(joins(&plan), (1, 0), "{query}");
                let found = sorted(&streaming, query).await.unwrap();
                assert_eq!(found, sorted(&stock, query).await.unwrap(), "{query}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_left_side_has_prunes_the_scan_of_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sorted.parquet");
    let keys = Int64Array::from_iter_values(0..100_000);
    let batch = RecordBatch::try_from_iter([("k", Arc::new(keys) as _)]).unwrap();
    let groups = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1_000))
        .build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(groups)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    for mode in [Mode::Join, Mode::Streaming, Mode::Tree] {
        let context = in_mode(two_partitions(), mode);
        context.register_table("small", numbers(100, 100)).unwrap();
        let location = path.to_string_lossy().into_owned();
        context
            .register_parquet("sorted", location, Default::default())
            .await
            .unwrap();
        // A hundred rows on the left, and none.
        for (least, rows, most) in [(0, 100, 1_000), (100, 0, 0)] {
            let query = format!(
                "select s.v from (select * from small where v >= {least}) s join sorted r on s.k = r.k"
            );
            let plan = plan(&context, &query).await.unwrap();
            let found = collect(plan.clone(), context.task_ctx()).await.unwrap();
            assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
            let join = find(&plan).expect("a join");
            let read = join.metrics().unwrap().sum_by_name("input_rows");
            let read = read.map_or(0, |read| read.as_usize());
            assert!(
                (rows..=most).contains(&read),
                "{mode}: {read} rows of the right side"
            );
            let filter = join.dynamic_expressions_produced().pop().expect("a filter");
            let filter = Arc::downcast::<DynamicFilterPhysicalExpr>(filter).unwrap();
            let completed = filter.wait_complete().now_or_never();
            assert!(
                completed.is_some(),
                "{mode}: nobody says that the filter is full"
            );
        }
    }
    // A tree counts all of its leaves alike.
    let query = "select s.v from small s join other o on s.k = o.k join sorted r on r.k = o.k";
    for (without, least, most) in [("", 300, 1_200), ("scan-filters", 100_200, 100_200)] {
        let context = in_mode(two_partitions(), Mode::Tree);
        let setting = format!("set joinery.without = '{without}'");
        context.sql(&setting).await.unwrap();
        context.register_table("small", numbers(100, 100)).unwrap();
        context.register_table("other", numbers(100, 100)).unwrap();
        let location = path.to_string_lossy().into_owned();
        context
            .register_parquet("sorted", location, Default::default())
            .await
            .unwrap();
        let plan = plan(&context, query).await.unwrap();
        assert_eq!(joins(&plan), (2, 0));
        let found = collect(plan.clone(), context.task_ctx()).await.unwrap();
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
        let metrics = find_named(&plan, "JoineryTreeExec")
            .expect("a tree")
            .metrics()
            .unwrap();
        let read = metrics.sum_by_name("build_input_rows").unwrap().as_usize();
        assert!(
            (least..=most).contains(&read),
            "without '{without}': {read} rows"
        );
    }
}

/// A Parquet file of `rows` rows, with keys `k` from 0 to 9999 in no order, every eleventh NULL, and texts `t` of some length.
fn scattered(path: &std::path::Path, rows: i64) {
    let key = |row: i64| (row % 11 != 0).then_some(row * 7919 % 10_000);
    let keys: Int64Array = (0..rows).map(key).collect();
    let texts = (0..rows).map(|row| format!("the text of a row that has number {row}"));
    let texts = StringArray::from_iter_values(texts);
    let columns: [(&str, ArrayRef); 2] = [("k", Arc::new(keys)), ("t", Arc::new(texts))];
    let columns = columns.map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_file_rows_that_join_nothing_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scattered.parquet");
    scattered(&path, 100_000);
    let location = path.to_string_lossy().into_owned();
    // Keys from end to end, so that their bounds rule nothing out.
    let small = "(values (0), (17), (9999), (null)) small(k)";
    for equal in ["o.k", "small.k"] {
        let query = format!(
            "select o.v, r.t from {small} join other o on small.k = o.k join r on r.k = {equal}"
        );
        let stock = stock(two_partitions());
        let of = async |context: &SessionContext| {
            let other = numbers(10_000, 10_000);
            context.register_table("other", other).unwrap();
            let options = Default::default();
            let registered = context.register_parquet("r", &location, options).await;
            registered.unwrap();
            sorted(context, &query).await.unwrap()
        };
        let expected = of(&stock).await;
        assert!(expected.len() > 20, "{} rows", expected.len());
        let mut bytes = Vec::new();
        for without in ["", "scan-filters"] {
            let context = in_mode(two_partitions(), Mode::Tree);
            let setting = format!("set joinery.without = 'streamed-leaf, {without}'");
            context.sql(&setting).await.unwrap();
            assert_eq!(of(&context).await, expected, "{query}");
            let plan = plan(&context, &query).await.unwrap();
            assert_eq!(joins(&plan), (2, 0));
            collect(plan.clone(), context.task_ctx()).await.unwrap();
            let tree = find_named(&plan, "JoineryTreeExec").expect("a tree");
            let taken = tree.metrics().unwrap().sum_by_name("build_mem_used");
            bytes.push(taken.unwrap().as_usize());
            let told = displayable(plan.as_ref()).indent(false).to_string();
            let dropped = format!("without {} rows", 100_000 - expected.len());
            assert_eq!(told.contains(&dropped), without.is_empty(), "{told}");
        }
        assert!(bytes[0] < bytes[1] / 2, "{bytes:?} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_leaf_of_many_rows_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scattered.parquet");
    scattered(&path, 200_000);
    let location = path.to_string_lossy().into_owned();
    // Half of the keys of the file are there, so that its batches are kept as they are.
    let query = "select o.v, m.v, count(*), max(r.t) from many m join other o on m.k = o.k \
                 join r on r.k = o.k and r.t <> 'none' and o.v + m.v > 5 group by o.v, m.v";
    let mut all = Vec::new();
    for (mode, without) in [
        (Mode::Off, ""),
        (Mode::Tree, ""),
        (Mode::Tree, "streamed-leaf"),
    ] {
        let config = two_partitions().with_batch_size(1_000);
        let context = in_mode(config, mode);
        let setting = format!("set joinery.without = '{without}'");
        context.sql(&setting).await.unwrap();
        for (name, rows) in [("other", 5_000), ("many", 10_000)] {
            let table = numbers(rows, 5_000);
            context.register_table(name, table).unwrap();
        }
        let registered = context.register_parquet("r", &location, Default::default());
        registered.await.unwrap();
        let (found, told) = analysed(&context, query).await;
        let told_of_tree = told.lines().find(|line| line.contains("JoineryTreeExec"));
        let plan = plan(&context, query).await.unwrap();
        collect(plan.clone(), context.task_ctx()).await.unwrap();
        let bytes = find_named(&plan, "JoineryTreeExec")
            .and_then(|tree| tree.metrics()?.sum_by_name("build_mem_used"))
            .map(|bytes| bytes.as_usize());
        all.push((found, told_of_tree.map(str::to_owned), bytes));
    }
    let [(expected, ..), (found, told, bytes), (collected, how, most)] = &all[..] else {
        panic!("three answers");
    };
    assert!(expected.len() > 5_000, "{} rows", expected.len());
    assert!(found == expected && collected == expected);
    let told = told.as_deref().expect("a tree");
    assert!(
        told.contains("chosen=[stream leaf 3 (k, …) through leaf "),
        "{told}"
    );
    assert!(
        !how.as_deref().expect("a tree").contains("stream"),
        "{how:?}"
    );
    assert!(
        bytes.unwrap() < most.unwrap() / 4,
        "{bytes:?} of {most:?} bytes"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_leaf_streams_past_leaves_whose_batches_cannot_be_put_together() {
    // Two batches with a hundred values each, which are too many for the dictionary of both.
    let batch = |first: i64| {
        let keys = Int64Array::from_iter_values(first..first + 100);
        let texts = (first..first + 100).map(|key| format!("text {key}"));
        let texts: DictionaryArray<Int8Type> = texts
            .collect::<Vec<_>>()
            .iter()
            .map(|text| Some(text.as_str()))
            .collect();
        let columns: [(&str, ArrayRef); 2] = [("k", Arc::new(keys)), ("t", Arc::new(texts))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
            .unwrap()
    };
    let batches = vec![vec![batch(0), batch(100)]];
    // The other leaf stands behind this one, and leaves ten of its keys.
    let query = "select d.t, r.v from few f join d on f.k = d.k join large r on r.k = d.k";
    let mut answers = Vec::new();
    for stream_from in [0, 1 << 16] {
        let mut options = streaming_trees();
        options.stream_from = stream_from;
        let context = with_options(two_partitions(), options);
        let table = MemTable::try_new(batches[0][0].schema(), batches.clone()).unwrap();
        context.register_table("d", Arc::new(table)).unwrap();
        context.register_table("few", numbers(10, 10)).unwrap();
        context
            .register_table("large", numbers(1_000, 200))
            .unwrap();
        let (found, told) = analysed(&context, query).await;
        assert_eq!(told.contains("stream leaf 3"), stream_from == 0, "{told}");
        answers.push(found);
    }
    assert_eq!(answers[0].len(), 50);
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_of_aggregates_by_its_keys_keeps_their_partitions() {
    let [_, partitioned] = both_ways();
    let context = in_mode(partitioned.clone(), Mode::Tree);
    fill(&context, 100_000, 10_000);
    let stock = stock(partitioned);
    fill(&stock, 100_000, 10_000);
    // The keys that the sides are aggregated by, and one of two.
    for (keys, mode, repartitioned) in [
        ("a.k = b.k and a.m = b.m", "streaming", 2),
        ("a.k = b.k", "either", 2),
    ] {
        let of = |table| format!("(select k, v % 3 m, count(*) c from {table} group by k, v % 3)");
        let (left, right) = (of("small"), of("large"));
        let query = format!("select a.c, b.c from {left} a full join {right} b on {keys}");
        let planned = explained(&context, &query).await;
        let joined = format!("JoineryExec: mode={mode}");
        assert!(planned.contains(&joined), "{planned}");
        let found = planned.matches("RepartitionExec").count();
        assert_eq!(found, repartitioned, "{planned}");
        assert!(sorted(&context, &query).await.unwrap() == sorted(&stock, &query).await.unwrap());
    }
}
