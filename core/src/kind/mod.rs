//! Kinds of joins: inner, outer, semi, anti, mark, with NULLs that equal each other or not, and with a condition.
//!
//! A variant finds the pairs of rows whose keys are equal, and knows nothing else. Everything that makes another kind of it
//! happens in two places, once for all variants. On the way of the pairs, a [`PairFilter`] drops those that the condition
//! rules out and marks the rows of the others; a variant may tell it of rows that match in place of pairs, where that is
//! enough. And after the last pair, a walk over the marks of a side emits its rows with
//! or without a partner: those too that never came near a table, because their key is NULL, a filter of the join dropped
//! them, or the other side is empty. Since a mark is set however often a row matches, duplicates are not multiplied, and a
//! row that several workers see is emitted once; marks are bytes that are only ever set, so they need no lock. Where pairs are
//! no results, a condition is asked about [no more of them](settle) than it takes to mark a row.
//!
//! Every result is a [`Pair`](crate::output::Pair); [`Kind`] says what stands on either side.

mod marking;
mod marks;
mod rest;

use std::fmt;

use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome, Phases, Side, place};
pub use crate::output::NO_ROW;
use crate::output::{Consumer, FilterBoth, PairFilter, Results};
use marking::Marking;
pub use marking::settle;
pub use marks::Marks;

/// What a join returns, beside or instead of pairs of rows with equal keys. "Left" and "right" of SQL are the sides of a
/// query; here a side is the one that is built or the one that is probed, and which is which is up to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The pairs.
    Inner,
    /// The pairs, and each row of the side that has no partner, with [`NO_ROW`] in place of one.
    Outer(Side),
    /// The pairs, and each row of either side that has no partner, with [`NO_ROW`] in place of one.
    FullOuter,
    /// Each row of the side that has a partner, once, with [`NO_ROW`] in its place (`EXISTS`).
    Semi(Side),
    /// Each row of the side that has no partner, with [`NO_ROW`] in its place (`NOT EXISTS`).
    Anti(Side),
    /// Each row of the side of which it is certain that it has no partner (`NOT IN`): a NULL key might equal any other.
    NullAwareAnti(Side),
    /// Each row of the side, and in place of a partner whether it has one, as a [`Truth`] (`IN`).
    Mark(Side),
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Inner,
        Self::Outer(Side::Build),
        Self::Outer(Side::Probe),
        Self::FullOuter,
        Self::Semi(Side::Build),
        Self::Semi(Side::Probe),
        Self::Anti(Side::Build),
        Self::Anti(Side::Probe),
        Self::NullAwareAnti(Side::Build),
        Self::NullAwareAnti(Side::Probe),
        Self::Mark(Side::Build),
        Self::Mark(Side::Probe),
    ];

    /// Its name: the side whose rows are kept, and what is done with them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inner => "inner",
            Self::Outer(Side::Build) => "build-outer",
            Self::Outer(Side::Probe) => "probe-outer",
            Self::FullOuter => "full-outer",
            Self::Semi(Side::Build) => "build-semi",
            Self::Semi(Side::Probe) => "probe-semi",
            Self::Anti(Side::Build) => "build-anti",
            Self::Anti(Side::Probe) => "probe-anti",
            Self::NullAwareAnti(Side::Build) => "build-null-aware-anti",
            Self::NullAwareAnti(Side::Probe) => "probe-null-aware-anti",
            Self::Mark(Side::Build) => "build-mark",
            Self::Mark(Side::Probe) => "probe-mark",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether pairs are results.
    pub fn has_pairs(self) -> bool {
        matches!(self, Self::Inner | Self::Outer(_) | Self::FullOuter)
    }

    /// Whether rows of the side are emitted after the pairs.
    pub fn has_rest(self, side: Side) -> bool {
        match self {
            Self::Inner => false,
            Self::FullOuter => true,
            Self::Outer(own)
            | Self::Semi(own)
            | Self::Anti(own)
            | Self::NullAwareAnti(own)
            | Self::Mark(own) => own == side,
        }
    }

    /// Whether it asks what a NULL key might equal.
    pub fn is_null_aware(self) -> bool {
        matches!(self, Self::NullAwareAnti(_) | Self::Mark(_))
    }

    /// The same with the sides exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::Inner | Self::FullOuter => self,
            Self::Outer(side) => Self::Outer(side.other()),
            Self::Semi(side) => Self::Semi(side.other()),
            Self::Anti(side) => Self::Anti(side.other()),
            Self::NullAwareAnti(side) => Self::NullAwareAnti(side.other()),
            Self::Mark(side) => Self::Mark(side.other()),
        }
    }

    /// What stands in place of a partner of a row of a side that [has a rest](Self::has_rest), if this is true of the row;
    /// none where the row is no result.
    pub fn emits(self, has_partner: Truth) -> Option<u32> {
        let emits = match self {
            Self::Inner => false,
            Self::Outer(_) | Self::FullOuter | Self::Anti(_) => has_partner != Truth::True,
            Self::Semi(_) => has_partner == Truth::True,
            Self::NullAwareAnti(_) => has_partner == Truth::False,
            Self::Mark(_) => return Some(has_partner as u32),
        };
        emits.then_some(NO_ROW)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// SQL's truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Truth {
    /// It is not so.
    False = 0,
    /// It is so.
    True = 1,
    /// NULL: it might be.
    Unknown = 2,
}

