//! Tests of the command line, against the program itself.

mod common;
mod compare;
mod errors;
mod plan;
mod plan_make;
mod sweep;
mod table;
