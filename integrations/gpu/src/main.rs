//! `joinery-gpu`: what `harness ingest gpu` and `harness list devices` run.

mod bench;
mod peer;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use aligned_ingest::Chunks;
use aligned_ingest::pages::NumericAs;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{all_or_nothing, one_line};
use joinery_gpu::{Device, GpuError, Kind, Reader, Totals, adapters, is_software, to_table};

/// Aligned chunks, read on a GPU
#[derive(Debug, Parser)]
#[command(name = "harness ingest gpu", bin_name = "harness ingest gpu")]
enum Verb {
    /// Read chunks on the device, and compare rows, values and sums with the manifest and the processor's reader
    Check {
        /// The folder of chunks
        folder: PathBuf,
        /// Compare rows, values and a checksum a column with this server, too; as for `ingest load`
        #[arg(long)]
        dsn: Option<String>,
        /// Certificates in PEM form: connect only to a server that proves by one of them that it is the host
        #[arg(long, value_name = "FILE", requires = "dsn")]
        tls_ca: Option<PathBuf>,
        #[command(flatten)]
        on: On,
    },
    /// Chunks into a table folder: the same one as that of `harness ingest pages`
    Pages {
        /// The folder of chunks
        folder: PathBuf,
        /// The table folder to write
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The table's name [default: that of the folder]
        #[arg(long)]
        name: Option<String>,
        /// Write numeric as INT64 in units of 10^-N instead of FP64
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=18))]
        numeric_decimals: Option<u8>,
        #[command(flatten)]
        on: On,
    },
    /// Time sections of one lane each against strides, and both against the bus and the processor
    Bench(bench::Args),
    /// List adapters and their limits
    Devices,
    /// Join by the protocol of the experiment's peers, in lines of JSON
    #[command(hide = true)]
    Peer {
        /// Say which device there is instead
        #[arg(long)]
        version: bool,
        #[command(flatten)]
        on: On,
    },
}

/// Where to read.
#[derive(Debug, clap::Args)]
struct On {
    /// A part of the adapter's name; see `harness list devices` [default: the first that is a GPU, or any]
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// Bytes that may be used on the device, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    device_memory: u64,
}

impl On {
    fn open(&self) -> Result<Device, GpuError> {
        Device::open(self.adapter.as_deref())
    }

    fn memory(&self) -> u64 {
        self.device_memory << 20
    }
}

/// How it ended, where it did not do what it was asked: what to say, and the exit status.
struct Ended(String, u8);

impl<E: std::error::Error> From<E> for Ended {
    fn from(error: E) -> Ended {
        Ended(error.to_string(), 2)
    }
}

fn main() -> ExitCode {
    // The layer by which Mesa puts adapters in order prints an error of its own where there is no desktop.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    let verb = match Verb::try_parse() {
        Ok(verb) => verb,
        Err(error) => {
            // Nothing is left to do where not even that can be printed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let done = match &verb {
        Verb::Check {
            folder,
            dsn,
            tls_ca,
            on,
        } => check(folder, dsn.as_deref(), tls_ca.as_deref(), on),
        Verb::Pages {
            folder,
            out,
            name,
            numeric_decimals,
            on,
        } => {
            let numeric = numeric_decimals.map_or(NumericAs::Fp64, NumericAs::ScaledInt64);
            pages(folder, out, name.clone(), numeric, on)
        }
        Verb::Bench(args) => bench::run(args),
        Verb::Devices => devices(),
        Verb::Peer { version: true, on } => peer::version(on).and_then(|version| print(&version)),
        Verb::Peer { on, .. } => peer::run(on),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended(what, status)) => {
            say(&format!("error: {what}"));
            ExitCode::from(status)
        }
    }
}

/// Says a line on standard error, if that can be written.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", one_line(line));
}

/// Prints a line. A reader that has seen enough (`| head`) is no error.
fn print(line: &str) -> Result<(), Ended> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Ended(
            format!("cannot write to standard output: {error}"),
            2,
        )),
        _ => Ok(()),
    }
}

/// All processors.
fn team() -> Team {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    Team::new(threads, ThreadStart::Fresh)
}

/// A bar for long work where somebody sees it.
fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {eta} left");
    match style {
        Ok(style) if io::stderr().is_terminal() => ProgressBar::new(bytes).with_style(style),
        _ => ProgressBar::hidden(),
    }
}

