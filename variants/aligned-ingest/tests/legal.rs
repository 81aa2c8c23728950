//! Tables and queries that a server allows, however unusual: loaded, checked against the server, and back into it.

#![cfg(feature = "postgres")]

mod loads;
mod postgres;

use aligned_ingest::pages::{NumericAs, PagesError, to_table};
use aligned_ingest::server::{Origin, Server, ServerError, Snapshot, check};
use aligned_ingest::{Chunks, PlacementKind};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::Value;
use loads::{differing, job, load, query, table};
use postgres::Postgres;

/// Loads and checks; the folder must not change before it is dropped.
fn loaded(server: &Server, from: &Origin) -> (tempfile::TempDir, Chunks) {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("chunks");
    load(server, from, &path, |plan| {
        job(plan, PlacementKind::Aligned, 64 << 10, 3)
    })
    .unwrap_or_else(|error| panic!("{from:?}: {error}"));
    let chunks = Chunks::open(&path).unwrap();
    let team = Team::new(2, ThreadStart::Fresh);
    assert_eq!(chunks.verify(&team).unwrap(), chunks.manifest().rows);
    let (rows, differences) = check(&chunks, server, &team).unwrap();
    assert_eq!(differences, [], "{from:?}");
    assert_eq!(rows, chunks.manifest().rows, "{from:?}");
    (out, chunks)
}

const TABLES: &str = r#"
    CREATE SCHEMA "Other s"; CREATE TYPE "Mood" AS ENUM ('sad', 'so "so"', '');
    CREATE TYPE "Other s"."int4" AS ENUM ('abcd'); CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN feeling AS "Other s"."int4";
    CREATE TYPE spans AS RANGE (subtype = float8);

    CREATE TABLE moods (n int, m "Mood"); INSERT INTO moods VALUES (1, 'sad'), (2, 'so "so"'), (3, ''), (4, NULL);
    CREATE TABLE bytes (c "char", d "char"); INSERT INTO bytes VALUES ('a', NULL), ('', 'b');
    CREATE TABLE "Other s"."T 1 "".x" ("a ""b" int, "Ünï" text, " " int);
    INSERT INTO "Other s"."T 1 "".x" SELECT n, 'ß' || n, n % 3 FROM generate_series(1, 100) n;
    CREATE TABLE composite (p pair, q pair[], r positive, s feeling, t "Other s"."int4"[]);
    INSERT INTO composite VALUES ((1, 'x'), ARRAY[(2, NULL)::pair, NULL], 3, 'abcd', '{abcd,NULL}'), (NULL, '{}', NULL, NULL, NULL);
    CREATE TABLE spread (r int4range, m int8multirange, s spans, a int[][], b bit(5), v varbit, u uuid, i inet, c cidr, w macaddr,
        x xml, j json, jb jsonb, h bytea, y interval, z time, tz timetz, mo money, g point, bx box, tv tsvector, q tsquery, o oid, rc regclass, na name);
    INSERT INTO spread SELECT int4range(n, n + 5), '{[1,3),[5,9)}', spans(n, n + 0.5), ARRAY[[n, 2], [NULL, 4]], b'10101', b'1',
        gen_random_uuid(), '10.0.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '<a>é</a>', '{"a": 1}', '{"b": [1, null]}', '\x00ff',
        '1 mon -3 days 04:00', '24:00', '12:00+02', '-1.5'::money, '(1,2)', '(0,0),(1,1)', 'a fat cat', 'fat & !rat', n, 'moods', 'n' || n
        FROM generate_series(1, 50) n ; INSERT INTO spread DEFAULT VALUES;
    CREATE TABLE no_columns (); INSERT INTO no_columns SELECT FROM generate_series(1, 3);
    CREATE TABLE dropped (a int, gone text, b int, c int GENERATED ALWAYS AS (a * 2) STORED);
    INSERT INTO dropped SELECT n, 'x', n FROM generate_series(1, 1000) n; ALTER TABLE dropped DROP COLUMN gone;
    CREATE TABLE parts (n int, s text) PARTITION BY RANGE (n); CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (500);
    CREATE TABLE high PARTITION OF parts FOR VALUES FROM (500) TO (5000);
    INSERT INTO parts SELECT n, repeat('x', n % 90) FROM generate_series(0, 3000) n;
    CREATE TABLE parent (n int); CREATE TABLE child (more text) INHERITS (parent);
    INSERT INTO parent SELECT generate_series(1, 2000); INSERT INTO child SELECT generate_series(1, 90000), 'x';
    CREATE VIEW seen AS SELECT n, s || '!' AS s FROM parts WHERE n % 2 = 0; CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen;
    CREATE TABLE one_column AS SELECT NULL::int AS n FROM generate_series(1, 5);
    CREATE SEQUENCE numbers;
"#;

