//! A join of two frames, as far as it does not matter what becomes of its rows.

use harness::nearest::did_you_mean;
use join_core::join::{Context, DynJoin, Outcome, Side};
use join_core::kind::{Kind, Semantics};
use join_core::output::{Consumer, PairPlacement, Results};
use pyo3::prelude::*;
use registry::Variant;

use crate::error::Error;
use crate::how::{self, Order};
use crate::import::Frame;
use crate::keys::{KeyColumns, KeysOf};
use crate::rows::RowPairs;
use crate::work::Means;

/// The variant of a name.
///
/// # Errors
///
/// There is none.
pub(crate) fn variant(name: &str) -> Result<Variant, Error> {
    let all = registry::variants();
    let found = all.iter().find(|variant| variant.name == name);
    found.cloned().ok_or_else(|| {
        let names = all.iter().map(|variant| variant.name.as_str());
        let suggestion = did_you_mean(name, names);
        Error::Value(format!(
            "there is no variant {name:?}{suggestion}; joinery.variants() has all of them"
        ))
    })
}

/// What is asked of a join.
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) nulls_equal: bool,
    pub(crate) variant: Variant,
}

/// Two frames and their key columns.
pub(crate) struct Sides {
    pub(crate) build: Frame,
    pub(crate) build_keys: Vec<usize>,
    pub(crate) probe: Frame,
    pub(crate) probe_keys: Vec<usize>,
}

impl Sides {
    /// Frames of nothing but keys.
    ///
    /// # Errors
    ///
    /// One of them cannot be read.
    pub(crate) fn of_keys(build: &Bound<'_, PyAny>, probe: &Bound<'_, PyAny>) -> PyResult<Self> {
        let build = Frame::read("build", build)?;
        let probe = Frame::read("probe", probe)?;
        Ok(Self {
            build_keys: (0..build.columns.len()).collect(),
            probe_keys: (0..probe.columns.len()).collect(),
            build,
            probe,
        })
    }

    /// The key columns of both.
    pub(crate) fn keys(&self) -> [KeysOf<'_>; 2] {
        [
            (&self.build, &self.build_keys),
            (&self.probe, &self.probe_keys),
        ]
    }

    /// Rows of both.
    pub(crate) fn rows(&self) -> usize {
        self.build.rows() + self.probe.rows()
    }

    /// Joins.
    ///
    /// # Errors
    ///
    /// The keys cannot be joined, or memory runs out.
    pub(crate) fn join(
        &self,
        question: &Question,
        consumer: Consumer<'_>,
        means: &Means,
    ) -> Result<Outcome, Error> {
        self.join_as(false, question, consumer, means)
    }

    /// Joins, with the sides exchanged if that is wished.
    fn join_as(
        &self,
        is_swapped: bool,
        question: &Question,
        consumer: Consumer<'_>,
        means: &Means,
    ) -> Result<Outcome, Error> {
        let [build, probe] = self.keys();
        let (build, probe, kind) = match is_swapped {
            false => (build, probe, question.kind),
            true => (probe, build, question.kind.swapped()),
        };
        let keys = KeyColumns::new(build, probe, means)?;
        let configuration = question.variant.base;
        let join: Box<dyn DynJoin> = question
            .variant
            .join(&configuration)
            .map_err(Error::value)?;
        let semantics = Semantics {
            nulls_equal: question.nulls_equal,
            ..Semantics::from(kind)
        };
        let context = Context {
            caches: means.caches,
            ..Context::new(&means.team, &means.memory).with_consumer(consumer)
        };
        keys.with_keys(means, |keys| {
            Ok(semantics.join_keys(&*join, keys, &context)?)
        })
    }

    /// Joins, and keeps the pairs of rows: in order of the probe rows, or of the build rows where there are no others.
    /// Whether the variant may be given the smaller side to make a table of is `may_swap`.
    ///
    /// # Errors
    ///
    /// As [`Sides::join`].
    pub(crate) fn row_pairs(
        &self,
        question: &Question,
        order: Order,
        may_swap: bool,
        means: &Means,
    ) -> Result<RowPairs, Error> {
        let is_swapped = may_swap && order == Order::Any && self.build.rows() > self.probe.rows();
        let kept = Consumer::Pairs(PairPlacement::Chunks);
        let outcome = self.join_as(is_swapped, question, kept, means)?;
        let Results::Pairs(pairs) = outcome.results else {
            return Err(Error::Fault(
                "a join that was to keep its pairs did not".to_owned(),
            ));
        };
        let pairs = RowPairs::of(pairs, means)?;
        match (order, how::has_rows(question.kind, Side::Probe)) {
            (Order::Any, _) if is_swapped => Ok(pairs.swapped()),
            (Order::Any, _) => Ok(pairs),
            (Order::Probe, true) => pairs.ordered(Side::Probe, self.probe.rows(), means),
            (Order::Probe, false) => pairs.ordered(Side::Build, self.build.rows(), means),
        }
    }
}
