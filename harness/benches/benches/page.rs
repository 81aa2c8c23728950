//! Pages: keys read through a cursor with and without NULLs, and the validator, each over a hundred thousand rows.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use join_core::input::{KeyColumn, KeySource};
use join_core::page::validate;
use join_core::parallel::Division;
use join_core::table::Column;

const ROWS: usize = 100_000;

fn keys(bench: &mut Criterion, name: &str, column: &Column) {
    let keys = KeyColumn::<i32>::new(column).expect("the column is INT32");
    let mut group = bench.benchmark_group("page");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let cursors = keys.cursors(Division::counter(1));
            let mut sum = 0_u64;
            for mut cursor in cursors {
                while let Some(block) = cursor.next_block() {
                    block.for_each(|key, row| {
                        sum = sum.wrapping_add(key as u64).wrapping_add(u64::from(row));
                    });
                }
            }
            sum
        });
    });
    group.finish();
}

fn validator(bench: &mut Criterion, name: &str, column: &Column) {
    let mut group = bench.benchmark_group("validate");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(name, |b| {
        b.iter(|| validate(column.data_type(), black_box(column.pages())).expect("we wrote it"));
    });
    group.finish();
}

fn all(bench: &mut Criterion) {
    let values = kernel_benches::keys(ROWS);
    let dense = Column::from_i32(&values);
    let with_nulls =
        Column::from_i32_options(values.iter().map(|&key| (key % 5 != 0).then_some(key)));
    let strings = Column::from_strings(values.iter().map(|key| Some(format!("name {key}"))));
    keys(bench, "keys", &dense);
    keys(bench, "keys, a fifth NULL", &with_nulls);
    validator(bench, "INT32", &dense);
    validator(bench, "INT32, a fifth NULL", &with_nulls);
    validator(bench, "VARCHAR", &strings);
}

criterion_group!(benches, all);
criterion_main!(benches);
