//! Tables of keys, and how others are looked up in them.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use array_build::array;
use datafusion::arrow::array::ArrowPrimitiveType;
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::Result;
use join_core::directory::Sizing;
use join_core::input::{BlockRows, KeyBlock, KeyColumn, KeySource};
use join_core::join::{CacheSizes, Context, DynJoinTable, JoinError, Kernel, Phases};
use join_core::key::Key;
use join_core::memory::{Memory, Reservation};
use join_core::output::{Aggregate, Enough, Pair, PairBuffer, PairConsumer, PairFilter, SinkRef};
use join_core::parallel::Team;
use join_core::unchained::DefaultScheme;
use partitioned_build::{PartitionedBuild, Settings};
use serial_build::SerialBuild;

use crate::exchange::lock;
use crate::job::failed;
use crate::keys::{Form, column};
use crate::memory::Refusal;
use crate::side::Chunks;

/// Rows from which on keys are partitioned before a table is made of them.
const PARTITIONED_FROM: usize = 1 << 18;

/// Keys that are looked up together.
const GROUP: usize = 128;

/// Keys of which it is found out how many rows have each.
const SAMPLE: usize = 1024;

/// Of which so many are looked up before it is asked whether these are enough.
const SAMPLED_AT_A_TIME: usize = 16;

/// Rows of a key that are to be expected at most, where keys are looked up without counting first.
const FEW: usize = 16;

/// Bytes of pairs that are not reserved.
const UNRESERVED: usize = 1 << 20;

/// A table of keys. What is looked up in it is of the same form.
pub(crate) struct Lookup {
    table: Table,
    kernel: Kernel,
    /// Partners that a row may be expected to have, if it is like those of the table.
    partners: usize,
    /// What kind of table it is, and of how many keys.
    pub(crate) name: String,
    memory: Memory,
    refusal: Refusal,
}

enum Table {
    Int32(Box<dyn DynJoinTable<i32>>),
    Int64(Box<dyn DynJoinTable<i64>>),
}

impl Lookup {
    /// A table of these keys, made by a team out of memory whose lender says why it refuses.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    pub(crate) fn new(
        form: Form,
        keys: &Chunks,
        team: &Team,
        (memory, refusal): (&Memory, &Refusal),
    ) -> Result<Self> {
        let context = Context::new(team, memory);
        let built = match form {
            Form::Int32 | Form::Hashed => built::<Int32Type>(keys, &context, Table::Int32),
            Form::Int64 => built::<Int64Type>(keys, &context, Table::Int64),
        };
        let (table, kernel, partners, name) = built.map_err(|error| match error {
            JoinError::OutOfMemory(error) => refusal.explain(&error),
            error => failed(error),
        })?;
        Ok(Self {
            table,
            kernel,
            partners,
            name,
            memory: memory.clone(),
            refusal: refusal.clone(),
        })
    }

    /// Whether rows may have so many partners that they are to be counted first.
    pub(crate) fn has_many(&self) -> bool {
        self.partners > FEW
    }

    /// Rows that may be expected to have so many pairs, at least one.
    pub(crate) fn rows_of(&self, pairs: usize) -> usize {
        (pairs / self.partners.max(1)).max(1)
    }

    /// How many pairs rows have, which are looked up by these keys.
    pub(crate) fn count(&self, keys: &Chunks, rows: Range<usize>) -> Result<u64> {
        let mut sums = Aggregate::default();
        self.look_up(keys, rows, SinkRef::Aggregate(&mut sums))?;
        Ok(sums.rows)
    }

    /// The pairs of rows, in their order, or at least one pair of each row that has any.
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
        let looked_up = match &self.table {
            Table::Int32(table) => {
                look_up::<Int32Type>(table.as_ref(), keys, rows, self.kernel, sink)
            }
            Table::Int64(table) => {
                look_up::<Int64Type>(table.as_ref(), keys, rows, self.kernel, sink)
            }
        };
        looked_up.map_err(failed)
    }
}

/// Pairs, for which memory is reserved.
pub(crate) struct Found {
    pub(crate) pairs: Vec<Pair>,
    _reservation: Reservation,
}

/// A table, how it is looked up in, how many rows a key has, and what is said of it.
type Built = (Table, Kernel, usize, String);

fn built<T: ArrowPrimitiveType<Native: Key>>(
    keys: &Chunks,
    context: &Context<'_>,
    wrap: fn(Box<dyn DynJoinTable<T::Native>>) -> Table,
) -> Result<Built, JoinError> {
    let keys = column::<T>(keys)?;
    let (table, name) = table(&keys, context)?;
    let kernel = Kernel::batched(GROUP).for_table(table.bytes(), CacheSizes::default());
    let partners = partners(table.as_ref(), &keys, kernel);
    let name = format!("{name} of {} keys", table.tuples());
    Ok((wrap(table), kernel, partners, name))
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

/// Partners of rows that are like those of the table, as far as a sample tells.
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
