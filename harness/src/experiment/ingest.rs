//! The placements of the aligned ingest over rows in memory, beside plain copying of the same bytes.

use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aligned_ingest::framing::{HEADER, RowEncoder, TRAILER};
use aligned_ingest::ssb::SsbTable;
use aligned_ingest::store::MappedStore;
use aligned_ingest::{
    Aligned, Layout, LayoutError, Outcome, Packed, PackedRows, PlacementKind, Sink, Space,
    run_workers,
};
use bytemuck::{cast_slice, cast_slice_mut};
use join_core::parallel::{Team, ThreadStart};

use super::{Bench, Budget, Contender, Failed, Measured, Runner, Stop, session};
use crate::machine;
use crate::machine::limits::region::{Region, words, words_mut};
use crate::machine::limits::sequential;
use crate::machine::system::Watch;
use report::record::{
    Answer, CONTROL_A, CONTROL_B, INGEST, RESERVED, ROWS, SPLIT_ROWS, Size, Toggles, VariantRecord,
    WorkloadRecord,
};
use report::summary::{COPY, COPY_STREAMING};

/// The rows that are written.
pub const ROWS_MADE: [Rows; 2] = [Rows::Fixed, Rows::Lineorder];

/// Fields of `lineorder`, all of one width each.
const FIXED_WIDTHS: [usize; 17] = [8, 4, 4, 4, 4, 4, 8, 1, 4, 4, 4, 4, 4, 4, 4, 4, 5];
/// Of `lineorder` so much is made, and repeated.
const SCALE_FACTOR: f64 = 0.002;

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

    /// The name of the case.
    fn case_name(self) -> String {
        format!("{INGEST}-{}", self.name())
    }

    fn sentence(self) -> &'static str {
        match self {
            Rows::Fixed => "17 fields, each of one width in all rows",
            Rows::Lineorder => "17 fields, two of which vary in width",
        }
    }

    /// Whole rows, and how many.
    fn make(self) -> io::Result<(Vec<u8>, u64)> {
        if self == Rows::Lineorder {
            let mut stream = Vec::new();
            let rows = SsbTable::Lineorder.write(SCALE_FACTOR, &mut stream)?;
            stream.truncate(stream.len() - TRAILER.len());
            stream.drain(..HEADER.len());
            return Ok((stream, rows));
        }
        const FIXED_ROWS: u64 = 1 << 16;
        let mut rows = RowEncoder::new();
        for row in 0..FIXED_ROWS {
            for width in FIXED_WIDTHS {
                rows.field(Some(&[row as u8; 8][..width]));
            }
            rows.end_row();
        }
        Ok((rows.rows().to_vec(), FIXED_ROWS))
    }
}

/// What is written, and how.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Workers: thread counts.
    pub workers: Vec<u32>,
    /// Bytes of rows for each worker of the most; more than the caches hold. Fewer workers write as much.
    pub bytes: u64,
    /// Bytes of a slot.
    pub slot: u64,
}

impl Volume {
    /// What a sweep writes, and how many samples of each contender it takes.
    pub fn of(size: Size, workers: &[u32]) -> (Self, u32) {
        let (mib, rounds) = match size {
            Size::Quick => (64, 5),
            Size::Default => (128, 11),
            Size::Full => (256, 21),
        };
        let volume = Self {
            workers: workers.to_vec(),
            bytes: mib << 20,
            slot: 1 << 20,
        };
        (volume, rounds)
    }
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sizes that make no sense together.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// No memory.
    #[error("cannot have the memory to measure in: {0}; lower the bytes or the workers")]
    Memory(#[from] io::Error),
    /// No threads.
    #[error("{0}")]
    Threads(String),
}

/// Streams for each worker: they take them one after the other, so that none is left alone with a long one.
const STREAMS_PER_WORKER: usize = 8;

/// A contender's way of writing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Copy,
    CopyStreaming,
    Placed(PlacementKind),
}

impl Way {
    fn all() -> impl Iterator<Item = Self> {
        let placed = PlacementKind::ALL.into_iter().map(Self::Placed);
        [Self::Copy, Self::CopyStreaming].into_iter().chain(placed)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Copy => COPY,
            Self::CopyStreaming => COPY_STREAMING,
            Self::Placed(placement) => placement.name(),
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Copy => {
                "the bytes copied with plain stores, which is what placements are held against"
            }
            Self::CopyStreaming => "the bytes copied with stores that go past the caches",
            Self::Placed(PlacementKind::Packed) => {
                "flushes back to back, cut anywhere, so that rows are split"
            }
            Self::Placed(PlacementKind::Aligned) => {
                "a fixed slot for each flush, cut at a row boundary"
            }
            Self::Placed(PlacementKind::PackedRows) => {
                "flushes back to back, cut at a row boundary"
            }
        }
    }
}

