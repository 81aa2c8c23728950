//! A join of two frames, as far as it does not matter what becomes of its rows.

use harness::nearest::did_you_mean;
use join_core::join::{Context, DynJoin, Outcome};
use join_core::kind::{Kind, Semantics};
use join_core::memory::Buffer;
use join_core::output::{Consumer, Pair, PairPlacement, Results};
use pyo3::prelude::*;
use registry::Variant;

use crate::error::Error;
use crate::how::Order;
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
        let [build, probe] = Frame::read_both(["build", "probe"], [build, probe])?;
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

    /// Joins, with the sides exchanged if that is wished: each pair then names its rows the other way round.
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
        keys.with_keys(means, |keys| semantics.join_keys(&*join, keys, &context))
    }

    /// Joins, and keeps the pairs as they are found, with the sides exchanged if that is wished.
    ///
    /// # Errors
    ///
    /// As [`Sides::join`].
    pub(crate) fn pairs(
        &self,
        is_swapped: bool,
        question: &Question,
        means: &Means,
    ) -> Result<Vec<Buffer<Pair>>, Error> {
        let kept = Consumer::Pairs(PairPlacement::Chunks);
        match self.join_as(is_swapped, question, kept, means)?.results {
            Results::Pairs(pairs) => Ok(pairs.chunks),
            _ => Err(Error::Fault(
                "a join that was to keep its pairs did not".to_owned(),
            )),
        }
    }

    /// Joins, and keeps the rows of pairs side by side, in order of those of a side where that is asked.
    ///
    /// # Errors
    ///
    /// As [`Sides::join`].
    pub(crate) fn row_pairs(
        &self,
        question: &Question,
        order: Order,
        means: &Means,
    ) -> Result<RowPairs, Error> {
        let pairs = RowPairs::of(self.pairs(false, question, means)?, means)?;
        match order.side(question.kind) {
            None => Ok(pairs),
            Some(side) => {
                let frame: &Frame = side.of(&self.build, &self.probe);
                pairs.ordered(side, frame.rows(), means)
            }
        }
    }
}
