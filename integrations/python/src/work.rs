//! Work beside the interpreter: without its lock, on a thread of its own, until it is done or someone presses Ctrl-C.

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use harness::machine;
use harness::size::Size;
use join_core::join::CacheSizes;
use join_core::memory::Memory;
use join_core::parallel::{Cancel, Team, ThreadStart};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::arguments;
use crate::error::Error;

/// How long Ctrl-C may go unnoticed.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);

/// Does `work` on a thread of its own, while this one lets go of the interpreter and looks for signals. After Ctrl-C the
/// call ends at once, and the work at its next block of rows or pairs.
pub(crate) fn apart<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let cancel = Cancel::default();
    let own = cancel.clone();
    // Nobody waits for the result of work that was cancelled.
    let ended = |_| Err(Error::value("interrupted"));
    let mut waiting = Waiting::start(move || own.run(work).unwrap_or_else(ended))?;
    loop {
        match waiting.glance(py) {
            Some(result) => return Ok(result?),
            None => py.check_signals().inspect_err(|_| cancel.cancel())?,
        }
    }
}

/// As [`apart`], but after Ctrl-C the call waits for the work to end, which is told what cancels it and says what of it that ends.
/// Until then `meanwhile` is called with the interpreter from time to time.
pub(crate) fn apart_to_the_end<T: Send + 'static>(
    py: Python<'_>,
    mut meanwhile: impl FnMut() -> PyResult<()>,
    work: impl FnOnce(&Cancel) -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let cancel = Cancel::default();
    let own = cancel.clone();
    let mut waiting = Waiting::start(move || work(&own))?;
    let mut signal = Ok(());
    loop {
        match (waiting.glance(py), &signal) {
            (Some(result), Ok(())) => return Ok(result?),
            (Some(_), Err(_)) => return Err(signal.expect_err("it is one")),
            (None, Err(_)) => {}
            (None, Ok(())) => {
                signal = meanwhile().and_then(|()| py.check_signals());
                if signal.is_err() {
                    cancel.cancel();
                }
            }
        }
    }
}

/// A thread that works, and who waits for it.
struct Waiting<T> {
    /// None only while this thread has let go of the interpreter.
    receiver: Option<Receiver<Result<T, Error>>>,
}

impl<T: Send + 'static> Waiting<T> {
    fn start(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let started = thread::Builder::new()
            .name("joinery".to_owned())
            .spawn(move || {
                // Nobody waits any more where this cannot be sent.
                let _ = sender.send(caught(work));
            });
        let cannot =
            |error| Error::Memory(format!("cannot start a thread: {error}; end some others"));
        started.map_err(cannot)?;
        Ok(Self {
            receiver: Some(receiver),
        })
    }

    /// Waits without the interpreter; the result if there is one by then.
    fn glance(&mut self, py: Python<'_>) -> Option<Result<T, Error>> {
        let receiver = self.receiver.take()?;
        let (received, receiver) = py.detach(move || (receiver.recv_timeout(GLANCE), receiver));
        self.receiver = Some(receiver);
        match received {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Error::Fault(
                "the thread that worked has gone".to_owned(),
            ))),
        }
    }
}

/// The result of `work`, a panic as an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::of_panic(&*panic)))
}

/// Asked of the system once: that takes longer than a small join.
static CACHES: LazyLock<CacheSizes> =
    LazyLock::new(|| machine::cache_sizes(&machine::data_caches()));

/// What the machine has left, asked again after a tenth of a second: asking takes longer than a small join, and in so little
/// time nobody touches a tenth of the memory, which is left for everything else.
fn usable_bytes() -> u64 {
    const FRESH: Duration = Duration::from_millis(100);
    static ASKED: Mutex<Option<(Instant, u64)>> = Mutex::new(None);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    match *asked {
        Some((at, bytes)) if at.elapsed() < FRESH => bytes,
        _ => {
            let bytes = machine::usable_bytes();
            *asked = Some((Instant::now(), bytes));
            bytes
        }
    }
}

/// How many threads there may be. More are a slip of the finger.
pub(crate) const THREADS: RangeInclusive<u64> = 1..=1024;

/// A number of bytes, or a text such as `"4GiB"`.
fn bytes(given: &Bound<'_, PyAny>) -> PyResult<u64> {
    match given.extract::<String>() {
        Ok(text) => {
            let size = text.parse().map(|Size(bytes)| bytes);
            Ok(size.map_err(|error| Error::Value(format!("memory: {error}")))?)
        }
        Err(_) => {
            let bytes = arguments::whole("memory", given, 0..=u64::MAX);
            bytes.map_err(
                |error| match error.is_instance_of::<PyTypeError>(given.py()) {
                    true => {
                        arguments::wrong_type("memory", given, "an int, or a str such as \"4GiB\"")
                    }
                    false => error,
                },
            )
        }
    }
}

/// What a call may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    threads: u32,
    memory: usize,
}

impl Limits {
    /// As many threads as asked for, all that there are otherwise; as much memory as asked for, what the machine has left
    /// otherwise.
    ///
    /// # Errors
    ///
    /// No threads, or no size.
    pub(crate) fn new(
        threads: Option<&Bound<'_, PyAny>>,
        memory: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let memory = match memory {
            None => usable_bytes(),
            Some(given) => bytes(given)?,
        };
        Ok(Self {
            threads: match threads {
                None => machine::cores(),
                Some(given) => arguments::whole("threads", given, THREADS)? as u32,
            },
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
        })
    }

    /// Threads and memory for work on so many rows.
    ///
    /// # Errors
    ///
    /// If the system does not start the threads.
    pub(crate) fn means(self, rows: usize) -> Result<Means, Error> {
        let team = match rows < Team::PARALLEL_FROM {
            true => Team::single(),
            false => machine::team(self.threads, ThreadStart::Pool).map_err(Error::value)?,
        };
        Ok(Means {
            team,
            memory: Memory::limited(self.memory),
            caches: *CACHES,
        })
    }
}

/// What a join works with.
pub(crate) struct Means {
    pub(crate) team: Team,
    pub(crate) memory: Memory,
    pub(crate) caches: CacheSizes,
}
