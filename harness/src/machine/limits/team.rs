//! Threads that work at the same time, timed from a common start to the last finish.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Instant;

/// How much each thread does in one repetition.
#[derive(Debug, Clone, Copy)]
pub enum Amount {
    /// Exactly this.
    Fixed(u64),
    /// `first` once to warm up, then as much as takes about `seconds`, at least 1.
    Lasting {
        /// Done once, untimed, to learn the speed.
        first: u64,
        /// How long a repetition shall last.
        seconds: f64,
    },
}

/// What [`run`] measured.
#[derive(Debug, Clone)]
pub struct Timing {
    /// What each thread did in each repetition.
    pub amount: u64,
    /// Wall time of each repetition, from the first start to the last finish.
    pub seconds: Vec<f64>,
}

/// Starts one thread a state, once, and lets all of them do `work(state, amount)` together,
/// `repetitions` times. The states carry over from one repetition to the next.
///
/// # Errors
/// If the system does not start so many threads. Then none of them has worked.
pub fn run<S: Send>(
    states: &mut [S],
    amount: Amount,
    repetitions: usize,
    work: impl Fn(&mut S, u64) + Sync,
) -> io::Result<Timing> {
    // Threads that start before one that does not would wait for it at the barrier for ever.
    let all_started = OnceLock::new();
    let barrier = Barrier::new(states.len());
    let chosen = AtomicU64::new(match amount {
        Amount::Fixed(amount) => amount,
        Amount::Lasting { first, .. } => first,
    });
    let spans = thread::scope(|scope| {
        let threads: io::Result<Vec<_>> = states
            .iter_mut()
            .enumerate()
            .map(|(index, state)| {
                let (all_started, barrier, chosen, work) = (&all_started, &barrier, &chosen, &work);
                thread::Builder::new().spawn_scoped(scope, move || {
                    if !all_started.wait() {
                        return Vec::new();
                    }
                    if let Amount::Lasting { first, seconds } = amount {
                        barrier.wait();
                        let start = Instant::now();
                        work(state, first);
                        let speed = first as f64 / start.elapsed().as_secs_f64().max(1e-9);
                        if index == 0 {
                            // The barrier below makes this store visible to all.
                            chosen.store((speed * seconds).max(1.0) as u64, Ordering::Relaxed);
                        }
                        barrier.wait();
                    }
                    let amount = chosen.load(Ordering::Relaxed);
                    (0..repetitions)
                        .map(|_| {
                            barrier.wait();
                            let start = Instant::now();
                            work(state, amount);
                            (start, Instant::now())
                        })
                        .collect()
                })
            })
            .collect();
        all_started.get_or_init(|| threads.is_ok());
        let spans: Vec<Vec<(Instant, Instant)>> = threads?
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect();
        io::Result::Ok(spans)
    })?;
    let seconds = (0..repetitions)
        .filter_map(|repetition| {
            let start = spans.iter().map(|spans| spans[repetition].0).min()?;
            let end = spans.iter().map(|spans| spans[repetition].1).max()?;
            Some(end.duration_since(start).as_secs_f64().max(1e-9))
        })
        .collect();
    Ok(Timing {
        amount: chosen.into_inner(),
        seconds,
    })
}
