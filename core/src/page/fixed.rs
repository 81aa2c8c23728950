//! Values of fixed width, read in place.

use super::{DataType, HEADER_BYTES, PAGE_BYTES, Page, WIDE_VALUES_AT};

mod sealed {
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
    impl Sealed for f64 {}
}

/// A value that pages hold densely: `i32`, `i64`, `f64`.
pub trait Fixed:
    sealed::Sealed + bytemuck::Pod + PartialEq + PartialOrd + std::fmt::Debug + Send + Sync
{
    /// The column type of these values.
    const DATA_TYPE: DataType;
    /// Bytes of a value.
    const WIDTH: usize = size_of::<Self>();
    /// Where the values begin in a page.
    const VALUES_AT: usize;
}

impl Fixed for i32 {
    const DATA_TYPE: DataType = DataType::Int32;
    const VALUES_AT: usize = HEADER_BYTES;
}

impl Fixed for i64 {
    const DATA_TYPE: DataType = DataType::Int64;
    const VALUES_AT: usize = WIDE_VALUES_AT;
}

impl Fixed for f64 {
    const DATA_TYPE: DataType = DataType::Fp64;
    const VALUES_AT: usize = WIDE_VALUES_AT;
}

impl Page {
    /// The values of a page of a fixed-width column, n_v of them, in place.
    #[inline]
    pub fn fixed<T: Fixed>(&self) -> &[T] {
        let room = self.fixed_room();
        &room[..(self.header().1 as usize).min(room.len())]
    }

    /// The values of a page of a fixed-width column and what is behind them, for those who know how many there are and need
    /// not wait for the header.
    #[inline]
    pub fn fixed_room<T: Fixed>(&self) -> &[T] {
        let words: &[T] = bytemuck::cast_slice(std::slice::from_ref(self));
        &words[first_word::<T>()..]
    }

    /// The value in a slot of a page of a fixed-width column; `None` where the row is NULL.
    ///
    /// # Panics
    /// If there is no such slot.
    #[inline]
    pub fn fixed_at<T: Fixed>(&self, slot: usize) -> Option<T> {
        self.rank_of(slot).map(|rank| self.fixed()[rank])
    }

    /// The room for values between the header and the end of the page, to be written.
    #[inline]
    pub fn fixed_mut<T: Fixed>(&mut self) -> &mut [T] {
        let words: &mut [T] = bytemuck::cast_slice_mut(std::slice::from_mut(self));
        &mut words[first_word::<T>()..]
    }

    /// The rows of a page of a fixed-width column, NULL as `None`.
    pub fn fixed_rows<T: Fixed>(&self) -> impl Iterator<Item = Option<T>> + '_ {
        let mut values = self.fixed::<T>().iter().copied();
        let rows = self.validity().iter();
        rows.map(move |valid| if valid { values.next() } else { None })
    }
}

const fn first_word<T: Fixed>() -> usize {
    const { assert!(T::VALUES_AT.is_multiple_of(T::WIDTH) && T::VALUES_AT < PAGE_BYTES) };
    T::VALUES_AT / T::WIDTH
}
