//! Sections of one lane each against strides, and what bounds both.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aligned_ingest::ssb::SsbTable;
use aligned_ingest::{Chunks, Job, Layout, PlacementKind, RowIndex, Sink, SourceColumn};
use joinery_gpu::{Device, Reader, Totals};

use crate::{Ended, On, print, team};

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
    /// Measurements of each, of which the median is told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    #[command(flatten)]
    on: On,
}

/// Rows of lineorder in memory.
fn in_memory(rows: u64, slot: u64) -> Result<Chunks, Ended> {
    let mut stream = Vec::new();
    SsbTable::Lineorder.write(rows as f64 / LINEORDER_ROWS, &mut stream)?;
    let columns = SsbTable::Lineorder.columns().split(',').map(|column| {
        let (name, declared) = column.trim().split_once(' ').unwrap_or((column, ""));
        let bare = declared.split('(').next().unwrap_or_default();
        SourceColumn {
            name: name.to_owned(),
            type_name: if bare == "char" { "bpchar" } else { bare }.to_owned(),
        }
    });
    let bytes = stream.len() as u64;
    let job = Job {
        source: "lineorder".into(),
        columns: columns.collect(),
        layout: Layout::for_bytes(slot.max(ROW_BYTES), 1, bytes, 1)?,
        placement: PlacementKind::Aligned,
        workers: 1,
        stride: RowIndex::DEFAULT_STRIDE,
    };
    let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut &stream[..]).map(drop);
    let (manifest, store) = job.load_in_memory(&work)?;
    Ok(Chunks::in_memory(manifest, store))
}

pub fn run(args: &Args) -> Result<(), Ended> {
    let mut chunks = match (&args.folder, args.rows) {
        (Some(folder), _) => Chunks::open_without_index(folder)?,
        (None, rows) => in_memory(rows.unwrap_or(1), args.slot << 20)?,
    };
    let (device, team) = (args.on.open()?, team());
    let bytes = chunks.manifest().used as f64;
    print(&format!(
        "{} rows, {:.1} MB in {} sections, on {}",
        chunks.manifest().rows,
        bytes / 1e6,
        chunks.manifest().sections.len(),
        device.name(),
    ))?;
    if device.is_software() {
        print("software device: its times say nothing of a GPU, and there is no verdict")?;
    }
    let told = |what: &str, took: Duration, more: String| {
        let seconds = took.as_secs_f64();
        print(&format!(
            "{what:<24} {:>8.3} GB/s  {more}",
            bytes / 1e9 / seconds
        ))
    };
    let took = median(args.rounds, || {
        std::hint::black_box(Totals::of(&chunks, &team));
        Ok(())
    })?;
    told("processor, all threads", took, String::new())?;
    let bus = median(args.rounds, || {
        Ok(device.copy(args.on.memory() / 16, bytes as u64)?)
    })?;
    told("bus: copying alone", bus, String::new())?;
    lap(&device, &chunks, args, &told, "section a lane")?;
    for &stride in &args.strides {
        let began = Instant::now();
        let index = chunks.make_index(stride.max(1) << 10, &team)?;
        let made = began.elapsed();
        chunks = chunks.with_index(index);
        let what = format!("stride {stride} KiB");
        lap(&device, &chunks, args, &told, &what)?;
        print(&format!(
            "{:<24} made in {:.3} s",
            "  its index",
            made.as_secs_f64()
        ))?;
    }
    Ok(())
}

/// Times a way of reading.
fn lap(
    device: &Device,
    chunks: &Chunks,
    args: &Args,
    told: &dyn Fn(&str, Duration, String) -> Result<(), Ended>,
    what: &str,
) -> Result<(), Ended> {
    let reader = Reader::new(device, chunks, args.on.memory(), 1)?;
    let mut timing = Default::default();
    let took = median(args.rounds, || {
        timing = reader.read(&mut |_| ())?.1;
        Ok(())
    })?;
    let (flights, lanes) = reader.flights_and_lanes();
    let joinery_gpu::Timing {
        copying, waiting, ..
    } = timing;
    let more = format!(
        "{lanes} lanes in {flights} flights, {:.3} s copying, {:.3} s waiting",
        copying.as_secs_f64(),
        waiting.as_secs_f64()
    );
    told(what, took, more)
}

/// The median time of so many runs, after one that warms up.
fn median(rounds: u32, mut run: impl FnMut() -> Result<(), Ended>) -> Result<Duration, Ended> {
    run()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        run()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
