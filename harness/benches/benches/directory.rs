//! The directory: counting tuples into it, the prefix sum, and lookups, in L1, L2 and beyond.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use join_core::directory::{DirectoryLayout, DirectoryPart, Packed, Split};
use join_core::memory::Memory;
use join_core::tag::{MaskTable, TagScheme};
use join_core::unchained::slot;

fn room<D: DirectoryLayout>(slots: usize) -> D::Room {
    D::room(slots, &Memory::unlimited()).expect("memory is unlimited")
}

/// Counts every hash and leaves the slots at their ENDs.
fn fill<D: DirectoryLayout>(room: &mut D::Room, hashes: &[u64], bits: u32) {
    for part in D::parts(room, 1 << bits) {
        let mut part = part.clear();
        // SAFETY: the slots have just been cleared.
        unsafe {
            for &hash in hashes {
                part.count(slot(hash, bits), MaskTable::tag(hash, bits));
            }
            black_box(part.prefix_sum(0));
        }
    }
}

fn one<D: DirectoryLayout>(bench: &mut Criterion) {
    for bits in [10, 16, 22] {
        let slots = 1 << bits;
        let hashes = kernel_benches::hashes(slots);
        let mut group = bench.benchmark_group(D::NAME);
        group.throughput(Throughput::Elements(slots as u64));
        group.bench_function(BenchmarkId::new("count and prefix sum", slots), |b| {
            b.iter_batched_ref(
                || room::<D>(slots),
                |room| fill::<D>(room, &hashes, bits),
                BatchSize::LargeInput,
            );
        });
        let mut filled = room::<D>(slots);
        fill::<D>(&mut filled, &hashes, bits);
        for mut part in D::parts(&mut filled, slots) {
            // SAFETY: `fill` has cleared the slots.
            unsafe {
                part.rewind(0);
                hashes.iter().for_each(|&hash| {
                    part.advance(slot(hash, bits));
                });
            }
        }
        // SAFETY: the only part was cleared, and every slot was advanced from the previous END to its own.
        let directory = unsafe { D::finished(filled) };
        group.bench_function(BenchmarkId::new("range and tag", slots), |b| {
            b.iter(|| {
                black_box(&hashes).iter().fold(0, |sum, &hash| {
                    let slot = slot(hash, bits);
                    sum + directory.range(slot).len() + usize::from(directory.tag(slot))
                })
            });
        });
        group.finish();
    }
}

fn all(bench: &mut Criterion) {
    one::<Packed>(bench);
    one::<Split>(bench);
}

criterion_group!(benches, all);
criterion_main!(benches);
