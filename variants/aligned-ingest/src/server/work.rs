//! A worker's share of a plan.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use postgres::CopyOutReader;

use super::plan::{Plan, join};
use super::{Server, one_line};
use crate::load::Sink;
use crate::writer::WriteError;

/// What was read so far, by all workers.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows of streams that are done.
    pub rows: AtomicU64,
    /// Bytes.
    pub bytes: AtomicU64,
    next: AtomicUsize,
    stop: Arc<AtomicBool>,
}

impl Progress {
    /// Of a load that ends with an error once `stop` is raised.
    pub fn until(stop: Arc<AtomicBool>) -> Progress {
        Progress {
            stop,
            ..Progress::default()
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
    plan: &Plan,
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
        let mut client = match connected.take() {
            Some(client) => client,
            None => {
                let mut fresh = server.connect().map_err(source)?;
                join(&mut fresh, plan).map_err(source)?;
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
            return Err(io::Error::other("interrupted"));
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
