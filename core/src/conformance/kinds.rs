//! Every kind of join, with NULLs that equal each other or not, with a condition or without.

use super::cases::{Bag, Case};
use super::compound::{OfShape, Shape};
use super::keys::Random;
use super::run::{Suite, WITH_PAIRS, Wanted, check};
use super::small;
use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome, Side, Verify};
use crate::kind::{Kind, Semantics};
use crate::oracle;
use crate::output::{Pair, PairFilter};

/// A condition that another engine can be asked for, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfRows {
    /// Two pairs of three fulfil it.
    TwoOfThree,
    /// The build row comes first.
    Earlier,
}

impl OfRows {
    /// The condition in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::TwoOfThree => "(build.row * 7 + probe.row * 13) % 3 <> 0",
            Self::Earlier => "build.row < probe.row",
        }
    }
}

impl PairFilter for OfRows {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        let mut kept = 0;
        for at in 0..pairs.len() {
            let pair = pairs[at];
            let (build, probe) = (u64::from(pair.build), u64::from(pair.probe));
            let holds = match self {
                Self::TwoOfThree => (build * 7 + probe * 13) % 3 != 0,
                Self::Earlier => build < probe,
            };
            pairs[kept] = pair;
            kept += usize::from(holds);
        }
        kept
    }
}

/// What is asked of a join besides its keys, by values that a message can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    kind: Kind,
    nulls_equal: bool,
    has_condition: bool,
}

impl Asked {
    /// Nothing.
    pub(super) const INNER: Self = Self {
        kind: Kind::Inner,
        nulls_equal: false,
        has_condition: false,
    };

    /// Nothing every other time.
    pub(super) fn drawn(random: &mut Random) -> Self {
        match random.once_in(2) {
            true => Self::INNER,
            false => Self {
                kind: *random.pick(&Kind::ALL),
                nulls_equal: random.once_in(4),
                has_condition: random.once_in(3),
            },
        }
    }

    /// Some that hold what others do not: marks of either side, the rows whose keys are NULL, and pairs of them.
    pub(super) fn few() -> [Self; 3] {
        let asked = |kind, nulls_equal, has_condition| Self {
            kind,
            nulls_equal,
            has_condition,
        };
        [
            asked(Kind::FullOuter, true, true),
            asked(Kind::Mark(Side::Probe), false, false),
            asked(Kind::Semi(Side::Build), false, false),
        ]
    }

    /// All of them.
    fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().flat_map(|kind| {
            [(false, false), (false, true), (true, false), (true, true)].map(
                |(nulls_equal, has_condition)| Self {
                    kind,
                    nulls_equal,
                    has_condition,
                },
            )
        })
    }

    pub(super) fn semantics(self) -> Semantics<'static> {
        Semantics {
            kind: self.kind,
            nulls_equal: self.nulls_equal,
            condition: self
                .has_condition
                .then_some(&OfRows::TwoOfThree as &dyn PairFilter),
        }
    }

    /// The same, or nothing where the NULLs of both sides have more pairs than anybody waits for.
    pub(super) fn within_reason(self, input: &JoinInput<'_>) -> Self {
        let nulls = |side| input.nulls(side).count();
        let pairs = nulls(Side::Build).saturating_mul(nulls(Side::Probe));
        match self.nulls_equal && pairs > 1 << 20 {
            true => Self::INNER,
            false => self,
        }
    }

    /// The oracle's answer.
    pub(super) fn results(self, input: &JoinInput<'_>) -> Bag {
        let results: Bag = oracle::of_kind(input, &self.semantics())
            .into_iter()
            .collect();
        // The two have no line in common but those that read the keys.
        if !(self.nulls_equal || self.has_condition && self.kind.is_null_aware()) {
            let sums = oracle::sums_of_kind(input, self.kind, self.semantics().condition);
            assert_eq!(sums, results.sums, "two oracles of {self:?}");
        }
        results
    }
}

/// A join made of another by what is asked besides.
pub(super) struct OfKind<'a>(pub &'a dyn DynJoin, pub Semantics<'a>);

impl DynJoin for OfKind<'_> {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        self.1.join(self.0, input, context)
    }
}

impl Suite {
    /// Every kind on these cases, in each way in one of the ways of wanting the results, and with keys of several columns or
    /// of strings.
    pub fn kinds(&self, own: &dyn DynJoin, cases: &[Case]) {
        for (number, asked) in Asked::all().enumerate() {
            for (nth, case) in cases.iter().enumerate() {
                // All of them on each case would take minutes under a sanitizer.
                if small() && (number + nth) % 5 != 0 {
                    continue;
                }
                let input = case.input();
                let expected = asked.results(&input);
                let join = OfKind(own, asked.semantics());
                let team = &self.teams()[(number + nth) % self.teams().len()];
                let pairs = WITH_PAIRS[(number / 4 + nth) % WITH_PAIRS.len()];
                let name = format_args!("{asked:?}: {}", case.name);
                for wanted in [Wanted::Aggregate, pairs] {
                    check(&join, &input, &expected, team, wanted, &name);
                }
                // A colliding hash has all rows of a side meet all of the other.
                let mask = match number % 2 == 0 && case.meetings() <= 1 << 20 {
                    true => 0,
                    false => u64::MAX,
                };
                let shape = match asked.kind.is_null_aware() {
                    true => Shape::Digits,
                    false => Shape::ALL[(number + nth) % Shape::ALL.len()],
                };
                let semantics = asked.semantics();
                let verify = match (number + nth) % 2 {
                    0 => Verify::HeadsFirst,
                    _ => Verify::Keys,
                };
                let join = OfShape {
                    join: own,
                    semantics,
                    shape,
                    mask,
                    verify,
                };
                let name = format_args!("{shape:?} hashed by {mask:x}, {verify:?}: {name}");
                check(&join, &input, &expected, team, Wanted::Aggregate, &name);
            }
        }
    }
}
