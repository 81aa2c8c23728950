//! Keys of several columns, and of strings.
//!
//! Variants join integers. Two INT32 columns are one integer of 64 bits, exactly, composed as it is read. Of every other key they
//! get a 64-bit hash,
//! and each pair that they find is compared, in blocks, on its way to the consumer: before it counts, before a condition is
//! asked and before a row is marked, so that every [kind](crate::kind) of join is right whatever collides. This is done
//! around any variant, once, and compiles none of them again.

mod hashed;
mod part;
mod strings;

use crate::input::KeyColumn;
pub use crate::input::{StringColumn, StringSlice};
use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome, Phases, Side, Verify};
use crate::kind::Semantics;
use crate::output::{FilterBoth, Pair, PairFilter};
use crate::page::DataType;
use crate::table::Column;
use hashed::Hashed;
pub use part::KeyPart;

/// The key columns of two sides, each of one column or more.
pub struct CompoundInput<'a> {
    build: Vec<KeyPart<'a>>,
    probe: Vec<KeyPart<'a>>,
    /// The bits of a hash that count.
    mask: u64,
}

impl<'a> CompoundInput<'a> {
    /// The input of a join on these columns, the first of a side with the first of the other and so on.
    ///
    /// # Errors
    ///
    /// If the sides have different numbers of columns or none, two columns that meet have different types, or those of a
    /// side different numbers of rows.
    pub fn new(build: Vec<KeyPart<'a>>, probe: Vec<KeyPart<'a>>) -> Result<Self, JoinError> {
        if build.len() != probe.len() || build.is_empty() {
            return Err(JoinError::KeyColumns(build.len(), probe.len()));
        }
        for (build, probe) in build.iter().zip(&probe) {
            let types = (build.data_type(), probe.data_type());
            if types.0 != types.1 {
                return Err(JoinError::PartTypes(types.0, types.1));
            }
        }
        for parts in [&build, &probe] {
            let (first, rest) = parts.split_first().expect("one at least");
            if let Some(other) = rest.iter().find(|part| part.len() != first.len()) {
                return Err(JoinError::KeyRows(first.len(), other.len()));
            }
        }
        Ok(Self {
            build,
            probe,
            mask: u64::MAX,
        })
    }

    /// The same, of whose hashes only these bits count: without any of them all keys collide, which must change no answer.
    #[must_use]
    pub fn masked(self, mask: u64) -> Self {
        Self { mask, ..self }
    }

    /// Rows of a side.
    pub fn rows(&self, side: Side) -> usize {
        self.parts(side)[0].len()
    }

    fn parts(&self, side: Side) -> &[KeyPart<'a>] {
        side.of(&self.build, &self.probe)
    }

    fn has_nulls(&self) -> bool {
        let mut parts = self.build.iter().chain(&self.probe);
        parts.any(KeyPart::has_nulls)
    }

    /// Whether most strings are short on both sides, in every column that has any; not where none has.
    fn has_short_strings(&self) -> bool {
        let parts = self.build.iter().chain(&self.probe);
        let mut are_short = parts.filter_map(KeyPart::has_short_strings).peekable();
        are_short.peek().is_some() && are_short.all(|are_short| are_short)
    }

    /// The keys as integers, where their 64 bits are all of them. Then a key with a NULL in it is one.
    fn as_integers(&self) -> Option<JoinInput<'_>> {
        let [build, probe] = [&self.build, &self.probe].map(|parts| match &**parts {
            [KeyPart::Int32(low), KeyPart::Int32(high)] => Some(KeyColumn::of_two([low, high])),
            _ => None,
        });
        Some(JoinInput::Int64(build?, probe?))
    }
}

