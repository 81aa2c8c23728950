//! Morsels: ranges of a phase's work, and three ways of handing them to workers (R8.1, R8.2).

use std::ops::Range;

use crossbeam::deque::{Steal, Stealer, Worker};
use crossbeam::utils::CachePadded;

use crate::sync::{Arc, AtomicUsize, Ordering};

/// How workers share the ranges of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// One atomic counter that all workers advance (R8.2).
    #[default]
    Counter,
    /// A crossbeam deque per worker, filled with a contiguous share; who runs dry steals.
    Deques,
    /// A contiguous share per worker and no more.
    Static,
}

/// Units of work that a worker takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MorselSize {
    /// max(256, units / (workers × 16)), as in the contest engine (R8.2).
    Contest,
    /// So many units, or fewer where a worker would get too few morsels ([`Division::morsels`]).
    Units(usize),
}

impl Default for MorselSize {
    fn default() -> Self {
        Self::Units(1 << 16)
    }
}

impl MorselSize {
    /// Units of a morsel of `total` units shared by `workers`.
    pub fn units(self, total: usize, workers: usize) -> usize {
        match self {
            Self::Contest => (total / (workers.max(1) * 16)).max(256),
            Self::Units(units) => units.max(1),
        }
    }
}

/// Morsels of a worker, at least, where whoever is free takes the next one.
const MORSELS_EACH: usize = 4;

/// Units that no morsel is shortened below.
const FEWEST_UNITS: usize = 1 << 10;

/// How the work of a phase is divided: among how many workers, in which way, and how much of it at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// Workers, at least one.
    pub workers: usize,
    /// How they share the work.
    pub sharing: Sharing,
    /// Units that one takes at a time.
    pub morsel: MorselSize,
}

impl Division {
    /// Whoever is free takes the next morsel.
    pub fn counter(workers: usize) -> Self {
        Self {
            workers,
            sharing: Sharing::Counter,
            morsel: MorselSize::default(),
        }
    }

    /// A contiguous share for each worker, the same each time.
    pub fn fixed(workers: usize) -> Self {
        Self {
            sharing: Sharing::Static,
            ..Self::counter(workers)
        }
    }

    /// All of it for one worker.
    pub fn whole() -> Self {
        Self::fixed(1).by(usize::MAX)
    }

    /// The same, so many units at a time.
    #[must_use]
    pub fn by(self, units: usize) -> Self {
        Self {
            morsel: MorselSize::Units(units),
            ..self
        }
    }

    /// Divides `0..total` into morsels and returns an iterator over them for each worker. Together the iterators yield
    /// every unit once.
    ///
    /// Morsels that whoever is free takes are shorter than asked for where a worker would get less than four: the last
    /// ones are waited for, and with too few of them some workers get none.
    pub fn morsels(self, total: usize) -> Vec<Morsels> {
        let workers = self.workers.max(1);
        let mut size = self.morsel.units(total, workers);
        if self.sharing != Sharing::Static {
            size = size.min((total / (workers * MORSELS_EACH)).max(FEWEST_UNITS));
        }
        let blocks = total.div_ceil(size);
        let share = |worker: usize| blocks * worker / workers..blocks * (worker + 1) / workers;
        let ways: Vec<Way> = match self.sharing {
            Sharing::Counter => {
                let next = Arc::new(CachePadded::new(AtomicUsize::new(0)));
                (0..workers).map(|_| Way::Counter(next.clone())).collect()
            }
            Sharing::Static => (0..workers)
                .map(|worker| Way::Static(share(worker)))
                .collect(),
            Sharing::Deques => {
                let queues: Vec<Worker<usize>> = (0..workers).map(|_| Worker::new_fifo()).collect();
                let stealers: Arc<Vec<Stealer<usize>>> =
                    Arc::new(queues.iter().map(Worker::stealer).collect());
                let filled = queues.into_iter().enumerate().map(|(worker, queue)| {
                    share(worker).for_each(|block| queue.push(block));
                    Way::Deques {
                        queue,
                        stealers: stealers.clone(),
                        worker,
                    }
                });
                filled.collect()
            }
        };
        ways.into_iter()
            .map(|way| Morsels {
                way,
                total,
                size,
                blocks,
            })
            .collect()
    }
}

