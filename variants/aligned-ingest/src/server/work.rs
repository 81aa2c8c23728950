//! A worker's share of a plan.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam::queue::SegQueue;
use postgres::{CancelToken, CopyOutReader};

use super::plan::{LoadPlan, join};
use super::{Server, one_line};
use crate::load::Sink;
use crate::writer::WriteError;

/// Why a load ends that somebody stops.
const INTERRUPTED: &str = "interrupted";

/// What was read so far, by all workers.
#[derive(Default)]
pub struct Progress {
    /// Rows of streams that are done.
    pub rows: AtomicU64,
    /// Bytes.
    pub bytes: AtomicU64,
    next: AtomicUsize,
    stop: Arc<AtomicBool>,
    /// How to end what connections wait for.
    waits: SegQueue<CancelToken>,
}

impl Progress {
    /// Of a load that ends with an error once `stop` is raised.
    pub fn until(stop: Arc<AtomicBool>) -> Progress {
        Progress {
            stop,
            ..Progress::default()
        }
    }

    /// Once the load is to stop, ends what its connections wait for: a statement that sends nothing yet looks at no flag.
    /// To be called until the load has ended: a statement may be sent just after it was asked to end.
    pub fn end_waits(&self, server: &Server) {
        if !self.stop.load(Ordering::Relaxed) {
            return;
        }
        for _ in 0..self.waits.len() {
            let Some(token) = self.waits.pop() else {
                return;
            };
            server.cancel(&token);
            self.waits.push(token);
        }
    }
}

/// Reads what the plan has until nothing is left: each worker takes the next statement (one `fetch_add`), on a
/// connection of its own in the plan's snapshot.
///
/// # Errors
/// If the server refuses or goes away.
pub fn work(
    server: &Server,
    plan: &LoadPlan,
    progress: &Progress,
    sink: &mut dyn Sink,
) -> Result<(), WriteError> {
    let mut connected = None;
    loop {
        // Relaxed: the counter only hands out numbers.
        let number = progress.next.fetch_add(1, Ordering::Relaxed);
        let Some(copy) = plan.copies.get(number) else {
            return Ok(());
        };
        if progress.stop.load(Ordering::Relaxed) {
            return Err(WriteError::Source(INTERRUPTED.to_owned()));
        }
        let mut client = match connected.take() {
            Some(client) => client,
            None => {
                let mut fresh = server.connect().map_err(source)?;
                join(&mut fresh, plan).map_err(source)?;
                progress.waits.push(fresh.cancel_token());
                fresh
            }
        };
        let stream = client.copy_out(copy.as_str());
        let copied = stream
            .map_err(|error| WriteError::Source(one_line(&error)))
            .and_then(|stream| sink.copy(&mut Counted { stream, progress }));
        match copied {
            Ok(rows) => progress.rows.fetch_add(rows, Ordering::Relaxed),
            Err(error) => {
                server.abandon(client);
                return Err(error);
            }
        };
        connected = Some(client);
    }
}

fn source(error: impl ToString) -> WriteError {
    WriteError::Source(error.to_string())
}

/// A stream that counts its bytes and says in one line why it broke.
struct Counted<'a> {
    stream: CopyOutReader<'a>,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let taken = bytes.len().min(to.len());
        to[..taken].copy_from_slice(&bytes[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.progress.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other(INTERRUPTED));
        }
        self.stream.fill_buf().map_err(|error| {
            let inner = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<postgres::Error>());
            let what = inner.map_or_else(|| error.to_string(), one_line);
            io::Error::new(error.kind(), format!("the server stopped sending: {what}"))
        })
    }

    fn consume(&mut self, bytes: usize) {
        self.progress
            .bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.stream.consume(bytes);
    }
}
