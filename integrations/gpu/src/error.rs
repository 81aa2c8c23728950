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
        "{given} bytes of the device's memory are too little, at least {least} are needed; raise --device-memory"
    )]
    TooLittle {
        /// As given.
        given: u64,
        /// What is needed.
        least: u64,
    },
    /// Two columns that no join compares.
    #[error("the key columns are of two types: both must be INT32, or both INT64")]
    KeyTypes,
    /// Row ids are 32 bits wide.
    #[error(
        "a key column has more than 4,294,967,295 rows; row ids are 32 bits wide, so split the table"
    )]
    TooManyRows,
    /// There is none of this name.
    #[error("no column is called {0:?}; see `harness ingest gpu check`")]
    NoColumn(String),
    /// A column that is no key.
    #[error("column {0:?} has no integers; a key column is INT32 or INT64")]
    NoKeys(String),
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
    /// A section is not cut either, where rows are looked for.
    #[error("sections of {bytes} bytes are too long for this device and memory, at most {most}")]
    SectionTooLong {
        /// Its bytes.
        bytes: u64,
        /// What fits.
        most: u64,
    },
    /// It stopped before its end.
    #[error("the device stops before the end of the section at {address}; give it smaller ones")]
    Unfinished {
        /// Where the section begins.
        address: u64,
    },
    /// Anything else that the driver says.
    #[error("the device failed: {0}")]
    Device(String),
    /// It answered, but wrongly.
    #[error(
        "section {section}: the device finds fault with rows that are right, or stops before their end; read them with `harness ingest pages`, or update its driver"
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
