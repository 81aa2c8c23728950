//! The table of a left side, or of a partition of one, and how rows of the right side are looked up in it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use array_build::array;
use datafusion::arrow::array::{Array, ArrowPrimitiveType};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use join_core::directory::Sizing;
use join_core::input::{BlockRows, KeyBlock, KeyColumn, KeySource};
use join_core::join::{CacheSizes, Context, DynJoinTable, JoinError, Kernel, Phases};
use join_core::key::Key;
use join_core::kind::{Kind, Marks, Truth};
use join_core::memory::{Memory, Reservation};
use join_core::output::{Aggregate, Enough, Pair, PairBuffer, PairConsumer, PairFilter, SinkRef};
use join_core::parallel::Team;
use join_core::unchained::DefaultScheme;
use partitioned_build::{PartitionedBuild, Settings};
use serial_build::SerialBuild;

use crate::exchange::lock;
use crate::job::{Equipment, Question, failed};
use crate::keys::{Form, column};
use crate::memory::{Pool, Refusal};
use crate::side::{Chunks, Side};

/// Rows from which on keys are partitioned before a table is made of them.
const PARTITIONED_FROM: usize = 1 << 18;

/// Keys that are looked up together.
const GROUP: usize = 128;

/// Rows of a left side that are looked at to find out how many partners to expect.
const SAMPLE: usize = 1024;

/// Of which so many are looked up before it is asked whether these are enough.
const SAMPLED_AT_A_TIME: usize = 16;

/// Partners that a row may be expected to have at most, where rows are looked up without counting first.
const FEW: usize = 16;

/// Bytes of pairs that are not reserved.
const UNRESERVED: usize = 1 << 20;

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
    keys: Keys,
    kernel: Kernel,
    /// Partners that a row of the right side may be expected to have, if it is like those of the left one.
    partners: usize,
    /// Which rows have partners, where the kind of the join asks.
    pub(crate) marks: Option<Marks>,
    /// Partitions of the right side that have not been read to their ends.
    unfinished: AtomicUsize,
    /// Whether there is a row on the right.
    right_has_rows: AtomicBool,
    /// Whether a key on the right is NULL, where `NOT IN` asks.
    right_has_null: AtomicBool,
    memory: Memory,
    refusal: Refusal,
    _reservation: Arc<MemoryReservation>,
}

