//! Random filters of random rows against SQL's logic of three values and the text of PostgreSQL's collation `C`, written
//! down here once more, row by row and without a library.

use std::fmt::Write;

use crate::common::{Case, ids};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A condition on a row of `title`.
#[derive(Clone, Debug)]
enum Condition {
    Compare(Term, &'static str, Term),
    Between(Term, Term, Term, bool),
    In(Term, Vec<Term>, bool),
    Like(Term, Option<String>, bool, bool),
    IsNull(Term, bool),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

use Condition::{And, Between, Compare, In, IsNull, Like, Not, Or};

/// What is compared.
#[derive(Clone, Debug)]
enum Term {
    Id,
    Year,
    Title,
    Note,
    Int(i32),
    /// An integer in quotes, with blanks around it.
    QuotedInt(i32),
    Text(String),
    Null,
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Value {
    Int(i32),
    Text(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Row {
    id: i32,
    title: Option<String>,
    year: Option<i32>,
    note: Option<String>,
}

impl Term {
    fn value(&self, row: &Row) -> Option<Value> {
        let text = |text: &Option<String>| text.clone().map(|text| Value::Text(text.into_bytes()));
        match self {
            Term::Id => Some(Value::Int(row.id)),
            Term::Year => row.year.map(Value::Int),
            Term::Title => text(&row.title),
            Term::Note => text(&row.note),
            Term::Int(value) | Term::QuotedInt(value) => Some(Value::Int(*value)),
            Term::Text(value) => Some(Value::Text(value.clone().into_bytes())),
            Term::Null => None,
        }
    }

    fn sql(&self) -> String {
        match self {
            Term::Id => "t.id".to_owned(),
            Term::Year => "t.production_year".to_owned(),
            Term::Title => "t.title".to_owned(),
            Term::Note => "t.note".to_owned(),
            Term::Int(value) => value.to_string(),
            Term::QuotedInt(value) => format!("' {value}\n'"),
            Term::Text(text) => quoted(text),
            Term::Null => "NULL".to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn compare(left: Option<Value>, operator: &str, right: Option<Value>) -> Option<bool> {
    let (left, right) = (left?, right?);
    Some(match operator {
        "=" => left == right,
        "<>" | "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        other => panic!("no operator {other}"),
    })
}

fn matches(text: &[char], pattern: &[char]) -> bool {
    match (text, pattern) {
        (_, ['%', rest @ ..]) => (0..=text.len()).any(|skipped| matches(&text[skipped..], rest)),
        ([_, text @ ..], ['_', rest @ ..]) => matches(text, rest),
        ([own, text @ ..], ['\\', other, rest @ ..]) => own == other && matches(text, rest),
        (_, ['\\', ..]) => false,
        ([own, text @ ..], [other, rest @ ..]) => own == other && matches(text, rest),
        (rest, []) => rest.is_empty(),
        ([], _) => false,
    }
}

/// The characters of text, A to Z as a to z where the case does not count.
fn characters(text: &str, any_case: bool) -> Vec<char> {
    let fold = |c: char| if any_case { c.to_ascii_lowercase() } else { c };
    text.chars().map(fold).collect()
}

fn negated_if(value: Option<bool>, negated: bool) -> Option<bool> {
    value.map(|value| value != negated)
}

fn any(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for value in values {
        match value {
            Some(true) => return Some(true),
            Some(false) => {}
            None => known = false,
        }
    }
    known.then_some(false)
}

impl Condition {
    fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Compare(left, operator, right) => compare(left.value(row), operator, right.value(row)),
            Between(term, low, high, negated) => {
                let value = || term.value(row);
                let outside = [
                    compare(value(), "<", low.value(row)),
                    compare(value(), ">", high.value(row)),
                ];
                negated_if(any(outside.into_iter()), !negated)
            }
            In(term, list, negated) => {
                let equal = list
                    .iter()
                    .map(|item| compare(term.value(row), "=", item.value(row)));
                negated_if(any(equal), *negated)
            }
            Like(term, pattern, any_case, negated) => {
                let Value::Text(text) = term.value(row)? else {
                    panic!("LIKE compares text")
                };
                let text = String::from_utf8(text).unwrap();
                let pattern = characters(pattern.as_deref()?, *any_case);
                Some(matches(&characters(&text, *any_case), &pattern) != *negated)
            }
            IsNull(term, negated) => Some(term.value(row).is_none() != *negated),
            And(parts) => {
                let one_fails = any(parts.iter().map(|c| negated_if(c.holds(row), true)));
                negated_if(one_fails, true)
            }
            Or(parts) => any(parts.iter().map(|c| c.holds(row))),
            Not(inner) => negated_if(inner.holds(row), true),
        }
    }

    /// Its text, in brackets where something around it binds more tightly.
    fn sql(&self, around: u8) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        let chain = |parts: &[Condition], word: &str, own: u8| {
            let first = parts[0].sql(own);
            let text = parts[1..].iter().fold(first, |text, part| {
                format!("{text} {word} {}", part.sql(own + 1))
            });
            (text, own)
        };
        let (text, own) = match self {
            Or(parts) => chain(parts, "OR", 1),
            And(parts) => chain(parts, "AND", 2),
            Not(inner) => (format!("NOT {}", inner.sql(3)), 3),
            Compare(left, operator, right) => {
                (format!("{} {operator} {}", left.sql(), right.sql()), 4)
            }
            Between(term, low, high, negated) => {
                let (term, low, high) = (term.sql(), low.sql(), high.sql());
                (
                    format!("{term} {}BETWEEN {low} AND {high}", not(negated)),
                    4,
                )
            }
            In(term, list, negated) => {
                let list: Vec<String> = list.iter().map(Term::sql).collect();
                let list = list.join(", ");
                (format!("{} {}IN ({list})", term.sql(), not(negated)), 4)
            }
            Like(term, pattern, any_case, negated) => {
                let word = if *any_case { "ILIKE" } else { "LIKE" };
                let pattern = pattern.as_deref().map_or("NULL".to_owned(), quoted);
                (
                    format!("{} {}{word} {pattern}", term.sql(), not(negated)),
                    4,
                )
            }
            IsNull(term, negated) => (format!("{} IS {}NULL", term.sql(), not(negated)), 4),
        };
        if own < around {
            format!("({text})")
        } else {
            text
        }
    }
}

/// Letters whose other case is beyond ASCII or of several letters, one that is two characters, a character of four bytes, and
/// what means something in patterns, in quotes and in files.
fn text() -> impl Strategy<Value = String> {
    let characters = "aAbkKsS\u{212a}\u{17f}éÉßẞiIİı\u{301}\u{1f3ac}%_\\'\"\n,.(*$ ";
    let character = prop::sample::select(characters.chars().collect::<Vec<_>>());
    prop::collection::vec(character, 0..4).prop_map(String::from_iter)
}

/// A pattern that some of the texts have: each character a text's own, or any, or any text.
fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => text(),
        2 => Just("%".to_owned()),
        2 => Just("_".to_owned()),
        1 => text().prop_map(|text| text.chars().flat_map(|c| ['\\', c]).collect()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| {
        let mut pattern = pieces.concat();
        let backslashes = pattern.len() - pattern.trim_end_matches('\\').len();
        // One that stands alone at the end is no pattern.
        if backslashes % 2 == 1 {
            pattern.push('\\');
        }
        pattern
    })
}

fn number() -> impl Strategy<Value = Term> {
    prop_oneof![
        4 => (-2..5_i32).prop_map(Term::Int),
        1 => (-2..5_i32).prop_map(Term::QuotedInt),
        1 => prop::sample::select(vec![Term::Int(i32::MIN), Term::Int(i32::MAX)]),
        1 => prop::sample::select(vec![Term::Id, Term::Year]),
        1 => Just(Term::Null),
    ]
}

fn words() -> impl Strategy<Value = Term> {
    prop_oneof![
        6 => text().prop_map(Term::Text),
        1 => prop::sample::select(vec![Term::Title, Term::Note]),
        1 => Just(Term::Null),
    ]
}

/// Comparisons of `column` with `terms`.
fn comparison<T: Strategy<Value = Term> + 'static>(
    columns: [Term; 2],
    term: fn() -> T,
) -> impl Strategy<Value = Condition> {
    let column = move || prop::sample::select(columns.to_vec());
    let operator = prop::sample::select(vec!["=", "<>", "!=", "<", "<=", ">", ">="]);
    prop_oneof![
        (column(), operator, term(), any_bool()).prop_map(|(column, operator, term, turned)| {
            match turned {
                true => Compare(term, operator, column),
                false => Compare(column, operator, term),
            }
        }),
        (column(), term(), term(), any_bool())
            .prop_map(|(column, low, high, not)| Between(column, low, high, not)),
        (column(), prop::collection::vec(term(), 1..5), any_bool())
            .prop_map(|(column, list, not)| In(column, list, not)),
        (column(), any_bool()).prop_map(|(column, not)| IsNull(column, not)),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        2 => comparison([Term::Id, Term::Year], number),
        2 => comparison([Term::Title, Term::Note], words),
        3 => (
            prop::sample::select(vec![Term::Title, Term::Note]),
            prop::option::weighted(0.95, pattern()),
            any_bool(),
            any_bool(),
        )
            .prop_map(|(column, pattern, any_case, not)| Like(column, pattern, any_case, not)),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Or),
            inner.prop_map(|inner| Not(inner.into())),
        ]
    })
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let words = || prop::option::weighted(0.9, text());
    let row = (words(), prop::option::weighted(0.9, -2..5_i32), words());
    prop::collection::vec(row, 0..60).prop_map(|rows| {
        let rows = (0..).zip(rows);
        rows.map(|(id, (title, year, note))| Row {
            id,
            title,
            year,
            note,
        })
        .collect()
    })
}