#[test]
fn legal_tables_are_checked_and_come_back() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client.batch_execute(TABLES).unwrap();
    let columns = |count: usize| -> String {
        let one = |n| format!("(1000000 + {n}) % 7919 AS c{n}");
        (0..count).map(one).collect::<Vec<_>>().join(", ")
    };
    for count in [900, 1600] {
        client
            .batch_execute(&format!(
                "CREATE TABLE wide{count} AS SELECT {} FROM generate_series(1, 20)",
                columns(count)
            ))
            .unwrap();
    }
    let server = postgres.server();
    for name in [
        "moods",
        "bytes",
        r#""Other s"."T 1 "".x""#,
        "composite",
        "spread",
        "no_columns",
        "dropped",
        "parts",
        "parent",
        "seen",
        "kept",
        "one_column",
        "numbers",
        "wide900",
        "wide1600",
        "pg_catalog.pg_type",
        "information_schema.columns",
    ] {
        let (out, chunks) = loaded(&server, &table(name));
        // The server's own tables change, and a sequence has no type of rows.
        if ![
            "numbers",
            "pg_catalog.pg_type",
            "information_schema.columns",
        ]
        .contains(&name)
        {
            assert_eq!(
                differing(&chunks, &mut client, name, out.path()),
                0,
                "{name}"
            );
        }
    }
}

#[test]
fn a_change_of_any_kind_is_a_difference() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client.batch_execute(TABLES).unwrap();
    let server = postgres.server();
    for (name, change, what) in [
        (
            "moods",
            "UPDATE moods SET m = '' WHERE n = 4",
            "values of \"m\" that are not NULL",
        ),
        (
            "moods",
            "UPDATE moods SET m = 'sad' WHERE n = 2",
            "checksum of \"m\"",
        ),
        (
            "bytes",
            "UPDATE bytes SET c = 'z' WHERE c = 'a'",
            "checksum of \"c\"",
        ),
        (
            "no_columns",
            "INSERT INTO no_columns DEFAULT VALUES",
            "rows",
        ),
        (
            "spread",
            "UPDATE spread SET j = '{\"a\":  1}' WHERE j IS NOT NULL",
            "checksum of \"j\"",
        ),
        // The values of two rows change places.
        (
            "dropped",
            "UPDATE dropped SET b = 3 - b WHERE b < 3",
            "checksum of whole rows",
        ),
        ("parts", "ALTER TABLE parts RENAME s TO t", "columns"),
        (
            "kept",
            "ALTER TABLE parts ADD z int; DROP MATERIALIZED VIEW kept; CREATE TABLE kept AS SELECT * FROM parts",
            "columns",
        ),
    ] {
        let (_out, chunks) = loaded(&server, &table(name));
        client.batch_execute(change).unwrap();
        let (_, differences) = check(&chunks, &server, &Team::single()).unwrap();
        assert!(!differences.is_empty(), "{change}");
        assert_eq!(differences[0].what, what, "{change}: {differences:?}");
        assert!(differences[0].chunks != differences[0].server);
    }
}

#[test]
fn types_are_told_by_more_than_their_bare_names() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client
        .batch_execute(
            "CREATE SCHEMA s; CREATE TYPE s.int4 AS ENUM ('abcd'); CREATE TYPE s.\"timestamp\" AS ENUM ('12345678'); \
             CREATE TYPE s.numeric AS ENUM ('x'); CREATE TYPE s.bool AS (a int); CREATE TYPE s.text AS RANGE (subtype = int4); \
             CREATE DOMAIN s.date AS s.int4; CREATE DOMAIN s.number AS int CHECK (VALUE > 0); \
             CREATE TABLE t (a s.int4, b s.\"timestamp\", c s.numeric, d s.bool, e s.text, f s.date, g int4[], h s.int4[], i s.number); \
             INSERT INTO t VALUES ('abcd', '12345678', 'x', ROW(1), '[1,2)', 'abcd', '{1}', '{abcd}', 7); \
             ALTER ROLE me SET search_path = s, pg_catalog, public",
        )
        .unwrap();
    let server = postgres.server();
    let team = Team::single();
    for (column, type_name) in [
        ("a", "s.int4"),
        ("b", "s.timestamp"),
        ("c", "s.numeric"),
        ("d", "s.bool"),
        ("e", "s.text"),
        ("f", "s.int4"),
        ("g", "_int4"),
        ("h", "s._int4"),
    ] {
        let (_out, chunks) = loaded(&server, &query(&format!("SELECT 1 AS n, {column} FROM t")));
        match to_table(&chunks, "t", NumericAs::Fp64, &team).unwrap_err() {
            PagesError::Unsupported {
                column: named,
                type_name: told,
            } => assert_eq!((&named[..], &told[..]), (column, type_name)),
            other => panic!("{other}"),
        }
    }
    // A domain is sent as what it is made of.
    let (_out, chunks) = loaded(&server, &query("SELECT i FROM t"));
    let paged = to_table(&chunks, "t", NumericAs::Fp64, &team).unwrap();
    assert_eq!(paged.table.columns()[0].column.value(0), Value::Int32(7));
}

