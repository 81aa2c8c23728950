//! Random tables from a real server: columns of the types that become pages and of many that do not, with the ends of
//! each type, loaded in random ways and compared with what SQL says. `INGEST_TABLES` is the number of tables,
//! `INGEST_SEED` the first seed; a table that fails is made again by its own.

#![cfg(feature = "postgres")]

mod loads;
mod postgres;

use std::env;
use std::fmt::Write as _;

use aligned_ingest::pages::{NumericAs, PagesError, to_table};
use aligned_ingest::server::{Client, check};
use aligned_ingest::{Chunks, Job, Layout, PlacementKind, RowIndex};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::Value;
use loads::{differing, load, table};
use postgres::Postgres;

/// A type: as SQL has it, values of it as SQL has them, and what SQL says of a value that is to be in pages.
struct Kind {
    name: &'static str,
    values: &'static [&'static str],
    expected: Expected,
}

/// How the value of pages is written in SQL, `{}` being the column; the result is compared as text, or bit by bit.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    /// A whole number.
    Int(&'static str),
    /// A `float8`.
    Float(&'static str),
    /// The text.
    Text,
    /// There are no pages of it.
    Nothing,
}

use Expected::{Float, Int, Nothing, Text};

const fn kind(name: &'static str, values: &'static [&'static str], expected: Expected) -> Kind {
    Kind {
        name,
        values,
        expected,
    }
}

const DATE: &str = "CASE {} WHEN 'infinity' THEN 2147483647 WHEN '-infinity' THEN -2147483648 ELSE {} - date '1970-01-01' END";
// Exact: the seconds are a numeric with six decimals.
const TIME: &str = "CASE {} WHEN 'infinity' THEN 9223372036854775807 WHEN '-infinity' THEN -9223372036854775808 \
    ELSE (extract(epoch FROM {}) * 1000000)::int8 END";

/// `n` is the row's number.
const KINDS: &[Kind] = &[
    kind(
        "int2",
        &[
            "-32768",
            "32767",
            "0",
            "-1",
            "(random() * 60000 - 30000)::int",
        ],
        Int("{}"),
    ),
    kind(
        "int4",
        &["-2147483648", "2147483647", "0", "n", "-n"],
        Int("{}"),
    ),
    kind(
        "int8",
        &[
            "-9223372036854775808",
            "9223372036854775807",
            "0",
            "n * 4294967296",
        ],
        Int("{}"),
    ),
    kind(
        "float4",
        &[
            "'NaN'",
            "'-Infinity'",
            "'Infinity'",
            "'-0'",
            "1e-45",
            "3.4028235e38",
            "random()",
            "16777217",
        ],
        Float("{}::float8"),
    ),
    kind(
        "float8",
        &[
            "'NaN'",
            "'-Infinity'",
            "'Infinity'",
            "'-0'",
            "5e-324",
            "1.7976931348623157e308",
            "random()",
            "1.0 / n",
        ],
        Float("{}"),
    ),
    kind(
        "numeric",
        &[
            "0",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1e308",
            "-1.5e-323",
            "random()::numeric",
            "n",
            "-n * 1e20",
            "0.1",
            "12345678901234567890.12345678901234567890",
            "10000",
            "0.0001",
            "1.23456789012345e-320",
        ],
        Float("{}::text::float8"),
    ),
    kind(
        "numeric(12,3)",
        &["0", "-999999999.999", "999999999.999", "n / 7.0"],
        Float("{}::text::float8"),
    ),
    kind("bool", &["true", "false"], Int("{}::int")),
    kind(
        "date",
        &[
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'5874897-12-31'",
            "'1970-01-01'",
            "date '1999-12-31' + (n % 1000)::int",
        ],
        Int(DATE),
    ),
    kind(
        "timestamp",
        &[
            "'infinity'",
            "'-infinity'",
            "'4714-11-24 BC'",
            "'294247-01-10 04:00:54.775806'",
            "'1970-01-01'",
            "'0001-01-01 BC'",
            "timestamp '2000-01-01' + n * interval '1.000001 s'",
        ],
        Int(TIME),
    ),
    kind(
        "timestamptz",
        &[
            "'infinity'",
            "'-infinity'",
            "'4714-11-25 BC'",
            "'294247-01-09'",
            "'1970-01-01 00:00+14'",
            "timestamptz '1999-12-31 23:00+01' - n * interval '1 day'",
        ],
        Int(TIME),
    ),
    kind(
        "text",
        &[
            "''",
            "'x'",
            "repeat('ab', (random() * 40)::int)",
            "repeat('é', 20000)",
            "repeat('z', 8000 + (n % 300)::int)",
            "E'a\\nb\\\\'",
            "'NULL'",
            "chr(1 + (n % 50000)::int)",
        ],
        Text,
    ),
    kind("varchar(30)", &["''", "'  x '", "md5(n::text) || ''"], Text),
    kind("char(7)", &["''", "'x'", "'abcdefg'"], Text),
    kind("positive", &["1", "n"], Int("{}::int4")),
    kind("\"char\"", &["''", "'a'", "'~'"], Nothing),
    kind("mood", &["'sad'", "''", "'so \"so\"'"], Nothing),
    kind("strange.int4", &["'abcd'"], Nothing),
    kind("strange.timestamptz", &["'12345678'"], Nothing),
    kind(
        "pair",
        &["ROW(1, 'x')", "ROW(NULL, NULL)", "ROW(n, '\"')"],
        Nothing,
    ),
    kind(
        "int4[]",
        &[
            "'{}'",
            "ARRAY[n, NULL]::int4[]",
            "'{{1,2},{3,4}}'",
            "'[2:3]={5,6}'",
        ],
        Nothing,
    ),
    kind("strange.int4[]", &["'{abcd,NULL}'"], Nothing),
    kind("positive[]", &["'{1,2}'"], Nothing),
    kind(
        "int8range",
        &["'empty'", "'(,)'", "int8range(-n, n)"],
        Nothing,
    ),
    kind("nummultirange", &["'{}'", "'{[1,2),[3,4)}'"], Nothing),
    kind("uuid", &["gen_random_uuid()"], Nothing),
    kind("json", &["'{\"a\":  1}'", "'null'"], Nothing),
    kind("jsonb", &["'{\"a\":  1}'", "'[]'"], Nothing),
    kind(
        "bytea",
        &["''", "'\\x00ff'", "decode(repeat('00', 9000), 'hex')"],
        Nothing,
    ),
    kind(
        "interval",
        &["'0'", "'-1 mon 2 days -3.5 s'", "n * interval '1 day'"],
        Nothing,
    ),
    kind("time", &["'00:00'", "'24:00'"], Nothing),
    kind("timetz", &["'12:00+05:30'"], Nothing),
    kind("inet", &["'10.0.0.1/24'", "'::1'"], Nothing),
    kind("bit(9)", &["b'101010101'"], Nothing),
    kind("varbit", &["b''", "b'1'"], Nothing),
    kind(
        "money",
        &["'-92233720368547758.08'", "n::int::money"],
        Nothing,
    ),
    kind("xml", &["'<a/>'"], Nothing),
    kind("point", &["point(n, 0.5)"], Nothing),
    kind("tsvector", &["'a fat cat'", "''"], Nothing),
    kind("oid", &["0", "4294967295"], Nothing),
    kind("name", &["'x'", "''"], Nothing),
    kind("regtype", &["'int4'"], Nothing),
    kind("pg_lsn", &["'16/B374D848'"], Nothing),
];

const TYPES: &str = "CREATE SCHEMA strange; CREATE TYPE mood AS ENUM ('sad', '', 'so \"so\"'); CREATE TYPE pair AS (a int8, b text); \
    CREATE TYPE strange.int4 AS ENUM ('abcd'); CREATE TYPE strange.timestamptz AS ENUM ('12345678'); \
    CREATE DOMAIN positive AS int4 CHECK (VALUE > 0); SET TimeZone = 'Asia/Kolkata';";

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % limit as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Creates the table `t` and returns the kinds of its columns.
fn create(client: &mut Client, random: &mut Random) -> (Vec<&'static Kind>, usize) {
    let paged = KINDS.iter().filter(|kind| kind.expected != Nothing).count();
    // Half of the tables have only columns that become pages.
    let kinds = if random.below(2) == 0 {
        paged
    } else {
        KINDS.len()
    };
    let columns = match random.below(12) {
        0 => 0,
        1 => 1,
        2 => 100 + random.below(400),
        _ => 1 + random.below(20),
    };
    let rows = match random.below(8) {
        0 => 0,
        1 => 1,
        2 => 5000 + random.below(20_000),
        _ => random.below(2000),
    };
    let rows = rows.min(200_000 / (columns + 1));
    let (mut create, mut select) = (String::new(), String::new());
    let mut all = Vec::new();
    for column in 0..columns {
        let kind = &KINDS[random.below(kinds)];
        let separator = if column > 0 { ", " } else { "" };
        // Names with quotes, blanks and letters in both cases.
        let name = *random.of(&["c", "C ", "\"\"", "ß;", "select"]);
        let _ = write!(create, "{separator}\"{name}{column}\" {}", kind.name);
        // NULL in no row, some, or all; each value about as often.
        let nulls = *random.of(&[0, 0, 3, 10]);
        let first = random.below(kind.values.len());
        let _ = write!(
            select,
            "{separator}CASE WHEN (n * 7 + {column}) % 10 < {nulls} THEN NULL "
        );
        let count = kind.values.len();
        for value in 0..count {
            let text = kind.values[(first + value) % count];
            let _ = write!(
                select,
                "WHEN n % {count} = {value} THEN ({text})::{} ",
                kind.name
            );
        }
        select.push_str("END");
        all.push(kind);
    }
    client
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS t; CREATE TABLE t ({create}); INSERT INTO t SELECT {select} FROM generate_series(1::int8, {rows}) n"
        ))
        .unwrap_or_else(|error| panic!("{error}: CREATE TABLE t ({create}) AS SELECT {select}"));
    (all, rows)
}

