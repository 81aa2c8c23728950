//! What a duel and the two builds say to each other: the peers' protocol (`harness/peers/README.md`), where a request
//! for a join also names what is to join.

use serde::{Deserialize, Serialize};

use crate::peers::Side as Keys;
use report::record::BuildRecord;

/// The version of these lines. Builds that speak another one do not meet.
pub(super) const PROTOCOL: u32 = 1;

/// A line of work.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Request {
    /// Say who you are, to one who speaks this version.
    Hello(u32),
    /// Load these keys in place of those before.
    Load {
        /// Of the joins that follow, at the most.
        threads: u32,
        /// The build side.
        build: Box<Keys>,
        /// The probe side.
        probe: Box<Keys>,
    },
    /// Join what was loaded.
    Join(Wanted),
}

/// What is to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// The variant.
    pub(super) variant: String,
    /// Its threads.
    pub(super) threads: u32,
    /// `aggregate` or `pairs`.
    pub(super) consumer: Consumer,
    /// The kind of join where it is no inner one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    /// Whether the build row's value must be less than the probe row's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) less: bool,
}

/// What becomes of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Consumer {
    /// They are counted and summed.
    Aggregate,
    /// They are written out.
    Pairs,
}

/// Who a build is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// [`PROTOCOL`].
    pub(super) protocol: u32,
    /// Whether it may be timed.
    pub(super) optimised: bool,
    /// The revision that was built, or why it is not known.
    pub(super) commit: String,
    /// Whether the tree had changes beside it.
    pub(super) dirty: bool,
    /// The cargo profile.
    pub(super) profile: String,
    /// The compiler's version.
    pub(super) rustc: String,
    /// What it can join with.
    pub(super) variants: Vec<String>,
    /// The kinds of join that it knows, with a condition or without.
    #[serde(default)]
    pub(super) kinds: Vec<String>,
}

impl Hello {
    /// As records have it; a revision that was built for this duel is known by itself.
    pub(super) fn record(&self, side: &str, name: &str, commit: Option<&str>) -> BuildRecord {
        BuildRecord {
            side: side.to_owned(),
            name: name.to_owned(),
            commit: commit.unwrap_or(&self.commit).to_owned(),
            dirty: self.dirty && commit.is_none(),
            profile: self.profile.clone(),
            rustc: self.rustc.clone(),
        }
    }
}

/// The data are there.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Loaded {
    /// Always.
    pub(super) loaded: bool,
}