/// What a load and a check ask of the server, by the names that another schema has too.
const TRAP: &str = "CREATE SCHEMA trap; CREATE FUNCTION trap.no() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
    CREATE FUNCTION trap.md5(text) RETURNS text RETURN trap.no()::text; CREATE FUNCTION trap.md5(bytea) RETURNS text RETURN trap.no()::text;
    CREATE FUNCTION trap.to_regclass(text) RETURNS oid RETURN trap.no()::oid;
    CREATE FUNCTION trap.format(text, name, name) RETURNS text RETURN trap.no()::text;
    CREATE FUNCTION trap.pg_export_snapshot() RETURNS text RETURN trap.no()::text;
    CREATE FUNCTION trap.pg_relation_size(oid) RETURNS bigint RETURN trap.no();
    CREATE FUNCTION trap.pg_table_size(oid) RETURNS bigint RETURN trap.no();
    CREATE FUNCTION trap.current_setting(text) RETURNS text RETURN trap.no()::text;
    CREATE FUNCTION trap.set_config(text, text, bool) RETURNS text RETURN trap.no()::text;
    CREATE FUNCTION trap.equal(text, text) RETURNS bool RETURN trap.no() = 1; CREATE FUNCTION trap.equal(oid, oid) RETURNS bool RETURN trap.no() = 1;
    CREATE FUNCTION trap.equal(name, text) RETURNS bool RETURN trap.no() = 1; CREATE FUNCTION trap.equal(\"char\", \"char\") RETURNS bool RETURN trap.no() = 1;
    CREATE FUNCTION trap.less(tid, tid) RETURNS bool RETURN trap.no() = 1;
    CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal); CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap.equal);
    CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = text, FUNCTION = trap.equal); CREATE OPERATOR trap.= (LEFTARG = \"char\", RIGHTARG = \"char\", FUNCTION = trap.equal);
    CREATE OPERATOR trap.< (LEFTARG = tid, RIGHTARG = tid, FUNCTION = trap.less); CREATE OPERATOR trap.>= (LEFTARG = tid, RIGHTARG = tid, FUNCTION = trap.less);
    CREATE TABLE public.t AS SELECT n, repeat('x', 100) AS s FROM generate_series(1, 20000) n;
    CREATE TABLE trap.u AS SELECT 1 AS n; CREATE TABLE public.u AS SELECT 2 AS n;
    ALTER ROLE me SET search_path = trap, pg_catalog, public;";

#[test]
fn what_the_search_path_finds_first_is_not_called() {
    let postgres = Postgres::start();
    postgres.client().batch_execute(TRAP).unwrap();
    let server = postgres.server();
    let trapped = server.connect().unwrap().query("SELECT md5('x')", &[]);
    assert!(trapped.is_err());
    let (_out, chunks) = loaded(&server, &table("t"));
    assert_eq!(chunks.manifest().source, "public.t");
    assert_eq!(chunks.manifest().rows, 20_000);
    // And the table that it finds is the same at the check, whatever the path is then.
    let (_out, chunks) = loaded(&server, &table("u"));
    assert_eq!(chunks.manifest().source, "trap.u");
    let dsn = format!("{} options='-c search_path=public'", postgres.dsn());
    let other = Server::new(&dsn, None).unwrap();
    assert_eq!(
        check(&chunks, &other, &Team::single()).unwrap(),
        (1, vec![])
    );
}

#[test]
fn a_query_may_end_as_queries_do() {
    let postgres = Postgres::start();
    let server = postgres.server();
    for text in [
        "SELECT 1 AS a -- one",
        "SELECT 1 AS a /* one */",
        "SELECT 1 AS a; -- one",
        " SELECT 1 AS a ;\n/* one /* two */ */ ; ",
        "-- one\nSELECT 1 AS a",
        "SELECT ';--' AS a;",
        "SELECT $x$;--$$ $x$ AS \"--;\";--",
        r"SELECT E'\'--' AS a --",
        "VALUES (1, NULL), (2, 'x')",
        "TABLE pg_catalog.pg_am",
        "WITH a AS (SELECT 1 AS b) SELECT b FROM a --",
        "SELECT FROM pg_catalog.pg_am",
        "SELECT 1 AS a, 2 AS a",
    ] {
        loaded(&server, &query(text));
    }
    let plan = |text: &str| {
        let error = Snapshot::begin(&server).unwrap().plan(&query(text), 2);
        let error = error.map(drop).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        error
    };
    for nothing in ["", " ; ", "-- SELECT 1", "/* SELECT 1 */;"] {
        assert!(matches!(plan(nothing), ServerError::NoQuery), "{nothing}");
    }
    for (text, said) in [
        ("SELECT 1; SELECT 2", "multiple commands"),
        ("SELECT 1 /* open", "unterminated"),
        ("SELECT 'open", "unterminated"),
        ("SELECT 1) TO STDOUT --", "syntax error"),
        ("SHOW all", "syntax error"),
        ("SELECT\n1 FROM\nnosuch", "nosuch"),
    ] {
        let error = plan(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}
