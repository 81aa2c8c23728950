//! Joinery's core.

pub mod checksum;
pub mod page;
pub mod table;