/// Key columns of any shape.
pub enum Keys<'a> {
    /// One column of integers.
    Integer(JoinInput<'a>),
    /// Several columns, or strings.
    Compound(CompoundInput<'a>),
}

impl<'a> Keys<'a> {
    /// Keys of these columns, of either side one.
    ///
    /// # Errors
    ///
    /// As [`CompoundInput::new`].
    pub fn new(columns: &[(&'a Column, &'a Column)]) -> Result<Self, JoinError> {
        if let [(build, probe)] = *columns
            && [build, probe].map(Column::data_type) != [DataType::Varchar; 2]
        {
            return JoinInput::new(build, probe).map(Self::Integer);
        }
        let build = columns.iter().map(|&(build, _)| KeyPart::new(build));
        let probe = columns.iter().map(|&(_, probe)| KeyPart::new(probe));
        let (build, probe) = (
            build.collect::<Result<_, _>>()?,
            probe.collect::<Result<_, _>>()?,
        );
        CompoundInput::new(build, probe).map(Self::Compound)
    }

    /// Rows of a side.
    pub fn rows(&self, side: Side) -> usize {
        match self {
            Self::Integer(input) => input.rows(side),
            Self::Compound(input) => input.rows(side),
        }
    }
}

impl Semantics<'_> {
    /// Joins by any variant, as [`Semantics::join`] or [`Semantics::join_compound`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn join_keys(
        &self,
        join: &dyn DynJoin,
        keys: &Keys<'_>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        match keys {
            Keys::Integer(input) => self.join(join, input, context),
            Keys::Compound(input) => self.join_compound(join, input, context),
        }
    }

    /// Joins by any variant, as [`Semantics::join`] does. The phases are those of the variant, and where keys are hashed `hash keys` before them.
    ///
    /// # Errors
    ///
    /// Those of the variant; memory that runs out for 8 bytes per row of each side, a bit per row where there are NULLs, 8 bytes
    /// per string that is compared and 16 more where [heads come first](Verify::HeadsFirst); strings that lie outside of what is
    /// said to hold them; or a kind that asks what a key might equal of which a part is NULL and others are not.
    pub fn join_compound(
        &self,
        join: &dyn DynJoin,
        input: &CompoundInput<'_>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let nulls_match = self.nulls_equal && input.has_nulls();
        if self.kind.is_null_aware()
            && !self.nulls_equal
            && input.build.len() > 1
            && input.has_nulls()
        {
            return Err(JoinError::PartlyNull(self.kind.name()));
        }
        if !nulls_match && let Some(keys) = input.as_integers() {
            return self.join(join, &keys, context);
        }
        let mut phases = Phases::start();
        let is_verified = context.verify != Verify::Hashes;
        let how = hashed::How {
            nulls_match,
            mask: input.mask,
            is_verified,
            with_heads: match context.verify {
                Verify::Sampled => input.has_short_strings(),
                verify => verify == Verify::HeadsFirst,
            },
        };
        let build = Hashed::of(input, Side::Build, how, context)?;
        let probe = Hashed::of(input, Side::Probe, how, context)?;
        phases.lap("hash keys");
        let equal = Equal {
            input,
            build: &build,
            probe: &probe,
        };
        let verify = is_verified.then_some(&equal as &dyn PairFilter);
        let verified = FilterBoth::of(verify, context.filter);
        let hashes = JoinInput::Int64(build.column(), probe.column());
        let context = Context {
            filter: verified.filter(),
            ..*context
        };
        let mut outcome = self.join(join, &hashes, &context)?;
        if how.with_heads {
            let note = "lengths and first bytes of strings compared before the strings";
            outcome.notes.push(note.to_owned());
        }
        phases.append(outcome.phases);
        drop(hashes);
        drop((build, probe));
        phases.lap("free");
        outcome.phases = phases;
        Ok(outcome)
    }
}

/// Keeps the pairs whose keys are equal; a NULL equals a NULL, since where it does not, rows with one join nothing.
struct Equal<'a> {
    input: &'a CompoundInput<'a>,
    build: &'a Hashed<'a>,
    probe: &'a Hashed<'a>,
}

impl PairFilter for Equal<'_> {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        let parts = self.input.build.iter().zip(&self.input.probe).enumerate();
        parts.fold(pairs.len(), |kept, (column, (build, probe))| {
            let notes = [self.build, self.probe].map(|side| side.notes(column));
            build.keep_equal(probe, notes, &mut pairs[..kept])
        })
    }
}

#[cfg(test)]
mod tests;
