//! The suite passes what is right and fails what is wrong.

use crossbeam::queue::SegQueue;

use super::*;
use crate::input::{KeyColumn, KeySource};
use crate::join::{Context, DynJoinTable, Join, JoinError, JoinTable, Outcome, Phases, RowIds};
use crate::key::Key;
use crate::memory::Reservation;
use crate::output::{Results, Sink};
use crate::tag::{BelowPrefix, ContestBits, MaskTable, NoTags, TagScheme};

#[test]
fn what_is_simple_passes() {
    check_build(&SortedBuild);
    check_probe(&SimpleProbe {
        kernel: Kernel::SCALAR,
    });
}

#[test]
fn all_tag_schemes_pass() {
    check_tags::<NoTags>();
    check_tags::<ContestBits>();
    check_tags::<BelowPrefix>();
    check_tags::<MaskTable>();
}

/// A tag that is not a function of the hash alone.
#[derive(Debug, Clone, Copy)]
struct Fickle;

impl TagScheme for Fickle {
    const NAME: &'static str = "fickle";

    fn tag(_: u64, _: u32) -> u16 {
        use std::sync::atomic::{AtomicU32, Ordering};
        static CALLS: AtomicU32 = AtomicU32::new(0);
        1 << (CALLS.fetch_add(1, Ordering::Relaxed) % 16)
    }
}

#[test]
#[should_panic(expected = "the tag says no wrongly")]
fn a_tag_that_says_no_wrongly_fails() {
    check_tags::<Fickle>();
}

/// How a build is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Forgets the last key.
    Forgets,
    /// Holds one tuple twice.
    Doubles,
    /// Takes the budget's refusal for a bug.
    PanicsWithoutMemory,
    /// Never gives its reservation back.
    Leaks,
    /// Shuts its eyes to streams that break.
    Swallows,
}

struct Faulty(Fault);

struct Table<K: Key> {
    keys: Vec<(K, u32)>,
    reservation: Option<Reservation>,
    leaks: bool,
}

impl<K: Key> Drop for Table<K> {
    fn drop(&mut self) {
        // Where LeakSanitizer finds it.
        static KEPT: SegQueue<Option<Reservation>> = SegQueue::new();
        if self.leaks {
            KEPT.push(self.reservation.take());
        }
    }
}

impl<K: Key> JoinTable<K> for Table<K> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        for (index, key) in keys.iter().enumerate() {
            let matches = self.keys.iter().filter(|(other, _)| other == key);
            matches.for_each(|&(_, row)| sink.emit(row, rows.row(index)));
        }
    }

    fn tuples(&self) -> usize {
        self.keys.len()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.keys[..])
    }
}

impl Build for Faulty {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let mut keys = Vec::new();
        let mut collect = || {
            let mut cursor = source.whole();
            while let Some(block) = cursor.next_block() {
                block.for_each(|key, row| keys.push((key, row)));
            }
        };
        if self.0 == Fault::Swallows {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(collect));
        } else {
            collect();
        }
        match self.0 {
            Fault::Forgets => drop(keys.pop()),
            Fault::Doubles => keys.extend(keys.last().copied()),
            _ => {}
        }
        let reserved = context.memory.reserve(size_of_val(&keys[..]));
        if self.0 == Fault::PanicsWithoutMemory {
            assert!(reserved.is_ok(), "no memory");
        }
        phases.lap("collect");
        Ok(Box::new(Table {
            keys,
            reservation: Some(reserved?),
            leaks: self.0 == Fault::Leaks,
        }))
    }
}

#[test]
#[should_panic(expected = ": sizes (INT32, build 1 rows")]
fn a_build_that_forgets_fails() {
    check_build(&Faulty(Fault::Forgets));
}

#[test]
#[should_panic(expected = "wrong sums")]
fn a_build_that_doubles_fails() {
    check_build(&Faulty(Fault::Doubles));
}

#[test]
#[should_panic(expected = "no memory")]
fn a_build_that_panics_without_memory_fails() {
    Suite::new(true).failures(&joined(
        &Faulty(Fault::PanicsWithoutMemory),
        InputMode::ZeroCopy,
        Kernel::SCALAR,
    ));
}

#[test]
#[should_panic(expected = "bytes still held")]
fn a_build_that_leaks_fails() {
    Suite::new(true).dropped(&Faulty(Fault::Leaks));
}

#[test]
#[should_panic(expected = "the panic was swallowed")]
fn a_build_that_swallows_panics_fails() {
    Suite::new(true).broken_streams(&Faulty(Fault::Swallows));
}

/// Answers with sums whatever was wanted.
struct SumsOnly;

impl Join for SumsOnly {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let join = joined(&SortedBuild, InputMode::ZeroCopy, Kernel::SCALAR);
        let mut outcome = join.join_keys(build, probe, context)?;
        outcome.results = Results::Aggregate(outcome.results.aggregate().unwrap_or_default());
        Ok(outcome)
    }
}

#[test]
#[should_panic(expected = "not what the consumer wanted")]
fn a_join_that_ignores_its_consumer_fails() {
    check_join(&SumsOnly);
}
