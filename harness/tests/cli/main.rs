//! Tests of the command line, against the program itself.

mod common;
mod compare;
#[cfg(unix)]
mod duel;
mod errors;
mod hostile;
mod ingest;
mod inputs;
mod plan;
mod plan_make;
#[cfg(unix)]
mod plan_once;
mod plan_peers;
mod plan_run;
mod resume;
mod sweep;
mod table;
mod verify;
