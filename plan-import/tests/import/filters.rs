//! Random filters against SQL's logic of three values, written down here once more, row by row and without a library.

use std::fmt::Write;

use crate::common::{Case, ids};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A condition on a row of `title`.
#[derive(Clone, Debug)]
enum Condition {
    Number(&'static str, Option<i32>),
    Text(&'static str, Option<&'static str>),
    Between(Option<i32>, Option<i32>, bool),
    NumberIn(Vec<Option<i32>>, bool),
    Like(&'static str, bool),
    Null(&'static str, bool),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

use Condition::{And, Between, Like, Not, Null, Number, NumberIn, Or, Text};

#[derive(Clone, Debug)]
struct Row {
    year: Option<i32>,
    title: Option<&'static str>,
}

fn compare<T: Ord>(left: Option<T>, operator: &str, right: Option<T>) -> Option<bool> {
    let order = left?.cmp(&right?);
    Some(match operator {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        other => panic!("no operator {other}"),
    })
}

fn matches(text: &[char], pattern: &[char]) -> bool {
    match (text, pattern) {
        (_, ['%', rest @ ..]) => (0..=text.len()).any(|skipped| matches(&text[skipped..], rest)),
        ([_, text @ ..], ['_', rest @ ..]) => matches(text, rest),
        ([own, text @ ..], [other, rest @ ..]) => own == other && matches(text, rest),
        (rest, []) => rest.is_empty(),
        ([], _) => false,
    }
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
            Number(operator, number) => compare(row.year, operator, *number),
            Text(operator, text) => compare(row.title, operator, *text),
            Between(low, high, negated) => {
                let outside = [compare(row.year, "<", *low), compare(row.year, ">", *high)];
                negated_if(any(outside.into_iter()), !negated)
            }
            NumberIn(list, negated) => {
                let equal = list.iter().map(|number| compare(row.year, "=", *number));
                negated_if(any(equal), *negated)
            }
            Like(pattern, negated) => {
                let text: Vec<char> = row.title?.chars().collect();
                let pattern: Vec<char> = pattern.chars().collect();
                Some(matches(&text, &pattern) != *negated)
            }
            Null("title", negated) => Some(row.title.is_none() != *negated),
            Null(_, negated) => Some(row.year.is_none() != *negated),
            And(left, right) => {
                let neither = any([left, right]
                    .into_iter()
                    .map(|c| negated_if(c.holds(row), true)));
                negated_if(neither, true)
            }
            Or(left, right) => any([left, right].into_iter().map(|c| c.holds(row))),
            Not(inner) => negated_if(inner.holds(row), true),
        }
    }

    fn sql(&self) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        let number = |number: &Option<i32>| number.map_or("NULL".to_owned(), |n| n.to_string());
        match self {
            Number(operator, value) => format!("t.production_year {operator} {}", number(value)),
            Text(operator, None) => format!("t.title {operator} NULL"),
            Text(operator, Some(text)) => {
                format!("t.title {operator} '{}'", text.replace('\'', "''"))
            }
            Between(low, high, negated) => {
                let (not, low, high) = (not(negated), number(low), number(high));
                format!("t.production_year {not}BETWEEN {low} AND {high}")
            }
            NumberIn(list, negated) => {
                let list: Vec<String> = list.iter().map(number).collect();
                format!("t.production_year {}IN ({})", not(negated), list.join(", "))
            }
            Like(pattern, negated) => format!("t.title {}LIKE '{pattern}'", not(negated)),
            Null(column, negated) => format!("t.{column} IS {}NULL", not(negated)),
            And(left, right) => format!("({} AND {})", left.sql(), right.sql()),
            Or(left, right) => format!("({} OR {})", left.sql(), right.sql()),
            Not(inner) => format!("NOT ({})", inner.sql()),
        }
    }
}

const TEXTS: [&str; 8] = ["", "a", "ab", "A.b", "b\na", "it's", "(a)", "é"];
const PATTERNS: [&str; 10] = ["%", "", "a%", "%a", "%a%", "_", "a_", "%.%b", "(%)", "%\n%"];

fn condition() -> impl Strategy<Value = Condition> {
    let operator = || prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let number = || prop::option::weighted(0.9, -1..5_i32);
    let text = prop::option::weighted(0.9, prop::sample::select(TEXTS.to_vec()));
    let leaf = prop_oneof![
        (operator(), number()).prop_map(|(operator, value)| Number(operator, value)),
        (operator(), text).prop_map(|(operator, value)| Text(operator, value)),
        (number(), number(), any_bool()).prop_map(|(low, high, not)| Between(low, high, not)),
        (prop::collection::vec(number(), 1..4), any_bool())
            .prop_map(|(list, not)| NumberIn(list, not)),
        (prop::sample::select(PATTERNS.to_vec()), any_bool())
            .prop_map(|(text, not)| Like(text, not)),
        (
            prop::sample::select(vec!["title", "production_year"]),
            any_bool()
        )
            .prop_map(|(column, not)| Null(column, not)),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| And(a.into(), b.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Or(a.into(), b.into())),
            inner.prop_map(|inner| Not(inner.into())),
        ]
    })
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}

#[test]
fn filters_keep_the_rows_of_which_they_are_true() {
    // Every text with every year.
    let texts = TEXTS.into_iter().map(Some).chain([None]);
    let years = || (-1..4).map(Some).chain([None]);
    let rows: Vec<Row> = texts
        .flat_map(|title| years().map(move |year| Row { year, title }))
        .collect();
    let mut csv = String::new();
    for (id, row) in rows.iter().enumerate() {
        let title = row
            .title
            .map_or(String::new(), |title| format!("\"{title}\""));
        let year = row.year.map_or(String::new(), |year| year.to_string());
        writeln!(csv, "{id},{title},{year},").unwrap();
    }
    let strategy = prop::collection::vec(condition(), 60);
    let mut runner = TestRunner::new(Config::with_cases(6));
    let result = runner.run(&strategy, |conditions| {
        let case = Case::new();
        case.table("title", &csv);
        for (number, condition) in conditions.iter().enumerate() {
            let sql = format!("SELECT t.id FROM title AS t WHERE {}", condition.sql());
            case.query(&format!("q{number:02}"), &sql);
        }
        let bundles = case.import().map_err(TestCaseError::fail)?;
        for (bundle, condition) in bundles.iter().zip(&conditions) {
            let ids_of = rows.iter().enumerate();
            let true_of = ids_of.filter(|(_, row)| condition.holds(row) == Some(true));
            let expected: Vec<i32> = true_of.map(|(id, _)| id as i32).collect();
            prop_assert_eq!(ids(bundle), expected, "{}", condition.sql());
        }
        Ok(())
    });
    result.unwrap();
}
