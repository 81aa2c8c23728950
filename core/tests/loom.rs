//! Every interleaving of the small concurrent protocols: the counters that hand out work, the tasks that are moved to
//! their takers, and the hand-over from one phase to the next, by joining its threads and by a pool.
//!
//! `.ci/loom` runs these models; without `--cfg loom` the file is empty. crossbeam's deques are not modelled: they are
//! checked by their authors, and here by ThreadSanitizer.
#![cfg(loom)]

use std::sync::atomic::{AtomicUsize, Ordering};

use join_core::input::{KeySource, OwnedBlock, StreamSource};
use join_core::parallel::{Division, Tasks, Team, ThreadStart};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// A cell that loom lets nobody read or write at the same time as a writer.
struct Cell(UnsafeCell<usize>);

// SAFETY: loom fails the model where two threads reach the cell without an order between them.
unsafe impl Sync for Cell {}

impl Cell {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn add(&self, value: usize) {
        // SAFETY: loom checks that nobody else is at the cell.
        self.0.with_mut(|cell| unsafe { *cell += value });
    }

    fn get(&self) -> usize {
        // SAFETY: loom checks that nobody writes to the cell at the same time.
        self.0.with(|cell| unsafe { *cell })
    }
}

/// Runs `work` with each state on a thread of its own, the first on this one, and joins them: a phase.
fn phase<S: 'static, R: 'static>(
    states: Vec<S>,
    work: impl Fn(S) -> R + Clone + 'static,
) -> Vec<R> {
    let mut states = states.into_iter();
    let first = states.next().expect("a worker");
    let others: Vec<_> = states
        .map(|state| {
            let work = work.clone();
            thread::spawn(move || work(state))
        })
        .collect();
    let first = work(first);
    std::iter::once(first)
        .chain(
            others
                .into_iter()
                .map(|other| other.join().expect("no panic")),
        )
        .collect()
}

/// The counter gives each unit to one worker, and what phase 1 wrote under it phase 2 may read in other hands (R2.2).
#[test]
fn units_are_written_in_one_phase_and_read_in_the_next() {
    loom::model(|| {
        const UNITS: usize = 4;
        let cells: Arc<Vec<Cell>> = Arc::new((0..UNITS).map(|_| Cell::new()).collect());
        let write = cells.clone();
        phase(Division::counter(2).by(2).morsels(UNITS), move |morsels| {
            for unit in morsels.flatten() {
                write[unit].add(unit + 1);
            }
        });
        let read = cells.clone();
        let sums = phase(Division::counter(2).by(1).morsels(UNITS), move |morsels| {
            morsels
                .flatten()
                .map(|unit| read[unit].get())
                .sum::<usize>()
        });
        assert_eq!(sums.iter().sum::<usize>(), 1 + 2 + 3 + 4);
    });
}

#[test]
fn three_workers_share_a_counter() {
    loom::model(|| {
        let shares = phase(Division::counter(3).by(1).morsels(3), |morsels| {
            morsels.flatten().collect::<Vec<_>>()
        });
        let mut units: Vec<usize> = shares.into_iter().flatten().collect();
        units.sort_unstable();
        assert_eq!(units, [0, 1, 2]);
    });
}

/// A task is moved to one taker, which alone reaches what it owns; its writes are seen once the takers are joined, and
/// the one that nobody took is dropped with the list.
#[test]
fn tasks_are_taken_once() {
    struct Owned(Arc<Cell>, std::sync::Arc<AtomicUsize>);

    impl Drop for Owned {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    loom::model(|| {
        let cells: Vec<Arc<Cell>> = (0..3).map(|_| Arc::new(Cell::new())).collect();
        let drops = std::sync::Arc::new(AtomicUsize::new(0));
        let owned = cells.iter().map(|cell| Owned(cell.clone(), drops.clone()));
        let tasks = Arc::new(Tasks::new(owned));
        let shared = tasks.clone();
        phase(vec![(); 2], move |()| {
            let (index, task) = shared.take().expect("more tasks than takers");
            task.0.add(index + 1);
        });
        let written: Vec<usize> = cells.iter().map(|cell| cell.get()).collect();
        assert_eq!(written, [1, 2, 0]);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        drop(tasks);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}

/// A stream's blocks are numbered by one counter: each is filled once, the first one past the end by everyone at most.
#[test]
fn blocks_of_a_stream_are_filled_once() {
    fn fill(index: usize, block: &mut OwnedBlock<i32>) -> bool {
        block.keys.push(index as i32);
        block.rows.push(index as u32);
        index < 2
    }

    loom::model(|| {
        static SOURCE: StreamSource<fn(usize, &mut OwnedBlock<i32>) -> bool> = StreamSource(fill);
        let cursors = SOURCE.cursors(Division::counter(2));
        let shares = phase(cursors, |mut cursor| {
            let mut keys: Vec<i32> = Vec::new();
            while let Some(block) = cursor.next_block() {
                keys.extend(block.keys);
            }
            keys
        });
        let mut keys: Vec<i32> = shares.into_iter().flatten().collect();
        keys.sort_unstable();
        assert_eq!(keys, [0, 1]);
    });
}

/// Two phases of a pool: every call is made once, the caller returns, what one phase wrote the next may read, and the helper
/// ends, whether it comes in time, late or never.
#[test]
fn a_phase_is_handed_over_and_ends() {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(|| {
        let cells: Arc<Vec<Cell>> = Arc::new((0..2).map(|_| Cell::new()).collect());
        let team = Team::new(2, ThreadStart::Pool);
        team.run(vec![0, 1], |_, at: usize| cells[at].add(at + 1));
        let read = team.run(vec![1, 0], |_, at: usize| cells[at].get());
        assert_eq!(read, [2, 1]);
    });
}
