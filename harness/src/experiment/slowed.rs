//! A test build (`--features slowed`): one variant takes half as long again, so that `harness compare` has a regression to find.

use std::time::Instant;

use join_core::join::{Context, DynJoin, JoinError, JoinInput, Outcome};

/// The variant that is slowed.
const VARIANT: &str = "serial+zero-copy";

struct Slowed(Box<dyn DynJoin>);

impl DynJoin for Slowed {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        let start = Instant::now();
        let outcome = self.0.join(input, context);
        let until = start.elapsed().mul_f64(1.5);
        while start.elapsed() < until {
            std::hint::spin_loop();
        }
        outcome
    }
}

/// The join of a variant, slowed where it is the one.
pub(super) fn slowed(variant: &str, join: Box<dyn DynJoin>) -> Box<dyn DynJoin> {
    match variant {
        VARIANT => Box::new(Slowed(join)),
        _ => join,
    }
}
