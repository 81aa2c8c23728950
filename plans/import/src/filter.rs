//! Filters: what a WHERE clause says of the rows of one table, in SQL's logic of three values.
//!
//! Evaluated by Arrow's kernels, a batch of rows at a time. Text is compared by bytes, as in PostgreSQL's collation `C`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_arith::boolean;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Datum, Int32Array, Scalar, StringArray};
use arrow_ord::cmp;

use crate::like::Pattern;

/// A condition on a row. Columns are numbers in the table. As deep as the brackets of its text, not as long chains are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    Compare(Comparison, Operand, Operand),
    /// The column of INT32 is one of these.
    IntIn(usize, BTreeSet<i32>),
    /// The column of text is one of these.
    TextIn(usize, BTreeSet<String>),
    /// The column of text has this pattern; NULL where there is none.
    Like(usize, Option<Pattern>),
    IsNull(usize),
    /// All hold. There is one at least, as there is of [`Filter::Or`].
    And(Vec<Filter>),
    /// One holds.
    Or(Vec<Filter>),
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
}

impl Comparison {
    fn of(self, left: &dyn Datum, right: &dyn Datum) -> BooleanArray {
        let says = match self {
            Comparison::Equal => cmp::eq(left, right),
            Comparison::Unequal => cmp::neq(left, right),
            Comparison::Less => cmp::lt(left, right),
            Comparison::LessOrEqual => cmp::lt_eq(left, right),
            Comparison::Greater => cmp::gt(left, right),
            Comparison::GreaterOrEqual => cmp::gt_eq(left, right),
        };
        says.expect("types that have been checked")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operand {
    Column(usize),
    Int(Option<i32>),
    Text(Option<String>),
}

impl Filter {
    /// It, or what it is not.
    pub fn not_if(self, negated: bool) -> Filter {
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
            Filter::IntIn(column, _)
            | Filter::TextIn(column, _)
            | Filter::Like(column, _)
            | Filter::IsNull(column) => columns.extend([*column]),
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().for_each(|part| part.columns(columns));
            }
            Filter::Not(inner) => inner.columns(columns),
        }
    }

    /// What it says of each row of a batch: true, false, or NULL if that is not known. `columns` are the table's; those
    /// that the filter looks at must be there.
    ///
    /// # Panics
    /// If a column is missing or of another type than that which the filter was compiled for.
    pub fn evaluate(&self, columns: &[Option<ArrayRef>]) -> BooleanArray {
        let parts = |parts: &[Filter], both: fn(&BooleanArray, &BooleanArray) -> BooleanArray| {
            let says = parts.iter().map(|part| part.evaluate(columns));
            let says = says.reduce(|one, other| both(&one, &other));
            says.expect("a chain of one part at least")
        };
        match self {
            Filter::Compare(comparison, left, right) => {
                comparison.of(&*left.datum(columns), &*right.datum(columns))
            }
            Filter::IntIn(number, values) => {
                let numbers = column(columns, *number).as_primitive::<Int32Type>();
                BooleanArray::from_unary(numbers, |number| values.contains(&number))
            }
            Filter::TextIn(number, values) => {
                let texts = column(columns, *number).as_string::<i32>();
                BooleanArray::from_unary(texts, |text| values.contains(text))
            }
            Filter::Like(number, pattern) => {
                let texts = column(columns, *number).as_string::<i32>();
                match pattern {
                    None => BooleanArray::new_null(texts.len()),
                    Some(pattern) => BooleanArray::from_unary(texts, |text| pattern.matches(text)),
                }
            }
            Filter::IsNull(number) => {
                boolean::is_null(column(columns, *number)).expect("any column")
            }
            Filter::And(all) => parts(all, |one, other| {
                boolean::and_kleene(one, other).expect("as many rows")
            }),
            Filter::Or(all) => parts(all, |one, other| {
                boolean::or_kleene(one, other).expect("as many rows")
            }),
            Filter::Not(inner) => boolean::not(&inner.evaluate(columns)).expect("any batch"),
        }
    }
}

impl Operand {
    fn datum(&self, columns: &[Option<ArrayRef>]) -> Box<dyn Datum> {
        match self {
            Operand::Column(number) => Box::new(Arc::clone(column(columns, *number))),
            Operand::Int(value) => Box::new(Scalar::new(Int32Array::from(vec![*value]))),
            Operand::Text(value) => {
                Box::new(Scalar::new(StringArray::from(vec![value.as_deref()])))
            }
        }
    }
}

fn column(columns: &[Option<ArrayRef>], number: usize) -> &ArrayRef {
    columns[number].as_ref().expect("a column that is read")
}
