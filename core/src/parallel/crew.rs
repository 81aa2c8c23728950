//! Threads that outlive a phase and wait for the next one: awake for some times as long as waking them takes, then asleep.
//!
//! **Protocol.** `open` is how many calls of the phase nobody has claimed. The caller writes the job, then `open`, wakes who
//! sleeps, and claims calls like everybody else until none is open; so a thread that comes late costs nothing. A claim takes
//! one from `open` where it is above zero. Whoever holds a claim may read the job, since the phase ends only when `done` has
//! counted all of its calls, and the job is written only between phases. A claim that was meant for one phase and succeeds in
//! the next is a claim of the next: the job is read after it.
//!
//! **No wake-up is lost.** A helper says that it sleeps and then looks at `open` again; the caller sets `open` and then takes
//! back who sleeps. Both exchange the same flag, so whichever comes second sees what the first did before. The same holds of
//! the caller's own sleep and `done`.
//!
//! **How long to stay awake.** Whoever waits as long as waking takes, and then sleeps, never wastes more than twice what the
//! best choice would have cost (Karlin, Manasse, McGeoch and Owicki, "Competitive Randomized Algorithms for Non-Uniform
//! Problems", SODA 1990). That counts waiting as dear as being waited for; here one thread waits for a serial phase, such as
//! the build of a table that fits in L2, and then the other would wait for it. So it is [`PATIENCE`] times as long. Where
//! there are more threads than processors nobody waits awake, because somebody else could work there.

use std::any::Any;
use std::hint;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;

use crate::sync::Ordering::SeqCst;
use crate::sync::thread::{self, Builder, JoinHandle, Thread};
use crate::sync::{Arc, AtomicBool, AtomicUsize, UnsafeCell};

/// How many times as long as waking takes a thread waits awake. Two threads take 1.2 ns per probe row of a join with 2^14 build
/// rows with 5, 1.8 with 1; one thread takes 1.7.
const PATIENCE: u32 = 5;

/// The longest time that a thread waits awake.
const AWAKE_AT_MOST: Duration = Duration::from_micros(200);

/// What waking a thread takes on this machine, in nanoseconds. Measured by the first crew, in milliseconds; 0 until then.
static WAKING: AtomicU64 = AtomicU64::new(0);

/// Looks between two looks at the clock.
const LOOKS: u32 = 32;

/// What all threads of a phase call, and who waits for them.
#[derive(Clone)]
struct Job {
    work: *const (dyn Fn() + Sync),
    caller: Thread,
}

/// A helper as others see it.
struct Helper {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

struct Shared {
    /// Calls of the phase that nobody has claimed.
    open: CachePadded<AtomicUsize>,
    /// Calls of the phase that have returned.
    done: CachePadded<AtomicUsize>,
    /// Calls of the phase.
    calls: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
    /// Whether a phase is going on.
    taken: AtomicBool,
    caller_asleep: AtomicBool,
    ending: AtomicBool,
    /// Whether a call has panicked, with what.
    panicked: AtomicBool,
    panic: UnsafeCell<Option<Box<dyn Any + Send>>>,
    /// Nanoseconds for which threads wait awake.
    awake: AtomicUsize,
    helpers: Vec<CachePadded<Helper>>,
}

// SAFETY: `job` is written by the one caller that has set `taken`, while no claim is held, and read by those that hold one.
// `panic` is written by the one call that has set `panicked`, and read by the caller after `done` has counted that call.
unsafe impl Sync for Shared {}
// SAFETY: `job` points to work that is `Sync` and outlives its phase, in whichever thread that is; the rest is `Send`.
unsafe impl Send for Shared {}

/// Helpers that wait for phases; they have ended once it is dropped.
pub(super) struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// How long it takes until a helper that sleeps works.
    pub(super) waking: Duration,
}

