//! What only a build can get wrong: streams of unknown length, and tables that nobody probes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::cases::{Case, large_case, typical};
use super::failures::allocations_fail;
use super::keys::odd_fills;
use super::run::{Suite, Wanted, check};
use super::simple::SimpleProbe;
use super::{only_fresh, small};
use crate::input::{KeyColumn, KeyStream, OwnedBlock, StreamSource};
use crate::join::{Build, Context, Join, JoinError, JoinInput, Kernel, Outcome, Phases, Probe};
use crate::key::Key;
use crate::memory::Memory;
use crate::output::PairPlacement;

/// The join of a build that reads its keys from a stream in blocks of so many keys, every fifth block empty.
struct FromStream<'a, B> {
    build: &'a B,
    block: usize,
}

/// The keys of a column as a stream.
struct Blocks<K> {
    keys: Vec<(K, u32)>,
    block: usize,
    /// The block that panics instead.
    broken: Option<usize>,
}

impl<K: Key> Blocks<K> {
    fn new(column: &KeyColumn<'_, K>, block: usize) -> Self {
        let rows = 0..column.len() as u32;
        Self {
            keys: rows
                .filter_map(|row| Some((column.key(row)?, row)))
                .collect(),
            block,
            broken: None,
        }
    }
}

impl<K: Key> KeyStream<K> for Blocks<K> {
    fn fill(&self, index: usize, block: &mut OwnedBlock<K>) -> bool {
        const EMPTY: usize = 5;
        if self.broken == Some(index) {
            // Spares the panic hook and so the noise.
            resume_unwind(Box::new("the stream broke"));
        }
        let (round, nth) = (index / EMPTY, index % EMPTY);
        let first = (round * (EMPTY - 1) + nth.saturating_sub(1)) * self.block;
        if first >= self.keys.len() {
            return false;
        }
        if nth > 0 {
            for &(key, row) in self.keys[first..].iter().take(self.block) {
                block.keys.push(key);
                block.rows.push(row);
            }
        }
        true
    }
}

impl<B: Build> Join for FromStream<'_, B> {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let source = StreamSource(Blocks::new(build, self.block));
        let mut phases = Phases::start();
        let table = self.build.build(&source, context, &mut phases)?;
        assert_eq!(
            table.tuples(),
            source.0.keys.len(),
            "tuples of a table built from a stream"
        );
        let kernel = Kernel::SCALAR;
        let mut notes = Vec::new();
        let results =
            SimpleProbe { kernel }.probe(&*table, probe, context, &mut phases, &mut notes)?;
        Ok(Outcome {
            results,
            phases,
            table_bytes: table.bytes(),
            notes,
        })
    }
}

impl Suite {
    /// Streams in blocks of every odd size, a third of the cases each, by one thread and by a team in turn; and with
    /// every allocation failing.
    pub fn streams(&self, build: &impl Build, cases: &[Case]) {
        let teams = self.teams();
        for (nth, &block) in odd_fills().iter().enumerate() {
            let join = FromStream { build, block };
            for case in cases.iter().skip(nth % 3).step_by(3) {
                for team in [&teams[0], &teams[nth % teams.len()]] {
                    let name = format_args!("from a stream in blocks of {block}: {}", case.name);
                    let wanted = Wanted::Pairs(Some(PairPlacement::Chunks));
                    check(&join, &case.input(), &case.expected, team, wanted, &name);
                }
            }
        }
        let join = FromStream { build, block: 50 };
        for team in &teams[..if small() { 1 } else { 2 }] {
            allocations_fail(&join, typical(cases), team, Wanted::Aggregate);
        }
    }

    /// A stream that panics: the panic reaches the caller, and nothing is left behind.
    pub fn broken_streams(&self, build: &impl Build) {
        if only_fresh() {
            return;
        }
        let teams = self.teams();
        for (nth, &block) in odd_fills().iter().enumerate() {
            for broken in [0, 1, 9] {
                let team = &teams[(nth + broken) % teams.len()];
                let memory = Memory::unlimited();
                let context = Context::new(team, &memory);
                let source = StreamSource(Blocks {
                    keys: (0..2000).map(|row| (row as i32 / 3, row)).collect(),
                    block,
                    broken: Some(broken),
                });
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    build
                        .build(&source, &context, &mut Phases::start())
                        .map(drop)
                }));
                let place =
                    || format!("a stream that panics in block {broken} of {block} keys; {team:?}");
                assert!(caught.is_err(), "the panic was swallowed: {}", place());
                assert_eq!(memory.used(), 0, "bytes still held after: {}", place());
            }
        }
    }

    /// Tables that are dropped before they are probed.
    pub fn dropped(&self, build: &impl Build) {
        let case = large_case();
        let JoinInput::Int32(column, _) = case.input() else {
            unreachable!("the large case is of INT32 keys");
        };
        for team in self.teams() {
            let memory = Memory::unlimited();
            let context = Context::new(team, &memory);
            let table = build
                .build(&column, &context, &mut Phases::start())
                .expect("memory is unlimited");
            assert_eq!(
                table.tuples(),
                column.keys(),
                "tuples of a table; {team:?}; {}",
                case.name
            );
            assert!(
                table.bytes() >= column.keys() * size_of::<i32>(),
                "bytes of a table; {team:?}"
            );
            drop(table);
            assert_eq!(
                memory.used(),
                0,
                "bytes still held by a dropped table; {team:?}"
            );
        }
    }
}
