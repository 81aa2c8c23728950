//! Tests of whole files.

mod common;
mod csv;
mod own_data;
mod parquet;
mod round_trip;
