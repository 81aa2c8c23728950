//! Rows as bytes.

/// Appends rows to a buffer, field by field. The number of fields of a row is filled in by [`RowEncoder::end_row`].
#[derive(Debug, Default)]
pub struct RowEncoder {
    bytes: Vec<u8>,
    row: usize,
    fields: i16,
}

impl RowEncoder {
    /// Without rows.
    pub fn new() -> Self {
        let mut encoder = Self::default();
        encoder.begin();
        encoder
    }

    fn begin(&mut self) {
        self.row = self.bytes.len();
        self.fields = 0;
        self.bytes.extend([0; 2]);
    }

    /// A field, or NULL.
    ///
    /// # Panics
    /// If a row gets more than 32,767 fields, or a field more than 2 GiB: no server sends such.
    pub fn field(&mut self, value: Option<&[u8]>) {
        self.fields = self.fields.checked_add(1).expect("at most 32767 fields");
        match value {
            None => self.bytes.extend((-1i32).to_be_bytes()),
            Some(value) => {
                let length = i32::try_from(value.len()).expect("a field below 2 GiB");
                self.bytes.extend(length.to_be_bytes());
                self.bytes.extend(value);
            }
        }
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        self.bytes[self.row..self.row + 2].copy_from_slice(&self.fields.to_be_bytes());
        self.begin();
    }

    /// The whole rows so far, without header and trailer.
    pub fn rows(&self) -> &[u8] {
        &self.bytes[..self.row]
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.begin();
    }
}