fn csv(rows: &[Row]) -> String {
    let mut csv = String::new();
    let text = |text: &Option<String>| {
        let escaped = |text: &String| text.replace('\\', "\\\\").replace('"', "\\\"");
        let text = text.as_ref().map(escaped);
        text.map_or(String::new(), |text| format!("\"{text}\""))
    };
    for row in rows {
        let year = row.year.map_or(String::new(), |year| year.to_string());
        let (title, note) = (text(&row.title), text(&row.note));
        writeln!(csv, "{},{title},{year},{note}", row.id).unwrap();
    }
    csv
}

#[test]
fn filters_keep_the_rows_of_which_they_are_true() {
    let strategy = (rows(), prop::collection::vec(condition(), 60));
    let mut runner = TestRunner::new(Config::with_cases(12));
    let result = runner.run(&strategy, |(rows, conditions)| {
        let case = Case::new();
        case.table("title", &csv(&rows));
        for (number, condition) in conditions.iter().enumerate() {
            let sql = format!("SELECT t.id FROM title AS t WHERE {}", condition.sql(0));
            case.query(&format!("q{number:02}"), &sql);
        }
        let bundles = case.import().map_err(TestCaseError::fail)?;
        for (bundle, condition) in bundles.iter().zip(&conditions) {
            let true_of = rows.iter().filter(|row| condition.holds(row) == Some(true));
            let expected: Vec<i32> = true_of.map(|row| row.id).collect();
            prop_assert_eq!(ids(bundle), expected, "{}", condition.sql(0));
        }
        Ok(())
    });
    result.unwrap();
}
