//! Placements × workers over rows in memory, against the copying of the same bytes, interleaved:
//!
//! ```sh
//! cargo run -p aligned-ingest --example bandwidth -- [workers,…] [MiB a worker] [slot in KiB]
//! ```
//!
//! A ratio of 1 means that finding the rows, checksums and slots cost nothing beside the copying.

use std::time::Instant;

use aligned_ingest::framing::{HEADER, RowEncoder, TRAILER};
use aligned_ingest::store::MappedStore;
use aligned_ingest::{Aligned, Layout, Packed, PackedRows, Sink, Space, run_workers};
use join_core::parallel::{Team, ThreadStart};

const ROUNDS: usize = 7;
/// As `lineorder` has.
const WIDTHS: [usize; 17] = [8, 4, 4, 4, 4, 4, 8, 1, 4, 4, 4, 4, 4, 4, 4, 4, 5];

fn stream(bytes: usize, seed: u8) -> Vec<u8> {
    let mut rows = RowEncoder::new();
    while rows.rows().len() < bytes {
        for width in WIDTHS {
            rows.field(Some(&[seed; 8][..width]));
        }
        rows.end_row();
    }
    [&HEADER[..], rows.rows(), &TRAILER].concat()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let workers = arguments.next().unwrap_or_else(|| "1,2".into());
    let mut number = |or: usize| {
        arguments
            .next()
            .map_or(or, |n| n.parse().expect("a number"))
    };
    let bytes = number(256) << 20;
    let slot = (number(64 << 10) as u64) << 10;
    println!("{:>7} {:>12} {:>8} {:>8}", "workers", "", "GB/s", "ratio");
    for workers in workers.split(',') {
        let workers: u32 = workers.parse().expect("a number of workers");
        measure(workers, bytes, slot);
    }
}

fn measure(workers: u32, bytes: usize, slot: u64) {
    let streams: Vec<Vec<u8>> = (0..workers)
        .map(|worker| stream(bytes, worker as u8))
        .collect();
    let all: u64 = streams.iter().map(|stream| stream.len() as u64).sum();
    let mut targets: Vec<Vec<u8>> = streams.iter().map(|stream| vec![1; stream.len()]).collect();
    let layout = Layout::for_bytes(slot, 1, all / 2 + slot, workers).expect("a layout");
    let mut store = Some(MappedStore::touched(layout).expect("memory"));
    let team = Team::new(workers as usize, ThreadStart::Fresh);
    let work =
        |worker: u32, sink: &mut dyn Sink| sink.copy(&mut &streams[worker as usize][..]).map(drop);
    let names = ["copy", "packed", "aligned", "packed-rows"];
    let mut seconds: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (way, seconds) in seconds.iter_mut().enumerate() {
            let began = Instant::now();
            if way == 0 {
                let pairs = targets.iter_mut().zip(&streams).collect();
                team.run(pairs, |_, (to, from): (&mut Vec<u8>, &Vec<u8>)| {
                    to.copy_from_slice(from)
                });
            } else {
                let space = Space::new(layout, store.take().expect("one load at a time"));
                let run = match way {
                    1 => run_workers::<Packed, _>,
                    2 => run_workers::<Aligned, _>,
                    _ => run_workers::<PackedRows, _>,
                };
                let outcomes = run(&space, workers, Some(WIDTHS.len() as u16), &work);
                assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()));
                store = Some(space.into_store());
            }
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    let speeds = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        all as f64 / seconds[ROUNDS / 2] / 1e9
    });
    for (name, speed) in names.iter().zip(speeds) {
        println!(
            "{workers:>7} {name:>12} {speed:>8.2} {:>8.2}",
            speed / speeds[0]
        );
    }
}