/// What records say of the ways.
pub fn records() -> impl Iterator<Item = VariantRecord> {
    Way::all().map(|way| VariantRecord {
        name: way.name().to_owned(),
        family: INGEST.to_owned(),
        build: None,
        probe: None,
        description: way.description().to_owned(),
        definition: None,
    })
}

/// All ways of writing rows of one kind with each number of workers.
pub struct IngestBench {
    case: WorkloadRecord,
    contenders: Vec<Contender>,
    ways: Vec<Way>,
    /// Whole streams, with their bytes.
    sources: Vec<(Region, usize)>,
    targets: Vec<Region>,
    layout: Layout,
    /// Taken while it is written to.
    store: Option<MappedStore>,
    watch: Watch,
}

impl IngestBench {
    /// Makes the rows and touches the memory that they are written to.
    ///
    /// # Errors
    /// There is no memory or no such number of threads, or the slot does not fit.
    pub fn new(volume: &Volume, rows: Rows) -> Result<Self, Error> {
        let most = volume.workers.iter().copied().max().unwrap_or(1);
        let threads = machine::team(most, ThreadStart::Fresh);
        threads.map_err(|error| Error::Threads(error.to_string()))?;
        let (made, row_count) = rows.make()?;
        let streams = most as usize * STREAMS_PER_WORKER;
        let repeat = (volume.bytes as usize / STREAMS_PER_WORKER / made.len()).max(1);
        let bytes = HEADER.len() + repeat * made.len() + TRAILER.len();
        let region = |at: usize| -> io::Result<Region> {
            let mut region = Region::map(bytes, true)?;
            let mut rest = cast_slice_mut(words_mut(region.lines_mut()));
            let stream = [&HEADER[..]].into_iter();
            let stream = stream.chain(std::iter::repeat_n(&*made, repeat * at));
            for part in stream.chain([&TRAILER[..]]) {
                let (to, after) = rest.split_at_mut(part.len());
                to.copy_from_slice(part);
                rest = after;
            }
            // What is left is padding of the last line; a target is touched all over.
            rest.fill(1);
            Ok(region)
        };
        let regions = |at| {
            (0..streams)
                .map(|_| region(at))
                .collect::<io::Result<Vec<_>>>()
        };
        let all = (bytes * streams) as u64;
        // The end of a stream leaves a slot that may be nearly empty.
        let room = all / 2 + volume.slot * (1 + streams as u64 / 2);
        let layout = Layout::for_bytes(volume.slot, 1, room, most)?;
        let mut contenders = Vec::new();
        let mut ways = Vec::new();
        for &workers in &volume.workers {
            for way in Way::all() {
                let controlled = way == Way::Placed(PlacementKind::Aligned);
                let labels: &[Option<&str>] = match controlled {
                    true => &[Some(CONTROL_A), Some(CONTROL_B)],
                    false => &[None],
                };
                for label in labels {
                    contenders.push(Contender::new(way.name(), Toggles::new(), *label, workers));
                    ways.push(way);
                }
            }
        }
        let row_count = row_count * (repeat * streams) as u64;
        Ok(Self {
            watch: Watch::own(),
            case: WorkloadRecord {
                name: rows.case_name(),
                group: None,
                join_kind: None,
                condition: None,
                payload_bytes: None,
                experiment: INGEST.to_owned(),
                sentence: rows.sentence().to_owned(),
                build_rows: 0,
                probe_rows: row_count,
                key_type: String::new(),
                build_bytes: 0,
                probe_bytes: all,
                expected: Some(Answer {
                    rows: row_count,
                    ..Answer::default()
                }),
                keys: None,
            },
            contenders,
            ways,
            sources: regions(1)?
                .into_iter()
                .map(|region| (region, bytes))
                .collect(),
            targets: regions(0)?,
            layout,
            store: Some(MappedStore::touched(layout)?),
        })
    }

    /// What records say of it.
    pub fn case(&self) -> &WorkloadRecord {
        &self.case
    }

    fn measured(&self, seconds: f64, rows: u64, counters: [(&str, u64); 3]) -> Measured {
        Measured {
            seconds,
            answer: Answer {
                rows,
                ..Answer::default()
            },
            bytes: Some(self.case.probe_bytes),
            counters: counters
                .map(|(name, count)| (name.to_owned(), count))
                .into(),
            ..Measured::default()
        }
    }

