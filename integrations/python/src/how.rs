//! Kinds of joins by the names that frames have for them. The left frame is the build side, the right one the probe side.

use harness::nearest::did_you_mean;
use join_core::join::Side;
use join_core::kind::Kind;

use crate::error::Error;

/// The kinds by name.
const KINDS: [(&str, Kind); 10] = [
    ("inner", Kind::Inner),
    ("left", Kind::Outer(Side::Build)),
    ("right", Kind::Outer(Side::Probe)),
    ("full", Kind::FullOuter),
    ("semi", Kind::Semi(Side::Build)),
    ("anti", Kind::Anti(Side::Build)),
    ("mark", Kind::Mark(Side::Build)),
    ("right_semi", Kind::Semi(Side::Probe)),
    ("right_anti", Kind::Anti(Side::Probe)),
    ("anti_null_aware", Kind::NullAwareAnti(Side::Build)),
];

/// The kind of a name.
///
/// # Errors
///
/// There is none.
pub(crate) fn kind(how: &str) -> Result<Kind, Error> {
    let found = KINDS.iter().find(|(name, _)| *name == how);
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let names = KINDS.map(|(name, _)| name);
        let suggestion = did_you_mean(how, names);
        Error::Value(format!(
            "how is {how:?}{suggestion}; it is one of {}",
            names.join(", ")
        ))
    })
}

/// The name of a kind, its own where frames have none for it.
pub(crate) fn name(kind: Kind) -> &'static str {
    let found = KINDS.iter().find(|(_, of_name)| *of_name == kind);
    found.map_or_else(|| kind.name(), |(name, _)| name)
}

/// Whether rows of a side are in the result.
pub(crate) fn has_rows(kind: Kind, side: Side) -> bool {
    kind.has_pairs() || kind.has_rest(side)
}

/// Whether results lack a row of a side: it is NULL there.
pub(crate) fn lacks_rows(kind: Kind, side: Side) -> bool {
    kind.has_rest(side.other())
}

/// In what order results are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In none.
    Any,
    /// In that of the right frame's rows.
    Probe,
}

impl Order {
    /// The side by whose rows a result of this kind is ordered: the left one where it has no right rows.
    pub(crate) fn side(self, kind: Kind) -> Option<Side> {
        match (self, has_rows(kind, Side::Probe)) {
            (Self::Any, _) => None,
            (Self::Probe, true) => Some(Side::Probe),
            (Self::Probe, false) => Some(Side::Build),
        }
    }

    /// The order of a name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn named(order: Option<&str>) -> Result<Self, Error> {
        match order {
            None => Ok(Self::Any),
            Some("probe") => Ok(Self::Probe),
            Some(other) => Err(Error::Value(format!(
                "order is {other:?}; it is None, or \"probe\" for that of the right rows"
            ))),
        }
    }
}
