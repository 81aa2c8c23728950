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
use datafusion::prelude::SessionConfig;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;

use crate::answers::{joinery, joins, plan, sorted, stock};

/// Queries of a run of the tests; CI asks for more.
const QUERIES: u64 = 200;

/// Columns that joins are on, those with few values last. Column `v` numbers the rows.
const KEYS: [&str; 13] = [
    "i", "l", "u", "d", "ts", "n", "s", "sv", "di", "f", "x", "i8", "b",
];

/// The first so many have values enough to be alone.
const MANY: usize = 11;

/// A random table of a few rows with many equal keys, in batches and partitions of any size.
fn table(random: &mut Random) -> MemTable {
    let rows = *[0, 1, 2, 7, 50, 200, 1000].choose(random).unwrap();
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
    if random.random_bool(0.2) {
        return format!("select count(*) from {from}{filter}");
    }
    let of_alias = |alias: &String| {
        let column = KEYS.choose(random).unwrap();
        format!("{alias}.v, {alias}.{column}")
    };
    let select = visible.iter().map(of_alias).collect::<Vec<_>>().join(", ");
    format!("select {select} from {from}{filter}")
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_joins_are_answered_alike() {
    let asked = std::env::var("JOINERY_QUERIES");
    let queries = asked.map_or(QUERIES, |queries| {
        queries.parse().expect("a number of queries")
    });
    let (mut taken, mut failed) = (0, 0);
    for seed in 0..queries {
        let mut random = Random::seed_from_u64(seed);
        let config = config(&mut random);
        let (stock, joinery) = (stock(config.clone()), joinery(config));
        for number in 0..3 {
            let table = Arc::new(table(&mut random));
            for context in [&stock, &joinery] {
                context
                    .register_table(format!("t{number}"), table.clone())
                    .unwrap();
            }
        }
        let query = query(&mut random);
        let Ok(expected) = sorted(&stock, &query).await else {
            // What DataFusion cannot plan or compute says nothing.
            failed += 1;
            continue;
        };
        let found = sorted(&joinery, &query).await;
        let found = found.unwrap_or_else(|error| panic!("seed {seed}: {query}: {error}"));
        assert!(
            found == expected,
            "seed {seed}: {query}\n{}",
            difference(&expected, &found)
        );
        taken += joins(&plan(&joinery, &query).await.unwrap()).0;
    }
    assert!(failed < queries / 4, "{failed} of {queries} queries failed");
    assert!(
        taken as u64 > queries / 2,
        "{taken} joins of {queries} queries"
    );
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
