//! Ways of finding rows on the device: sections of one lane each, strides of them, and sections that overlap; beside what
//! bounds them all.

mod chart;
mod join;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use aligned_ingest::overlap::truth;
use aligned_ingest::ssb::SsbTable;
use aligned_ingest::{Chunks, Job, Layout, PlacementKind, RowIndex, Sink, SourceColumn};
use join_core::table::all_or_nothing;
use joinery_gpu::{Device, Reader, Search, Timing, Totals, code_lines};
use report::charts::scale;
use report::stats::{Interval, interval};

use crate::{Ended, On, print, team};

/// Measurements of what an index costs, at least: it is little.
const INDEX_ROUNDS: u32 = 30;
/// Rows of lineorder at scale factor 1.
const LINEORDER_ROWS: f64 = 6e6;
/// Bytes of a row of lineorder, at most.
const ROW_BYTES: u64 = 256;

/// Arguments of `ingest gpu bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of chunks
    #[arg(required_unless_present = "rows")]
    folder: Option<PathBuf>,
    /// About so many rows of the benchmark's lineorder, from memory
    #[arg(long, value_name = "N", conflicts_with = "folder", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rows: Option<u64>,
    /// Bytes of a section in memory
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1024))]
    slot: u64,
    /// Strides to try, in KiB
    #[arg(long, value_name = "KIB,KIB", value_delimiter = ',', default_values_t = [4, 16, 64, 256])]
    strides: Vec<u64>,
    /// Bytes of a section where rows are looked for near its start, in KiB; 0 leaves that out
    #[arg(long, value_name = "KIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    overlapped: u64,
    /// Bytes of the longest row there, in KiB
    #[arg(long, value_name = "KIB", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    longest_row: u64,
    /// Folder for a chart of the times and their table
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Measurements of each, of which the median is told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Join on the device in place of that: keys of the rows with keys of the build side
    #[arg(long, value_name = "COLUMN=COLUMN", num_args = 0..=1, default_missing_value = "lo_partkey=p_partkey")]
    join: Option<String>,
    /// The folder of the build side [default with --rows: the benchmark's part, from memory]
    #[arg(long, value_name = "DIR", requires = "join")]
    build: Option<PathBuf>,
    #[command(flatten)]
    pub on: On,
}

/// A table of the benchmark in memory, at the scale at which lineorder has about so many rows.
fn in_memory(
    table: SsbTable,
    placement: PlacementKind,
    rows: u64,
    slot: u64,
) -> Result<Chunks, Ended> {
    let stream = stream(table, rows)?;
    load(table, placement, RowIndex::DEFAULT_STRIDE, &stream, slot)
}

/// That table as the server sends it.
fn stream(table: SsbTable, rows: u64) -> Result<Vec<u8>, Ended> {
    let mut stream = Vec::new();
    table.write(rows as f64 / LINEORDER_ROWS, &mut stream)?;
    Ok(stream)
}

/// Writes a stream into chunks in memory.
fn load(
    table: SsbTable,
    placement: PlacementKind,
    stride: u64,
    stream: &[u8],
    slot: u64,
) -> Result<Chunks, Ended> {
    let columns = table.columns().split(',').map(|column| {
        let (name, declared) = column.trim().split_once(' ').unwrap_or((column, ""));
        let bare = declared.split('(').next().unwrap_or_default();
        SourceColumn {
            name: name.to_owned(),
            type_name: if bare == "char" { "bpchar" } else { bare }.to_owned(),
        }
    });
    let bytes = stream.len() as u64;
    let job = Job {
        source: table.name().into(),
        columns: columns.collect(),
        layout: Layout::for_bytes(slot.max(ROW_BYTES), 1, bytes, 1)?,
        placement,
        workers: 1,
        stride,
    };
    let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &stream[..]).map(drop);
    let (manifest, store) = job.load_in_memory(&work)?;
    Ok(Chunks::in_memory(manifest, store))
}

