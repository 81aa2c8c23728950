//! The same joins with keys of several columns and of strings.

use crate::compound::{CompoundInput, KeyPart};
use crate::input::KeyColumn;
use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome, Side, Verify};
use crate::key::Key;
use crate::kind::Semantics;
use crate::table::Column;

/// What an integer key becomes: something else for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Its upper and its lower half, INT32 each.
    Halves,
    /// Its digits, most often behind letters that all have; once in a while so many that they take pages of their own.
    Digits,
    /// Some letters and an INT64.
    LettersAndNumber,
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::Halves, Self::Digits, Self::LettersAndNumber];

    /// The columns of a side. A key that is NULL is so in one of its columns or, with `whole`, in all.
    fn columns(self, rows: &[Option<i64>], whole: bool) -> Vec<Column> {
        let columns = match self {
            Self::Digits => 1,
            _ => 2,
        };
        let holds = |column: usize| {
            move |(row, &key): (usize, &Option<i64>)| match key {
                Some(key) => Some(key),
                // What the other column holds is nothing that another row has.
                None if !whole && row % columns != column => Some(-77),
                None => None,
            }
        };
        let part = |column: usize| rows.iter().enumerate().map(holds(column));
        let low = |key: i64| key as i32;
        match self {
            Self::Halves => vec![
                Column::from_options(part(0).map(|key| key.map(|key| (key >> 32) as i32))),
                Column::from_options(part(1).map(|key| key.map(low))),
            ],
            Self::Digits => {
                let digits = |key: i64| match key % 1000 {
                    7 => format!("{key:09000}"),
                    _ if key % 3 == 0 => format!("{key}"),
                    _ => format!("common to all {key}"),
                };
                vec![Column::from_strings(part(0).map(|key| key.map(digits)))]
            }
            Self::LettersAndNumber => vec![
                Column::from_strings(
                    part(0).map(|key| key.map(|key| "ab".repeat(key.rem_euclid(5) as usize))),
                ),
                Column::from_options(part(1).map(|key| key.map(|key| key.div_euclid(5)))),
            ],
        }
    }
}

/// A join made of another by what is asked, of keys of this shape instead of integers.
pub(super) struct OfShape<'a> {
    pub join: &'a dyn DynJoin,
    pub semantics: Semantics<'a>,
    pub shape: Shape,
    /// The bits of hashes that count.
    pub mask: u64,
    /// What is compared.
    pub verify: Verify,
}

impl DynJoin for OfShape<'_> {
    fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
        let side = |side: Side| {
            let rows = match input {
                JoinInput::Int32(build, probe) => keys(side.of(build, probe)),
                JoinInput::Int64(build, probe) => keys(side.of(build, probe)),
            };
            self.shape.columns(&rows, self.semantics.nulls_equal)
        };
        let (build, probe) = (side(Side::Build), side(Side::Probe));
        let build = build.iter().map(KeyPart::new).collect::<Result<_, _>>()?;
        let probe = probe.iter().map(KeyPart::new).collect::<Result<_, _>>()?;
        let input = CompoundInput::new(build, probe)?.masked(self.mask);
        let context = Context {
            verify: self.verify,
            ..*context
        };
        self.semantics.join_compound(self.join, &input, &context)
    }
}

fn keys<K: Key>(column: &KeyColumn<'_, K>) -> Vec<Option<i64>> {
    let signed = |key: K| match size_of::<K>() {
        4 => i64::from(key.bits() as u32 as i32),
        _ => key.bits() as i64,
    };
    column.rows().map(|key| key.map(signed)).collect()
}
