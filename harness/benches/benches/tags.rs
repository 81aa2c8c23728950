//! Tags of 1024 hashes under a directory of 2^16 slots.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use join_core::tag::{BelowPrefix, ContestBits, MaskTable, TagScheme};

const HASHES: usize = 1024;
const PREFIX_BITS: u32 = 16;

fn one<T: TagScheme>(bench: &mut Criterion) {
    let hashes = kernel_benches::hashes(HASHES);
    let mut group = bench.benchmark_group("tags");
    group.throughput(Throughput::Elements(HASHES as u64));
    group.bench_function(T::NAME, |b| {
        b.iter(|| {
            let all = black_box(&hashes).iter();
            all.fold(0, |bits, &hash| bits ^ T::tag(hash, PREFIX_BITS))
        });
    });
    group.finish();
}

fn all(bench: &mut Criterion) {
    one::<ContestBits>(bench);
    one::<BelowPrefix>(bench);
    one::<MaskTable>(bench);
}

criterion_group!(benches, all);
criterion_main!(benches);