/// What noting row starts adds to the time of writing: writes with and without, in turns.
fn index_cost(args: &Args, rows: u64) -> Result<(), Ended> {
    let table = SsbTable::Lineorder;
    let stream = stream(table, rows)?;
    // Longer than any section, so that there is nothing to note.
    let never = 1 << 40;
    let mut ratios = Vec::new();
    for round in 0..=args.rounds.max(INDEX_ROUNDS) {
        let mut seconds = [0.0; 2];
        // Whoever comes first finds the memory in another state.
        for which in [round % 2, 1 - round % 2] {
            let stride = [RowIndex::DEFAULT_STRIDE, never][which as usize];
            let began = Clock::Processors.now();
            let loaded = load(
                table,
                PlacementKind::Aligned,
                stride,
                &stream,
                args.slot << 20,
            )?;
            seconds[which as usize] = Clock::Processors.now() - began;
            drop(loaded);
        }
        // The first one warms up.
        if round > 0 {
            ratios.push(seconds[0] / seconds[1]);
        }
    }
    let ratio = interval(&ratios, 1).map_or(String::new(), |ratio| {
        let Interval { median, low, high } = ratio;
        format!("{median:.3} ({low:.3} to {high:.3})")
    });
    let entries = stream.len() as u64 / RowIndex::DEFAULT_STRIDE;
    print(&format!(
        "index of a stride of {} KiB: {} of {}; writing takes {ratio} times the processors' time with it",
        RowIndex::DEFAULT_STRIDE >> 10,
        scale::bytes(4.0 * entries as f64),
        scale::bytes(stream.len() as f64),
    ))
}

/// A way of reading, measured.
struct Lap {
    what: String,
    seconds: Interval,
    /// Lines of kernel code that find rows, where it is done on the device.
    lines: Option<usize>,
    /// Bytes on the device per byte of rows in a flight, where there are flights.
    memory: Option<f64>,
    note: String,
}

/// What is measured, and by which arguments.
struct Bench<'a> {
    args: &'a Args,
    device: Device,
    clock: Clock,
    /// Of all rows.
    bytes: f64,
    laps: Vec<Lap>,
}

pub fn run(args: &Args) -> Result<(), Ended> {
    if let Some(on) = &args.join {
        return join::run(args, on);
    }
    let in_memory = |placement| {
        let rows = args.rows.unwrap_or(1);
        in_memory(SsbTable::Lineorder, placement, rows, args.slot << 20)
    };
    let mut chunks = match &args.folder {
        Some(folder) => Chunks::open_without_index(folder)?,
        None => in_memory(PlacementKind::Aligned)?,
    };
    let (device, team) = (args.on.open()?, team());
    let manifest = chunks.manifest();
    let mut bench = Bench {
        args,
        clock: Clock::of(&device),
        device,
        bytes: manifest.used as f64,
        laps: Vec::new(),
    };
    print(&format!(
        "{} rows, {} in {} sections, on {}",
        manifest.rows,
        scale::bytes(bench.bytes),
        manifest.sections.len(),
        bench.device.name(),
    ))?;
    warn(&bench.device)?;
    print(&format!("GB of rows per {}:", bench.clock.name()))?;
    let seconds = measured(args.rounds, bench.clock, || {
        std::hint::black_box(Totals::of(&chunks, &team));
        Ok(())
    })?;
    bench.tell(Lap::of("processor, all threads", seconds))?;
    let (at_once, all) = (args.on.memory() / 16, bench.bytes as u64);
    let seconds = measured(args.rounds, bench.clock, || {
        Ok(bench.device.copy(at_once, all)?)
    })?;
    bench.tell(Lap::of("bus: copying alone", seconds))?;
    let known = code_lines(&["count", "place"]);
    let what = match bench.device.is_software() {
        true => "sections, cut by the processor",
        false => "sections, a lane each",
    };
    bench.lap(&chunks, None, what, known, String::new())?;
    for &stride in &args.strides {
        let began = Instant::now();
        let index = chunks.make_index(stride.max(1) << 10, &team)?;
        let note = format!("; index made in {:.3} s", began.elapsed().as_secs_f64());
        chunks = chunks.with_index(index);
        bench.lap(
            &chunks,
            None,
            &format!("strides of {stride} KiB"),
            known,
            note,
        )?;
    }
    if args.overlapped > 0 {
        let packed = match &args.folder {
            Some(folder) => Chunks::open_without_index(folder)?,
            None => in_memory(PlacementKind::Packed)?,
        };
        bench.overlapped(&packed)?;
    }
    if let (None, Some(rows)) = (&args.folder, args.rows) {
        index_cost(args, rows)?;
    }
    match &args.out {
        Some(out) => bench.draw(out),
        None => Ok(()),
    }
}

impl Lap {
    fn of(what: &str, seconds: Interval) -> Lap {
        Lap {
            what: what.to_owned(),
            seconds,
            lines: None,
            memory: None,
            note: String::new(),
        }
    }
}

