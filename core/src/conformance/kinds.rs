//! Every kind of join, with NULLs that equal each other or not, with a condition or without.

use super::cases::{Bag, Case};
use super::run::{Suite, WITH_PAIRS, Wanted, check};
use super::small;
use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome};
use crate::kind::{Kind, Semantics};
use crate::oracle;
use crate::output::{Pair, PairFilter};

/// Keeps two pairs of three, whatever their keys.
pub(super) struct TwoOfThree;

impl PairFilter for TwoOfThree {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        let mut kept = 0;
        for at in 0..pairs.len() {
            let Pair { build, probe } = pairs[at];
            pairs[kept] = pairs[at];
            kept += usize::from((u64::from(build) * 7 + u64::from(probe) * 13) % 3 != 0);
        }
        kept
    }
}

/// A join made of another by what is asked besides.
struct OfKind<'a>(&'a dyn DynJoin, Semantics<'a>);

impl DynJoin for OfKind<'_> {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        self.1.join(self.0, input, context)
    }
}

/// Every kind with everything that may be asked besides.
fn all() -> impl Iterator<Item = (Semantics<'static>, String)> {
    Kind::ALL.into_iter().flat_map(|kind| {
        [(false, false), (false, true), (true, false), (true, true)].map(
            |(nulls_equal, conditional)| {
                let semantics = Semantics {
                    kind,
                    nulls_equal,
                    condition: conditional.then_some(&TwoOfThree as &dyn PairFilter),
                };
                let name =
                    format!("{kind:?}, NULLs equal: {nulls_equal}, a condition: {conditional}");
                (semantics, name)
            },
        )
    })
}

impl Suite {
    /// Every kind on these cases, in each way in one of the ways of wanting the results.
    pub fn kinds(&self, join: &dyn DynJoin, cases: &[Case]) {
        for (number, (semantics, name)) in all().enumerate() {
            for (nth, case) in cases.iter().enumerate() {
                // All of them on each case would take minutes under a sanitizer.
                if small() && (number + nth) % 5 != 0 {
                    continue;
                }
                let input = case.input();
                let expected: Bag = oracle::of_kind(&input, &semantics).into_iter().collect();
                let join = OfKind(join, semantics);
                let team = &self.teams()[(number + nth) % self.teams().len()];
                let pairs = WITH_PAIRS[(number / 4 + nth) % WITH_PAIRS.len()];
                let name = format_args!("{name}: {}", case.name);
                for wanted in [Wanted::Aggregate, pairs] {
                    check(&join, &input, &expected, team, wanted, &name);
                }
            }
        }
    }
}
