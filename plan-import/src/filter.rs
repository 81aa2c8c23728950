//! Filters: what a WHERE clause says of the rows of one table, in SQL's logic of three values.
//!
//! Evaluated by Arrow's kernels, a batch of rows at a time. Text is compared by bytes, as in PostgreSQL's collation `C`.

use arrow_arith::boolean;
use arrow_array::{ArrayRef, BooleanArray, Datum, Int32Array, Scalar, StringArray};
use arrow_ord::cmp;
use arrow_string::like;
use join_core::page::DataType;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use crate::schema::TableDef;

/// A condition on a row. Columns are numbers in the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    Compare(Comparison, Operand, Operand),
    IsNull(usize),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    LikeInAnyCase,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operand {
    Column(usize),
    Int(Option<i32>),
    Text(Option<String>),
}

impl Filter {
    /// Both must hold.
    pub fn and(self, other: Filter) -> Filter {
        Filter::And(Box::new(self), Box::new(other))
    }

    fn or(self, other: Filter) -> Filter {
        Filter::Or(Box::new(self), Box::new(other))
    }

    fn not_if(self, negated: bool) -> Filter {
        match negated {
            true => Filter::Not(Box::new(self)),
            false => self,
        }
    }

    /// Adds the columns that are looked at.
    pub fn columns(&self, columns: &mut impl Extend<usize>) {
        match self {
            Filter::Compare(_, left, right) => {
                for operand in [left, right] {
                    if let Operand::Column(column) = operand {
                        columns.extend([*column]);
                    }
                }
            }
            Filter::IsNull(column) => columns.extend([*column]),
            Filter::And(left, right) | Filter::Or(left, right) => {
                left.columns(columns);
                right.columns(columns);
            }
            Filter::Not(inner) => inner.columns(columns),
        }
    }

    /// What it says of each row of a batch: true, false, or NULL if that is not known. `columns` are the table's; those
    /// that the filter looks at must be there.
    ///
    /// # Panics
    /// If a column is missing; types have been checked by [`compile`].
    pub fn evaluate(&self, columns: &[Option<ArrayRef>]) -> BooleanArray {
        let column = |number: usize| columns[number].clone().expect("a column that is read");
        let result = match self {
            Filter::Compare(comparison, left, right) => {
                let datum = |operand: &Operand| -> Box<dyn Datum> {
                    match operand {
                        Operand::Column(number) => Box::new(column(*number)),
                        Operand::Int(value) => {
                            Box::new(Scalar::new(Int32Array::from(vec![*value])))
                        }
                        Operand::Text(value) => {
                            Box::new(Scalar::new(StringArray::from(vec![value.as_deref()])))
                        }
                    }
                };
                let (left, right) = (datum(left), datum(right));
                let (left, right) = (&*left, &*right);
                match comparison {
                    Comparison::Equal => cmp::eq(left, right),
                    Comparison::Unequal => cmp::neq(left, right),
                    Comparison::Less => cmp::lt(left, right),
                    Comparison::LessOrEqual => cmp::lt_eq(left, right),
                    Comparison::Greater => cmp::gt(left, right),
                    Comparison::GreaterOrEqual => cmp::gt_eq(left, right),
                    Comparison::Like => like::like(left, right),
                    Comparison::LikeInAnyCase => like::ilike(left, right),
                }
            }
            Filter::IsNull(number) => boolean::is_null(&column(*number)),
            Filter::And(left, right) => {
                boolean::and_kleene(&left.evaluate(columns), &right.evaluate(columns))
            }
            Filter::Or(left, right) => {
                boolean::or_kleene(&left.evaluate(columns), &right.evaluate(columns))
            }
            Filter::Not(inner) => boolean::not(&inner.evaluate(columns)),
        };
        result.expect("types that have been checked")
    }
}

