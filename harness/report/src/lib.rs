//! Runs as records, and everything that is made of them: statistics, summaries, comparisons, charts, pages.
//!
//! Nothing here knows a join, a plan executor or an ingest. What a run measured is read from its `samples.jsonl`, and a
//! chart is a function of those records alone.

pub mod assumed;
pub mod charts;
pub mod cluster_model;
pub mod compare;
pub mod duel;
pub mod findings;
pub mod html;
pub mod limit_model;
pub mod page;
pub mod plain;
pub mod plans;
pub mod record;
pub mod stats;
pub mod summary;
pub mod table;
pub mod threads_model;