    fn copy(&mut self, streaming: bool, team: &Team) -> Measured {
        // The compiler must not know that it is zero: see `sequential::copy`.
        let add = black_box(0);
        let sources = self.sources.iter().map(|(source, _)| source.lines());
        let targets = self.targets.iter_mut().map(Region::lines_mut);
        let mut pairs: Vec<_> = targets.zip(sources).collect();
        let each = pairs.len().div_ceil(team.threads());
        let mut shares = Vec::new();
        while !pairs.is_empty() {
            shares.push(pairs.split_off(pairs.len().saturating_sub(each)));
        }
        let began = Instant::now();
        team.run(shares, |_, share| {
            for (to, from) in share {
                if streaming {
                    sequential::copy_streaming(&mut *to, from);
                } else {
                    sequential::copy(words_mut(&mut *to), words(from), add);
                }
                black_box(to);
            }
        });
        let seconds = began.elapsed().as_secs_f64();
        let rows = self.case.probe_rows;
        let counters = [
            (ROWS, 0),
            (SPLIT_ROWS, 0),
            (RESERVED, self.case.probe_bytes),
        ];
        self.measured(seconds, rows, counters)
    }

    fn load(&mut self, placement: PlacementKind, workers: u32) -> Result<Measured, Failed> {
        let failed = |error: &dyn std::fmt::Display| Failed::Error(error.to_string());
        let store = match self.store.take() {
            Some(store) => store,
            None => MappedStore::touched(self.layout).map_err(|error| failed(&error))?,
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
        let next = AtomicUsize::new(0);
        let work = |_: u32, sink: &mut dyn Sink| {
            // Relaxed: the counter only hands out numbers.
            while let Some(mut stream) = streams.get(next.fetch_add(1, Ordering::Relaxed)).copied()
            {
                sink.copy(&mut stream)?;
            }
            Ok(())
        };
        let began = Instant::now();
        let outcomes = run(&space, workers, Some(FIXED_WIDTHS.len() as u16), &work);
        let seconds = began.elapsed().as_secs_f64();
        let (mut rows, mut split) = (0, 0);
        for Outcome {
            sections, failure, ..
        } in outcomes
        {
            if let Some(failure) = failure {
                return Err(failed(&failure));
            }
            rows += sections.iter().map(|section| section.rows).sum::<u64>();
            split += sections.iter().filter(|section| section.tail > 0).count() as u64;
        }
        rows += split;
        let counters = [
            (ROWS, rows),
            (SPLIT_ROWS, split),
            (RESERVED, space.reserved()),
        ];
        self.store = Some(space.into_store());
        Ok(self.measured(seconds, rows, counters))
    }
}

impl Bench for IngestBench {
    fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    fn sample(&mut self, contender: usize, _round: u32) -> Result<Measured, Failed> {
        let workers = self.contenders[contender].name.threads;
        let watching = self.watch.start();
        let measured = match self.ways[contender] {
            Way::Placed(placement) => self.load(placement, workers),
            copy => {
                let team = machine::team(workers, ThreadStart::Fresh);
                team.map_err(|error| Failed::Error(error.to_string()))
                    .map(|team| self.copy(copy == Way::CopyStreaming, &team))
            }
        }?;
        Ok(Measured {
            system: Some(self.watch.since(&watching)),
            ..measured
        })
    }
}

/// Measures rows of all kinds, `samples` times each. That there is no memory for them is a note of the run.
///
/// # Errors
/// As [`Runner::case`].
pub fn measure(runner: &mut Runner<'_>, volume: &Volume, samples: u32) -> Result<(), Stop> {
    session::variants(runner, records())?;
    let budget = Budget::Samples {
        variant: samples,
        peer: samples,
    };
    for rows in ROWS_MADE {
        let name = rows.case_name();
        if runner.is_measured(&name) {
            continue;
        }
        match IngestBench::new(volume, rows) {
            Ok(mut bench) => {
                let case = bench.case().clone();
                runner.case_unless_measured(&case, &mut bench, budget)?;
            }
            Err(error) => runner.note(format!("{name} was not measured: {error}."))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_writes_all_rows() {
        let volume = Volume {
            workers: vec![1, 3],
            bytes: 1 << 16,
            slot: 1 << 16,
        };
        for rows in ROWS_MADE {
            let mut bench = IngestBench::new(&volume, rows).unwrap();
            assert_eq!(bench.contenders().len(), 12);
            for contender in 0..12 {
                let measured = bench.sample(contender, 1).unwrap();
                assert_eq!(Some(measured.answer), bench.case().expected, "{contender}");
                let placed = matches!(bench.ways[contender], Way::Placed(_));
                assert_eq!(measured.counters[ROWS] > 0, placed);
            }
        }
    }
}
