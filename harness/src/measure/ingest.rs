//! The placements of the aligned ingest over rows in memory, beside plain copying of the same bytes.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use aligned_ingest::framing::{HEADER, RowEncoder, TRAILER};
use aligned_ingest::ssb::SsbTable;
use aligned_ingest::store::MappedStore;
use aligned_ingest::{
    Aligned, Layout, LayoutError, LoadError, Outcome, Packed, PackedRows, PlacementKind, Sink,
    Space, run_workers,
};
use bytemuck::{cast_slice, cast_slice_mut};
use join_core::parallel::{Team, ThreadStart};

use crate::limits::region::{Region, words, words_mut};
use crate::limits::sequential;
use report::record::{IngestRecord, Size};
use report::summary::{COPY, COPY_STREAMING};

/// The rows that are written.
pub const ROWS: [Rows; 2] = [Rows::Fixed, Rows::Lineorder];

/// Fields of `lineorder`, all of one width each.
const FIXED_WIDTHS: [usize; 17] = [8, 4, 4, 4, 4, 4, 8, 1, 4, 4, 4, 4, 4, 4, 4, 4, 5];
/// Of `lineorder` so much is made, and repeated.
const SCALE_FACTOR: f64 = 0.02;

/// A kind of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// 17 fields, each as long in all rows.
    Fixed,
    /// Those of the Star Schema Benchmark: 17 fields, two of which vary in length.
    Lineorder,
}

impl Rows {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Rows::Fixed => "fixed",
            Rows::Lineorder => "lineorder",
        }
    }

    /// Whole rows.
    fn make(self) -> io::Result<Vec<u8>> {
        if self == Rows::Lineorder {
            let mut stream = Vec::new();
            SsbTable::Lineorder.write(SCALE_FACTOR, &mut stream)?;
            stream.truncate(stream.len() - TRAILER.len());
            stream.drain(..HEADER.len());
            return Ok(stream);
        }
        let mut rows = RowEncoder::new();
        for row in 0..1 << 16 {
            for width in FIXED_WIDTHS {
                rows.field(Some(&[row as u8; 8][..width]));
            }
            rows.end_row();
        }
        Ok(rows.rows().to_vec())
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Workers: thread counts.
    pub workers: Vec<u32>,
    /// Bytes that each worker writes; more than the caches hold.
    pub bytes: u64,
    /// Bytes of a slot.
    pub slot: u64,
    /// Measurements of each.
    pub rounds: u32,
}

impl Plan {
    /// What a sweep measures.
    pub fn of(size: Size, workers: &[u32]) -> Plan {
        let (mib, rounds) = match size {
            Size::Quick => (64, 5),
            Size::Default => (128, 11),
            Size::Full => (256, 21),
        };
        Plan {
            workers: workers.to_vec(),
            bytes: mib << 20,
            slot: 1 << 20,
            rounds,
        }
    }

    /// How many measurements that are.
    pub fn records(&self) -> usize {
        let ways = [COPY, COPY_STREAMING].len() + PlacementKind::ALL.len();
        ROWS.len() * self.workers.len() * ways * self.rounds as usize
    }
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sizes that make no sense together.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A worker stopped.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No memory.
    #[error("cannot have the memory to measure in: {0}; lower the bytes or the workers")]
    Memory(#[from] io::Error),
}

/// Measures all ways in turns, `rounds` times after one that does not count, and hands out each measurement.
///
/// # Errors
/// If there is no memory, or `each` fails.
pub fn measure<E: From<Error>>(
    plan: &Plan,
    mut each: impl FnMut(IngestRecord) -> Result<(), E>,
) -> Result<(), E> {
    for rows in ROWS {
        let made = rows.make().map_err(Error::Memory)?;
        for &workers in &plan.workers {
            let mut bench = Bench::new(plan, rows, &made, workers)?;
            for round in 0..=plan.rounds {
                let copies = [COPY, COPY_STREAMING].map(|way| bench.copy(way, round));
                let mut records = Vec::from(copies);
                for placement in PlacementKind::ALL {
                    records.push(bench.load(placement, round)?);
                }
                if round > 0 {
                    records.into_iter().try_for_each(&mut each)?;
                }
            }
        }
    }
    Ok(())
}

/// Memory for some workers and one kind of rows.
struct Bench {
    rows: &'static str,
    workers: u32,
    /// A whole stream each.
    sources: Vec<(Region, usize)>,
    targets: Vec<Region>,
    layout: Layout,
    /// Taken while it is written to.
    store: Option<MappedStore>,
}

impl Bench {
    fn new(plan: &Plan, rows: Rows, made: &[u8], workers: u32) -> Result<Bench, Error> {
        let repeat = (plan.bytes as usize / made.len()).max(1);
        let bytes = HEADER.len() + repeat * made.len() + TRAILER.len();
        let region = |at: usize| -> io::Result<Region> {
            let mut region = Region::map(bytes, true)?;
            let mut rest = cast_slice_mut(words_mut(region.lines_mut()));
            let stream = [&HEADER[..]].into_iter();
            let stream = stream.chain(std::iter::repeat_n(made, repeat * at));
            for part in stream.chain([&TRAILER[..]]) {
                let (to, after) = rest.split_at_mut(part.len());
                to.copy_from_slice(part);
                rest = after;
            }
            // What is left is padding of the last line; a target is touched all over.
            rest.fill(1);
            Ok(region)
        };
        let all = bytes as u64 * u64::from(workers);
        let layout = Layout::for_bytes(plan.slot, 1, all / 2 + plan.slot, workers)?;
        let regions = |at| {
            (0..workers)
                .map(|_| region(at))
                .collect::<io::Result<Vec<_>>>()
        };
        Ok(Bench {
            rows: rows.name(),
            workers,
            sources: regions(1)?
                .into_iter()
                .map(|region| (region, bytes))
                .collect(),
            targets: regions(0)?,
            layout,
            store: Some(MappedStore::touched(layout)?),
        })
    }

