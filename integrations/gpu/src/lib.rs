//! Aligned chunks read on a GPU: sections are copied to the device in flights, and each row becomes values in columns.
//!
//! ```text
//!  section ──> flight ──> count ──> scan ──> place ──> fill ──> add ──> rows, values, sums
//!  CRC-32      copied     rows of   prefix   row       values   sums       └──> columns, pages
//!              to device  a lane    sums     starts
//! ```
//!
//! A lane reads a stride of a section; without an index of row starts it reads all of it. `docs/gpu.md` has more.

mod device;
mod error;
mod flight;
mod join;
mod keys;
mod layout;
mod pages;
mod reader;
mod totals;

pub use device::{Device, adapters, code_lines, is_software};
pub use error::GpuError;
pub use flight::Search;
pub use join::{Joined, Matches, join};
pub use keys::{DeviceKeys, HostKeys};
pub use layout::Kind;
pub use pages::to_table;
pub use reader::{Reader, Timing};
pub use totals::{ColumnSum, Totals};
