//! References to values.

/// A value as 8 bytes: where it begins in its column's pages, and of a string how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell(u64);

impl Cell {
    /// No value.
    pub const NULL: Cell = Cell(u64::MAX);
    /// The length of a string that has pages of its own: the cell is its first page then.
    pub const LONG: u16 = 0xffff;

    #[inline]
    pub fn new(at: usize, length: u16) -> Cell {
        debug_assert!(at < 1 << 48);
        Cell(u64::from(length) << 48 | at as u64)
    }

    /// The byte of the column where the value begins.
    #[inline]
    pub fn at(self) -> usize {
        (self.0 & ((1 << 48) - 1)) as usize
    }

    /// The length of a string.
    #[inline]
    pub fn length(self) -> u16 {
        (self.0 >> 48) as u16
    }
}