    fn record(&self, way: &str, round: u32) -> IngestRecord {
        let bytes = self.sources.iter().map(|source| source.1 as u64).sum();
        IngestRecord {
            rows: self.rows.to_owned(),
            way: way.to_owned(),
            workers: self.workers,
            round,
            seconds: 0.0,
            bytes,
            row_count: 0,
            split_rows: 0,
            reserved: bytes,
        }
    }

    fn copy(&mut self, way: &str, round: u32) -> IngestRecord {
        let mut record = self.record(way, round);
        let team = Team::new(self.workers as usize, ThreadStart::Fresh);
        // The compiler must not know that it is zero: see `sequential::copy`.
        let add = black_box(0);
        let sources = self.sources.iter().map(|(source, _)| source.lines());
        let targets = self.targets.iter_mut().map(Region::lines_mut);
        let pairs: Vec<_> = targets.zip(sources).collect();
        let began = Instant::now();
        team.run(pairs, |_, (to, from)| {
            if way == COPY {
                sequential::copy(words_mut(&mut *to), words(from), add);
            } else {
                sequential::copy_streaming(&mut *to, from);
            }
            black_box(to);
        });
        record.seconds = began.elapsed().as_secs_f64();
        record
    }

    fn load(&mut self, placement: PlacementKind, round: u32) -> Result<IngestRecord, Error> {
        let mut record = self.record(placement.name(), round);
        let store = match self.store.take() {
            Some(store) => store,
            None => MappedStore::touched(self.layout)?,
        };
        let space = Space::new(self.layout, store);
        let run = match placement {
            PlacementKind::Packed => run_workers::<Packed, _>,
            PlacementKind::Aligned => run_workers::<Aligned, _>,
            PlacementKind::PackedRows => run_workers::<PackedRows, _>,
        };
        let streams = self.sources.iter();
        let streams = streams.map(|(region, bytes)| &cast_slice(words(region.lines()))[..*bytes]);
        let streams: Vec<&[u8]> = streams.collect();
        let work =
            |worker: u32, sink: &mut dyn Sink| sink.copy(&mut &*streams[worker as usize]).map(drop);
        let began = Instant::now();
        let outcomes = run(&space, self.workers, Some(FIXED_WIDTHS.len() as u16), &work);
        record.seconds = began.elapsed().as_secs_f64();
        for Outcome { sections, failure } in outcomes {
            if let Some(failure) = failure {
                return Err(failure.into());
            }
            record.row_count += sections.iter().map(|section| section.rows).sum::<u64>();
            record.split_rows += sections.iter().filter(|section| section.tail > 0).count() as u64;
        }
        record.row_count += record.split_rows;
        record.reserved = space.reserved();
        self.store = Some(space.into_store());
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_knows_how_many_records_it_leaves() {
        let plan = Plan {
            workers: vec![1, 2],
            bytes: 1 << 16,
            slot: 1 << 16,
            rounds: 2,
        };
        let mut records = 0;
        measure::<Error>(&plan, |_| {
            records += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(records, plan.records());
    }
}
