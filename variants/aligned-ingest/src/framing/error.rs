//! What a stream can have wrong with it.

/// A stream that is not COPY BINARY. `at` is the offset in the stream, in bytes, of the field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The first eleven bytes are others.
    #[error(
        "byte {at} is not that of a COPY BINARY signature; is the stream in text or CSV format, or compressed?"
    )]
    Signature {
        /// The first byte that differs.
        at: u64,
    },
    /// A flag that a reader must understand.
    #[error(
        "byte {at}: the header sets critical flags {flags:#010x}, which this reader does not know (bit 16 means rows with OIDs)"
    )]
    Flags {
        /// Where the flags are.
        at: u64,
        /// All 32 of them.
        flags: u32,
    },
    /// A header extension of negative length, or of more than [`super::Limits::MOST_EXTENSION_BYTES`].
    #[error("byte {at}: the header extension cannot have {length} bytes")]
    Extension {
        /// Where the length is.
        at: u64,
        /// As it stands there.
        length: i32,
    },
    /// A number of fields that no row can have, or another than was promised.
    #[error("byte {at}: a row of {count} fields{}", .expected.map_or(String::new(), |n| format!(" where {n} were expected")))]
    FieldCount {
        /// Where the count is.
        at: u64,
        /// As it stands there.
        count: i16,
        /// What the reader was told to expect.
        expected: Option<u16>,
    },
    /// A length below -1.
    #[error("byte {at}: a field cannot have {length} bytes; -1 is NULL")]
    FieldLength {
        /// Where the length is.
        at: u64,
        /// As it stands there.
        length: i32,
    },
    /// A row with more bytes than the reader was told to take.
    #[error(
        "byte {at}: a row of at least {bytes} bytes where {limit} is the limit; raise the slot if the row is right"
    )]
    RowTooLong {
        /// Where the row starts.
        at: u64,
        /// The bytes that the fields seen so far need, their framing included.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Bytes after the trailer.
    #[error("byte {at}: there are bytes after the trailer")]
    Trailing {
        /// The first of them.
        at: u64,
    },
    /// The stream ended before its trailer.
    #[error("byte {at}: the stream ends {where_}; it was cut off")]
    Truncated {
        /// The length of the stream.
        at: u64,
        /// Inside of what it ends.
        where_: &'static str,
    },
}