enum Way {
    Counter(Arc<CachePadded<AtomicUsize>>),
    Static(Range<usize>),
    Deques {
        queue: Worker<usize>,
        stealers: Arc<Vec<Stealer<usize>>>,
        worker: usize,
    },
}

/// A worker's morsels.
///
/// They lie in cache lines of their own (in pairs of lines, which processors fetch together), and so does every cursor that
/// holds them: cursors note with each block where they are, and where two workers' shared a line, partitioning 16 M keys behind a
/// filter took a fifth longer.
#[repr(align(128))]
pub struct Morsels {
    way: Way,
    total: usize,
    size: usize,
    blocks: usize,
}

impl Iterator for Morsels {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        super::look();
        let block = match &mut self.way {
            // Relaxed: the counter only hands out numbers; the results meet when the threads are joined. It stops
            // growing once each worker has seen the end, so it cannot wrap.
            Way::Counter(next) => {
                Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&block| block < self.blocks)
            }
            Way::Static(blocks) => blocks.next(),
            Way::Deques {
                queue,
                stealers,
                worker,
            } => queue.pop().or_else(|| steal(stealers, *worker)),
        }?;
        let start = block * self.size;
        Some(start..(start + self.size).min(self.total))
    }
}

/// Steals one block from the next worker that has any. Nobody adds blocks, so empty deques stay empty.
fn steal(stealers: &[Stealer<usize>], worker: usize) -> Option<usize> {
    (1..stealers.len()).find_map(|distance| {
        let victim = &stealers[(worker + distance) % stealers.len()];
        loop {
            match victim.steal() {
                Steal::Success(block) => return Some(block),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::parallel::{Team, ThreadStart};

    #[test]
    fn every_unit_once_however_shared() {
        for sharing in [Sharing::Counter, Sharing::Deques, Sharing::Static] {
            for (total, size, workers) in [
                (0, 1, 2),
                (1, 1, 1),
                (1000, 7, 3),
                (64, 64, 4),
                (100_000, 256, 2),
            ] {
                let team = Team::new(workers, ThreadStart::Fresh);
                let division = Division {
                    workers,
                    sharing,
                    morsel: MorselSize::Units(size),
                };
                let shares = team.run(division.morsels(total), |_, morsels| {
                    morsels.flatten().collect::<Vec<_>>()
                });
                let mut units: Vec<usize> = shares.into_iter().flatten().collect();
                units.sort_unstable();
                assert!(
                    units.into_iter().eq(0..total),
                    "{sharing:?} {total} {size} {workers}"
                );
            }
        }
    }

    #[test]
    fn no_worker_goes_without_a_morsel_that_another_could_spare() {
        let lengths = |division: Division, total| -> Vec<usize> {
            let first = division.morsels(total).swap_remove(0);
            first.map(|morsel| morsel.len()).collect()
        };
        assert_eq!(lengths(Division::counter(2), 1 << 20), [1 << 16; 16]);
        assert_eq!(lengths(Division::counter(64), 1 << 20), [1 << 12; 256]);
        assert_eq!(lengths(Division::counter(2), 1 << 14), [1 << 11; 8]);
        assert_eq!(lengths(Division::counter(4), 1500), [1024, 476]);
        assert_eq!(lengths(Division::counter(4).by(1), 3), [1; 3]);
        assert_eq!(lengths(Division::whole(), 1 << 20), [1 << 20]);
    }

    #[test]
    fn the_contest_engines_block_length() {
        assert_eq!(MorselSize::Contest.units(1 << 20, 2), 1 << 15);
        assert_eq!(MorselSize::Contest.units(1000, 2), 256);
    }
}