/// A value as SQL writes it in the comparison.
fn written(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Int32(value) => value.to_string(),
        Value::Int64(value) => value.to_string(),
        // Any NaN is one.
        Value::Fp64(value) if value.is_nan() => "NaN".into(),
        Value::Fp64(value) => format!("{:016x}", value.to_bits()),
        Value::Varchar(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
    })
}

/// What SQL says of a column, sorted: rows that lie in several sections come in any order.
fn by_sql(client: &mut Client, name: &str, expected: Expected) -> Vec<Option<String>> {
    let column = format!("\"{}\"", name.replace('"', "\"\""));
    let text = match expected {
        Int(sql) => format!("({})::text", sql.replace("{}", &column)),
        Float(sql) => {
            let float = sql.replace("{}", &column);
            format!(
                "CASE ({float})::text WHEN 'NaN' THEN 'NaN' ELSE encode(float8send({float}), 'hex') END"
            )
        }
        // A cast would take the blanks of a bpchar.
        Text | Nothing => format!("format('%s', {column})"),
    };
    let query = format!("SELECT CASE WHEN {column} IS NOT NULL THEN {text} END FROM t");
    let rows = client
        .query(&query, &[])
        .unwrap_or_else(|error| panic!("{error}: {query}"));
    let mut values: Vec<_> = rows
        .iter()
        .map(|row| row.get::<_, Option<String>>(0))
        .collect();
    values.sort();
    values
}

