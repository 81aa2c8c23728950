//! Sets of plans that are made, so that nobody needs data of their own to measure executors.

use plan_bundles::{Benchmark, Data};
use plan_executor::Bundle;

use crate::verbs::Ending;
use report::record::Size;

/// A set of plans of a sweep.
#[derive(Debug)]
pub struct Set {
    /// Its name, as that of a workload.
    pub name: &'static str,
    /// What it shows.
    pub sentence: &'static str,
    benchmark: Benchmark,
    /// What the names of its plans begin with.
    prefix: &'static str,
}

/// All of them.
#[rustfmt::skip] // a line a set
pub static SETS: &[Set] = &[
    Set { name: "plans-tpch", prefix: "tpch", benchmark: Benchmark::Tpch, sentence: "Whole plans: the joins of TPC-H queries, both executors." },
    Set { name: "plans-ssb", prefix: "ssb", benchmark: Benchmark::Ssb, sentence: "Whole plans: the star joins of the Star Schema Benchmark, both executors." },
];

impl Set {
    /// The scale factor at a size.
    pub fn scale(size: Size) -> f64 {
        match size {
            Size::Quick => 0.02,
            Size::Default => 0.2,
            Size::Full => 1.0,
        }
    }

    /// How many plans it has.
    pub fn len(&self) -> usize {
        self.benchmark.queries().count()
    }

    /// Makes its plans, one at a time, each with its name.
    pub fn plans(&self, scale: f64) -> impl Iterator<Item = Result<(String, Bundle), Ending>> {
        self.benchmark.queries().map(move |query| {
            let data = Data { scale, seed: None };
            let bundle = self.benchmark.bundle(query, &data).map_err(Ending::usage)?;
            Ok((format!("{}/{query}", self.prefix), bundle))
        })
    }
}
