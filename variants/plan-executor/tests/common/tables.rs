//! Random tables.

use join_core::page::{DataType, LONG_PAGE_BYTES, PLAIN_STRING_BYTES, Page};
use join_core::table::{Column, ColumnBuilder, NamedColumn, Table, Value};

use super::rng::Rng;
use super::shape::{Content, Shape};

/// The keys that the columns of a class draw from.
struct Domain(Vec<i64>);

/// How far apart the keys of a domain are.
#[derive(Clone, Copy)]
enum Spread {
    Dense,
    Gaps,
    Sparse,
    Ends,
}

impl Spread {
    fn draw(rng: &mut Rng) -> Spread {
        match rng.below(9) {
            0..=2 => Spread::Dense,
            3..=5 => Spread::Gaps,
            6 | 7 => Spread::Sparse,
            _ => Spread::Ends,
        }
    }
}

/// How often an input has the same key.
#[derive(Clone, Copy)]
enum Habit {
    Unique,
    Few,
    Any,
}

impl Domain {
    /// `size` keys, spread as `spread` says.
    fn draw(rng: &mut Rng, data_type: DataType, size: usize, spread: Spread) -> Domain {
        let (least, greatest) = match data_type {
            DataType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        let count = size as i64;
        let keys: Vec<i64> = match spread {
            // Dense, at the ends of the type, too.
            Spread::Dense => {
                let first = rng.pick(&[0, 1, -5, 100_000, least, greatest - count + 1]);
                (0..count).map(|nth| first + nth).collect()
            }
            // With gaps: a bitmap, but no index by the key itself where the gaps are wide.
            Spread::Gaps => {
                let stride = rng.pick(&[2, 3, 100, 1009, 65_537, 90_001]);
                (0..count).map(|nth| nth * stride - 1000).collect()
            }
            // Anything: too far apart for a bitmap.
            Spread::Sparse => {
                let keys = (0..size).map(|_| match data_type {
                    DataType::Int32 => i64::from(rng.next() as i32),
                    _ => rng.next() as i64,
                });
                keys.collect()
            }
            // Both ends, and what is around zero.
            Spread::Ends => {
                let ends = [least, -1, greatest, 0, greatest - 1, 1, least + 1];
                let more = (0..count).map(|nth| 200 + nth);
                ends.into_iter().chain(more).take(size).collect()
            }
        };
        Domain(keys)
    }

    /// The keys of `rows` rows of an input, which repeats them or not as `habit` says.
    fn keys(&self, rng: &mut Rng, rows: usize, habit: Habit) -> Vec<i64> {
        let key = |nth: usize| self.0[nth % self.0.len()];
        let habit = match (habit, rng.below(8)) {
            (_, nth @ (0 | 1)) => [Habit::Unique, Habit::Any][nth],
            (Habit::Any, 2 | 3) => Habit::Unique,
            (Habit::Any, 4 | 5) => Habit::Few,
            (habit, _) => habit,
        };
        match habit {
            // Each once, as far as there are enough.
            Habit::Unique => {
                let first = if rng.one_in(4) {
                    rng.below(self.0.len())
                } else {
                    0
                };
                let mut keys: Vec<i64> = (0..rows).map(|row| key(first + row)).collect();
                rng.shuffle(&mut keys);
                keys
            }
            // Few of them, again and again.
            Habit::Few => {
                let few: Vec<i64> = (0..1 + rng.below(4))
                    .map(|_| key(rng.below(self.0.len())))
                    .collect();
                (0..rows).map(|_| rng.pick(&few)).collect()
            }
            Habit::Any => (0..rows).map(|_| rng.pick(&self.0)).collect(),
        }
    }
}

/// A table for each input of a plan.
pub fn tables(rng: &mut Rng, shape: &Shape) -> Vec<Table> {
    // Few plans have tables of several pages; the fewer inputs the more rows.
    let many = shape.inputs.len() < 6 && !shape.filtered && rng.one_in(25);
    let most_rows = match shape.inputs.len() {
        _ if shape.filtered => 8,
        _ if many => 6000,
        1 | 2 => 60,
        3 | 4 => rng.pick(&[4, 12]),
        5 | 6 => rng.pick(&[4, 8]),
        _ => 4,
    };
    let classes = shape.classes.iter().enumerate();
    let domains: Vec<Domain> = classes
        .map(|(class, &data_type)| {
            let spread = match class {
                _ if !shape.filtered || rng.one_in(4) => Spread::draw(rng),
                0 => Spread::Gaps,
                // What is dense leaves no filter, so that the input between is read unfiltered.
                _ => Spread::Dense,
            };
            let size = match many {
                _ if shape.filtered => 3 + rng.below(6),
                true => 2 * most_rows,
                false => {
                    let most = rng.pick(&[3, 3, most_rows / 2, most_rows + 2]);
                    1 + rng.below(most)
                }
            };
            Domain::draw(rng, data_type, size, spread)
        })
        .collect();
    let inputs = shape.inputs.iter().enumerate();
    inputs
        .map(|(number, input)| {
            let rows = match rng.below(12) {
                0 if rng.one_in(6) => 0,
                1 if rng.one_in(2) => 1,
                _ if shape.filtered => match number {
                    0 => 6 + rng.below(8),
                    1 => 3 + rng.below(4),
                    _ => 2 + rng.below(3),
                },
                _ => most_rows / 2 + rng.below(most_rows / 2 + 1),
            };
            let columns = input.columns.iter().enumerate().map(|(place, content)| {
                let (data_type, values) = match *content {
                    Content::Key(class) => {
                        let data_type = shape.classes[class];
                        let habit = match (number, class) {
                            (1, 0) if shape.filtered => Habit::Few,
                            (2.., _) if shape.filtered => Habit::Unique,
                            _ => Habit::Any,
                        };
                        let keys = domains[class].keys(rng, rows, habit);
                        (data_type, key_values(rng, data_type, &keys))
                    }
                    Content::Payload(data_type) => {
                        (data_type, payload(rng, data_type, number, rows))
                    }
                };
                NamedColumn::new(place.to_string(), column(rng, data_type, &values))
            });
            let columns = columns.collect();
            Table::new(format!("t{number}"), columns).expect("columns of equal length")
        })
        .collect()
}

/// Now and then some of the values of a column are NULL, or all.
fn nulls(rng: &mut Rng, values: &mut [Value<'static>]) {
    let one_in = match rng.below(40) {
        0 => 1,
        1..=4 => 10,
        5..=8 => 3,
        _ => return,
    };
    for value in values {
        if rng.one_in(one_in) {
            *value = Value::Null;
        }
    }
}

fn key_values(rng: &mut Rng, data_type: DataType, keys: &[i64]) -> Vec<Value<'static>> {
    let mut values: Vec<Value<'_>> = keys
        .iter()
        .map(|&key| match data_type {
            DataType::Int32 => Value::Int32(key as i32),
            _ => Value::Int64(key),
        })
        .collect();
    nulls(rng, &mut values);
    values
}

/// Values that tell rows and inputs apart, mostly.
fn payload(rng: &mut Rng, data_type: DataType, input: usize, rows: usize) -> Vec<Value<'static>> {
    let specials = [f64::NAN, -0.0, 0.0, f64::INFINITY, 1.5];
    let long = rng.one_in(15) && rows < 40;
    let values = (0..rows).map(|row| {
        let number = 10_000 * (input + 1) + row;
        match data_type {
            DataType::Int32 => Value::Int32(number as i32),
            DataType::Int64 => Value::Int64(-(number as i64)),
            DataType::Fp64 if rng.one_in(3) => Value::Fp64(rng.pick(&specials)),
            DataType::Fp64 => Value::Fp64(number as f64 + 0.5),
            DataType::Varchar => Value::Varchar(string(rng, long).into()),
        }
    });
    let mut values: Vec<Value<'_>> = values.collect();
    nulls(rng, &mut values);
    values
}

