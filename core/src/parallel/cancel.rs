//! Ending a join from outside.
//!
//! Workers look at a flag before each morsel and each task, each block of keys and of pairs, and once it is set they unwind,
//! as they would by a panic: what they hold is dropped, whatever they were about, and no phase goes on with half of what
//! another was to leave. The flag is handed from the thread that begins the work to the workers of its phases, not through
//! every variant.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels work, from any thread. Clones cancel the same.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

/// The work was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

thread_local! {
    /// What may cancel the work of this thread.
    static OWN: RefCell<Option<Cancel>> = const { RefCell::new(None) };
}

impl Cancel {
    /// Has the work end soon. It stays cancelled.
    pub fn cancel(&self) {
        // Relaxed: nothing is published with it, and workers see it when they see it.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled, for work that looks by itself.
    pub fn flag(&self) -> &AtomicBool {
        &self.0
    }

    /// Does `work`, which ends early once this is cancelled. The workers of a [`Team`](super::Team) that it runs are ended
    /// as well.
    ///
    /// # Errors
    ///
    /// It was cancelled, before or half way.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> Result<R, Cancelled> {
        let done = catch_unwind(AssertUnwindSafe(|| {
            within(Some(self.clone()), || {
                look();
                work()
            })
        }));
        done.map_err(|panic| match panic.downcast::<Cancelled>() {
            Ok(cancelled) => *cancelled,
            Err(panic) => resume_unwind(panic),
        })
    }
}

/// What may cancel the work of this thread, for the threads that it starts.
pub(super) fn own() -> Option<Cancel> {
    OWN.with_borrow(Option::clone)
}

/// Does `work` on this thread, which `cancel` may end.
pub(super) fn within<R>(cancel: Option<Cancel>, work: impl FnOnce() -> R) -> R {
    /// What was so before is so again once this is dropped, by a panic too.
    struct Until(Option<Cancel>);
    impl Drop for Until {
        fn drop(&mut self) {
            OWN.set(self.0.take());
        }
    }
    let _until = Until(OWN.replace(cancel));
    work()
}

/// Ends the work of this thread if it was cancelled.
#[inline]
pub(crate) fn look() {
    let is_cancelled = |own: &Option<Cancel>| {
        own.as_ref()
            .is_some_and(|own| own.0.load(Ordering::Relaxed))
    };
    if OWN.with_borrow(is_cancelled) {
        // Not a panic: nobody is to be told.
        resume_unwind(Box::new(Cancelled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{KeyColumn, KeySlice, KeySource};
    use crate::memory::Memory;
    use crate::output::{PairBuffer, Sink};
    use crate::parallel::{Division, Tasks, Team, ThreadStart};
    use crate::table::Column;

    #[test]
    fn all_workers_end_at_their_next_morsel_or_task() {
        for start in [ThreadStart::Fresh, ThreadStart::Pool] {
            let team = Team::new(3, start);
            let cancel = Cancel::default();
            let ended = cancel.run(|| {
                team.run(Division::counter(3).by(1).morsels(1 << 30), |_, morsels| {
                    for morsel in morsels {
                        if morsel.start == 10 {
                            cancel.cancel();
                        }
                    }
                })
            });
            assert_eq!(ended.err(), Some(Cancelled));
            let tasks = Tasks::new([1, 2]);
            assert_eq!(cancel.run(|| tasks.take()), Err(Cancelled));
            // Whoever is not to be ended goes on.
            assert_eq!(tasks.take(), Some((0, 1)));
            let morsels = Division::whole().morsels(7);
            assert_eq!(team.run(morsels, |_, morsels| morsels.count()), [1]);
        }
    }

    #[test]
    fn no_morsel_is_too_long_to_end() {
        let keys: Vec<i64> = (0..10_000).collect();
        let pages = Column::from_i64(&keys);
        let of_slices = KeyColumn::of_slices(vec![KeySlice::new(&keys)]).unwrap();
        for column in [of_slices, KeyColumn::new(&pages).unwrap()] {
            let cancel = Cancel::default();
            let ended = cancel.run(|| {
                let rows = column.slice(0..keys.len());
                let mut cursor = rows.whole();
                assert!(cursor.next_block().is_some());
                cancel.cancel();
                cursor.next_block().is_some()
            });
            assert_eq!(ended, Err(Cancelled));
        }
        let (cancel, memory) = (Cancel::default(), Memory::unlimited());
        let ended = cancel.run(|| {
            let mut pairs = PairBuffer::keeping(&memory, None).unwrap();
            cancel.cancel();
            (0..10_000).for_each(|row| pairs.emit(row, row));
        });
        assert_eq!(ended, Err(Cancelled));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn panics_are_carried_on() {
        let panic = catch_unwind(|| Cancel::default().run(|| resume_unwind(Box::new(7))));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&7));
    }
}
