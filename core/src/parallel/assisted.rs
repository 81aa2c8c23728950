//! Work that any number of threads can do.

use std::thread;

/// Calls `work` on the calling thread and on up to `threads - 1` more, as many as the system starts, and waits for all.
/// So `work` must do everything even where it is called once: it takes pieces until none is left.
///
/// For what is not measured: where a thread cannot start, the work takes longer and is done all the same. A panic of
/// `work` is carried on to the caller.
pub fn assisted(threads: usize, work: impl Fn() + Sync) {
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        work();
        for other in others {
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_thread_or_many_do_all() {
        for threads in [0, 1, 2, 7] {
            let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            assisted(threads, || {
                while next.fetch_add(1, Ordering::Relaxed) < 1000 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(done.into_inner(), 1000, "{threads} threads");
        }
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let calls = AtomicUsize::new(0);
        let caught = std::panic::catch_unwind(|| {
            assisted(3, || {
                assert!(calls.fetch_add(1, Ordering::Relaxed) != 1, "second call");
            });
        });
        assert!(caught.is_err());
    }
}
