//! CSV files, queries and plans to bundles: what is kept, and what is refused.

use std::fs;

use crate::common::{self, Case, ids, row};
use join_core::table::Value;
use plan_executor::{Bundle, oracle};

const TITLES: &str = "\
1,\"The \\\"A\\\"\",2001,
2,\"a, b
and \\\\c\\\\\",,\"\"
3,plain,1999,note
4,\"\",2005,\"(voice)\"
5,,2006,\"x\"
";

#[test]
fn fields_arrive_as_they_were_written() {
    let case = Case::new();
    case.table("title", TITLES);
    case.query(
        "all",
        "SELECT t.id, t.title, t.production_year, t.note FROM title AS t",
    );
    let bundle = &case.import().unwrap()[0];
    let mut rows = oracle::execute(bundle);
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let text = |text: &str| Value::Varchar(text.as_bytes().to_vec().into());
    let expected = [
        [
            Value::Int32(1),
            text("The \"A\""),
            Value::Int32(2001),
            Value::Null,
        ],
        [
            Value::Int32(2),
            text("a, b\nand \\c\\"),
            Value::Null,
            text(""),
        ],
        [
            Value::Int32(3),
            text("plain"),
            Value::Int32(1999),
            text("note"),
        ],
        [
            Value::Int32(4),
            text(""),
            Value::Int32(2005),
            text("(voice)"),
        ],
        [Value::Int32(5), Value::Null, Value::Int32(2006), text("x")],
    ];
    assert_eq!(rows, expected);
}

#[test]
fn filters_keep_what_they_say() {
    let case = Case::new();
    case.table("title", TITLES);
    let conditions: &[(&str, &[i32])] = &[
        ("t.production_year > 2001", &[4, 5]),
        ("t.production_year BETWEEN 1999 AND 2005", &[1, 3, 4]),
        ("t.production_year NOT BETWEEN 1999 AND 2001", &[4, 5]),
        ("t.production_year <> 2001", &[3, 4, 5]),
        ("2001 < t.production_year", &[4, 5]),
        ("t.production_year = '2001'", &[1]),
        ("t.production_year > -5 AND NOT t.id = 4", &[1, 3, 5]),
        ("t.note IS NULL", &[1]),
        ("t.note IS NOT NULL", &[2, 3, 4, 5]),
        ("t.note = ''", &[2]),
        ("t.note IN ('', '(voice)')", &[2, 4]),
        ("t.note NOT IN ('', '(voice)')", &[3, 5]),
        ("t.note NOT IN ('', NULL)", &[]),
        ("t.note IN ('x', NULL)", &[5]),
        ("t.title LIKE '%a%'", &[2, 3]),
        ("t.title NOT LIKE '%a%'", &[1, 4]),
        ("t.title LIKE 'a%c%'", &[2]),
        ("t.title LIKE '_lain'", &[3]),
        ("t.title ILIKE '%A%'", &[1, 2, 3]),
        ("t.title NOT ILIKE '%A%'", &[4]),
        ("t.title > 'a'", &[2, 3]),
        ("(t.note = 'x' OR t.title = 'plain')", &[3, 5]),
        ("NOT (t.note = 'x' OR t.production_year = 1999)", &[4]),
        ("t.id = t.production_year", &[]),
        ("t.note = NULL", &[]),
        ("t.title = 'The \"A\"' AND t.id < 3", &[1]),
    ];
    for (number, (condition, _)) in conditions.iter().enumerate() {
        case.query(
            &format!("f{number:02}"),
            &format!("SELECT t.id FROM title AS t WHERE {condition}"),
        );
    }
    let bundles = case.import().unwrap();
    assert_eq!(bundles.len(), conditions.len());
    for (bundle, (condition, expected)) in bundles.iter().zip(conditions) {
        assert_eq!(ids(bundle), *expected, "{condition}");
    }
}

