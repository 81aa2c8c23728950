//! Partitioning a million keys by one thread: lists and exact places, with and without write-combining.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use join_core::hash::Fibonacci;
use join_core::input::KeyColumn;
use join_core::join::Context;
use join_core::memory::Memory;
use join_core::parallel::Team;
use join_core::partition::{ChunkSize, Collect, Partitioning, Plain};
use join_core::table::Column;

const ROWS: usize = 1 << 20;

fn all(bench: &mut Criterion) {
    let column = Column::from_i32(&kernel_benches::keys(ROWS));
    let keys = KeyColumn::<i32>::new(&column).expect("the column is INT32");
    let (team, memory) = (Team::single(), Memory::unlimited());
    let context = Context::new(&team, &memory);
    let mut group = bench.benchmark_group("partition");
    group.throughput(Throughput::Elements(ROWS as u64));
    for part_bits in [4, 8, 11] {
        for (name, collect, write_combining) in [
            ("lists", Collect::Arena, false),
            ("lists, write-combining", Collect::Arena, true),
            ("two passes", Collect::Exact, false),
            ("two passes, write-combining", Collect::Exact, true),
        ] {
            let partitioning = Partitioning {
                part_bits,
                prefix_bits: 20,
                workers: 1,
                rows: ROWS,
                collect,
                chunk: ChunkSize::Expected,
                write_combining,
            };
            group.bench_function(BenchmarkId::new(name, format!("2^{part_bits}")), |b| {
                b.iter(|| {
                    partitioning
                        .collect::<i32, Fibonacci, Plain, _>(&keys, &context, |parts| {
                            Ok(parts.len(0))
                        })
                        .expect("memory is unlimited")
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
