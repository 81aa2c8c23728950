//! The framing of PostgreSQL's `COPY … WITH (FORMAT binary)`.
//!
//! ```text
//! header   "PGCOPY\n\xff\r\n\0"  i32 flags  i32 n  n bytes of extension
//! row      i16 fields, each: i32 length (-1 = NULL), as many bytes
//! …
//! trailer  i16 -1
//! ```
//!
//! All integers are big-endian. There is no mark to find a row by and no padding: a row is known only by reading all
//! rows before it, by an index, or by a place where one is known to start, which is what the slots of this crate are.
//!
//! Source: PostgreSQL's manual, `COPY`, "Binary Format".

mod encode;
mod error;
mod reader;
mod rows;
mod shape;

pub use encode::RowEncoder;
pub use error::FramingError;
pub use reader::{Event, Framing, Limits};
pub use rows::{Fields, Row, Rows};

/// The first bytes of every stream.
pub const SIGNATURE: [u8; 11] = *b"PGCOPY\n\xff\r\n\0";

/// A header without flags and extension.
pub const HEADER: [u8; 19] = {
    let mut header = [0; 19];
    let mut i = 0;
    while i < SIGNATURE.len() {
        header[i] = SIGNATURE[i];
        i += 1;
    }
    header
};

/// The end of every stream.
pub const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
