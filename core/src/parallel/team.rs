//! The threads that work on a join.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::cancel;
use super::crew::Crew;
use super::tasks::Tasks;

/// How the threads of a phase come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadStart {
    /// Started for the phase, ended with it, as in the contest engine (R2.2).
    Fresh,
    /// Woken in a rayon pool that outlives the join, whose caller sleeps.
    Rayon,
    /// Handed over to threads that outlive the join and wait awake for a moment; the caller works too.
    #[default]
    Pool,
}

/// Threads that the system does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot start {threads} threads: {reason}; use fewer threads, or raise the limit of processes (ulimit -u) or of \
     memory (ulimit -v)"
)]
pub struct StartError {
    /// Threads that were wanted at a time.
    pub threads: usize,
    /// What the system said.
    pub reason: String,
}

impl StartError {
    fn new(threads: usize, reason: impl fmt::Display) -> Self {
        Self {
            threads,
            reason: reason.to_string(),
        }
    }
}

enum Starter {
    Fresh,
    Rayon(Rayon),
    Pool(Crew),
}

/// A rayon pool whose threads have ended once it is dropped: rayon does not wait for them by itself.
struct Rayon {
    /// None while it is dropped.
    pool: Option<rayon::ThreadPool>,
    threads: Vec<JoinHandle<()>>,
}

impl Rayon {
    fn new(threads: usize) -> Result<Self, StartError> {
        let mut started = Self {
            pool: None,
            threads: Vec::with_capacity(threads),
        };
        let handles = &mut started.threads;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .spawn_handler(|thread| {
                let handle = Builder::new().spawn(|| thread.run())?;
                handles.push(handle);
                Ok(())
            })
            .build();
        // After an error, rayon ends those that have started, and dropping `started` waits for them.
        started.pool = Some(pool.map_err(|error| StartError::new(threads, error))?);
        Ok(started)
    }

    fn scope<'s>(&self, work: impl FnOnce(&rayon::Scope<'s>) + Send) {
        let pool = self.pool.as_ref().expect("it is not being dropped");
        pool.scope(work);
    }
}

impl Drop for Rayon {
    fn drop(&mut self) {
        // Without its pool a thread ends. A panic of the work has reached the team's caller already.
        self.pool = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A number of workers and the way to start them.
pub struct Team {
    threads: usize,
    parallel_from: usize,
    starter: Starter,
}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Team")
            .field("threads", &self.threads)
            .field("parallel_from", &self.parallel_from)
            .field("fresh", &matches!(self.starter, Starter::Fresh))
            .finish_non_exhaustive()
    }
}

impl Team {
    /// Rows from which on a phase is worth a second thread where handing it over has not been measured: starting one costs
    /// some ten microseconds.
    pub const PARALLEL_FROM: usize = 1 << 14;

