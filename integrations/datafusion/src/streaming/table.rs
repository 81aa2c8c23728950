//! The table of a left side, or of a partition of one, and what is found out of its rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::arrow::array::Array;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use join_core::kind::{Kind, Marks, Truth};
use join_core::memory::Memory;
use join_core::output::Pair;
use join_core::parallel::Team;

use crate::job::{Equipment, Question};
use crate::keys::Form;
use crate::lookup::Lookup;
use crate::memory::{Pool, Refusal};
use crate::side::Side;

/// What a table is made for.
pub(crate) struct Order {
    pub(crate) question: Arc<Question>,
    pub(crate) form: Form,
    pub(crate) equipment: Equipment,
    /// Partitions of the right side that are looked up in it.
    pub(crate) partitions: usize,
}

/// A table, and what has been found out of its rows and of those that were looked up.
pub(crate) struct LeftTable {
    pub(crate) left: Side,
    pub(crate) lookup: Lookup,
    /// Which rows have partners, where the kind of the join asks.
    pub(crate) marks: Option<Marks>,
    /// Partitions of the right side that have not been read to their ends.
    unfinished: AtomicUsize,
    /// Whether there is a row on the right.
    right_has_rows: AtomicBool,
    /// Whether a key on the right is NULL, where `NOT IN` asks.
    right_has_null: AtomicBool,
    _reservation: Arc<MemoryReservation>,
}

impl LeftTable {
    /// A table of a left side for which `bytes` are reserved.
    ///
    /// # Errors
    ///
    /// If the pool has no room for it.
    pub(crate) fn new(
        left: Side,
        bytes: Arc<MemoryReservation>,
        order: &Order,
        team: &Team,
    ) -> Result<Self> {
        let Order {
            question,
            form,
            equipment,
            partitions,
        } = order;
        let form = *form;
        let _timer = equipment.metrics.build_time.timer();
        let refusal = Refusal::default();
        let memory = Memory::lent(Pool {
            reservation: equipment.reserve("JoineryTable"),
            exchange: None,
            refusal: refusal.clone(),
        });
        let of_keys = equipment.reserve("JoineryKeys");
        of_keys.try_grow(form.bytes(&left))?;
        let keys = form.of_keys(&left.keys, question.nulls)?;
        let lookup = Lookup::new(form, &keys, team, (&memory, &refusal))?;
        let marks = question
            .has_left_rest()
            .then(|| Marks::new(left.rows(), &memory));
        let marks = marks.transpose().map_err(|error| refusal.explain(&error))?;
        let used = bytes.size() + of_keys.size() + memory.peak();
        equipment.metrics.build_mem_used.set_max(used);
        equipment.note(lookup.name.clone());
        Ok(Self {
            left,
            lookup,
            marks,
            unfinished: AtomicUsize::new(*partitions),
            right_has_rows: AtomicBool::new(false),
            right_has_null: AtomicBool::new(false),
            _reservation: bytes,
        })
    }

    /// Tells of the keys of a right side, for `NOT IN`. Returns whether a NULL has ruled out all results.
    pub(crate) fn see(&self, right: &Side) -> bool {
        // Relaxed, as below: whoever must know has counted partitions.
        self.right_has_rows.store(true, Ordering::Relaxed);
        if right.has_null_keys() {
            self.right_has_null.store(true, Ordering::Relaxed);
        }
        self.right_has_null.load(Ordering::Relaxed)
    }

    /// Tells that a partition of the right side has been read to its end. Returns whether it was the last one.
    pub(crate) fn finish(&self) -> bool {
        self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// After the last partition: marks the rows of which `NOT IN` is not true though they have no partner. Returns whether
    /// there may be others without one.
    pub(crate) fn mark_unknown(&self) -> bool {
        let (Some(marks), Some(keys)) = (&self.marks, self.left.keys.first()) else {
            return true;
        };
        if self.right_has_null.load(Ordering::Relaxed) {
            return false;
        }
        if self.right_has_rows.load(Ordering::Relaxed) {
            let mut rows = 0..;
            for chunk in keys {
                let nulls = chunk.logical_nulls();
                let own = rows.by_ref().take(chunk.len()).enumerate();
                for (_, row) in own.filter(|&(at, _)| nulls.as_ref().is_some_and(|n| n.is_null(at)))
                {
                    marks.set(row, Truth::Unknown);
                }
            }
        }
        true
    }

    /// Rows of the left side from `first` on that are results by what is known of them, at most so many; and where to go on.
    pub(crate) fn rest(&self, kind: Kind, first: u32, most: usize) -> (Vec<Pair>, u32) {
        let Some(marks) = &self.marks else {
            return (Vec::new(), first);
        };
        let end = marks.rows() as u32;
        let mut found = Vec::new();
        let mut build = first;
        while build < end && found.len() < most {
            let probe = kind.emits(marks.get(build));
            found.extend(probe.map(|probe| Pair { build, probe }));
            build += 1;
        }
        (found, build)
    }
}
