//! The form of a workload's TOML file. `docs/workloads.md` describes it to its authors.

use std::path::PathBuf;

use join_core::checksum::Checksum;
use join_core::page::DataType;
use serde::Deserialize;

use super::count::Count;
use super::tpch::TpchJoin;
use crate::question::NamedKind;

/// Which keys the rows of a build side have.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum BuildKeys {
    /// Each row another one.
    Unique,
    /// Each key in `each` rows; where the rows do not divide evenly, one key in what is left.
    Duplicated {
        /// Rows of a key.
        each: u32,
    },
    /// One key in this share of the rows, each other key in one row.
    Heavy {
        /// The share of the heavy key.
        share: f64,
    },
}

impl BuildKeys {
    /// How many different keys `rows` rows have.
    pub fn distinct(self, rows: u64) -> u64 {
        match self {
            BuildKeys::Unique => rows,
            BuildKeys::Duplicated { each } => rows.div_ceil(u64::from(each).max(1)),
            BuildKeys::Heavy { share } => {
                let heavy = (share * rows as f64).round() as u64;
                rows - heavy.clamp(rows.min(1), rows) + rows.min(1)
            }
        }
    }
}

/// Which keys the rows of a probe side have.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ProbeKeys {
    /// Each build key with the same probability.
    Uniform,
    /// In this share of the rows as `Uniform`, in the others keys that the build side does not have.
    Match {
        /// The share of rows with a build key.
        share: f64,
        /// The share of the build keys that these are.
        #[serde(default = "all")]
        of: f64,
    },
    /// Each build key in the same number of rows, as near as the rows allow.
    Even,
    /// The k-th most frequent build key in proportion to k^-exponent.
    Zipf {
        /// The exponent, at least 0.
        exponent: f64,
    },
    /// The build side's first key, which is the heavy one if there is one, in one row; each other key with the same
    /// probability in the other rows.
    HeavyOnce,
}

fn all() -> f64 {
    1.0
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) name: String,
    pub(super) sentence: String,
    #[serde(default)]
    pub(super) analysis: String,
    #[serde(default = "one")]
    pub(super) seed: u64,
    pub(super) key_type: Option<DataType>,
    /// Bytes of the longest VARCHAR key.
    pub(super) key_bytes: Option<u32>,
    /// Columns of the key, one or two.
    #[serde(default = "one_column")]
    pub(super) key_columns: u32,
    pub(super) build: Option<SideFields<BuildKeys>>,
    pub(super) probe: Option<SideFields<ProbeKeys>>,
    /// An inner join where none is named.
    #[serde(default)]
    pub(super) kinds: Vec<NamedKind>,
    /// Those of the kinds that a sweep measures unasked at any size but the full one; all where nothing is said.
    pub(super) swept: Option<Vec<NamedKind>>,
    pub(super) condition: Option<Condition>,
    pub(super) payload: Option<PayloadFields>,
    pub(super) tpch: Option<TpchFields>,
    pub(super) ladder: Option<LadderFields>,
    #[serde(default)]
    pub(super) quick: SizeFields,
    #[serde(default)]
    pub(super) default: SizeFields,
    #[serde(default)]
    pub(super) full: SizeFields,
    #[serde(default)]
    pub(super) expected: Vec<Expected>,
}

fn one() -> u64 {
    1
}

fn one_column() -> u32 {
    1
}

/// What pairs of rows must fulfil besides equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// The build row's value is less than the probe row's.
    Less {
        /// The share of pairs of which that is so.
        share: f64,
    },
}

impl Condition {
    /// The share of pairs that fulfil it.
    pub fn share(self) -> f64 {
        let Self::Less { share } = self;
        share
    }
}

/// Columns besides the key that rows of results are made of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayloadFields {
    /// Bytes of a row of each side: a workload each.
    pub(super) bytes: Vec<u32>,
    /// Those that a sweep measures unasked at any size but the full one; all where nothing is said.
    pub(super) swept: Option<Vec<u32>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SideFields<Keys> {
    pub(super) rows: Option<Count>,
    pub(super) keys: Option<Keys>,
    #[serde(default)]
    pub(super) null_share: f64,
    #[serde(default)]
    pub(super) one_null: bool,
    pub(super) table: Option<PathBuf>,
    pub(super) key: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TpchFields {
    pub(super) join: TpchJoin,
    pub(super) scale_factor: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LadderFields {
    pub(super) rungs: Rungs,
    pub(super) probe_factor: u32,
    pub(super) probe_cap: Count,
}

/// Build rows 2^from, 2^(from + step) … up to 2^to.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rungs {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) step: u32,
}

/// What differs at one size.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeFields {
    pub(super) build_rows: Option<Count>,
    pub(super) probe_rows: Option<Count>,
    pub(super) scale_factor: Option<f64>,
    pub(super) rungs: Option<Rungs>,
}

/// A recorded answer: that of the file's seed at these sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Rows of the build side.
    pub build_rows: u64,
    /// Rows of the probe side.
    pub probe_rows: u64,
    /// The kind of join, inner where none is named.
    #[serde(default)]
    pub kind: NamedKind,
    /// Result rows.
    pub rows: u64,
    /// [`Aggregate::checksum`](join_core::join::Aggregate::checksum) of the answer.
    pub checksum: Checksum,
}