impl Crew {
    /// A crew of `helpers` threads beside the caller. Starts all; the first crew of a process measures what waking a helper takes.
    ///
    /// # Errors
    ///
    /// If the system does not start a thread; those that have started end.
    pub(super) fn new(helpers: usize) -> io::Result<Self> {
        let helper = |_| {
            CachePadded::new(Helper {
                asleep: AtomicBool::new(false),
                thread: OnceLock::new(),
            })
        };
        let mut crew = Self {
            shared: Arc::new(Shared {
                open: CachePadded::new(AtomicUsize::new(0)),
                done: CachePadded::new(AtomicUsize::new(0)),
                calls: AtomicUsize::new(0),
                job: UnsafeCell::new(None),
                taken: AtomicBool::new(false),
                caller_asleep: AtomicBool::new(false),
                ending: AtomicBool::new(false),
                panicked: AtomicBool::new(false),
                panic: UnsafeCell::new(None),
                awake: AtomicUsize::new(0),
                helpers: (0..helpers).map(helper).collect(),
            }),
            threads: Vec::with_capacity(helpers),
            waking: Duration::ZERO,
        };
        for at in 0..helpers {
            let shared = Arc::clone(&crew.shared);
            let thread = Builder::new().spawn(move || shared.help(at))?;
            let _ = crew.shared.helpers[at].thread.set(thread.thread().clone());
            crew.threads.push(thread);
        }
        // A model of interleavings has no time.
        if helpers > 0 && !cfg!(loom) {
            // Not a `OnceLock`, whose ordering ThreadSanitizer does not see: nothing but the number is published.
            if WAKING.load(Relaxed) == 0 {
                WAKING.store(crew.measure_waking().as_nanos() as u64, Relaxed);
            }
            crew.waking = Duration::from_nanos(WAKING.load(Relaxed));
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            if helpers < processors {
                let awake = (crew.waking * PATIENCE).min(AWAKE_AT_MOST);
                crew.shared.awake.store(awake.as_nanos() as usize, SeqCst);
            }
        }
        Ok(crew)
    }

    /// Calls `work` so many times, at most one call per thread at a time, and waits for all. Returns false, and calls nothing,
    /// where the crew is at work already.
    ///
    /// # Panics
    ///
    /// With the first panic of `work`, after all calls have ended.
    pub(super) fn run(&self, calls: usize, work: &(dyn Fn() + Sync)) -> bool {
        let shared = &*self.shared;
        if shared.taken.swap(true, SeqCst) {
            return false;
        }
        // SAFETY: the lifetime alone is forgotten; the job is dropped below, before `work` may end.
        let work: *const (dyn Fn() + Sync) = unsafe { std::mem::transmute(work) };
        let job = Job {
            work,
            caller: thread::current(),
        };
        // SAFETY: `taken` makes this the only caller, and no claim is held between phases.
        shared
            .job
            .with_mut(|cell| unsafe { *cell = Some(job.clone()) });
        shared.calls.store(calls, SeqCst);
        shared.done.store(0, SeqCst);
        shared.open.store(calls, SeqCst);
        shared.wake(0);
        while shared.claim() {
            shared.call(&job);
        }
        shared.wait(&shared.caller_asleep, || shared.done.load(SeqCst) == calls);
        // SAFETY: all calls have returned, so no claim is held.
        shared.job.with_mut(|cell| unsafe { *cell = None });
        let panic = if shared.panicked.swap(false, SeqCst) {
            // SAFETY: whoever wrote it has been counted by `done`.
            shared.panic.with_mut(|cell| unsafe { (*cell).take() })
        } else {
            None
        };
        shared.taken.store(false, SeqCst);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        true
    }

    /// Wakes helpers for a phase that is to come soon, so that they are awake by then.
    pub(super) fn rouse(&self) {
        if self.shared.awake.load(SeqCst) > 0 {
            self.shared.wake(0);
        }
    }

