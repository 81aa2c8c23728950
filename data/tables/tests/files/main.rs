//! Tests of whole files.

mod common;
mod csv;
mod hostile;
mod meaning;
mod own_data;
mod parquet;
mod raw;
mod round_trip;