fn check(folder: &Path, dsn: Option<&str>, ca: Option<&Path>, on: &On) -> Result<(), Ended> {
    let chunks = Chunks::open(folder)?;
    let device = on.open()?;
    let reader = Reader::new(&device, &chunks, on.memory(), 1)?;
    let bar = bar(chunks.manifest().used);
    let (totals, _) = reader.read(&mut |bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    let manifest = chunks.manifest();
    let (flights, lanes) = reader.flights_and_lanes();
    let strides = chunks
        .index()
        .map_or("no index of row starts".to_owned(), |index| {
            format!("a row start every {} bytes", index.stride())
        });
    print(&format!(
        "{}: {} rows of {} sections on {} ({flights} flights, {lanes} lanes, {strides})",
        folder.display(),
        totals.rows,
        manifest.sections.len(),
        device.name(),
    ))?;
    for (column, sum) in manifest.columns.iter().zip(&totals.columns) {
        let of = match Kind::of(column) {
            Kind::Bytes => "bytes add up to",
            Kind::Float4 | Kind::Float8 => "bits add up to",
            _ => "sum",
        };
        let text = match of {
            "sum" => (sum.sum as i64).to_string(),
            _ => sum.sum.to_string(),
        };
        print(&format!(
            "  {} {}: {} values, {of} {text}",
            one_line(&column.name),
            one_line(&column.type_name),
            sum.values,
        ))?;
    }
    if manifest.split_rows > 0 {
        return Err(Ended(
            format!(
                "{} of {} rows are split and lost to a reader of sections; load with aligned or packed-rows",
                manifest.split_rows, manifest.rows
            ),
            1,
        ));
    }
    if totals != Totals::of(&chunks, &team()) {
        let what = "the processor's reader has other sums; update the device's driver";
        return Err(Ended(what.into(), 1));
    }
    print("the processor's reader has the same rows, values and sums")?;
    dsn.map_or(Ok(()), |dsn| against_server(&chunks, dsn, ca))
}

#[cfg(not(feature = "ingest"))]
fn against_server(_: &Chunks, _: &str, _: Option<&Path>) -> Result<(), Ended> {
    let what = "this build has no PostgreSQL client; run cargo run -p harness --features ingest -- ingest gpu check …";
    Err(Ended(what.into(), 2))
}

/// Compares the chunks, in which the device found the processor's sums, with the server that they came from.
#[cfg(feature = "ingest")]
fn against_server(chunks: &Chunks, dsn: &str, ca: Option<&Path>) -> Result<(), Ended> {
    use aligned_ingest::server::{Server, check};
    let server = Server::new(dsn, ca)?;
    let (rows, differences) = check(chunks, &server, &team())?;
    let texts = differences
        .iter()
        .map(|d| format!("{}: {} here, {} on the server", d.what, d.chunks, d.server));
    let texts: Vec<String> = texts.collect();
    match texts.is_empty() {
        true => print(&format!(
            "{server}: {rows} rows and the checksums of {} columns are the same",
            chunks.manifest().columns.len()
        )),
        false => Err(Ended(texts.join("; "), 1)),
    }
}

fn pages(
    folder: &Path,
    out: &Path,
    name: Option<String>,
    numeric: NumericAs,
    on: &On,
) -> Result<(), Ended> {
    let chunks = Chunks::open(folder)?;
    let device = on.open()?;
    let threads = team().threads();
    let reader = Reader::new(&device, &chunks, on.memory(), threads)?;
    let of_folder = out
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.or(of_folder).unwrap_or_else(|| "table".into());
    let bar = bar(chunks.manifest().used);
    let paged = to_table(&reader, &name, numeric, threads, &mut |bytes| {
        bar.inc(bytes)
    })?;
    bar.finish_and_clear();
    all_or_nothing(out, || paged.table.write(out))?;
    for (column, values) in &paged.losses {
        say(&format!(
            "column {column:?}: {values} values lost digits; see --numeric-decimals"
        ));
    }
    print(&format!(
        "{}: {} rows, {} columns",
        out.display(),
        paged.table.num_rows(),
        paged.table.columns().len()
    ))
}

fn devices() -> Result<(), Ended> {
    let all = adapters();
    if all.is_empty() {
        return Err(GpuError::NoAdapter.into());
    }
    for adapter in all {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let kind = if is_software(&adapter) {
            "software"
        } else {
            "GPU"
        };
        print(&format!(
            "{}  {kind}  {}  {} MiB a buffer  {} MiB a binding  subgroups of {} to {}  driver {} {}",
            info.name,
            info.backend,
            limits.max_buffer_size >> 20,
            limits.max_storage_buffer_binding_size >> 20,
            info.subgroup_min_size,
            info.subgroup_max_size,
            info.driver,
            info.driver_info,
        ))?;
    }
    Ok(())
}