    /// How long it takes until a helper that sleeps works: the median of some.
    fn measure_waking(&self) -> Duration {
        const TIMES: usize = 5;
        let mut took = [0; TIMES];
        for took in &mut took {
            while !self.shared.helpers[0].asleep.load(SeqCst) {
                thread::yield_now();
            }
            // It says so before it sleeps.
            std::thread::sleep(AWAKE_AT_MOST);
            let (calls, nanos) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let begun = Instant::now();
            self.run(2, &|| {
                if calls.fetch_add(1, SeqCst) == 1 {
                    nanos.store(begun.elapsed().as_nanos() as usize, SeqCst);
                }
                // So that the other call is a helper's.
                while calls.load(SeqCst) < 2 {
                    hint::spin_loop();
                }
            });
            *took = nanos.load(SeqCst);
        }
        took.sort_unstable();
        Duration::from_nanos(took[TIMES / 2] as u64)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.ending.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A panic of the work has reached its caller already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The life of helper `at`.
    fn help(&self, at: usize) {
        loop {
            self.wait(&self.helpers[at].asleep, || {
                self.open.load(SeqCst) > 0 || self.ending.load(SeqCst)
            });
            if self.ending.load(SeqCst) {
                return;
            }
            while self.claim() {
                // SAFETY: the claim that is held keeps the phase from ending, and the job from being written.
                let job = self.job.with(|cell| unsafe { (*cell).clone() });
                self.wake(at + 1);
                self.call(&job.expect("a claim is of a phase"));
            }
        }
    }

    /// Takes one of the open calls.
    fn claim(&self) -> bool {
        self.open
            .fetch_update(SeqCst, SeqCst, |open| open.checked_sub(1))
            .is_ok()
    }

    /// Makes a call that was claimed.
    fn call(&self, job: &Job) {
        // SAFETY: the claim keeps the phase from ending, and `Crew::run` borrows the work until then.
        let work = unsafe { &*job.work };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work))
            && !self.panicked.swap(true, SeqCst)
        {
            // SAFETY: the swap lets one call in, and the caller reads after `done` has counted it.
            self.panic.with_mut(|cell| unsafe { *cell = Some(panic) });
        }
        let calls = self.calls.load(SeqCst);
        if self.done.fetch_add(1, SeqCst) + 1 == calls && self.caller_asleep.swap(false, SeqCst) {
            job.caller.unpark();
        }
    }

    /// Wakes the two threads below `node` in a tree of the caller (0) and its helpers, of those that sleep: each wakes two
    /// more before it works, so that the last of many waits for the levels of a tree and not for all the others.
    fn wake(&self, node: usize) {
        for below in 2 * node..(2 * node + 2).min(self.helpers.len()) {
            let helper = &self.helpers[below];
            if helper.asleep.swap(false, SeqCst)
                && let Some(thread) = helper.thread.get()
            {
                thread.unpark();
            }
        }
    }

    /// Returns when `over` is true: looks for a time, then sleeps and says so in `asleep`, until somebody wakes it.
    fn wait(&self, asleep: &AtomicBool, over: impl Fn() -> bool) {
        while !self.looks(&over) {
            asleep.swap(true, SeqCst);
            if !over() {
                thread::park();
            }
            asleep.swap(false, SeqCst);
        }
    }

    /// Whether `over` is true before the time to stay awake has passed.
    fn looks(&self, over: impl Fn() -> bool) -> bool {
        let awake = Duration::from_nanos(self.awake.load(SeqCst) as u64);
        if awake.is_zero() {
            return over();
        }
        let begun = Instant::now();
        while begun.elapsed() < awake {
            for _ in 0..LOOKS {
                if over() {
                    return true;
                }
                hint::spin_loop();
            }
            // Where the system has put this thread on the processor of one that works, that one goes on; else one fifth of
            // such joins took three times as long.
            thread::yield_now();
        }
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_many_short_phases_is_made_once() {
        for helpers in [0, 1, 2, 7] {
            let crew = Crew::new(helpers).unwrap();
            for phase in 0..2000 {
                let (calls, made) = (1 + phase % (helpers + 3), AtomicUsize::new(0));
                assert!(crew.run(calls, &|| {
                    made.fetch_add(1, SeqCst);
                }));
                assert_eq!(made.into_inner(), calls, "phase {phase}, {helpers} helpers");
            }
        }
    }

    #[test]
    fn as_many_calls_as_threads_go_on_at_a_time() {
        for helpers in [1, 2, 6] {
            let crew = Crew::new(helpers).unwrap();
            for _ in 0..20 {
                let begun = AtomicUsize::new(0);
                crew.run(helpers + 1, &|| {
                    begun.fetch_add(1, SeqCst);
                    while begun.load(SeqCst) <= helpers {
                        thread::yield_now();
                    }
                });
            }
        }
    }

    #[test]
    fn a_crew_at_work_takes_no_second_phase() {
        let crew = Crew::new(1).unwrap();
        let refused = AtomicUsize::new(0);
        crew.run(2, &|| {
            if !crew.run(1, &|| ()) {
                refused.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(refused.into_inner(), 2);
        assert!(crew.run(1, &|| ()));
    }

    #[test]
    fn a_panic_comes_after_all_calls_and_the_crew_works_on() {
        let crew = Crew::new(2).unwrap();
        let made = AtomicUsize::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            crew.run(5, &|| {
                assert!(made.fetch_add(1, SeqCst) != 1, "second call")
            })
        }));
        assert!(caught.is_err());
        assert_eq!(made.into_inner(), 5);
        assert!(crew.run(3, &|| ()));
    }
}
