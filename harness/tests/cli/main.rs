//! Tests of the command line, against the program itself.

mod common;
mod compare;
mod errors;
mod plan;
mod sweep;
mod table;
