//! One phase, event by event: workers take blocks by a shared counter and reserve memory from a shared budget.
//!
//! A line that several cores write to serves one of them at a time, in the order in which they ask, and each time takes as
//! long as it is on its way from the core that had it last. What a block takes in memory depends on how many workers of
//! its cluster and its socket are at work when it is taken.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{Part, Spent};
use crate::threads_model::Machine;

/// What a worker takes at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    /// Seconds of a core that has the memory to itself.
    pub(super) work: f64,
    /// Seconds at the ends of slices.
    pub(super) lists: f64,
    /// Bytes that are read from memory.
    pub(super) read: f64,
    /// Bytes that are written to it.
    pub(super) write: f64,
}

/// A phase of `threads` workers.
pub(super) struct Phase<'a> {
    pub(super) machine: &'a Machine,
    pub(super) threads: usize,
    pub(super) blocks: &'a [Block],
    /// Times that a worker reserves memory while it begins its lists, and over how many blocks these are spread.
    pub(super) reservations: (u32, u32),
    /// Whether each block is a task in memory that the first thread wrote.
    pub(super) written: bool,
    /// Seconds at the end of a worker that had any block.
    pub(super) end: f64,
    /// Seconds from one phase to the next.
    pub(super) hand_over: f64,
}

/// A cache line that is written by all.
struct Line {
    owner: usize,
    free_at: f64,
}

impl Line {
    fn new() -> Self {
        Self {
            owner: 0,
            free_at: 0.0,
        }
    }

    /// When a core that asks at `at` has had it.
    fn had(&mut self, machine: &Machine, core: usize, at: f64) -> f64 {
        self.free_at = self.free_at.max(at) + machine.line(self.owner, core);
        self.owner = core;
        self.free_at
    }
}

/// A worker that is about to ask for something.
#[derive(Clone, Copy, PartialEq)]
struct Event {
    at: f64,
    worker: usize,
}

impl Eq for Event {}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = self.at.total_cmp(&other.at);
        by_time.then(self.worker.cmp(&other.worker))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, Default)]
struct Worker {
    blocks: u32,
    /// Pieces of the block that are left after this one; a reservation stands before each.
    pieces: u32,
    /// Seconds of a piece.
    piece: f64,
    ended: Option<f64>,
}

impl Phase<'_> {
    /// Runs it.
    pub(super) fn run(&self) -> Spent {
        let machine = self.machine;
        let mut spent = Spent::default();
        let mut workers = vec![Worker::default(); self.threads];
        let (mut counter, mut budget) = (Line::new(), Line::new());
        let mut blocks = self.blocks.iter();
        let all = (0..self.threads).map(|worker| Reverse(Event { at: 0.0, worker }));
        let mut events: BinaryHeap<_> = all.collect();
        while let Some(Reverse(Event { at, worker })) = events.pop() {
            let state = workers[worker];
            if state.pieces > 0 {
                // The bytes and their peak, which lie in one line.
                let had = budget.had(machine, worker, at) + machine.own_line;
                spent.add(Part::Counters, had - at);
                workers[worker].pieces -= 1;
                let at = had + state.piece;
                events.push(Reverse(Event { at, worker }));
                continue;
            }
            let mut had = counter.had(machine, worker, at);
            let Some(block) = blocks.next() else {
                spent.add(Part::Counters, had - at);
                let end = if state.blocks > 0 { self.end } else { 0.0 };
                spent.add(Part::Lists, end);
                workers[worker].ended = Some(had + end);
                continue;
            };
            if self.written {
                had += machine.line(0, worker);
            }
            spent.add(Part::Counters, had - at);
            let seconds = self.shared(worker, block, &workers);
            spent.add(Part::Work, block.work);
            spent.add(Part::Memory, seconds - block.work);
            spent.add(Part::Lists, block.lists);
            let (reservations, over) = self.reservations;
            let state = &mut workers[worker];
            state.pieces = match state.blocks < over {
                true => reservations.div_ceil(over),
                false => 0,
            };
            state.blocks += 1;
            state.piece = (seconds + block.lists) / f64::from(state.pieces + 1);
            let at = had + state.piece;
            events.push(Reverse(Event { at, worker }));
        }
        let ends = || workers.iter().filter_map(|worker| worker.ended);
        let last = ends().fold(0.0, f64::max);
        spent.add(Part::Waiting, ends().map(|end| last - end).sum());
        spent.seconds = last;
        if self.threads > 1 {
            spent.pass(Part::Phases, self.hand_over, self.threads);
        }
        spent
    }

    /// Seconds of a block's work where memory is shared with the workers that have not ended.
    fn shared(&self, worker: usize, block: &Block, workers: &[Worker]) -> f64 {
        let machine = self.machine;
        let busy = |near: &dyn Fn(usize) -> bool| {
            let busy = workers.iter().enumerate();
            busy.filter(|(other, state)| near(*other) && state.ended.is_none())
                .count() as f64
        };
        let cluster = busy(&|other| machine.cluster(other) == machine.cluster(worker));
        let socket = busy(&|other| machine.socket(other) == machine.socket(worker));
        [
            block.read * cluster / machine.cluster_read,
            block.write * cluster / machine.cluster_write,
            (block.read + block.write) * socket / machine.socket_memory,
        ]
        .into_iter()
        .fold(block.work, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            cluster_cores: 2,
            socket_clusters: 2,
            ..Machine::assumed(1e-9, 10e-9)
        }
    }

    fn phase<'a>(machine: &'a Machine, threads: usize, blocks: &'a [Block]) -> Phase<'a> {
        Phase {
            machine,
            threads,
            blocks,
            reservations: (0, 1),
            written: false,
            end: 0.0,
            hand_over: 0.0,
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn a_counter_serves_one_core_at_a_time() {
        // Blocks of no work: the counter is all there is. Each of the four additions that find one, and the last of each
        // worker, which does not.
        let machine = machine();
        let empty = [Block::default(); 4];
        let alone = phase(&machine, 1, &empty).run();
        assert!(near(alone.seconds, 5e-9), "{alone:?}");
        let two = phase(&machine, 2, &empty).run();
        assert!(near(two.seconds, 1e-9 + 5.0 * 10e-9), "{two:?}");
        let far = phase(&machine, 3, &empty).run();
        assert!(far.seconds > 3.0 * machine.socket_line, "{far:?}");
    }

    #[test]
    fn nothing_is_lost_between_the_parts() {
        let mut machine = machine();
        machine.set("cluster-read", 1.0).unwrap();
        let blocks = [Block {
            work: 1e-6,
            lists: 1e-7,
            read: 2e3,
            write: 10.0,
        }; 37];
        for threads in [1, 2, 3, 8] {
            let phase = Phase {
                reservations: (20, 3),
                written: true,
                end: 5e-7,
                hand_over: 1e-6,
                ..phase(&machine, threads, &blocks)
            };
            let spent = phase.run();
            let parts: f64 = spent.parts.iter().sum();
            assert!(near(parts, spent.seconds * threads as f64), "{spent:?}");
            assert!(near(spent.of(Part::Work), 37e-6), "{spent:?}");
        }
    }

    #[test]
    fn memory_is_shared_by_those_at_work() {
        let mut machine = machine();
        machine.set("cluster-read", 1.0).unwrap();
        let block = Block {
            work: 1e-6,
            read: 1e3,
            ..Block::default()
        };
        let one = phase(&machine, 1, &[block]).run();
        let two = phase(&machine, 2, &[block, block]).run();
        assert!(near(one.of(Part::Memory), 0.0), "{one:?}");
        assert!(two.of(Part::Memory) > 1.9e-6, "{two:?}");
    }
}
