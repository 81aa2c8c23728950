//! Tests of the command line, against the program itself.

mod common;
mod errors;
mod sweep;
