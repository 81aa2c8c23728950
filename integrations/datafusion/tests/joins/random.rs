//! Random joins, each answered by DataFusion and by Joinery.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
    StringArray, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type, TimeUnit};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use joinery_datafusion::{JoineryOptions, Mode, Without};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;

use crate::answers::{joins, plan, sorted, stock, streaming_trees, with_options};

/// Queries of a run of the tests; CI asks for more.
const QUERIES: u64 = 200;

/// Rows that an answer may have.
const ROWS: usize = 20_000;

/// Columns that joins are on, those with few values last. Column `v` numbers the rows.
const KEYS: [&str; 13] = [
    "i", "l", "u", "d", "ts", "n", "s", "sv", "di", "f", "x", "i8", "b",
];

/// The first so many have values enough to be alone.
const MANY: usize = 11;

/// A random table of one of these numbers of rows with many equal keys, in batches and partitions of any size.
fn table(random: &mut Random, sizes: &[i64]) -> MemTable {
    let rows = *sizes.choose(random).unwrap();
    // So many that the results of three joins can be compared as text in no time.
    let values = *[rows / 10 + 1, rows + 1, 300].choose(random).unwrap();
    let nulls = *[0.0, 0.0, 0.1, 0.9].choose(random).unwrap();
    let mut keys = || -> Vec<Option<i64>> {
        let key = |_| {
            let null = random.random_bool(nulls);
            (!null).then(|| random.random_range(-values..=values))
        };
        (0..rows).map(key).collect()
    };
    let integers = |keys: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(keys)) };
    let mut of = |data_type: &DataType| cast(&integers(keys()), data_type).unwrap();
    let ts = DataType::Timestamp(TimeUnit::Millisecond, None);
    let mut columns = vec![
        ("i8", cast(&of(&DataType::Int8), &DataType::Int8).unwrap()),
        ("i", of(&DataType::Int32)),
        ("l", of(&DataType::Int64)),
        ("d", cast(&of(&DataType::Int32), &DataType::Date32).unwrap()),
        ("ts", of(&ts)),
    ];
    let text = |key: Option<i64>| key.map(|key| format!("a string of some length {key}"));
    let special = [0.0, -0.0, f64::NAN, f64::INFINITY, 1.5];
    let number = |key: i64| {
        special
            .get(key.unsigned_abs() as usize)
            .copied()
            .unwrap_or(key as f64)
    };
    let unsigned: Vec<Option<i64>> = keys().into_iter().map(|key| key.map(i64::abs)).collect();
    let decimals = keys().into_iter().map(|key| key.map(i128::from));
    let decimals: Decimal128Array = decimals.collect();
    let dictionary: DictionaryArray<Int32Type> = {
        let texts: Vec<Option<String>> = keys().into_iter().map(text).collect();
        texts.iter().map(Option::as_deref).collect()
    };
    columns.extend([
        ("u", cast(&integers(unsigned), &DataType::UInt32).unwrap()),
        (
            "n",
            Arc::new(decimals.with_precision_and_scale(20, 2).unwrap()) as ArrayRef,
        ),
        (
            "s",
            Arc::new(keys().into_iter().map(text).collect::<StringArray>()),
        ),
        (
            "sv",
            Arc::new(keys().into_iter().map(text).collect::<StringViewArray>()),
        ),
        ("di", Arc::new(dictionary)),
        (
            "b",
            Arc::new(
                keys()
                    .into_iter()
                    .map(|key| key.map(|key| key > 0))
                    .collect::<BooleanArray>(),
            ),
        ),
        (
            "f",
            Arc::new(
                keys()
                    .into_iter()
                    .map(|key| key.map(number))
                    .collect::<Float64Array>(),
            ),
        ),
        (
            "x",
            integers(
                keys()
                    .into_iter()
                    .map(|key| key.map(|key| key << 40))
                    .collect(),
            ),
        ),
        ("v", Arc::new(Int64Array::from_iter_values(0..rows))),
    ]);
    let all = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let mut partitions = vec![Vec::new(); random.random_range(1..=3)];
    let mut first = 0;
    while first < all.num_rows() {
        let most = *[1, 3, 64, 1000].choose(random).unwrap();
        let rows = most.min(all.num_rows() - first);
        let of = random.random_range(0..partitions.len());
        partitions[of].push(all.slice(first, rows));
        first += rows;
    }
    MemTable::try_new(all.schema(), partitions).unwrap()
}

