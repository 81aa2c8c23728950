//! Plan bundles made from benchmarks.
//!
//! A bundle has the joins of a query; its filters are evaluated while its tables are made, and aggregates are left out.
//! TPC-H and the Star Schema Benchmark are made from generated rows: [`Benchmark::bundle`] makes a bundle in memory,
//! [`Benchmark::write`] several as folders. [`job`] makes those of the Join Order Benchmark from its plans.

mod choice;
mod error;
pub mod files;
pub mod job;
mod query;
mod rows;
pub mod shape;
mod ssb;
pub mod store;
mod tpch;
mod write;

use std::path::{Path, PathBuf};

use plan_executor::Bundle;

pub use error::MakeError;

use choice::Choice;
use tpch::queries::Make;

/// A benchmark whose queries are made into bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Benchmark {
    /// TPC-H.
    Tpch,
    /// The Star Schema Benchmark.
    Ssb,
}

/// How much data, and which constants filters compare with.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    /// The scale factor: 1 has 6 million line items.
    pub scale: f64,
    /// Draws the constants of the filters; the benchmark's own without. The rows are the benchmark's in any case.
    pub seed: Option<u64>,
}

impl Benchmark {
    /// The scale factors at which keys are INT32 and no table is without rows.
    pub const SCALES: std::ops::RangeInclusive<f64> = 0.001..=100.0;

    /// The names of its queries.
    pub fn queries(self) -> impl Iterator<Item = &'static str> {
        self.makers().iter().map(|(name, _)| *name)
    }

    /// The bundle of a query, in memory. The same arguments give the same bundle.
    ///
    /// # Errors
    /// If there is no such query, or the scale is outside of [`Benchmark::SCALES`].
    pub fn bundle(self, query: &str, data: &Data) -> Result<Bundle, MakeError> {
        if !Self::SCALES.contains(&data.scale) {
            return Err(MakeError::Option(format!(
                "the scale {} is outside of {}..{}; 1 has 6 million line items",
                data.scale,
                Self::SCALES.start(),
                Self::SCALES.end()
            )));
        }
        let make = self.makers().iter().find(|(name, _)| *name == query);
        let (name, make) = make.ok_or_else(|| MakeError::Query {
            name: query.to_owned(),
            names: self.queries().map(str::to_owned).collect(),
        })?;
        make(&mut Choice::new(data.seed, name)).bundle(name, data.scale)
    }

    /// Writes the bundles of these queries, of all if none is named, into the new folder `out`, one folder each. It
    /// appears whole or not at all. Returns the folders. Each bundle is in memory until it is written.
    ///
    /// # Errors
    /// If `out` exists and is not empty, and as [`Benchmark::bundle`].
    pub fn write(
        self,
        queries: &[String],
        data: &Data,
        out: &Path,
    ) -> Result<Vec<PathBuf>, MakeError> {
        let names: Vec<&str> = match queries {
            [] => self.queries().collect(),
            some => some.iter().map(String::as_str).collect(),
        };
        write::bundles(&names, out, |name| self.bundle(name, data))
    }

    fn makers(self) -> &'static [(&'static str, Make)] {
        match self {
            Self::Tpch => tpch::queries::QUERIES,
            Self::Ssb => ssb::queries::QUERIES,
        }
    }
}