/// What is asked of a join beside its keys.
#[derive(Clone, Copy)]
pub struct Semantics<'a> {
    /// Which rows are results.
    pub kind: Kind,
    /// Whether a NULL key equals another (`IS NOT DISTINCT FROM`).
    pub nulls_equal: bool,
    /// What pairs must fulfil besides, before any row counts as matched.
    pub condition: Option<&'a dyn PairFilter>,
}

impl From<Kind> for Semantics<'_> {
    /// NULLs that equal nothing, and no condition.
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            nulls_equal: false,
            condition: None,
        }
    }
}

impl Semantics<'_> {
    /// Joins by any variant.
    ///
    /// The phases are those of the variant, and `rest` for what comes after the pairs. An inner join that asks for nothing
    /// besides is the variant's own.
    ///
    /// # Errors
    ///
    /// Those of the variant, and memory that runs out for a byte per row of each side whose rows are marked.
    pub fn join(
        &self,
        join: &dyn DynJoin,
        input: &JoinInput<'_>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let sides = [Side::Build, Side::Probe];
        let null_pairs = self.nulls_equal && sides.iter().all(|&side| input.has_nulls(side));
        let both = FilterBoth::of(context.filter, self.condition);
        if self.kind == Kind::Inner && !null_pairs {
            let context = Context {
                filter: both.filter(),
                ..*context
            };
            return join.join(input, &context);
        }
        let mut phases = Phases::start();
        if self.is_ruled_out(input) {
            phases.lap("rest");
            return Ok(Outcome {
                results: Results::none(context.consumer),
                phases,
                table_bytes: 0,
                notes: vec!["a NULL might equal any key, so there is no result".to_owned()],
            });
        }
        let marks = |side: Side| {
            let wanted = self.kind.has_rest(side);
            let marks = wanted.then(|| Marks::new(input.rows(side), context.memory));
            marks.transpose()
        };
        let (build, probe) = (marks(Side::Build)?, marks(Side::Probe)?);
        phases.lap("clear marks");
        let marking = Marking {
            filter: both.filter(),
            build: build.as_ref(),
            probe: probe.as_ref(),
            keeps: self.kind.has_pairs(),
        };
        let of_pairs = Context {
            filter: Some(&marking),
            consumer: match self.kind.has_pairs() {
                true => context.consumer,
                false => Consumer::Aggregate,
            },
            ..*context
        }
        .round();
        let mut outcome = join.join(input, &of_pairs)?;
        phases.append(outcome.phases);
        let mut rounds = vec![match self.kind.has_pairs() {
            true => outcome.results,
            false => Results::none(context.consumer),
        }];
        if null_pairs {
            rounds.push(rest::equal_nulls(input, &of_pairs)?);
        }
        let own = [(Side::Build, build), (Side::Probe, probe)];
        for (side, marks) in own {
            if let Some(mut marks) = marks {
                let unmatched = match self.kind.is_null_aware() && !self.nulls_equal {
                    true => rest::unknown(input, side, &marks, self.condition, context)?,
                    false => Truth::False,
                };
                let truths = [unmatched, Truth::True, Truth::Unknown];
                let emits = truths.map(|truth| self.kind.emits(truth));
                rounds.push(rest::emit(emits, side, &mut marks, &context.round())?);
            }
        }
        phases.lap("rest");
        outcome.results = place(
            Results::of_rounds(rounds, context.consumer),
            context,
            &mut phases,
        )?;
        outcome.phases = phases;
        Ok(outcome)
    }

    /// Whether no row of a null-aware anti join is a result, since a NULL of the other side might equal any key.
    fn is_ruled_out(&self, input: &JoinInput<'_>) -> bool {
        match self.kind {
            Kind::NullAwareAnti(side) => {
                let asks_nothing_else = !self.nulls_equal && self.condition.is_none();
                asks_nothing_else && input.has_nulls(side.other())
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
