//! Rows in any order, and where they lie in the chunks of a column.

use join_core::kind::NO_ROW;
use join_core::table::PageOffsets;

/// Rows to gather.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(super) places: Places<'a>,
    /// Whether there may be [`NO_ROW`] among them, in whose place a NULL stands.
    pub(super) missing: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    /// Rows of the only chunk.
    One(&'a [u32]),
    /// Rows of chunks.
    Many(&'a [Place]),
    /// So many rows of a chunk that follow one another.
    Run(Place, usize),
}

/// A row of a chunk; both are [`NO_ROW`] where there is no row.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(super) chunk: u32,
    pub(super) row: u32,
}

impl Place {
    pub(super) const NOWHERE: Self = Self {
        chunk: NO_ROW,
        row: NO_ROW,
    };

    /// The places of rows, in as much room as `room` has already, or more.
    pub(crate) fn locate(rows: &[u32], offsets: &PageOffsets, room: &mut Vec<Self>) {
        room.clear();
        room.extend(rows.iter().map(|&row| match row {
            NO_ROW => Self::NOWHERE,
            row => {
                let (chunk, row) = offsets.locate(row);
                Self {
                    chunk: chunk as u32,
                    row: row as u32,
                }
            }
        }));
    }
}

impl<'a> Rows<'a> {
    /// Rows of the only chunk.
    pub(crate) fn of_one(rows: &'a [u32], missing: bool) -> Self {
        Self {
            places: Places::One(rows),
            missing,
        }
    }

    /// Rows of chunks.
    pub(crate) fn of_many(places: &'a [Place], missing: bool) -> Self {
        Self {
            places: Places::Many(places),
            missing,
        }
    }

    /// So many rows that follow one another, from the place of the first: its chunk, and its row there.
    pub(crate) fn of_run((chunk, row): (usize, usize), len: usize) -> Self {
        let first = Place {
            chunk: chunk as u32,
            row: row as u32,
        };
        Self {
            places: Places::Run(first, len),
            missing: false,
        }
    }

    pub(super) fn len(self) -> usize {
        match self.places {
            Places::One(rows) => rows.len(),
            Places::Many(places) => places.len(),
            Places::Run(_, len) => len,
        }
    }

    /// Chunk and row of the one in place `at`; none where there is no row.
    #[inline(always)]
    pub(super) fn at(self, at: usize) -> Option<(usize, usize)> {
        let Place { chunk, row } = match self.places {
            Places::One(rows) => Place {
                chunk: 0,
                row: rows[at],
            },
            Places::Many(places) => places[at],
            Places::Run(first, _) => Place {
                row: first.row + at as u32,
                ..first
            },
        };
        (row != NO_ROW).then_some((chunk as usize, row as usize))
    }
}