fn string(rng: &mut Rng, long: bool) -> Vec<u8> {
    let length = if long && rng.one_in(4) {
        let limits = [
            PLAIN_STRING_BYTES - 1,
            PLAIN_STRING_BYTES,
            PLAIN_STRING_BYTES + 1,
            LONG_PAGE_BYTES,
            LONG_PAGE_BYTES + 1,
            2 * LONG_PAGE_BYTES + 1,
            3000,
        ];
        rng.pick(&limits)
    } else {
        rng.pick(&[0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 70, 100])
    };
    let first = rng.below(200);
    (0..length).map(|at| (first + at) as u8).collect()
}

/// The values in pages: full ones, or, in every fourth column, pages of a few rows and of none.
fn column(rng: &mut Rng, data_type: DataType, values: &[Value<'static>]) -> Column {
    if !rng.one_in(4) {
        return full_pages(data_type, values);
    }
    let most = 1 + rng.pick(&[2, 5, 100, values.len()]);
    let mut pages: Vec<Page> = Vec::new();
    let mut left = values;
    while !left.is_empty() {
        if rng.one_in(8) {
            pages.push(Page::EMPTY);
        }
        let (some, rest) = left.split_at(left.len().min(1 + rng.below(most)));
        pages.extend_from_slice(full_pages(data_type, some).pages());
        left = rest;
    }
    if rng.one_in(8) {
        pages.push(Page::EMPTY);
    }
    Column::from_pages(data_type, pages).expect("pages of the format")
}

/// A column of these values in as few pages as possible.
pub fn full_pages(data_type: DataType, values: &[Value<'static>]) -> Column {
    let mut builder = ColumnBuilder::new(data_type);
    for value in values {
        builder.push(value).expect("a value of the column's type");
    }
    builder.finish()
}
