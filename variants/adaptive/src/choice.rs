//! Which join is picked, and why. The rules stand in the order in which they are asked; the first that holds decides.
//!
//! What a rule cannot see before the join has begun (which side the table is of, whether probes are filtered) the joins
//! decide themselves.

use join_core::join::DynJoin;

use crate::Observed;

/// A join to pick.
pub struct Candidate {
    /// The variant that is the same code, where it decides likewise.
    pub variant: &'static str,
    /// The join.
    pub join: Box<dyn DynJoin>,
}

/// The joins to pick from.
pub struct Candidates {
    /// An array of row ids where build keys are dense and distinct, and another table where they turn out not to be.
    pub array: Candidate,
    /// One table of the smaller side, built by one thread.
    pub one_table: Candidate,
    /// One table of the build side, which finds pairs in the order of the probe rows.
    pub in_order: Candidate,
    /// Both sides partitioned.
    pub partitioned: Candidate,
}

/// What is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// [`Candidates::array`]
    Array,
    /// [`Candidates::one_table`], which fits in L2.
    OneTable,
    /// [`Candidates::one_table`], of which few tuples are asked for.
    HotTable,
    /// [`Candidates::in_order`]
    InOrder,
    /// [`Candidates::partitioned`]
    Partitioned,
}

impl Choice {
    /// The right join for what was observed.
    pub fn of(observed: &Observed) -> Self {
        // Dense keys need no hash and no comparison. But an array that is looked at all over must stay in the caches, and
        // making it must be worth it. Where the sample was wrong, another build takes over.
        if observed.is_dense()
            && observed.probe_rows >= observed.build_rows
            && (observed.array_fits_l2_times(4) || observed.is_probed_in_order())
        {
            return Self::Array;
        }
        // In L2 a lookup waits for nothing, so partitioning would only copy.
        if observed.fits_l2_times(1) {
            return Self::OneTable;
        }
        // The table does not fit, but nearly all probes are for the same few of its tuples, which stay in the caches by
        // themselves. One thread builds it, so there must be enough probes; and beyond eight times L2 the others cost more
        // than partitioning.
        if observed.repeated_probe > 0.7
            && observed.build_rows <= observed.probe_rows / 8
            && observed.fits_l2_times(8)
        {
            return Self::HotTable;
        }
        // Values of the probe rows are read in order, and those of a smaller build side from a copy row by row. Measured
        // (`docs/findings/joins.md`): over the join with both sides partitioned this one takes 1.36 with 8 bytes a row, 1.11 with
        // 32, and 0.62 with 128.
        if observed.carried >= 64 && observed.build_rows <= observed.probe_rows {
            return Self::InOrder;
        }
        // Each lookup would miss the caches twice; two sequential copies of both sides cost less.
        Self::Partitioned
    }

    /// What notes call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Array => "an array of row ids",
            Self::OneTable => "one table",
            Self::HotTable => "one table for few hot keys",
            Self::InOrder => "one table, for pairs in the order of the probe rows",
            Self::Partitioned => "both sides partitioned",
        }
    }

    /// The join.
    pub(crate) fn candidate(self, candidates: &Candidates) -> &Candidate {
        match self {
            Self::Array => &candidates.array,
            Self::OneTable | Self::HotTable => &candidates.one_table,
            Self::InOrder => &candidates.in_order,
            Self::Partitioned => &candidates.partitioned,
        }
    }
}