impl Bench<'_> {
    fn tell(&mut self, lap: Lap) -> Result<(), Ended> {
        let rate = |seconds: f64| self.bytes / 1e9 / seconds;
        let Interval { median, low, high } = lap.seconds;
        let lines = lap
            .lines
            .map_or(String::new(), |lines| format!("{lines} lines"));
        let memory = lap
            .memory
            .map_or(String::new(), |ratio| format!("{ratio:.2} B/B"));
        print(&format!(
            "{:<32} {:>7.3} GB ({:.3} to {:.3})  {lines:>9}  {memory:>9}  {}",
            lap.what,
            rate(median),
            rate(high),
            rate(low),
            lap.note
        ))?;
        self.laps.push(lap);
        Ok(())
    }

    /// Measures a way of reading.
    fn lap(
        &mut self,
        chunks: &Chunks,
        search: Option<Search>,
        what: &str,
        lines: usize,
        note: String,
    ) -> Result<(), Ended> {
        let memory = self.args.on.memory();
        let reader = match search {
            Some(search) => Reader::searching(&self.device, chunks, memory, search)?,
            None => Reader::new(&self.device, chunks, memory, 1)?,
        };
        let mut timing = Timing::default();
        let seconds = measured(self.args.rounds, self.clock, || {
            timing = reader.read(&mut |_| ())?.1;
            Ok(())
        })?;
        let (flights, lanes) = reader.flights_and_lanes();
        self.tell(Lap {
            lines: Some(lines),
            memory: Some(reader.memory_per_byte()),
            note: format!(
                "{lanes} lanes in {flights} flights, {:.3} s copying, {:.3} s waiting{note}",
                timing.copying.as_secs_f64(),
                timing.waiting.as_secs_f64()
            ),
            ..Lap::of(what, seconds)
        })
    }

    /// Reads without knowing where rows start, and says what that loses.
    fn overlapped(&mut self, chunks: &Chunks) -> Result<(), Ended> {
        let search = Search {
            section: self.args.overlapped << 10,
            confirm: 3,
            longest: self.args.longest_row << 10,
        };
        let truth = truth(chunks);
        let memory = self.args.on.memory();
        let (failures, _) =
            Reader::measure(&self.device, chunks, memory, search, &truth, &mut |_| ())?;
        let note = format!(
            "; {} of {} rows lost, {} invented, {} mangled",
            failures.lost, failures.rows, failures.invented, failures.mangled
        );
        let what = format!("overlapped, {} KiB", self.args.overlapped);
        let lines = code_lines(&["count_overlapped", "place_overlapped"]);
        self.lap(chunks, Some(search), &what, lines, note)
    }

    fn draw(&self, out: &std::path::Path) -> Result<(), Ended> {
        let (svg, csv) = chart::draw(&self.laps, self.bytes, &self.device, self.clock);
        all_or_nothing(out, || {
            fs::create_dir_all(out)?;
            fs::write(out.join("gpu.svg"), &svg)?;
            fs::write(out.join("gpu.csv"), &csv)
        })?;
        print(&out.join("gpu.svg").display().to_string())
    }
}

/// Says so where times are of no use.
fn warn(device: &Device) -> Result<(), Ended> {
    match device.is_software() {
        true => print("software device: its times say nothing of a GPU, and there is no verdict"),
        false => Ok(()),
    }
}

/// How time passes.
#[derive(Clone, Copy)]
enum Clock {
    /// For all alike.
    Wall,
    /// On processors, for this process alone: what a software device takes, whoever else is at work.
    Processors,
}

impl Clock {
    /// What the time of a device is told by.
    fn of(device: &Device) -> Clock {
        match device.is_software() {
            true => Clock::Processors,
            false => Clock::Wall,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Clock::Wall => "second",
            Clock::Processors => "second of processors",
        }
    }

    /// Seconds since some time.
    fn now(self) -> f64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Clock::Wall => START.elapsed().as_secs_f64(),
            Clock::Processors => {
                let mut time = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                // SAFETY: the place to write to is a local one.
                unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
                time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
            }
        }
    }
}

/// Seconds of so many runs, after one that warms up.
fn measured(
    rounds: u32,
    clock: Clock,
    mut run: impl FnMut() -> Result<(), Ended>,
) -> Result<Interval, Ended> {
    run()?;
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let began = clock.now();
        run()?;
        seconds.push(clock.now() - began);
    }
    interval(&seconds, 1).ok_or_else(|| Ended("--rounds is at least 1".into(), 2))
}
