//! A test build (`--features slowed`): one variant takes longer than it should, so that `harness compare` and `harness duel`
//! have a regression to find.

use std::time::Instant;

use join_core::join::{Context, DynJoin, JoinError, JoinInput, Outcome};

/// The variable that names another variant and factor, as in `partitioned-join:1.05`.
const VARIABLE: &str = "JOINERY_SLOWED";

/// What is slowed where the variable is not set.
const USUAL: (&str, f64) = ("serial+zero-copy", 1.5);

struct Slowed {
    join: Box<dyn DynJoin>,
    factor: f64,
}

impl DynJoin for Slowed {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        let start = Instant::now();
        let outcome = self.join.join(input, context);
        let until = start.elapsed().mul_f64(self.factor);
        while start.elapsed() < until {
            std::hint::spin_loop();
        }
        outcome
    }
}

/// The join of a variant, slowed where it is the one.
///
/// # Panics
/// The variable is set and names no variant and factor: whoever reads the results would take the build for another one.
pub(super) fn slowed(variant: &str, join: Box<dyn DynJoin>) -> Box<dyn DynJoin> {
    let set = std::env::var(VARIABLE).ok();
    let (slow, factor) = match &set {
        None => USUAL,
        Some(text) => parse(text).unwrap_or_else(|| {
            panic!("{VARIABLE}={text} names no variant and factor from 1 on, such as partitioned-join:1.05")
        }),
    };
    match variant == slow {
        true => Box::new(Slowed { join, factor }),
        false => join,
    }
}

fn parse(text: &str) -> Option<(&str, f64)> {
    let (variant, factor) = text.split_once(':')?;
    let factor = factor.parse().ok()?;
    ((1.0..=1000.0).contains(&factor) && !variant.is_empty()).then_some((variant, factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_and_a_factor_are_read() {
        assert_eq!(
            parse("partitioned-join:1.05"),
            Some(("partitioned-join", 1.05))
        );
        for wrong in [
            "",
            "partitioned-join",
            ":2",
            "a:0.5",
            "a:x",
            "a:nan",
            "a:inf",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
