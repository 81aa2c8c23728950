//! What can go wrong.

use aligned_ingest::ChunksError;
use aligned_ingest::pages::PagesError;

/// Chunks that were not read on a device.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// No driver offers one.
    #[error(
        "there is no adapter; install a driver for Vulkan, or the package mesa-vulkan-drivers for a software device"
    )]
    NoAdapter,
    /// None of this name.
    #[error("no adapter is called {name:?}; there are: {names}")]
    NoSuchAdapter {
        /// What was asked for.
        name: String,
        /// What there is.
        names: String,
    },
    /// The driver refused.
    #[error("the device does not start: {0}")]
    Start(String),
    /// The driver gave up, or the device was taken away.
    #[error(
        "the device was lost: {0}; run again, on another one with --adapter if it happens again"
    )]
    Lost(String),
    /// It does not end.
    #[error(
        "the device has not answered for {0} seconds; a smaller --device-memory gives it less at once"
    )]
    Hung(u64),
    /// Its memory is used up.
    #[error("the device has too little memory; lower --device-memory")]
    Memory,
    /// It was allowed too little.
    #[error(
        "--device-memory {given} is too little for rows of these columns; at least {least} bytes"
    )]
    TooLittle {
        /// As given.
        given: u64,
        /// What two flights of the least size take.
        least: u64,
    },
    /// Rows are not cut.
    #[error(
        "section {section} has a row of {bytes} bytes, and the device takes {most} at once; raise --device-memory, or read it with `harness ingest pages`"
    )]
    RowTooLong {
        /// Number of the section.
        section: usize,
        /// The row's bytes, at least.
        bytes: u64,
        /// Bytes of a flight.
        most: u64,
    },
    /// Anything else that the driver says.
    #[error("the device failed: {0}")]
    Device(String),
    /// It answered, but wrongly.
    #[error(
        "section {section}: the device finds fault with rows that are right; update its driver"
    )]
    Wrong {
        /// Number of the section.
        section: usize,
    },
    /// The chunks are not what they say.
    #[error(transparent)]
    Chunks(#[from] ChunksError),
    /// The rows do not become a table.
    #[error(transparent)]
    Pages(#[from] PagesError),
}