/// A condition on the columns of two aliases.
fn condition(random: &mut Random, left: &str, right: &str) -> String {
    let column = KEYS[random.random_range(0..2)];
    match random.random_range(0..4) {
        0 => format!("{left}.v < {right}.v"),
        1 => format!("{left}.{column} + {right}.{column} > 1"),
        2 => format!("{left}.v % 3 = {right}.v % 2"),
        _ => format!("({left}.{column} is null or {right}.v > 5)"),
    }
}

/// Equal keys of two aliases, and sometimes a condition.
fn on(random: &mut Random, left: &str, right: &str) -> String {
    let mut on = String::new();
    for key in 0..*[1, 1, 1, 2, 3].choose(random).unwrap() {
        let columns = if key == 0 { &KEYS[..MANY] } else { &KEYS[..] };
        let column = columns.choose(random).unwrap();
        let equals = *["=", "=", "=", "is not distinct from"]
            .choose(random)
            .unwrap();
        let and = if key == 0 { "" } else { " and " };
        write!(on, "{and}({left}.{column} {equals} {right}.{column})").unwrap();
    }
    if random.random_bool(0.3) {
        write!(on, " and {}", condition(random, left, right)).unwrap();
    }
    on
}

/// A condition with a subquery, of which semi joins, anti joins and marks are made.
fn subquery(random: &mut Random, alias: &str) -> String {
    let table = random.random_range(0..3);
    let column = KEYS.choose(random).unwrap();
    let not = *["", "not "].choose(random).unwrap();
    match random.random_range(0..3) {
        0 => format!("{alias}.{column} {not}in (select y.{column} from t{table} y)"),
        1 => {
            let on = on(random, "y", alias);
            format!("{not}exists (select 1 from t{table} y where {on})")
        }
        _ => format!(
            "({alias}.v < 3 or {alias}.{column} {not}in (select y.{column} from t{table} y))"
        ),
    }
}

/// Kinds of joins that stand in trees.
const OF_TREES: [&str; 6] = [
    "join",
    "join",
    "join",
    "join",
    "left semi join",
    "right semi join",
];

/// A query of two to four joins, nearly all of which may be one tree; some of its keys close cycles.
fn tree_query(random: &mut Random) -> String {
    let mut visible = vec!["a".to_owned()];
    let mut from = format!("t{} a", random.random_range(0..3));
    for join in 0..random.random_range(2..=4) {
        let alias = format!("b{join}");
        let kind = match visible.len() {
            1 => *OF_TREES.choose(random).unwrap(),
            _ => *OF_TREES[..5].choose(random).unwrap(),
        };
        let other = visible.choose(random).unwrap().clone();
        let mut on = on(random, &other, &alias);
        if random.random_bool(0.2) {
            let (another, key) = (
                visible.choose(random).unwrap(),
                KEYS.choose(random).unwrap(),
            );
            write!(on, " and {another}.{key} = {alias}.{key}").unwrap();
        }
        let table = random.random_range(0..3);
        match kind {
            "join" if random.random_bool(0.2) => {
                // Joins on the other side of a join.
                let inner = format!("c{join}");
                let first = self::on(random, &alias, &inner);
                let second = random.random_range(0..3);
                write!(
                    from,
                    " join (t{table} {alias} join t{second} {inner} on {first}) on {on}"
                )
                .unwrap();
                visible.push(inner);
            }
            _ => write!(from, " {kind} t{table} {alias} on {on}").unwrap(),
        }
        match kind {
            "left semi join" => {}
            "right semi join" => visible = vec![alias],
            _ => visible.push(alias),
        }
    }
    let filter = match random.random_range(0..4) {
        0 => {
            let alias = visible.choose(random).unwrap();
            let (column, table) = (KEYS.choose(random).unwrap(), random.random_range(0..3));
            format!(" where {alias}.{column} in (select y.{column} from t{table} y)")
        }
        1 => format!(" where {}.v % 2 = 0", visible.choose(random).unwrap()),
        _ => String::new(),
    };
    format!("select {} from {from}{filter}", selected(random, &visible))
}

/// Columns that can be compared with one another, whatever their types.
const ALIKE: [&[&str]; 5] = [
    &["i", "l"],
    &["i", "l", "i8", "u"],
    &["l"],
    &["s", "sv", "di"],
    &["f", "i"],
];