/// The filter that an expression over the columns of `table` is.
///
/// # Errors
/// What cannot be evaluated.
pub(crate) fn compile(expression: &Expr, table: &TableDef) -> Result<Filter, String> {
    let refused = || {
        Err(format!(
            "cannot evaluate {expression}; filters are comparisons, BETWEEN, IN, LIKE and IS NULL, with AND, OR and NOT"
        ))
    };
    match expression {
        Expr::Nested(inner) => compile(inner, table),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => Ok(compile(expr, table)?.not_if(true)),
        Expr::BinaryOp { left, op, right } => {
            let comparison = match op {
                BinaryOperator::And => return Ok(compile(left, table)?.and(compile(right, table)?)),
                BinaryOperator::Or => return Ok(compile(left, table)?.or(compile(right, table)?)),
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
            Ok(low.and(high).not_if(*negated))
        }
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let equal = list
                .iter()
                .map(|item| compare(Comparison::Equal, expr, item, table));
            let any = equal.reduce(|one, other| Ok(one?.or(other?)));
            Ok(any.unwrap_or_else(refused)?.not_if(*negated))
        }
        Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => Ok(compare(Comparison::Like, expr, pattern, table)?.not_if(*negated)),
        Expr::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => Ok(compare(Comparison::LikeInAnyCase, expr, pattern, table)?.not_if(*negated)),
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
            "{left} and {right} are both constants; compare a column with them"
        ));
    }
    let type_of = |operand: &Operand| match operand {
        Operand::Column(column) => Some(table.columns[*column].1),
        Operand::Int(_) => Some(DataType::Int32),
        // A literal in quotes is of the type that it is compared with, and so is NULL.
        Operand::Text(_) => None,
    };
    let common = type_of(&first)
        .or(type_of(&second))
        .unwrap_or(DataType::Varchar);
    for (operand, expression) in [(&mut first, left), (&mut second, right)] {
        if let (Operand::Text(text), DataType::Int32) = (&*operand, common) {
            let number = text.as_ref().map(|text| text.trim().parse()).transpose();
            let number = number
                .map_err(|_| format!("{expression} is no integer, and is compared with one"))?;
            *operand = Operand::Int(number);
        }
        if type_of(operand).is_some_and(|own| own != common) {
            return Err(format!(
                "{left} and {right} are of different types; write text in quotes"
            ));
        }
    }
    let pattern = matches!(comparison, Comparison::Like | Comparison::LikeInAnyCase);
    if pattern && common != DataType::Varchar {
        return Err(format!("{left} is no text, and LIKE compares text"));
    }
    Ok(Filter::Compare(comparison, first, second))
}

fn operand(expression: &Expr, table: &TableDef) -> Result<Operand, String> {
    match expression {
        Expr::Nested(inner) => operand(inner, table),
        Expr::CompoundIdentifier(parts) => match &parts[..] {
            [_, column] => {
                let found = table.column(&column.value);
                let missing = || format!("{} has no column {:?}", table.name, column.value);
                Ok(Operand::Column(found.ok_or_else(missing)?))
            }
            _ => Err(format!("{expression} is not alias.column")),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match &**expr {
            Expr::Value(value) => literal(&value.value, "-"),
            _ => Err(format!("cannot evaluate {expression}")),
        },
        Expr::Value(value) => literal(&value.value, ""),
        _ => Err(format!(
            "cannot evaluate {expression}; compare columns, as alias.column, with numbers and text"
        )),
    }
}

fn literal(value: &Value, sign: &str) -> Result<Operand, String> {
    match value {
        Value::Null => Ok(Operand::Text(None)),
        Value::SingleQuotedString(text) if sign.is_empty() => Ok(Operand::Text(Some(text.clone()))),
        Value::Number(digits, _) => {
            let number = format!("{sign}{digits}").parse();
            let number = number.map_err(|_| format!("{sign}{digits} is not an INT32"))?;
            Ok(Operand::Int(Some(number)))
        }
        other => Err(format!(
            "cannot compare with {sign}{other}; compare with numbers and text"
        )),
    }
}