#[test]
fn a_query_of_several_inputs_joins_what_its_filters_keep() {
    let case = Case::new();
    case.table("title", TITLES);
    case.table("movie_keyword", "1,1,7\n2,3,7\n3,4,8\n4,5,7\n5,,7\n");
    case.table("keyword", "7,love\n8,hate\n4,like\n");
    case.joined(
        "words",
        "SELECT MIN(t.id) AS a, MIN(k.keyword) AS b FROM keyword AS k, movie_keyword AS mk, title AS t \
         WHERE k.keyword = 'love' AND t.production_year > 2000 AND t.id = mk.movie_id AND mk.keyword_id = k.id",
    );
    // The same table with the same filter under another name is the same files.
    case.joined(
        "again",
        "SELECT t.title, k.keyword FROM keyword k, movie_keyword mk, title t \
         WHERE mk.keyword_id = k.id AND mk.movie_id = t.id AND t.production_year > 2000",
    );
    // It has the columns of all who read it. What follows from other conditions is a join, too.
    case.joined_on(
        "above",
        "mk.movie_id = k.id",
        "SELECT t.id FROM keyword k, movie_keyword mk, title t \
         WHERE (mk.movie_id = t.id AND t.id = k.id) AND t.production_year > 2000",
    );
    let bundles = case.import().unwrap();
    let [above, again, words] = &bundles[..] else {
        panic!("three bundles")
    };
    assert_eq!(ids(above), [4]);
    assert_eq!(ids(words), [1, 5]);
    assert_eq!(oracle::execute(words)[0][1], row("love"));
    assert_eq!(oracle::execute(again).len(), 3);
}

#[test]
fn a_table_of_many_batches_arrives_whole() {
    let case = Case::new();
    let lines =
        (0..30_000).map(|n| format!("{n},\"name {n} {}\",{},\n", "x".repeat(n % 70), n % 100));
    case.table("title", &lines.collect::<String>());
    case.query("all", "SELECT t.id, t.title FROM title AS t");
    case.query(
        "some",
        "SELECT t.id FROM title AS t WHERE t.production_year = 7",
    );
    let bundles = case.import().unwrap();
    let rows = oracle::execute(&bundles[0]);
    assert_eq!(rows.len(), 30_000);
    for (n, found) in rows.iter().enumerate() {
        assert_eq!(found[0], Value::Int32(n as i32));
        assert_eq!(found[1], row(&format!("name {n} {}", "x".repeat(n % 70))));
    }
    let expected: Vec<i32> = (0..300).map(|n| 100 * n + 7).collect();
    assert_eq!(ids(&bundles[1]), expected);
}

#[test]
fn long_text_and_no_rows_arrive() {
    let case = Case::new();
    let long = "long \u{1f3ac} ".repeat(5000);
    case.table("title", &format!("1,\"{long}\",,\n"));
    case.table("keyword", "");
    case.query("long", "SELECT t.id, t.title FROM title AS t");
    case.query_of("none", "keyword", "k", "SELECT k.id FROM keyword AS k");
    let bundles = case.import().unwrap();
    assert_eq!(oracle::execute(&bundles[0])[0][1], row(&long));
    assert!(ids(&bundles[1]).is_empty());
}

/// What is said of a table `title` with this text and a query with this condition.
fn refused(titles: &[u8], condition: &str) -> String {
    let case = Case::new();
    fs::write(case.path("title.csv"), titles).unwrap();
    case.query(
        "q",
        &format!("SELECT t.id FROM title AS t WHERE {condition}"),
    );
    case.refused()
}

