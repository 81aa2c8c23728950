//! Aligned chunks: many workers write PostgreSQL's COPY BINARY rows into shared chunks such that no row is split, and
//! readers take the pieces in parallel, each on its own.
//!
//! ```text
//!  COPY … TO STDOUT ──> Framing ──> Writer<Placement> ──> Space: chunks, one cursor ──> Chunks: sections ──> pages
//!  a stream per worker  rows in     packed, aligned,      one fetch_add per flush       in parallel          or one
//!                       any pieces  packed-rows                 │                                            COPY file
//!                                                               └──> manifest.json, written last
//! ```
//!
//! `docs/ingest.md` says what the placements cost and what they guarantee.

pub mod account;
mod chunks;
mod compact;
pub mod framing;
mod index;
mod load;
mod manifest;
pub mod overlap;
pub mod pages;
mod placement;
#[cfg(feature = "postgres")]
pub mod server;
mod space;
pub mod ssb;
pub mod store;
mod writer;

pub use chunks::{Chunks, ChunksError, Piece, PieceBytes, SectionBytes};
pub use compact::{CompactError, compact};
pub use index::{INDEX_FILE, IndexError, RowIndex};
pub use load::{Job, LoadError, Outcome, Sink, StoreKind, run_workers};
pub use manifest::{Crc, MANIFEST_FILE, Manifest, ManifestError, Section, SourceColumn};
pub use placement::{Aligned, Packed, PackedRows, Placement, PlacementKind};
pub use space::{Full, Layout, LayoutError, Space};
pub use writer::{WriteError, Writer};
