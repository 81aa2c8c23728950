//! What is asked of a join besides its keys, in words that files, records and other processes share.

mod less;
mod named_kind;
mod payload;

pub use less::Less;
pub use named_kind::NamedKind;
pub use payload::Payload;

use join_core::kind::{Kind, Semantics};

/// What is asked of the join of a workload.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Which rows are results.
    pub kind: Kind,
    /// What pairs must fulfil besides equal keys.
    pub condition: Option<&'a Less>,
    /// Whether the results are to be written out, rather than counted and summed.
    pub pairs: bool,
    /// The columns that rows of the results are to be made of, rather than either.
    pub payload: Option<&'a Payload>,
}

impl<'a> Question<'a> {
    /// What makes a join of any variant answer it.
    pub fn semantics(&self) -> Semantics<'a> {
        Semantics {
            condition: self.condition.map(Less::as_filter),
            ..Semantics::from(self.kind)
        }
    }
}
