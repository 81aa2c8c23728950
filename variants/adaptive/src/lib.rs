//! A join that looks first and then picks one of several.
//!
//! [`Choice::of`] has the rules. The joins are handed in, so this knows none of them; what was observed and picked is noted
//! in the outcome, with the name of the variant that is the same code.

mod choice;
mod observed;

use join_core::input::KeyColumn;
use join_core::join::{Context, DynJoin, JoinError, JoinInput, Outcome};
use join_core::key::Key;

pub use choice::{Candidate, Candidates, Choice};
pub use observed::Observed;

/// The join that picks.
pub struct Adaptive(pub Candidates);

impl DynJoin for Adaptive {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        let observed = match input {
            JoinInput::Int32(build, probe) => observe(build, probe, context),
            JoinInput::Int64(build, probe) => observe(build, probe, context),
        };
        let choice = Choice::of(&observed);
        let picked = choice.candidate(&self.0);
        let mut outcome = picked.join.join(input, context)?;
        let notes = [
            format!("picked {}: {observed}", choice.name()),
            format!("runs {}", picked.variant),
        ];
        outcome.notes.splice(0..0, notes);
        Ok(outcome)
    }
}

fn observe<K: Key>(
    build: &KeyColumn<'_, K>,
    probe: &KeyColumn<'_, K>,
    context: &Context<'_>,
) -> Observed {
    Observed {
        carried: context.consumer.probe_bytes(),
        ..Observed::new(build, probe, context.caches)
    }
}
