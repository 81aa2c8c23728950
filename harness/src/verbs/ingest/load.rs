//! `harness ingest load`: a server's rows into chunks.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aligned_ingest::server::{From, Plan, Progress, Server, Snapshot, work};
use aligned_ingest::{Job, Layout, LoadError, Manifest, Sink, StoreKind};

use super::super::Ending;
use super::{Load, size};

use crate::console::{self, tell};

/// Rows are sent larger than they are stored: narrow columns get four bytes of length, and long values are compressed
/// on the server's disk. Files have holes, so room costs nothing.
const ROOM: u64 = 16;
const LEAST_ROOM: u64 = 1 << 30;

pub(super) fn run(args: &Load) -> Result<(), Ending> {
    // A limit on the size of files becomes an error of the write, like a full disk.
    // SAFETY: ignoring a signal touches no memory, and no thread was started yet.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let server = Server::new(&args.dsn, args.tls_ca.as_deref()).map_err(Ending::usage)?;
    let mut snapshot = Snapshot::begin(&server).map_err(Ending::usage)?;
    let from = match (&args.table, &args.query) {
        (Some(table), _) => From::Table(table.clone()),
        (None, query) => From::Query(query.clone().unwrap_or_default()),
    };
    let plan = snapshot.plan(&from, args.workers).map_err(Ending::usage)?;
    let slot = args.slot.0;
    let layout = match args.chunk_size {
        Some(bytes) => Layout::new(slot, args.chunks, bytes.0),
        None => {
            let room = plan.estimated_bytes.saturating_mul(ROOM).max(LEAST_ROOM);
            Layout::for_bytes(slot, args.chunks, room, args.workers)
        }
    };
    let job = Job {
        source: plan.source.clone(),
        columns: plan.columns.clone(),
        layout: layout.map_err(Ending::usage)?,
        placement: args.placement.into(),
        workers: args.workers,
    };
    let began = Instant::now();
    let store = if args.mapped {
        StoreKind::Mapped
    } else {
        StoreKind::File
    };
    let manifest = load(&job, args, &server, &plan, store).map_err(Ending::usage)?;
    snapshot.end();
    let seconds = began.elapsed().as_secs_f64();
    say!(
        "{}: {} rows, {} in {seconds:.2} s ({:.1} MB/s), {}, {} sections, {} rows split",
        args.out.display(),
        manifest.rows,
        size::text(manifest.used as f64),
        manifest.used as f64 / 1e6 / seconds,
        manifest.placement,
        manifest.sections.len(),
        manifest.split_rows,
    );
    Ok(())
}

fn load(
    job: &Job,
    args: &Load,
    server: &Server,
    plan: &Plan,
    store: StoreKind,
) -> Result<Manifest, LoadError> {
    let progress = Progress::default();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| show(&progress, &done));
        let loaded = job.load(&args.out, store, &|_, sink: &mut dyn Sink| {
            work(server, plan, &progress, sink)
        });
        done.store(true, Ordering::Relaxed);
        loaded
    })
}

/// Says how far the load is: often on a terminal, now and then elsewhere.
fn show(progress: &Progress, done: &AtomicBool) {
    let terminal = stderr().is_terminal();
    let interval = Duration::from_millis(if terminal { 200 } else { 5000 });
    let (began, mut shown) = (Instant::now(), Instant::now());
    while !done.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
        if shown.elapsed() < interval {
            continue;
        }
        shown = Instant::now();
        let bytes = progress.bytes.load(Ordering::Relaxed) as f64;
        let line = format!(
            "{} rows, {}, {:.1} MB/s",
            progress.rows.load(Ordering::Relaxed),
            size::text(bytes),
            bytes / 1e6 / began.elapsed().as_secs_f64()
        );
        if terminal {
            console::write(&format!("\r\x1b[K{line}"));
        } else {
            tell!("{line}");
        }
    }
    if terminal {
        console::write("\r\x1b[K");
    }
}