#[test]
fn files_that_cannot_be_read_are_refused_with_their_line() {
    let file = |text: &[u8]| {
        let error = refused(text, "t.title LIKE 'a' AND t.production_year > 1");
        assert!(error.contains("title.csv"), "{error}");
        error
    };
    assert!(file(b"1,a,1,b\n2,a,1\n").contains("line 2: 3 fields, but title has 4"));
    assert!(
        file(b"1,a,1,b\n2,\"a\n\",1,b\n3,a,x,b\n")
            .contains("line 4, column \"production_year\": \"x\"")
    );
    assert!(file(b"1,a,3000000000,b\n").contains("not an INT32"));
    assert!(file(b"1,a,1,b\n2,\xff,1,b\n").contains("line 2, column \"title\": not UTF-8"));
    assert!(file(b"1,a,1,b\n2,\"a,1,b\n3,a,1,b\n").contains("line 2: a quote is not closed"));
    // Columns that nobody reads may hold anything.
    let case = Case::new();
    fs::write(case.path("title.csv"), b"1,a,x,\xff\n").unwrap();
    case.query("q", "SELECT t.id FROM title AS t");
    assert_eq!(ids(&case.import().unwrap()[0]), [1]);
}

#[test]
fn conditions_that_cannot_be_evaluated_are_refused() {
    let condition = |text: &str| {
        let error = refused(TITLES.as_bytes(), text);
        assert!(error.contains("q.sql"), "{error}");
        error
    };
    assert!(condition("t.nothing = 1").contains("nothing"));
    assert!(condition("lower(t.title) = 'a'").contains("lower"));
    assert!(condition("t.id + 1 = 2").contains("t.id + 1"));
    assert!(condition("t.title = 5").contains("quotes"));
    assert!(condition("t.id = t.title").contains("different types"));
    assert!(condition("t.title.id = 1").contains("not alias.column"));
    assert!(condition("t.id = -'5'").contains("-'5'"));
    assert!(condition("t.id = 1; SELECT 1").contains("not one SELECT"));
    assert!(condition("t.id = 'five'").contains("'five'"));
    assert!(condition("t.id LIKE '5'").contains("LIKE"));
    assert!(condition("t.id = 3000000000").contains("3000000000"));
    assert!(condition("t.id = 2.5").contains("2.5"));
    assert!(condition("t.id IN (SELECT 1)").contains("SELECT"));
    assert!(condition("t.title LIKE 'a' ESCAPE 'b'").contains("ESCAPE"));
    assert!(condition("t.title LIKE 'a\\'").contains("double it"));
    assert!(condition("t.title LIKE t.note").contains("t.note"));
    assert!(condition("'a' LIKE t.title").contains("a pattern in quotes"));
    assert!(condition("t.id = '\u{a0}5'").contains("no INT32"));
    assert!(condition("t.id BETWEEN SYMMETRIC 2 AND 1").contains("AND"));
    assert!(condition("t.title = E'a'").contains("cannot compare"));
    assert!(condition("t.title COLLATE \"de\" < 'a'").contains("COLLATE"));
    assert!(condition("t.id IS DISTINCT FROM 1").contains("DISTINCT"));
    assert!(condition("t.id IN ()").contains("q.sql"));
    assert!(condition("-t.id = 1").contains("-t.id"));
    assert!(condition("(t.id = 1 OR 1 = 1)").contains("constants"));
    assert!(condition("1 = 1").contains("1 = 1"));
    assert!(condition("id = 1").contains("id"));
    assert!(condition("u.id = 1").contains("u.id"));
    assert!(condition("t.id =").contains("q.sql"));
}

