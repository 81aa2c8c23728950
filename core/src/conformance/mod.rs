//! The conformance suite: what every join, build, probe and tag scheme must pass, one call each in a variant's tests.
//!
//! One table of [`cases`] for every implementation, each with its pairs by the [oracle](crate::oracle). A check panics
//! at the first wrong answer and says which case, sizes, seed, threads and consumer gave it.
//!
//! Beside the table there is a [`RandomJoin`] for every number, for what nobody thought of.
//!
//! The environment variable `JOINERY_CONFORMANCE=small` thins the suite (fewer threads, no large case, ten repetitions
//! instead of a hundred) for runs under a sanitizer, where everything takes ten times as long. `fresh` is the same without
//! pools of threads and without panics, whose synchronisation inside the standard library ThreadSanitizer cannot see.

mod builds;
mod cases;
mod compound;
mod failures;
mod keys;
mod kinds;
mod random;
mod run;
mod simple;
mod sliced;
mod tags;
#[cfg(test)]
mod tests;

pub use keys::Random;
pub use kinds::Asked;
pub use random::{Conditions, FewRows, RandomJoin};
pub use run::Wanted;
pub use simple::{SimpleProbe, SortedBuild};
pub use tags::check_tags;

use crate::input::InputMode;
use crate::join::{Build, BuildProbe, DynJoin, Kernel, Probe};
use cases::{cases, few_cases};
use run::Suite;

/// Checks a join: every case by every number of threads, consumer and placement, with the sides swapped, a hundred
/// times over, with every allocation failing, and with a consumer that panics.
///
/// # Panics
///
/// At the first wrong answer.
pub fn check_join(join: &dyn DynJoin) {
    Suite::new(true).join(join);
}

/// As [`check_join`], for a join under whose hash every key collides: without the large cases, which would take it
/// minutes.
///
/// # Panics
///
/// At the first wrong answer.
pub fn check_colliding_join(join: &dyn DynJoin) {
    Suite::new(false).join(join);
}

/// Checks a build: as [`check_join`] with a probe that is too simple to be wrong; from a copy of the keys; from streams
/// of unknown length in blocks of odd sizes; a table dropped before it is probed; a stream that panics half way.
///
/// # Panics
///
/// At the first wrong answer.
pub fn check_build(build: &impl Build) {
    Suite::new(true).build(build);
}

/// As [`check_build`], for a build under whose hash every key collides; see [`check_colliding_join`].
///
/// # Panics
///
/// At the first wrong answer.
pub fn check_colliding_build(build: &impl Build) {
    Suite::new(false).build(build);
}

/// Checks a probe: as [`check_join`] with a build that is too simple to be wrong.
///
/// # Panics
///
/// At the first wrong answer.
pub fn check_probe(probe: &impl Probe) {
    check_join(&BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SortedBuild,
        probe,
    });
}

impl Suite {
    fn join(&self, join: &dyn DynJoin) {
        self.answers(join, &cases(self.large));
        self.kinds(join, &few_cases());
        self.repeats(join);
        self.failures(join);
    }

    fn build(&self, build: &impl Build) {
        self.join(&joined(build, InputMode::ZeroCopy, Kernel::SCALAR));
        let few = few_cases();
        self.answers(
            &joined(build, InputMode::Materialised, Kernel::batched(7)),
            &few,
        );
        self.streams(build, &few);
        self.broken_streams(build);
        self.dropped(build);
    }
}

fn joined<B: Build>(
    build: &B,
    build_input: InputMode,
    kernel: Kernel,
) -> BuildProbe<&B, SimpleProbe> {
    BuildProbe {
        build_input,
        build,
        probe: SimpleProbe { kernel },
    }
}

/// Whether the suite is thinned, for a variant's own tests to be thinned with it.
pub fn small() -> bool {
    only_fresh() || std::env::var("JOINERY_CONFORMANCE").is_ok_and(|value| value == "small")
}

/// Whether it does without pools and panics; a variant's own tests then start threads afresh as well.
pub fn only_fresh() -> bool {
    std::env::var("JOINERY_CONFORMANCE").is_ok_and(|value| value == "fresh")
}