    /// A team of `threads` workers (at least one).
    ///
    /// # Panics
    ///
    /// If the system does not start so many threads at a time.
    pub fn new(threads: usize, start: ThreadStart) -> Self {
        Self::try_new(threads, start).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A team of `threads` workers (at least one), all of which have been started once.
    ///
    /// # Errors
    ///
    /// If the system does not start so many threads at a time.
    pub fn try_new(threads: usize, start: ThreadStart) -> Result<Self, StartError> {
        let threads = threads.max(1);
        let crew = || Crew::new(threads - 1).map_err(|error| StartError::new(threads, error));
        let starter = match start {
            _ if threads == 1 => Starter::Fresh,
            ThreadStart::Pool => Starter::Pool(crew()?),
            ThreadStart::Rayon => Starter::Rayon(Rayon::new(threads)?),
            ThreadStart::Fresh => {
                // Only the proof that so many threads start.
                drop(crew()?);
                Starter::Fresh
            }
        };
        let parallel_from = match &starter {
            Starter::Pool(crew) => worth(crew.waking),
            _ => Self::PARALLEL_FROM,
        };
        Ok(Self {
            threads,
            parallel_from,
            starter,
        })
    }

    /// One worker: the caller.
    pub fn single() -> Self {
        Self::new(1, ThreadStart::Fresh)
    }

    /// The same team, using one worker below `rows` rows (R9.3). 0 forces all threads.
    #[must_use]
    pub fn parallel_from(mut self, rows: usize) -> Self {
        self.parallel_from = rows;
        self
    }

    /// Workers of this team.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Workers that a phase over `rows` rows should use.
    pub fn workers_for(&self, rows: usize) -> usize {
        if rows < self.parallel_from {
            1
        } else {
            self.threads
        }
    }

    /// Wakes workers that sleep where a join of so many rows will hand phases over, so that they are awake by then.
    pub fn rouse(&self, rows: usize) {
        if let Starter::Pool(crew) = &self.starter
            && rows >= self.parallel_from
        {
            crew.rouse();
        }
    }

    /// Runs `work` once for each state, on a worker each, and returns what they returned, in order of the states.
    ///
    /// The calling thread works too, alone on a single state, except where a rayon pool works. A worker's panic is carried on
    /// to the caller. A team at work for one caller starts fresh threads for another.
    ///
    /// # Panics
    ///
    /// If the work panics, or if the system, which has started as many threads before, does not start them afresh: a
    /// measurement with fewer threads than it claims would be wrong without a word.
    pub fn run<S, R, F>(&self, states: Vec<S>, work: F) -> Vec<R>
    where
        S: Send,
        R: Send,
        F: Fn(usize, S) -> R + Sync,
    {
        // Loops, no chains of adapters: this is compiled for every phase of every join.
        let count = states.len();
        let mut returned = Vec::with_capacity(count);
        if count <= 1 {
            for state in states {
                returned.push(call(&work, 0, state));
            }
            return returned;
        }
        let mut results: Vec<Option<R>> = Vec::new();
        results.resize_with(count, || None);
        let tasks = Tasks::new(states.into_iter().zip(&mut results));
        let cancel = cancel::own();
        self.start(count, &|| {
            cancel::within(cancel.clone(), || {
                if let Some((worker, (state, result))) = tasks.take() {
                    *result = Some(call(&work, worker, state));
                }
            });
        });
        drop(tasks);
        for result in results {
            returned.push(result.expect("as many calls as states"));
        }
        returned
    }

    /// Calls `work` on so many workers and waits for all. Not generic, so that threads and pool are compiled once and
    /// not for every phase of every variant.
    fn start(&self, workers: usize, work: &(dyn Fn() + Sync)) {
        match &self.starter {
            Starter::Rayon(pool) => pool.scope(|scope| branch(scope, workers, work)),
            Starter::Pool(crew) => {
                if !crew.run(workers, work) {
                    afresh(workers, work);
                }
            }
            Starter::Fresh => afresh(workers, work),
        }
    }
}

/// Calls `work`. Compiled once for one worker and for many, and with the registers of nothing else around its loops.
#[inline(never)]
fn call<S, R>(work: &impl Fn(usize, S) -> R, worker: usize, state: S) -> R {
    work(worker, state)
}

/// Rows from which on a phase is worth handing over to a thread that takes so long to wake: those that take twice as long at
/// a nanosecond per row, which the leanest of phases takes. Of a shorter one too little would be left once it is awake to make
/// up for what its caller spends on waking it.
fn worth(waking: Duration) -> usize {
    (2 * waking.as_nanos() as usize).clamp(1 << 10, 1 << 16)
}

/// Calls `work` here and on as many threads more as it takes.
fn afresh(workers: usize, work: &(dyn Fn() + Sync)) {
    std::thread::scope(|scope| {
        let start = |_| {
            let thread = Builder::new().spawn_scoped(scope, work);
            thread.unwrap_or_else(|error| panic!("{}", StartError::new(workers, error)))
        };
        let others: Vec<_> = (1..workers).map(start).collect();
        // All are joined whoever panicked, so that what they did is seen by whoever drops what they did it to.
        let mut panic = catch_unwind(AssertUnwindSafe(work)).err();
        for other in others {
            if let Err(of_other) = other.join() {
                panic.get_or_insert(of_other);
            }
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    });
}

/// Calls `work` so many times. Whoever is woken for half of the calls wakes others for half of these before it works, so
/// that the last of many threads waits for the levels of a tree and not for all the others to be woken.
fn branch<'s>(scope: &rayon::Scope<'s>, mut calls: usize, work: &'s (dyn Fn() + Sync)) {
    while calls > 1 {
        let half = calls / 2;
        scope.spawn(move |scope| branch(scope, half, work));
        calls -= half;
    }
    work();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_worked_on_once_in_order() {
        for start in [ThreadStart::Fresh, ThreadStart::Rayon, ThreadStart::Pool] {
            for threads in [1, 2, 5] {
                let team = Team::new(threads, start);
                for states in [0, 1, 2, 7] {
                    let got = team.run((0..states).collect(), |worker, state: usize| {
                        (worker, state * 2)
                    });
                    let want: Vec<_> = (0..states).map(|i| (i, i * 2)).collect();
                    assert_eq!(got, want);
                }
            }
        }
    }

    #[test]
    fn a_dropped_team_leaves_no_thread_behind() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        static ENDED: AtomicUsize = AtomicUsize::new(0);

        struct Ended;

        impl Drop for Ended {
            fn drop(&mut self) {
                std::thread::sleep(std::time::Duration::from_millis(50));
                ENDED.fetch_add(1, Ordering::SeqCst);
            }
        }

        thread_local!(static AT_END: Ended = const { Ended });
        let mut ended = 0;
        for start in [ThreadStart::Rayon, ThreadStart::Fresh, ThreadStart::Pool] {
            let team = Team::new(2, start);
            let begun = AtomicUsize::new(0);
            team.run(vec![(), ()], |_, ()| {
                AT_END.with(|_| begun.fetch_add(1, Ordering::SeqCst));
                // So that each has a thread of its own.
                while begun.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
            });
            drop(team);
            // The caller is one of the two workers, except of rayon's.
            ended += if start == ThreadStart::Rayon { 2 } else { 1 };
            assert_eq!(ENDED.load(Ordering::SeqCst), ended);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        for start in [ThreadStart::Fresh, ThreadStart::Pool] {
            let team = Team::new(2, start);
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                team.run(vec![0, 1], |_, state| assert!(state == 0, "worker failed"))
            }));
            assert!(caught.is_err());
        }
    }
}