/// A query of three to five tables that stand in FROM in any order, with equalities enough to connect all of them and up to
/// three more, which close cycles: of columns of one type or of several, so that some follow from others.
fn cyclic_query(random: &mut Random) -> String {
    let count = *[3, 3, 4, 5].choose(random).unwrap();
    let mut aliases: Vec<String> = (0..count).map(|table| format!("a{table}")).collect();
    let alike = *ALIKE.choose(random).unwrap();
    let mut equalities: Vec<String> = Vec::new();
    for edge in 1..count + random.random_range(0..=3) {
        let (left, right) = match edge < count {
            true => (random.random_range(0..edge), edge),
            false => (random.random_range(0..count), random.random_range(0..count)),
        };
        let columns = match random.random_bool(0.8) {
            true => alike,
            false => *ALIKE.choose(random).unwrap(),
        };
        let [of_left, of_right] = [(); 2].map(|()| columns.choose(random).unwrap());
        equalities.push(format!("a{left}.{of_left} = a{right}.{of_right}"));
    }
    if random.random_bool(0.2) {
        equalities.push(condition(random, "a0", "a2"));
    }
    if random.random_bool(0.3) {
        let column = alike.choose(random).unwrap();
        let table = random.random_range(0..3);
        equalities.push(format!(
            "a1.{column} in (select y.{column} from t{table} y)"
        ));
    }
    equalities.shuffle(random);
    aliases.shuffle(random);
    let tables = aliases
        .iter()
        .map(|alias| format!("t{} {alias}", random.random_range(0..3)));
    let tables = tables.collect::<Vec<_>>().join(", ");
    let all = equalities.join(" and ");
    format!(
        "select {} from {tables} where {all}",
        selected(random, &aliases)
    )
}

/// What is selected: the rows' numbers and a key of all tables or of one, or how many rows there are.
fn selected(random: &mut Random, visible: &[String]) -> String {
    if random.random_bool(0.2) {
        return "count(*)".to_owned();
    }
    let of_alias = |alias: &String, random: &mut Random| {
        let column = KEYS.choose(random).unwrap();
        format!("{alias}.v, {alias}.{column}")
    };
    if random.random_bool(0.3) {
        return of_alias(visible.choose(random).unwrap(), random);
    }
    let all = visible.iter().map(|alias| of_alias(alias, random));
    all.collect::<Vec<_>>().join(", ")
}

/// A query of one to three joins.
fn query(random: &mut Random) -> String {
    const KINDS: [&str; 10] = [
        "join",
        "join",
        "join",
        "left join",
        "right join",
        "full join",
        "left semi join",
        "left anti join",
        "right semi join",
        "right anti join",
    ];
    let mut visible = vec!["a".to_owned()];
    let mut from = format!("t{} a", random.random_range(0..3));
    for join in 0..random.random_range(0..3) {
        let alias = format!("b{join}");
        let kind = *KINDS.choose(random).unwrap();
        let other = visible.choose(random).unwrap().clone();
        let on = on(random, &other, &alias);
        write!(
            from,
            " {kind} t{} {alias} on {on}",
            random.random_range(0..3)
        )
        .unwrap();
        match kind {
            "left semi join" | "left anti join" => {}
            "right semi join" | "right anti join" => visible = vec![alias],
            _ => visible.push(alias),
        }
    }
    let joined = visible.len() > 1 || from.contains("join");
    let filter = match !joined || random.random_bool(0.3) {
        true => {
            let alias = visible.choose(random).unwrap();
            format!(" where {}", subquery(random, alias))
        }
        false => String::new(),
    };
    format!("select {} from {from}{filter}", selected(random, &visible))
}

fn config(random: &mut Random) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(random.random_range(1..=3))
        .with_batch_size(*[1, 2, 7, 50, 101, 8192].choose(random).unwrap());
    if random.random_bool(0.5) {
        // Joins of two sides that are partitioned.
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
    }
    config
}

/// What is asked of a session.
struct Asked {
    config: SessionConfig,
    tables: Vec<Arc<MemTable>>,
    query: String,
}

impl Asked {
    fn of(&self, context: SessionContext) -> SessionContext {
        for (number, table) in self.tables.iter().enumerate() {
            context
                .register_table(format!("t{number}"), table.clone())
                .unwrap();
        }
        context
    }
}

/// Whether a query joins more rows than [`ROWS`]. Those of NULLs that equal one another in four joins are millions: they would
/// take the test's memory and time, and say no more than fewer do.
async fn joins_many_rows(asked: &Asked) -> bool {
    let (_, from) = asked.query.split_once(" from ").unwrap();
    let context = asked.of(stock(SessionConfig::new()));
    let some = format!("select 1 from {from} limit {}", ROWS + 1);
    let Ok(frame) = context.sql(&some).await else {
        return false;
    };
    frame.count().await.is_ok_and(|rows| rows > ROWS)
}