enum Keys {
    Int32(Box<dyn DynJoinTable<i32>>),
    Int64(Box<dyn DynJoinTable<i64>>),
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
        let keys = form.of_side(&left, question.nulls)?;
        let context = Context::new(team, &memory);
        let built = match form {
            Form::Int32 | Form::Hashed => Built::new::<Int32Type>(&keys, &context, Keys::Int32),
            Form::Int64 => Built::new::<Int64Type>(&keys, &context, Keys::Int64),
        };
        let explained = |error| match error {
            JoinError::OutOfMemory(error) => refusal.explain(&error),
            error => failed(error),
        };
        let built = built.map_err(explained)?;
        let marks = question
            .has_left_rest()
            .then(|| Marks::new(left.rows(), &memory));
        let marks = marks.transpose().map_err(|error| refusal.explain(&error))?;
        let used = bytes.size() + of_keys.size() + memory.peak();
        equipment.metrics.build_mem_used.set_max(used);
        equipment.note(built.note);
        Ok(Self {
            left,
            keys: built.keys,
            kernel: built.kernel,
            partners: built.partners,
            marks,
            unfinished: AtomicUsize::new(*partitions),
            right_has_rows: AtomicBool::new(false),
            right_has_null: AtomicBool::new(false),
            memory,
            refusal,
            _reservation: bytes,
        })
    }

    /// Whether rows of the right side may have so many partners that they are to be counted first.
    pub(crate) fn has_many(&self) -> bool {
        self.partners > FEW
    }

    /// Rows of the right side that may be expected to have so many pairs, at least one.
    pub(crate) fn rows_of(&self, pairs: usize) -> usize {
        (pairs / self.partners.max(1)).max(1)
    }

    /// How many pairs rows of a right side have, which are looked up by these keys.
    pub(crate) fn count(&self, keys: &Chunks, rows: Range<usize>) -> Result<u64> {
        let mut sums = Aggregate::default();
        self.look_up(keys, rows, SinkRef::Aggregate(&mut sums))?;
        Ok(sums.rows)
    }

    /// The pairs of rows of a right side, in their order, or at least one pair of each row that has any.
    pub(crate) fn pairs(
        &self,
        keys: &Chunks,
        rows: Range<usize>,
        one_is_enough: bool,
    ) -> Result<Found> {
        let refused = |error| self.refusal.explain(&error);
        let filter = one_is_enough.then_some(&OnePartner as &dyn PairFilter);
        let found = Gathered::default();
        let memory = Memory::unlimited();
        let mut buffer = PairBuffer::streaming(&memory, filter, &found, 0).map_err(refused)?;
        self.look_up(keys, rows, SinkRef::Pairs(&mut buffer))?;
        buffer.finish().map_err(refused)?;
        let pairs = found.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What batches on their way take nobody reserves; pairs of a single row may be many more.
        let bytes = (pairs.capacity() * size_of::<Pair>()).saturating_sub(UNRESERVED);
        Ok(Found {
            pairs,
            _reservation: self.memory.reserve(bytes).map_err(refused)?,
        })
    }

    fn look_up(&self, keys: &Chunks, rows: Range<usize>, sink: SinkRef<'_, '_>) -> Result<()> {
        let looked_up = match &self.keys {
            Keys::Int32(table) => {
                look_up::<Int32Type>(table.as_ref(), keys, rows, self.kernel, sink)
            }
            Keys::Int64(table) => {
                look_up::<Int64Type>(table.as_ref(), keys, rows, self.kernel, sink)
            }
        };
        looked_up.map_err(failed)
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

/// Pairs, for which memory is reserved.
pub(crate) struct Found {
    pub(crate) pairs: Vec<Pair>,
    _reservation: Reservation,
}

/// What building leaves.
struct Built {
    keys: Keys,
    kernel: Kernel,
    partners: usize,
    note: String,
}

impl Built {
    fn new<T: ArrowPrimitiveType<Native: Key>>(
        keys: &Chunks,
        context: &Context<'_>,
        wrap: fn(Box<dyn DynJoinTable<T::Native>>) -> Keys,
    ) -> Result<Self, JoinError> {
        let keys = column::<T>(keys)?;
        let (table, name) = table(&keys, context)?;
        let kernel = Kernel::batched(GROUP).for_table(table.bytes(), CacheSizes::default());
        Ok(Self {
            kernel,
            partners: partners(table.as_ref(), &keys, kernel),
            note: format!("{name} of {} keys", table.tuples()),
            keys: wrap(table),
        })
    }
}

/// An array of rows where keys are dense and distinct, and otherwise an unchained table.
fn table<K: Key>(
    keys: &KeyColumn<'_, K>,
    context: &Context<'_>,
) -> Result<(Box<dyn DynJoinTable<K>>, &'static str), JoinError> {
    let mut phases = Phases::start();
    if let Some(array) = array(keys, context, &mut phases)? {
        return Ok((Box::new(array), "array"));
    }
    let partitioned = PartitionedBuild::<DefaultScheme>::new(Settings::DEFAULT);
    let serial = |slots| SerialBuild::<DefaultScheme>::new(Sizing::per_tuple(slots));
    let built = match keys.len() >= PARTITIONED_FROM {
        true => partitioned.table(keys, context, &mut phases),
        false => serial(1.0).table(keys, context, &mut phases),
    };
    // Where there is no room for more than the table itself, a smaller one is better than none.
    let table = match built {
        Err(JoinError::OutOfMemory(_)) => serial(0.25).table(keys, context, &mut phases)?,
        built => built?,
    };
    Ok((Box::new(table), "table"))
}

/// Partners of rows of a right side that is like the left one, as far as a sample tells.
fn partners<K: Key>(table: &dyn DynJoinTable<K>, keys: &KeyColumn<'_, K>, kernel: Kernel) -> usize {
    let sample = SAMPLE.min(keys.len());
    let rows = (0..sample).map(|row| (row * keys.len() / sample) as u32);
    let sampled: Vec<K> = rows.filter_map(|row| keys.key(row)).collect();
    let (mut sums, mut looked_up) = (Aggregate::default(), 0);
    for keys in sampled.chunks(SAMPLED_AT_A_TIME) {
        let rows = BlockRows::From(0);
        let block = KeyBlock { keys, rows };
        table.probe(block, kernel, SinkRef::Aggregate(&mut sums));
        looked_up += keys.len();
        if sums.rows as usize > FEW * SAMPLE {
            // All of them would tell no more, and might have thousands of millions.
            break;
        }
    }
    sums.rows as usize / looked_up.max(1)
}

fn look_up<T: ArrowPrimitiveType<Native: Key>>(
    table: &dyn DynJoinTable<T::Native>,
    keys: &Chunks,
    rows: Range<usize>,
    kernel: Kernel,
    mut sink: SinkRef<'_, '_>,
) -> Result<(), JoinError> {
    let column = column::<T>(keys)?;
    let rows = column.slice(rows);
    let mut cursor = rows.whole();
    while let Some(block) = cursor.next_block() {
        table.probe(block, kernel, sink.reborrow());
    }
    Ok(())
}

/// Says that one partner of each row is as good as all.
struct OnePartner;

impl PairFilter for OnePartner {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        pairs.len()
    }

    fn enough(&self) -> Enough {
        Enough::OnePerProbeRow
    }
}

/// Pairs as they come; there is one worker.
#[derive(Default)]
struct Gathered(Mutex<Vec<Pair>>);

impl PairConsumer for Gathered {
    fn consume(&self, _: usize, pairs: &[Pair]) {
        lock(&self.0).extend_from_slice(pairs);
    }
}
