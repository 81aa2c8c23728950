//! Where a worker's flush goes, and where it is cut (S2 to S4).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A placement as a type parameter of the [`Writer`](crate::Writer).
pub trait Placement: Send + Sync + 'static {
    /// Its name.
    const KIND: PlacementKind;
    /// A flush ends at a row boundary.
    const WHOLE_ROWS: bool;
    /// The shared cursor advances by a whole slot, whatever is in it. The place of a flush is then known before its
    /// bytes are, so that they are written into place as they come.
    const FIXED: bool;
}

/// A flush as soon as the buffer is full, wherever in a row that is; the cursor advances by the bytes written. The
/// fault that the other two repair, kept as the baseline.
#[derive(Clone, Copy, Debug)]
pub struct Packed;

/// One slot per flush, cut at the last row that fits; the cursor advances by the slot.
#[derive(Clone, Copy, Debug)]
pub struct Aligned;

/// Cut at a row boundary; the cursor advances by the bytes written. Only the manifest tells the sections apart.
#[derive(Clone, Copy, Debug)]
pub struct PackedRows;

impl Placement for Packed {
    const KIND: PlacementKind = PlacementKind::Packed;
    const WHOLE_ROWS: bool = false;
    const FIXED: bool = false;
}

impl Placement for Aligned {
    const KIND: PlacementKind = PlacementKind::Aligned;
    const WHOLE_ROWS: bool = true;
    const FIXED: bool = true;
}

impl Placement for PackedRows {
    const KIND: PlacementKind = PlacementKind::PackedRows;
    const WHOLE_ROWS: bool = true;
    const FIXED: bool = false;
}

/// A placement by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementKind {
    /// [`Packed`].
    Packed,
    /// [`Aligned`].
    Aligned,
    /// [`PackedRows`].
    PackedRows,
}

impl PlacementKind {
    /// All of them.
    pub const ALL: [PlacementKind; 3] = [Self::Packed, Self::Aligned, Self::PackedRows];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packed => "packed",
            Self::Aligned => "aligned",
            Self::PackedRows => "packed-rows",
        }
    }
}

impl fmt::Display for PlacementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