/// Draws so many questions and compares the answers of Joinery in a mode with DataFusion's. Returns how many joins were taken
/// over, and how many of these in trees.
async fn compare(
    options: JoineryOptions,
    queries: std::ops::Range<u64>,
    draw: impl Fn(&mut Random) -> Asked,
) -> (usize, usize) {
    let mode = options.mode;
    let (mut taken, mut in_trees, mut failed, mut large) = (0, 0, 0, 0);
    let count = queries.end - queries.start;
    for seed in queries {
        let mut random = Random::seed_from_u64(seed);
        let asked = draw(&mut random);
        if joins_many_rows(&asked).await {
            large += 1;
            continue;
        }
        let stock = asked.of(stock(asked.config.clone()));
        let query = &asked.query;
        let Ok(expected) = sorted(&stock, query).await else {
            // What DataFusion cannot plan or compute says nothing.
            failed += 1;
            continue;
        };
        let joinery = asked.of(with_options(asked.config.clone(), options.clone()));
        let found = sorted(&joinery, query).await;
        let found = found.unwrap_or_else(|error| panic!("{mode}, seed {seed}: {query}: {error}"));
        assert!(
            found == expected,
            "{mode}, seed {seed}: {query}\n{}",
            difference(&expected, &found)
        );
        let plan = plan(&joinery, query).await.unwrap();
        taken += joins(&plan).0;
        in_trees += joins(&plan).0 - single(&plan);
    }
    assert!(failed < count / 4, "{failed} of {count} queries failed");
    assert!(
        large < count / 10,
        "{large} of {count} queries join too many rows"
    );
    (taken, in_trees)
}

/// Joins that are an operator each.
fn single(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let below: usize = plan.children().into_iter().map(single).sum();
    below + usize::from(plan.name() == "JoineryExec")
}

fn queries() -> u64 {
    let asked = std::env::var("JOINERY_QUERIES");
    asked.map_or(QUERIES, |queries| {
        queries.parse().expect("a number of queries")
    })
}

/// A question of any joins.
fn any_joins(random: &mut Random) -> Asked {
    Asked {
        config: config(random),
        tables: (0..3)
            .map(|_| Arc::new(table(random, &[0, 1, 2, 7, 50, 200, 1000])))
            .collect(),
        query: query(random),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_joins_are_answered_alike() {
    let all = queries() * 2 / 5;
    let (taken, _) = compare(of(Mode::Join), 0..all, any_joins).await;
    assert!(taken as u64 > all / 2, "{taken} joins of {all} queries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_joins_that_stream_are_answered_alike() {
    // As they stand in the plan, and where the left side turns out to be small.
    for mode in [Mode::Streaming, Mode::Tree] {
        let all = queries() / 10;
        // The queries of joins that collect, and others.
        let first = queries() * 2 / 5 - all / 2;
        let (taken, _) = compare(of(mode), first..first + all, any_joins).await;
        assert!(
            taken as u64 > all / 2,
            "{taken} joins of {all} queries, {mode}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_trees_are_answered_alike() {
    // Of all leaves collected, and of a last one that streams.
    for options in [of(Mode::Tree), streaming_trees()] {
        let all = queries() / 5;
        // Other seeds than those of single joins.
        let first = (1 << 32) + u64::from(options.stream_from == 0) * all;
        let (taken, in_trees) = compare(options, first..first + all, |random| Asked {
            config: config(random),
            tables: (0..3)
                .map(|_| Arc::new(table(random, &[1, 2, 7, 20, 50, 100])))
                .collect(),
            query: match random.random_bool(0.3) {
                true => cyclic_query(random),
                false => tree_query(random),
            },
        })
        .await;
        assert!(
            in_trees as u64 > all / 2,
            "{in_trees} of {taken} joins of {all} queries are in trees"
        );
    }
}

fn of(mode: Mode) -> JoineryOptions {
    JoineryOptions::of(mode, Without::default())
}

/// The first rows that only one answer has.
fn difference(expected: &[String], found: &[String]) -> String {
    let only = |a: &[String], b: &[String]| {
        let rows = a.iter().filter(|row| b.binary_search(row).is_err()).take(5);
        rows.cloned().collect::<Vec<_>>().join("\n  ")
    };
    format!(
        "{} rows expected, {} found\nmissing:\n  {}\ntoo many:\n  {}",
        expected.len(),
        found.len(),
        only(expected, found),
        only(found, expected)
    )
}
