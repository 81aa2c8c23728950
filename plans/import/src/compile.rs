//! Conditions of SQL to filters.

use std::collections::BTreeSet;

use join_core::page::DataType;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use crate::filter::{Comparison, Filter, Operand};
use crate::like::Pattern;
use crate::schema::{TableDef, integer};
use crate::sql::shown;

/// The filter that an expression over the columns of `table` is.
///
/// # Errors
/// What cannot be evaluated.
pub(crate) fn compile(expression: &Expr, table: &TableDef) -> Result<Filter, String> {
    let refused = || {
        Err(format!(
            "cannot evaluate {}; filters are comparisons, BETWEEN, IN, LIKE and IS NULL, with AND, OR and NOT",
            shown(expression)
        ))
    };
    let all = |operator| {
        let parts = chain(expression, &operator).into_iter();
        parts
            .map(|part| compile(part, table))
            .collect::<Result<Vec<Filter>, String>>()
    };
    match expression {
        Expr::Nested(inner) => compile(inner, table),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => Ok(compile(expr, table)?.not_if(true)),
        Expr::BinaryOp { left, op, right } => {
            let comparison = match op {
                BinaryOperator::And => return Ok(Filter::And(all(BinaryOperator::And)?)),
                BinaryOperator::Or => return Ok(Filter::Or(all(BinaryOperator::Or)?)),
                BinaryOperator::Eq => Comparison::Equal,
                BinaryOperator::NotEq => Comparison::Unequal,
                BinaryOperator::Lt => Comparison::Less,
                BinaryOperator::LtEq => Comparison::LessOrEqual,
                BinaryOperator::Gt => Comparison::Greater,
                BinaryOperator::GtEq => Comparison::GreaterOrEqual,
                _ => return refused(),
            };
            compare(comparison, left, right, table)
        }
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => {
            let low = compare(Comparison::GreaterOrEqual, expr, low, table)?;
            let high = compare(Comparison::LessOrEqual, expr, high, table)?;
            Ok(Filter::And(vec![low, high]).not_if(*negated))
        }
        Expr::InList {
            expr,
            list,
            negated,
        } if !list.is_empty() => Ok(one_of(expr, list, table)?.not_if(*negated)),
        Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => Ok(like(expr, pattern, false, table)?.not_if(*negated)),
        Expr::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => Ok(like(expr, pattern, true, table)?.not_if(*negated)),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => match operand(inner, table)? {
            Operand::Column(column) => {
                let not = matches!(expression, Expr::IsNotNull(_));
                Ok(Filter::IsNull(column).not_if(not))
            }
            _ => refused(),
        },
        _ => refused(),
    }
}

/// What a chain of AND or OR connects, from left to right; all of `expression` if it is none.
pub(crate) fn chain<'a>(mut expression: &'a Expr, operator: &BinaryOperator) -> Vec<&'a Expr> {
    let mut parts = Vec::new();
    while let Expr::BinaryOp { left, op, right } = expression
        && op == operator
    {
        parts.push(&**right);
        expression = left;
    }
    parts.push(expression);
    parts.reverse();
    parts
}

/// `expression IN (list)`: what is compared with many constants is looked up among them.
fn one_of(expression: &Expr, list: &[Expr], table: &TableDef) -> Result<Filter, String> {
    let (mut ints, mut texts) = (BTreeSet::new(), BTreeSet::new());
    let mut parts = Vec::new();
    let mut column = 0;
    for item in list {
        match compare(Comparison::Equal, expression, item, table)? {
            Filter::Compare(_, Operand::Column(own), Operand::Int(Some(value))) => {
                column = own;
                ints.insert(value);
            }
            Filter::Compare(_, Operand::Column(own), Operand::Text(Some(value))) => {
                column = own;
                texts.insert(value);
            }
            other => parts.push(other),
        }
    }
    if !ints.is_empty() {
        parts.push(Filter::IntIn(column, ints));
    }
    if !texts.is_empty() {
        parts.push(Filter::TextIn(column, texts));
    }
    // Order says nothing, and a NULL as often as it likes says no more than once.
    parts.sort_unstable();
    parts.dedup();
    Ok(Filter::Or(parts))
}