/// Makes a table, loads it, and holds it against the server in every way that there is.
fn try_one(postgres: &Postgres, seed: u64) {
    let mut random = Random(seed);
    let mut client = postgres.client();
    client
        .batch_execute("SET TimeZone = 'Asia/Kolkata'")
        .unwrap();
    let (kinds, rows) = create(&mut client, &mut random);
    let placement = *random.of(&[PlacementKind::Aligned, PlacementKind::PackedRows]);
    let workers = 1 + random.below(6) as u32;
    // No row is longer: a text has at most 40,000 bytes, and few columns are texts of wide tables with rows.
    let slot = (1 << 16) << random.below(5) << if kinds.len() > 20 { 9 } else { 5 };
    let chunks = 1 + random.below(4) as u32;
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("chunks");
    let server = postgres.server();
    let manifest = load(&server, &table("t"), &path, |plan| Job {
        source: plan.source.clone(),
        columns: plan.columns.clone(),
        layout: Layout::for_bytes(slot, chunks, 1 << 32, workers).unwrap(),
        placement,
        workers,
        stride: RowIndex::DEFAULT_STRIDE,
    })
    .unwrap();
    assert_eq!(manifest.rows, rows as u64);
    let team = Team::new(1 + random.below(3), ThreadStart::Fresh);
    let chunks = Chunks::open(&path).unwrap();
    assert_eq!(chunks.verify(&team).unwrap(), rows as u64);
    assert_eq!(
        check(&chunks, &server, &team).unwrap(),
        (rows as u64, vec![])
    );
    assert_eq!(differing(&chunks, &mut client, "t", out.path()), 0);

    let unsupported = kinds.iter().position(|kind| kind.expected == Nothing);
    let paged = match to_table(&chunks, "t", NumericAs::Fp64, &team) {
        Ok(paged) => paged.table,
        Err(PagesError::NoColumns) => return assert!(kinds.is_empty()),
        Err(PagesError::Unsupported { column, .. }) => {
            let first = unsupported.unwrap_or_else(|| panic!("{column} has pages"));
            return assert_eq!(column, manifest.columns[first].name);
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(unsupported, None);
    for (column, kind) in paged.columns().iter().zip(&kinds) {
        let mut values: Vec<_> = (column.column.values())
            .map(|value| written(&value))
            .collect();
        values.sort();
        let there = by_sql(&mut client, &column.name, kind.expected);
        assert_eq!(values.len(), there.len(), "{}", kind.name);
        for (value, there) in values.iter().zip(&there) {
            assert_eq!(
                value, there,
                "column {:?} of type {}",
                column.name, kind.name
            );
        }
    }
}

#[test]
fn random_tables_are_what_sql_says() {
    let number = |name: &str, default: u64| -> u64 {
        env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let (tables, first) = (number("INGEST_TABLES", 40), number("INGEST_SEED", 1));
    let postgres = Postgres::start();
    postgres.client().batch_execute(TYPES).unwrap();
    for seed in first..first + tables {
        println!("INGEST_SEED={seed} INGEST_TABLES=1");
        try_one(&postgres, seed);
    }
}
