//! Packing rows tightly into pages.

use super::{
    Fixed, HEADER_BYTES, LONG_FIRST, LONG_NEXT, LONG_PAGE_BYTES, PAGE_BYTES, PLAIN_STRING_BYTES,
    Page,
};

/// The most rows that a page without NULLs holds: 1984 INT32, 1007 INT64 or FP64.
pub const fn rows_per_full_page<T: Fixed>() -> usize {
    // A row takes WIDTH bytes and a bit; where the last byte of the bitmap is begun but not full, the
    // estimate by bits can be one row too high.
    let rows = (PAGE_BYTES - T::VALUES_AT) * 8 / (T::WIDTH * 8 + 1);
    if T::VALUES_AT + rows * T::WIDTH + rows.div_ceil(8) > PAGE_BYTES {
        rows - 1
    } else {
        rows
    }
}

const _: () = assert!(rows_per_full_page::<i32>() == 1984 && rows_per_full_page::<i64>() == 1007);

/// Makes `page` one of `rows` rows without NULLs, and returns the room for its values.
///
/// # Panics
/// If `rows` is more than [`rows_per_full_page`].
#[inline]
pub fn full_page<T: Fixed>(page: &mut Page, rows: usize) -> &mut [T] {
    assert!(rows <= rows_per_full_page::<T>());
    page.set_header(rows as u16, rows as u16);
    let bitmap = &mut page.bytes_mut()[PAGE_BYTES - rows.div_ceil(8)..];
    bitmap.fill(0xff);
    if let (Some(last), used @ 1..) = (bitmap.last_mut(), rows % 8) {
        *last = (1 << used) - 1;
    }
    &mut page.fixed_mut()[..rows]
}

/// The bitmap of a page that is being filled. It stands aside until the number of rows is known,
/// because its place in the page depends on it.
struct Bitmap {
    bits: Box<[u8; PAGE_BYTES]>,
    rows: usize,
}

impl Bitmap {
    fn new() -> Bitmap {
        Bitmap {
            bits: Box::new([0; PAGE_BYTES]),
            rows: 0,
        }
    }

    #[inline]
    fn push(&mut self, valid: bool) {
        self.bits[self.rows / 8] |= u8::from(valid) << (self.rows % 8);
        self.rows += 1;
    }

    /// Bytes that the bitmap takes with one row more.
    #[inline]
    fn bytes_with_next(&self) -> usize {
        (self.rows + 1).div_ceil(8)
    }

    /// Writes the bitmap and the header into `page` and starts again.
    fn finish(&mut self, page: &mut Page, values: usize) {
        let used = self.rows.div_ceil(8);
        page.set_header(self.rows as u16, values as u16);
        page.bytes_mut()[PAGE_BYTES - used..].copy_from_slice(&self.bits[..used]);
        self.bits[..used].fill(0);
        self.rows = 0;
    }
}

/// Packs values of fixed width into pages, row by row.
pub struct FixedWriter<T: Fixed> {
    pages: Vec<Page>,
    current: Box<Page>,
    values: usize,
    bitmap: Bitmap,
    _type: std::marker::PhantomData<T>,
}

impl<T: Fixed> FixedWriter<T> {
    /// A writer without rows.
    pub fn new() -> Self {
        FixedWriter {
            pages: Vec::new(),
            current: Box::default(),
            values: 0,
            bitmap: Bitmap::new(),
            _type: std::marker::PhantomData,
        }
    }

    /// Appends a row; `None` is NULL.
    #[inline]
    pub fn push(&mut self, row: Option<T>) {
        let values = self.values + usize::from(row.is_some());
        if T::VALUES_AT + T::WIDTH * values + self.bitmap.bytes_with_next() > PAGE_BYTES {
            self.flush();
        }
        if let Some(value) = row {
            self.current.fixed_mut()[self.values] = value;
            self.values += 1;
        }
        self.bitmap.push(row.is_some());
    }

    fn flush(&mut self) {
        self.bitmap.finish(&mut self.current, self.values);
        self.pages.push(*self.current);
        *self.current = Page::EMPTY;
        self.values = 0;
    }

    /// Takes the pages that are full out of the writer, which goes on after them.
    pub fn take_pages(&mut self) -> Vec<Page> {
        std::mem::take(&mut self.pages)
    }

    /// The pages that were not taken; none if there was no row.
    pub fn finish(mut self) -> Vec<Page> {
        if self.bitmap.rows > 0 {
            self.flush();
        }
        self.pages
    }
}

impl<T: Fixed> Default for FixedWriter<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Packs strings into pages, row by row.
pub struct VarcharWriter {
    pages: Vec<Page>,
    ends: Vec<u16>,
    chars: Vec<u8>,
    bitmap: Bitmap,
}

impl VarcharWriter {
    /// A writer without rows.
    pub fn new() -> Self {
        VarcharWriter {
            pages: Vec::new(),
            ends: Vec::new(),
            chars: Vec::with_capacity(PAGE_BYTES),
            bitmap: Bitmap::new(),
        }
    }

    /// Appends a row; `None` is NULL. A string of more than [`PLAIN_STRING_BYTES`] bytes takes pages of
    /// its own.
    pub fn push(&mut self, row: Option<&[u8]>) {
        if let Some(string) = row
            && string.len() > PLAIN_STRING_BYTES
        {
            return self.push_long(string);
        }
        let values = self.ends.len() + usize::from(row.is_some());
        let chars = self.chars.len() + row.map_or(0, <[u8]>::len);
        if HEADER_BYTES + 2 * values + chars + self.bitmap.bytes_with_next() > PAGE_BYTES {
            self.flush();
        }
        if let Some(string) = row {
            self.chars.extend_from_slice(string);
            self.ends.push(self.chars.len() as u16);
        }
        self.bitmap.push(row.is_some());
    }

    fn push_long(&mut self, string: &[u8]) {
        self.flush();
        let mut marker = LONG_FIRST;
        for part in string.chunks(LONG_PAGE_BYTES) {
            let mut page = Page::EMPTY;
            page.set_header(marker, part.len() as u16);
            page.bytes_mut()[HEADER_BYTES..][..part.len()].copy_from_slice(part);
            self.pages.push(page);
            marker = LONG_NEXT;
        }
    }

    fn flush(&mut self) {
        if self.bitmap.rows == 0 {
            return;
        }
        let mut page = Page::EMPTY;
        let body = &mut page.bytes_mut()[HEADER_BYTES..];
        let (ends, chars) = body.split_at_mut(2 * self.ends.len());
        ends.copy_from_slice(bytemuck::cast_slice(&self.ends));
        chars[..self.chars.len()].copy_from_slice(&self.chars);
        self.bitmap.finish(&mut page, self.ends.len());
        self.pages.push(page);
        self.ends.clear();
        self.chars.clear();
    }

    /// Takes the pages that are full out of the writer, which goes on after them.
    pub fn take_pages(&mut self) -> Vec<Page> {
        std::mem::take(&mut self.pages)
    }

    /// The pages that were not taken; none if there was no row.
    pub fn finish(mut self) -> Vec<Page> {
        self.flush();
        self.pages
    }
}

impl Default for VarcharWriter {
    fn default() -> Self {
        Self::new()
    }
}
