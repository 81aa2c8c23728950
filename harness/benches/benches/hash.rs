//! Hashing: a block of 1024 keys, and one key after the other.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use join_core::hash::{Crc32, Fibonacci, KeyHash, Murmur};
use join_core::key::Key;

const KEYS: usize = 1024;

fn one<H: KeyHash, K: Key>(bench: &mut Criterion, name: &str, keys: &[K]) {
    let mut group = bench.benchmark_group(name);
    group.throughput(Throughput::Elements(keys.len() as u64));
    let mut hashes = vec![0; keys.len()];
    group.bench_function("block", |b| {
        b.iter(|| H::hash_block(black_box(keys).iter().copied(), black_box(&mut hashes)));
    });
    group.bench_function("one by one", |b| {
        b.iter(|| {
            let all = black_box(keys).iter();
            all.fold(0, |sum: u64, &key| sum.wrapping_add(H::hash(key)))
        });
    });
    group.finish();
}

fn all(bench: &mut Criterion) {
    let narrow = kernel_benches::keys(KEYS);
    let wide: Vec<i64> = narrow.iter().map(|&key| i64::from(key) << 13).collect();
    one::<Fibonacci, i32>(bench, "fibonacci i32", &narrow);
    one::<Fibonacci, i64>(bench, "fibonacci i64", &wide);
    one::<Murmur, i32>(bench, "murmur i32", &narrow);
    one::<Crc32, i32>(bench, "crc32c i32", &narrow);
    one::<Crc32, i64>(bench, "crc32c i64", &wide);
}

criterion_group!(benches, all);
criterion_main!(benches);