fn like(
    expression: &Expr,
    pattern: &Expr,
    any_case: bool,
    table: &TableDef,
) -> Result<Filter, String> {
    let said = || format!("{} LIKE {}", shown(expression), shown(pattern));
    match (operand(expression, table)?, operand(pattern, table)?) {
        (Operand::Column(column), Operand::Text(pattern)) => {
            if table.columns[column].data_type != DataType::Varchar {
                let what = shown(expression);
                return Err(format!("{what} is no text, and LIKE compares text"));
            }
            comparable(table, column)?;
            let pattern = pattern.map(|pattern| Pattern::new(&pattern, any_case));
            let pattern = pattern.transpose();
            let pattern = pattern.map_err(|error| format!("{}: {error}", said()))?;
            Ok(Filter::Like(column, pattern))
        }
        _ => Err(format!(
            "cannot evaluate {}; a column of text is compared with a pattern in quotes",
            said()
        )),
    }
}

fn compare(
    comparison: Comparison,
    left: &Expr,
    right: &Expr,
    table: &TableDef,
) -> Result<Filter, String> {
    let (mut first, mut second) = (operand(left, table)?, operand(right, table)?);
    let is_column = |operand: &Operand| matches!(operand, Operand::Column(_));
    if !is_column(&first) && !is_column(&second) {
        return Err(format!(
            "{} and {} are both constants; compare a column with them",
            shown(left),
            shown(right)
        ));
    }
    let type_of = |operand: &Operand| match operand {
        Operand::Column(column) => Some(table.columns[*column].data_type),
        Operand::Int(_) => Some(DataType::Int32),
        // A literal in quotes is of the type that it is compared with, and so is NULL.
        Operand::Text(_) => None,
    };
    let common = type_of(&first)
        .or(type_of(&second))
        .unwrap_or(DataType::Varchar);
    for (operand, expression) in [(&mut first, left), (&mut second, right)] {
        if let Operand::Column(column) = operand {
            comparable(table, *column)?;
        }
        if let (Operand::Text(text), DataType::Int32) = (&*operand, common) {
            let number = text.as_deref().map(|text| integer(text).ok_or(()));
            let number = number.transpose().map_err(|()| {
                let what = shown(expression);
                format!("{what} is no INT32, and is compared with one")
            })?;
            *operand = Operand::Int(number);
        }
        if type_of(operand).is_some_and(|own| own != common) {
            return Err(format!(
                "{} and {} are of different types; write text in quotes",
                shown(left),
                shown(right)
            ));
        }
    }
    Ok(Filter::Compare(comparison, first, second))
}

/// Whether values are compared by all of their bytes.
fn comparable(table: &TableDef, column: usize) -> Result<(), String> {
    match &table.columns[column] {
        column if column.padded => Err(format!(
            "{}.{} is of type character(n), where blanks at the end are compared in a way of their own; declare it text",
            table.name, column.name
        )),
        _ => Ok(()),
    }
}

fn operand(expression: &Expr, table: &TableDef) -> Result<Operand, String> {
    match expression {
        Expr::Nested(inner) => operand(inner, table),
        Expr::CompoundIdentifier(parts) => match &parts[..] {
            [_, column] => {
                let found = table.column(&column.value);
                let missing = || {
                    let (table, column) = (&table.name, &column.value);
                    format!("{table} has no column {column:?}; compare the query with the schema")
                };
                Ok(Operand::Column(found.ok_or_else(missing)?))
            }
            _ => Err(format!(
                "{} is not alias.column; name the input and the column",
                shown(expression)
            )),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match &**expr {
            Expr::Value(value) => literal(&value.value, "-"),
            _ => Err(no_operand(expression)),
        },
        Expr::Value(value) => literal(&value.value, ""),
        _ => Err(no_operand(expression)),
    }
}

fn no_operand(expression: &Expr) -> String {
    format!(
        "cannot evaluate {}; compare columns, as alias.column, with numbers and text",
        shown(expression)
    )
}

fn literal(value: &Value, sign: &str) -> Result<Operand, String> {
    match value {
        Value::Null => Ok(Operand::Text(None)),
        Value::SingleQuotedString(text) if sign.is_empty() => Ok(Operand::Text(Some(text.clone()))),
        Value::Number(digits, _) => {
            let number = format!("{sign}{digits}");
            let value = number.parse().map_err(|_| {
                format!(
                    "{} is not an INT32; integers are compared with whole numbers from {} to {}",
                    shown(&number),
                    i32::MIN,
                    i32::MAX
                )
            })?;
            Ok(Operand::Int(Some(value)))
        }
        other => Err(format!(
            "cannot compare with {sign}{}; compare with numbers and text",
            shown(other)
        )),
    }
}
