//! `harness ingest load`: a server's rows into chunks.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aligned_ingest::server::{LoadPlan, Origin, Progress, Server, Snapshot, work};
use aligned_ingest::{Job, Layout, LoadError, Manifest, Sink, StoreKind};

use super::super::{Ending, interrupt_flag};
use super::Load;

use crate::console::{self, tell};
use report::charts::scale;

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
        (Some(table), _) => Origin::Table(table.clone()),
        (None, query) => Origin::Query(query.clone().unwrap_or_default()),
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
        stride: args.stride.0,
    };
    let connections = plan.copies.len().min(args.workers as usize) as u64;
    open_files(u64::from(args.chunks) + connections * FILES_A_CONNECTION)?;
    let began = Instant::now();
    let store = if args.mapped {
        StoreKind::Mapped
    } else {
        StoreKind::File
    };
    let interrupted = interrupt_flag();
    let manifest = load(&job, args, &server, &plan, store, &interrupted).map_err(|error| {
        if interrupted.load(Ordering::Relaxed) {
            Ending::Interrupted("interrupted; nothing of the load is left".into())
        } else {
            Ending::usage(error)
        }
    })?;
    snapshot.end();
    let seconds = began.elapsed().as_secs_f64();
    say!(
        "{}: {} rows, {} in {seconds:.2} s ({:.1} MB/s), {}, {} sections, {} rows split",
        args.out.display(),
        manifest.rows,
        scale::bytes(manifest.used as f64),
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
    plan: &LoadPlan,
    store: StoreKind,
    interrupted: &Arc<AtomicBool>,
) -> Result<Manifest, LoadError> {
    let progress = Progress::until(interrupted.clone());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Without a thread for it, nothing is shown.
        let _ = thread::Builder::new().spawn_scoped(scope, || show(&progress, server, &done));
        // Whatever ends the load ends what shows it.
        let _done = Raise(&done);
        job.load(&args.out, store, &|_, sink: &mut dyn Sink| {
            work(server, plan, &progress, sink)
        })
    })
}

/// Raises a flag when it is dropped, in a panic too.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection is a socket and what its event loop waits with.
const FILES_A_CONNECTION: u64 = 8;
/// Files that are open already, or are for a moment.
const OTHER_FILES: u64 = 64;

/// Makes sure that so many files may be open, for the client ends in a panic where they may not.
fn open_files(files: u64) -> Result<(), Ending> {
    let needed = files + OTHER_FILES;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a system call that writes to the struct behind the pointer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0;
    if !known || limit.rlim_cur >= needed {
        return Ok(());
    }
    limit.rlim_cur = needed;
    // SAFETY: a system call that reads the struct behind the pointer.
    let raised =
        needed <= limit.rlim_max && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } == 0;
    if raised {
        return Ok(());
    }
    Err(Ending::Usage(format!(
        "{needed} files and connections would be open, of which the system allows {}; lower --workers or --chunks, or \
         raise ulimit -n",
        limit.rlim_max
    )))
}

/// Says how far the load is: often on a terminal, now and then elsewhere. Ends its waits once somebody interrupts it.
fn show(progress: &Progress, server: &Server, done: &AtomicBool) {
    let terminal = stderr().is_terminal();
    let interval = Duration::from_millis(if terminal { 200 } else { 5000 });
    let (began, mut shown) = (Instant::now(), Instant::now());
    while !done.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
        progress.end_waits(server);
        if shown.elapsed() < interval {
            continue;
        }
        shown = Instant::now();
        let bytes = progress.bytes.load(Ordering::Relaxed) as f64;
        let line = format!(
            "{} rows, {}, {:.1} MB/s",
            progress.rows.load(Ordering::Relaxed),
            scale::bytes(bytes),
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
