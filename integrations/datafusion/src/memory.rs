//! Memory of a join, out of the pool of its session.

use std::sync::{Arc, Mutex};

use datafusion::common::DataFusionError;
use datafusion::execution::memory_pool::MemoryReservation;
use join_core::memory::{Lender, OutOfMemory};

use crate::block::Block;
use crate::exchange::{Exchange, lock};

/// Why the pool last refused.
#[derive(Clone, Default)]
pub(crate) struct Refusal(Arc<Mutex<Option<DataFusionError>>>);

impl Refusal {
    /// The pool's own error, which says who holds what, or the join's where there is none.
    pub(crate) fn explain(&self, error: &OutOfMemory) -> DataFusionError {
        let refused = lock(&self.0).take();
        refused.unwrap_or_else(|| DataFusionError::ResourcesExhausted(error.to_string()))
    }
}

/// Lends a join what the pool has, as long as anybody reads what its threads find.
pub(crate) struct Pool {
    pub(crate) reservation: MemoryReservation,
    /// Where they read, unless it is the join's own caller who does.
    pub(crate) exchange: Option<Arc<Exchange<Block>>>,
    pub(crate) refusal: Refusal,
}

impl Lender for Pool {
    fn lend(&self, bytes: usize) -> bool {
        let exchange = self.exchange.as_ref();
        if exchange.is_some_and(|exchange| exchange.is_over()) {
            return false;
        }
        match self.reservation.try_grow(bytes) {
            Ok(()) => true,
            Err(error) => {
                *lock(&self.refusal.0) = Some(error);
                false
            }
        }
    }

    fn take_back(&self, bytes: usize) {
        self.reservation.shrink(bytes);
    }
}