#[test]
fn long_conditions_are_evaluated_or_refused() {
    let ids_of = |condition: &str| {
        let case = Case::new();
        case.table("title", TITLES);
        case.query(
            "q",
            &format!("SELECT t.id FROM title AS t WHERE {condition}"),
        );
        case.import().map(|bundles| ids(&bundles[0]))
    };
    let list = |from: i32, to: i32| -> String {
        let numbers: Vec<String> = (from..to).map(|number| number.to_string()).collect();
        numbers.join(", ")
    };
    let in_list = format!("t.id IN ({})", list(-15_000, 3));
    assert_eq!(ids_of(&in_list), Ok(vec![1, 2]));
    let not_in = format!("t.id NOT IN ({})", list(4, 30_000));
    assert_eq!(ids_of(&not_in), Ok(vec![1, 2, 3]));
    let texts: Vec<String> = (0..30_000).map(|number| format!("'{number}'")).collect();
    let texts = format!("t.note IN ({}, 'x')", texts.join(", "));
    assert_eq!(ids_of(&texts), Ok(vec![5]));
    let and = vec!["t.id <> 3"; 3000].join(" AND ");
    assert_eq!(ids_of(&and), Ok(vec![1, 2, 4, 5]));
    let or = vec!["t.id = 3"; 3000].join(" OR ");
    assert_eq!(ids_of(&or), Ok(vec![3]));
    let long = format!("t.title LIKE '{}'", "_".repeat(20_000));
    assert_eq!(ids_of(&long), Ok(vec![]));
    let brackets = format!("{}t.id = 2{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(ids_of(&brackets), Ok(vec![2]));

    let refused = |condition: &str, said: &str| {
        let error = refused(TITLES.as_bytes(), condition);
        assert!(error.contains(said) && error.len() < 1000, "{error}");
    };
    for chain in [
        vec!["t.id <> 1"; 30_000].join(" AND "),
        vec!["t.id = 1"; 30_000].join(" OR "),
        format!("t.id = 1{}", " + 1".repeat(1_000_000)),
        format!("t.id{} = 1", "::int".repeat(30_000)),
        format!("t.id = 1{}", " IS NULL".repeat(30_000)),
        format!("t.id = 1{}", " UNION SELECT 1".repeat(30_000)),
        format!("t.id{} = 1", "[1]".repeat(30_000)),
    ] {
        refused(&chain, "at most 10000 are read");
    }
    for (open, close) in [
        ("(", ")"),
        ("NOT ", ""),
        ("- ", ""),
        ("f(", ")"),
        ("EXISTS (SELECT 1 WHERE ", ")"),
        ("CASE WHEN 1 = 1 THEN ", " END"),
    ] {
        let nested = format!("{}t.id = 1{}", open.repeat(1000), close.repeat(1000));
        refused(&nested, "q.sql");
    }
    // A chain of nearly as many as may be, which is still shown.
    let most = format!("t.id = 1{}", " + 1".repeat(9000));
    refused(&most, "cannot evaluate");
}

#[test]
fn plans_that_cannot_be_read_are_refused() {
    let refused = |plans: &str| {
        let case = Case::new();
        case.table("title", TITLES);
        case.query("q", "SELECT t.id FROM title AS t");
        case.write_plans();
        fs::write(case.path("plans.json"), plans).unwrap();
        let error = plan_import::import(&case.request(), &mut |_, _| ()).unwrap_err();
        let error = error.to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    };
    let plan = |node: &str| format!(r#"{{"names": ["q"], "plans": [{{"Plan": {node}}}]}}"#);
    let scan = |more: &str| {
        plan(&format!(
            r#"{{"Node Type": "Seq Scan", "Relation Name": "title", "Alias": "t"{more}}}"#
        ))
    };
    assert!(refused("").contains("plans.json"));
    assert!(refused("[").contains("plans.json"));
    assert!(refused(&"[".repeat(1_000_000)).contains("plans.json"));
    let sort = r#"{"Node Type": "Sort", "Plans": ["#;
    let deep = format!("{}{}", sort.repeat(100_000), "]}".repeat(100_000));
    assert!(refused(&plan(&deep)).contains("127 deep"));
    assert!(refused(&scan(r#", "Plan Rows": 1e999"#)).contains("number out of range"));
    assert!(refused(&scan(r#", "Alias": "u""#)).contains("duplicate"));
    assert!(refused(&scan("").replace("\"t\"", "\"u\"")).contains("t.id"));
    assert!(refused(&scan("").replace("\"title\"", "\"films\"")).contains("\"films\""));
    assert!(refused(&scan("").replace("[\"q\"]", "[\"q\", \"q\"]")).contains("2 names"));
    assert!(refused(&scan("").replace("\"q\"", "\"../q\"")).contains("../q"));
    assert!(refused(&plan(r#"{"Node Type": "Seq Scan"}"#)).contains("Relation Name"));
    let twice = r#"{"Node Type": "Seq Scan", "Relation Name": "title", "Alias": "t"}"#;
    let twice = format!(
        r#"{{"Node Type": "Hash Join", "Hash Cond": "(t.id = t.id)", "Plans": [{twice}, {twice}]}}"#
    );
    assert!(refused(&plan(&twice)).contains("two scans are called t"));
}

#[test]
fn text_begins_after_a_byte_order_mark() {
    let case = Case::new();
    case.table("keyword", "\u{feff}1,\u{feff}a\n");
    case.query_of(
        "q",
        "keyword",
        "k",
        "SELECT k.id, k.keyword FROM keyword AS k",
    );
    let bundles = case.import().unwrap();
    let rows = oracle::execute(&bundles[0]);
    assert_eq!(rows[0], [Value::Int32(1), row("\u{feff}a")]);
}

#[test]
fn padded_text_is_not_compared() {
    let import = |condition: &str| {
        let case = Case::new();
        let schema = "CREATE TABLE title (id integer, code character(3), note char(2))";
        fs::write(case.path("schematext.sql"), schema).unwrap();
        case.table("title", "1,a  ,\n");
        let sql = format!("SELECT t.id, t.code FROM title AS t WHERE {condition}");
        case.query("q", &sql);
        case.import().map(|bundles| ids(&bundles[0]))
    };
    for condition in [
        "t.code = 'a'",
        "'b' < t.code",
        "t.code LIKE 'a'",
        "t.code BETWEEN 'a' AND 'b'",
        "t.code IN ('a')",
        "t.code = t.note",
    ] {
        let error = import(condition).unwrap_err();
        assert!(
            error.contains("title.code is of type character(n)"),
            "{error}"
        );
    }
    assert_eq!(import("t.code IS NOT NULL"), Ok(vec![1]));
}

#[test]
fn queries_that_are_more_than_joins_and_filters_are_refused() {
    let import = |sql: &str| {
        let case = Case::new();
        case.table("title", TITLES);
        case.query("q", sql);
        case.import()
    };
    let plain = "SELECT t.id FROM title AS t";
    assert!(import(&format!("{plain} ORDER BY t.id")).is_ok());
    for (sql, clause) in [
        (format!("{plain} LIMIT 1"), "LIMIT"),
        (format!("{plain} GROUP BY t.id"), "GROUP BY"),
        (format!("{plain} GROUP BY ALL"), "GROUP BY"),
        (format!("{plain} FETCH FIRST 1 ROW ONLY"), "FETCH"),
        (format!("{plain} OFFSET 1"), "OFFSET"),
        (format!("{plain} FOR UPDATE"), "FOR UPDATE"),
        (
            format!("{plain} WHERE t.id = 1 UNION SELECT t.id FROM title AS t"),
            "plain SELECT",
        ),
        (plain.replace("AS t", "AS t (title, id)"), "FROM"),
        (format!("{plain} TABLESAMPLE SYSTEM (1)"), "FROM"),
        (plain.replace("AS t", "(1) AS t"), "FROM"),
        (
            format!("{plain} GROUP BY t.id HAVING count(*) > 1"),
            "HAVING",
        ),
        (plain.replace("t.id", "DISTINCT t.id"), "DISTINCT"),
        (format!("WITH title AS (SELECT 1 AS id) {plain}"), "SELECT"),
    ] {
        let Err(error) = import(&sql) else {
            panic!("{clause} is read");
        };
        assert!(error.contains("q.sql") && error.contains(clause), "{error}");
    }
}

#[test]
fn plans_of_another_query_are_refused() {
    let query = |sql: &str| {
        let case = Case::new();
        case.table("title", TITLES);
        case.table("movie_keyword", "");
        case.table("keyword", "");
        case.joined("q", sql);
        case.refused()
    };
    let from = "SELECT t.id FROM keyword k, movie_keyword mk, title t WHERE";
    let keyword = "mk.keyword_id = k.id";
    assert!(query(&format!("{from} {keyword}")).contains("what the query does not"));
    let other = format!("{from} {keyword} AND mk.id = t.id");
    assert!(query(&other).contains("does not join mk.id = t.id"));
    let more = format!("{from} {keyword} AND mk.movie_id = t.id AND k.id = t.id");
    assert!(query(&more).contains("does not join"));
    let missing = "SELECT t.id FROM keyword k, title t WHERE t.id = k.id";
    assert!(query(missing).contains("mk"));
    let table = from.replace("keyword k,", "title k,");
    assert!(query(&format!("{table} {keyword} AND mk.movie_id = t.id")).contains("keyword as k"));
    let unequal = format!("{from} {keyword} AND mk.movie_id < t.id");
    assert!(query(&unequal).contains("mk.movie_id < t.id"));
    let also = |input| from.replace("title t", &format!("title t, {input}"));
    let u = also("title u");
    assert!(query(&format!("{u} {keyword} AND mk.movie_id = t.id")).contains("does not scan u"));
    let t = also("keyword t");
    assert!(query(&format!("{t} {keyword} AND mk.movie_id = t.id")).contains("are called t"));
    let left = "SELECT t.id FROM keyword k JOIN title t ON t.id = k.id";
    assert!(query(left).contains("FROM"));
}

#[test]
fn schemas_and_folders_that_do_not_fit_are_refused() {
    let case = Case::new();
    case.query("q", "SELECT t.id FROM title AS t");
    assert!(case.refused().contains("title.csv"));
    case.table("title", TITLES);
    let schema = case.path("schematext.sql");
    for (text, said) in [
        ("", "CREATE TABLE"),
        ("CREATE TABEL", "schematext.sql"),
        ("CREATE TABLE title (id double precision)", "title.id"),
        (
            "CREATE TABLE a (id integer); CREATE TABLE a (id integer)",
            "twice",
        ),
        ("CREATE TABLE a (id integer)", "no table \"title\""),
        ("CREATE TABLE title (name text)", "no column \"id\""),
        ("CREATE TABLE title (id integer, id text)", "two columns id"),
    ] {
        fs::write(&schema, text).unwrap();
        let error = case.refused();
        assert!(error.contains(said), "{error}");
    }
    fs::write(&schema, common::SCHEMA).unwrap();
    case.import().unwrap();
    assert!(case.refused_again().contains("bundles"));
    let bundle = Bundle::open(&case.path("bundles/q")).unwrap();
    assert_eq!(ids(&bundle), [1, 2, 3, 4, 5]);
}

#[test]
fn joins_of_text_are_refused() {
    let case = Case::new();
    case.joined_on(
        "q",
        "mk.id = k.keyword",
        "SELECT t.id FROM keyword k, movie_keyword mk, title t WHERE mk.id = k.keyword AND mk.movie_id = t.id",
    );
    assert!(case.refused().contains("k.keyword is no integer"));
}

#[test]
fn columns_may_be_of_any_type_of_integer_and_text() {
    let case = Case::new();
    let schema = "CREATE TABLE title (id smallint, b int, c int4, d char(3), e character(3), f varchar, g varchar(9))";
    fs::write(case.path("schematext.sql"), schema).unwrap();
    case.table("title", "1, 2,3 ,d,e,f,g\n");
    case.query(
        "q",
        "SELECT t.id, t.b, t.c, t.d, t.e, t.f, t.g FROM title t",
    );
    let bundle = &case.import().unwrap()[0];
    let expected = [
        Value::Int32(1),
        Value::Int32(2),
        Value::Int32(3),
        row("d"),
        row("e"),
        row("f"),
        row("g"),
    ];
    assert_eq!(oracle::execute(bundle), [expected]);
}
