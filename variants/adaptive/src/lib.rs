//! A join that looks first and then picks one of several.
//!
//! It knows no join: whoever puts it together says for each candidate when it is the right one. The first that says so is
//! run, the last whatever it says. What was observed and picked is noted in the outcome.

mod observed;

use join_core::input::KeyColumn;
use join_core::join::{Context, DynJoin, JoinError, JoinInput, Outcome};
use join_core::key::Key;

pub use observed::Observed;

/// A join and when to pick it.
pub struct Candidate {
    /// What notes call it.
    pub name: &'static str,
    /// Whether it is the right one.
    pub fits: fn(&Observed) -> bool,
    /// The join.
    pub join: Box<dyn DynJoin>,
}

/// The join that picks.
pub struct Adaptive {
    candidates: Vec<Candidate>,
    last: Candidate,
}

impl Adaptive {
    /// Picks the first of `candidates` that fits, `last` if none does.
    pub fn new(candidates: Vec<Candidate>, last: Candidate) -> Self {
        Self { candidates, last }
    }

    fn pick(&self, observed: &Observed) -> &Candidate {
        let mut candidates = self.candidates.iter();
        let fits = candidates.find(|candidate| (candidate.fits)(observed));
        fits.unwrap_or(&self.last)
    }
}

impl DynJoin for Adaptive {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        let observed = match input {
            JoinInput::Int32(build, probe) => observe(build, probe, context),
            JoinInput::Int64(build, probe) => observe(build, probe, context),
        };
        let picked = self.pick(&observed);
        let mut outcome = picked.join.join(input, context)?;
        let note = format!("picked {}: {observed}", picked.name);
        outcome.notes.insert(0, note);
        Ok(outcome)
    }
}

fn observe<K: Key>(
    build: &KeyColumn<'_, K>,
    probe: &KeyColumn<'_, K>,
    context: &Context<'_>,
) -> Observed {
    Observed::new(build, probe, context.caches)
}
