//! One execution of a tree: its leaves are read, then threads find the rows of the output.

use std::mem;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use join_core::memory::Memory;
use plan_executor::{
    Context as Work, ExecuteError, JoinTree, Options, Pipelined, Role, RowConsumer, Telemetry,
    TreeInput,
};

use super::cascade::{Last, Order};
use super::forest::{Forest, Key, Rows};
use super::links::{Keys, Known, Link, Links};
use super::shape::{Leaf, Shape, is_integer};
use super::sieve::Sieve;
use crate::block::Block;
use crate::exchange::{Exchange, lock};
use crate::fallback::Half;
use crate::job::{Equipment, SMALL, Source, TABLE_ROW, stock, unjoined};
use crate::keys::{column, distinct, hashed};
use crate::memory::{Pool, Refusal};
use crate::pruning::Pruning;
use crate::side::{Chunks, Collected, Partition, Request, Side};

/// Rows by which the number of different keys is estimated.
const SAMPLE: usize = 1024;

/// Rows of a last leaf, for each row of the others, from which on it streams though keeping it costs nothing, since nobody reads it
/// from files. To keep it, and to gather from all over, takes some nanoseconds a row; its keys would have filtered the others, which
/// become tables as they are: TPC-H's Q3, with four rows for each of the others, took 38 ms streaming and 32 ms collected.
const HELD: usize = 5;

/// All that a tree needs to run.
pub(crate) struct Job {
    pub(crate) shape: Shape,
    pub(crate) schema: SchemaRef,
    pub(crate) options: Options,
    /// Rows of the last leaf from which on it streams, if it ever does.
    pub(crate) streams_from: Option<usize>,
    /// Of each leaf.
    pub(crate) sources: Vec<Source>,
    /// Of each leaf the filter that leaves before it fill.
    pub(crate) pruning: Vec<Option<Pruning>>,
    pub(crate) equipment: Equipment,
}

/// A leaf that is read.
struct Reading {
    schema: SchemaRef,
    request: Arc<Request>,
    reservation: Arc<MemoryReservation>,
    way: Way,
}

enum Way {
    /// It is yet to be.
    Waiting(Vec<SendableRecordBatchStream>),
    /// Tasks are reading it.
    Started(SpawnedTask<Result<Collected>>),
    /// It has been, or as far as it was.
    Read(Vec<Partition>),
}

impl Reading {
    fn new(leaf: &Leaf, source: Source, equipment: &Equipment) -> Self {
        Self {
            request: request(leaf, &source.schema),
            schema: source.schema,
            reservation: Arc::new(equipment.reserve("JoineryInput")),
            way: Way::Waiting(source.streams),
        }
    }

    /// Streams that nobody reads yet.
    fn waiting(&self) -> usize {
        match &self.way {
            Way::Waiting(streams) => streams.len(),
            _ => 0,
        }
    }

    /// Has tasks read it, at most so many rows, unless they do already.
    fn start(&mut self, sieve: Option<Arc<Sieve>>, most: usize, equipment: &Equipment) {
        let Way::Waiting(streams) = &mut self.way else {
            return;
        };
        let streams = mem::take(streams);
        let input = &equipment.metrics.left;
        let mut collector = equipment.collector(&self.request, &self.schema, input);
        collector.reservation = self.reservation.clone();
        (collector.sieve, collector.most) = (sieve, most);
        self.way = Way::Started(SpawnedTask::spawn(collector.collect(streams)));
    }

    /// What came of reading it, once.
    async fn collected(&mut self) -> Result<Collected> {
        match mem::replace(&mut self.way, Way::Read(Vec::new())) {
            Way::Started(task) => task.join_unwind().await.map_err(unjoined)?,
            Way::Waiting(streams) => {
                let unread = streams.into_iter().map(Partition::unread);
                Ok(Collected::Enough(unread.collect()))
            }
            Way::Read(partitions) => Ok(Collected::Enough(partitions)),
        }
    }

    /// The leaf as a plan, with the columns that it has.
    async fn replayed(mut self) -> Result<Arc<dyn ExecutionPlan>> {
        let mut partitions = match self.collected().await? {
            Collected::All(side) => {
                self.reservation.free();
                vec![Partition::of(side)]
            }
            Collected::Part(partitions, _) | Collected::Enough(partitions) => partitions,
        };
        let parts = partitions.iter_mut().flat_map(|read| &mut read.parts);
        parts.for_each(|part| part.keys.clear());
        let half = Half {
            schema: self.schema,
            request: Arc::new(Request {
                keys: Vec::new(),
                columns: self.request.columns.clone(),
            }),
            partitions,
            reservation: self.reservation,
        };
        Ok(Arc::new(half.replayed()?))
    }
}

impl Job {
    /// Reads the leaves, and has threads find rows, or rows of the last leaf look for the others. Where the pool has no room for
    /// all of them and for tables, DataFusion's joins take over with what was read.
    pub(crate) async fn run(self, exchange: Arc<Exchange<Block>>) -> Result<()> {
        let Self {
            shape,
            schema,
            options,
            streams_from,
            sources,
            mut pruning,
            equipment,
        } = self;
        let leaves = shape.leaves.iter().zip(sources);
        let readings = leaves.map(|(leaf, source)| Reading::new(leaf, source, &equipment));
        let mut readings: Vec<Reading> = readings.collect();
        let last = readings.len() - 1;
        // With fewer streams than threads some of these would have nothing to do.
        let streams_from = streams_from.filter(|_| {
            !shape.leaves[last].is_required && readings[last].waiting() >= equipment.threads
        });
        // Those that no other prunes are read at the same time: few of them keep all threads busy.
        for (number, reading) in readings.iter_mut().enumerate() {
            if pruning[number].is_none() && (number < last || streams_from.is_none()) {
                reading.start(None, usize::MAX, &equipment);
            }
        }
        let tables = equipment.reserve("JoineryTable");
        let mut leaves: Vec<Side> = Vec::with_capacity(readings.len());
        // What is said of the leaves.
        let mut notes: Vec<String> = Vec::new();
        for (number, reading) in readings.iter_mut().enumerate() {
            let mut sieve = None;
            if let Some(pruning) = pruning[number].take() {
                let links = shape.links_back(number).into_iter();
                pruning.fill_by(links.map(|(_, place)| {
                    let key = shape.key_at(place);
                    &leaves[key.leaf].keys[key.key]
                }))?;
                // A scan that asks for the filter reads files: what it drops here is held by nobody else.
                sieve = Sieve::new(&shape, &leaves, &equipment).await?.map(Arc::new);
            }
            // All leaves but the last must leave room for a table of them, so that another can be made if ours cannot.
            let rows = leaves.last().map_or(0, Side::rows);
            if tables.try_grow(rows * TABLE_ROW + SMALL).is_err() {
                break;
            }
            let most = match streams_from.filter(|_| number == last) {
                Some(0) => 0,
                Some(rows) => {
                    let others: usize = leaves.iter().map(Side::rows).sum();
                    rows.max(match sieve {
                        // Tables of all other leaves cost less than to keep more rows.
                        Some(_) => others,
                        // Nobody may have made the rows for this query, and to keep them costs nothing then.
                        None => others.saturating_mul(HELD),
                    })
                }
                _ => usize::MAX,
            };
            reading.start(sieve.clone(), most, &equipment);
            let collected = reading.collected().await?;
            if let Some(sieve) = sieve.as_ref().filter(|sieve| sieve.dropped() > 0) {
                let name = shape.name_of(number);
                let dropped = sieve.dropped();
                notes.push(format!("read {name} without {dropped} rows"));
            }
            match collected {
                // There is nothing to be joined with.
                Collected::All(side) if side.rows() == 0 => return Ok(()),
                Collected::All(side) => leaves.push(side),
                Collected::Part(partitions, _) => {
                    reading.way = Way::Read(partitions);
                    break;
                }
                Collected::Enough(partitions) => {
                    reading.way = Way::Read(partitions);
                    tables.free();
                    let passage = Last {
                        schema: reading.schema.clone(),
                        request: reading.request.clone(),
                        reservation: reading.reservation.clone(),
                    };
                    let order = Order {
                        shape: shape.clone(),
                        schema: schema.clone(),
                        equipment: equipment.clone(),
                        own_order: options.own_order,
                        reservations: reservations(&readings[..last]),
                    };
                    let Way::Read(partitions) = &mut readings[last].way else {
                        return internal_err!("a leaf that was read");
                    };
                    match order.stream(leaves, partitions, passage, &exchange).await? {
                        Some(refused) => leaves = refused,
                        None => return Ok(()),
                    }
                    break;
                }
            }
        }
        drop(tables);
        if leaves.len() == shape.leaves.len() {
            let search = Search {
                shape: shape.clone(),
                schema: schema.clone(),
                options,
                equipment: equipment.clone(),
                exchange: exchange.clone(),
                reservations: reservations(&readings),
                notes,
            };
            // Not a worker of the runtime: it blocks while nobody asks for what it found.
            let search = SpawnedTask::spawn_blocking(move || search.run(leaves));
            match search.join().await.map_err(unjoined)?? {
                Searched::Done => return Ok(()),
                Searched::Refused(refused) => leaves = refused,
            }
        }
        for (reading, leaf) in readings.iter_mut().zip(leaves) {
            reading.way = Way::Read(vec![Partition::of(leaf)]);
            reading.reservation.free();
        }
        equipment
            .note("joined by DataFusion: the memory pool has no room for all leaves".to_owned());
        let mut leaves = Vec::with_capacity(readings.len());
        for reading in readings {
            leaves.push(reading.replayed().await?);
        }
        let plan = shape.stock(leaves)?;
        stock(plan, &schema, &equipment.context, &exchange).await
    }
}

fn reservations(readings: &[Reading]) -> Vec<Arc<MemoryReservation>> {
    let reservations = readings.iter().map(|reading| reading.reservation.clone());
    reservations.collect()
}

/// What is kept of a leaf: all, since whoever planned it has left out what nobody asks for.
fn request(leaf: &Leaf, schema: &SchemaRef) -> Arc<Request> {
    let key = |&column: &usize| -> PhysicalExprRef {
        Arc::new(Column::new(schema.field(column).name(), column))
    };
    Arc::new(Request {
        keys: leaf.keys.iter().map(key).collect(),
        columns: (0..schema.fields().len()).collect(),
    })
}

/// The search for rows.
struct Search {
    shape: Shape,
    schema: SchemaRef,
    options: Options,
    equipment: Equipment,
    exchange: Arc<Exchange<Block>>,
    reservations: Vec<Arc<MemoryReservation>>,
    /// What is said of the leaves.
    notes: Vec<String>,
}

/// How a search ended.
enum Searched {
    /// All rows were handed over.
    Done,
    /// The pool refused what it takes, or there are more rows than it counts, before there was any.
    Refused(Vec<Side>),
}

impl Search {
    fn run(self, leaves: Vec<Side>) -> Result<Searched> {
        let Links {
            joins,
            filters,
            checks,
        } = links(&self.shape, &leaves.iter().collect::<Vec<_>>())?;
        let forest = Arc::new(Forest {
            leaves,
            checks,
            conditions: self.shape.conditions.clone(),
            columns: self.shape.output.clone(),
            schema: self.schema.clone(),
            reservations: self.reservations.clone(),
        });
        match self.rows(&forest, &joins, &filters) {
            Ok(()) => Ok(Searched::Done),
            Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
                // Whoever has got a row has a part in the leaves.
                let leaves = Arc::into_inner(forest).map(|forest| forest.leaves);
                leaves.map(Searched::Refused).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn rows(&self, forest: &Arc<Forest>, joins: &[Link], filters: &[Link]) -> Result<()> {
        let Self {
            equipment,
            exchange,
            options,
            ..
        } = self;
        let _timer = equipment.metrics.join_time.timer();
        let (leaves, matters) = (&forest.leaves, forest.matters());
        let keys = LeafKeys::new(leaves, joins.iter().chain(filters));
        let of_hashes = equipment.reserve("JoineryKeys");
        of_hashes.try_grow(keys.hashed_bytes(leaves))?;
        let columns = keys.columns(leaves)?;
        let mut tree = JoinTree::default();
        for (number, leaf) in leaves.iter().enumerate() {
            let role = match self.shape.leaves[number].is_required {
                true => Role::Required,
                false if matters[number] => Role::Shown,
                false => Role::Counted,
            };
            tree.add(self.input(number, leaf, &columns[number])?, role);
        }
        for Link([left, right]) in joins {
            tree.equate(keys.place(left), keys.place(right));
        }
        for Link([key, other]) in filters {
            tree.filter(keys.place(key), keys.place(other));
        }
        let refusal = Refusal::default();
        let memory = Memory::lent(Pool {
            reservation: equipment.reserve("JoineryTable"),
            exchange: Some(exchange.clone()),
            refusal: refusal.clone(),
        });
        let most = leaves.iter().map(Side::rows).max().unwrap_or(0);
        let team = equipment.team(most)?;
        let emitter = Emitter {
            exchange,
            forest,
            places: (0..leaves.len()).filter(|&leaf| matters[leaf]).collect(),
            batch_size: equipment.context.session_config().batch_size(),
            workers: (0..team.threads())
                .map(|_| Mutex::new(Rows::none(leaves.len())))
                .collect(),
            failure: Mutex::default(),
        };
        let work = Work {
            team: &team,
            memory: &memory,
        };
        let outcome = Pipelined::new(*options).rows(&tree, &work, &emitter);
        let of_leaves = forest.reservations.iter().map(|bytes| bytes.size());
        let bytes = of_leaves.sum::<usize>() + of_hashes.size() + memory.peak();
        equipment.metrics.build_mem_used.set_max(bytes);
        match outcome {
            Ok(telemetry) => {
                emitter.finish()?;
                let notes = self.notes.iter().cloned();
                equipment.note(notes.chain(told(&telemetry)).collect::<Vec<_>>().join("; "));
                Ok(())
            }
            Err(ExecuteError::Memory { source, .. }) => Err(refusal.explain(&source)),
            // DataFusion's joins have no such limit.
            Err(error) => Err(DataFusionError::ResourcesExhausted(error.to_string())),
        }
    }

    /// A leaf as an input.
    fn input<'k>(
        &self,
        number: usize,
        leaf: &Side,
        columns: &'k [Chunks],
    ) -> Result<TreeInput<'k>> {
        let mut input = TreeInput::new(self.shape.name_of(number), leaf.rows());
        for chunks in columns {
            let wide = chunks[0].data_type() == &DataType::Int64;
            let many = |_| {
                DataFusionError::ResourcesExhausted("a leaf has more rows than row ids".to_owned())
            };
            input = match wide {
                true => input.with_int64("key", column::<Int64Type>(chunks).map_err(many)?),
                false => input.with_int32("key", column::<Int32Type>(chunks).map_err(many)?),
            };
        }
        Ok(input)
    }
}

/// How leaves are joined.
///
/// # Errors
///
/// Those of arrays that are put together.
pub(super) fn links(shape: &Shape, leaves: &[&Side]) -> Result<Links> {
    let classes = shape.classes().into_iter();
    let key = |place| shape.key_at(place);
    let classes: Vec<Vec<Key>> = classes
        .map(|class| class.into_iter().map(key).collect())
        .collect();
    let known = shape.leaves.iter().zip(leaves).map(|(leaf, side)| {
        let keys = side.keys.iter();
        Known {
            rows: side.rows(),
            is_required: leaf.is_required,
            integers: keys.map(|keys| is_integer(keys[0].data_type())).collect(),
        }
    });
    let known: Vec<Known> = known.collect();
    Links::of(&classes, &known, |keys| values(leaves[keys.leaf], keys))
}

/// How many different keys a leaf has, as far as a sample tells: as many as would, if rows were drawn from them at random, leave
/// so many different ones in the sample.
fn values(leaf: &Side, keys: &Keys) -> Result<f64> {
    let rows = leaf.rows();
    let sample = leaf.sampled(SAMPLE);
    let sampled = sample.len();
    let places = leaf.locate(sample.into_iter());
    let keys = keys.keys.iter().map(|&key| leaf.gather_key(key, &places));
    let found = distinct(&keys.collect::<Result<Vec<ArrayRef>>>()?)?;
    if sampled == rows {
        return Ok(found as f64);
    }
    let (sampled, found) = (sampled as f64, found as f64);
    let (mut least, mut most) = (found, rows as f64);
    // More of them always leave more, so their number is closed in; to a thousandth is more than a sample tells.
    while most > 1.001 * least {
        let values = (least * most).sqrt();
        match values * -(-sampled / values).exp_m1() < found {
            true => least = values,
            false => most = values,
        }
    }
    Ok(most)
}

impl Keys {
    fn are_one_integer(&self, leaves: &[Side]) -> bool {
        match *self.keys {
            [key] => is_integer(leaves[self.leaf].keys[key][0].data_type()),
            _ => false,
        }
    }
}

/// The columns of integers by which leaves are joined: keys as they are, or hashes.
struct LeafKeys {
    /// Of each leaf.
    of: Vec<Vec<Keys>>,
}

impl LeafKeys {
    fn new<'l>(leaves: &[Side], links: impl Iterator<Item = &'l Link>) -> Self {
        let mut of: Vec<Vec<Keys>> = leaves.iter().map(|_| Vec::new()).collect();
        for keys in links.flat_map(|link| &link.0) {
            if !of[keys.leaf].contains(keys) {
                of[keys.leaf].push(keys.clone());
            }
        }
        Self { of }
    }

    fn place(&self, keys: &Keys) -> (usize, usize) {
        let place = self.of[keys.leaf].iter().position(|other| other == keys);
        (keys.leaf, place.expect("keys of a link"))
    }

    fn all(&self) -> impl Iterator<Item = &Keys> {
        self.of.iter().flatten()
    }

    /// Bytes of the hashes.
    fn hashed_bytes(&self, leaves: &[Side]) -> usize {
        let hashed = self.all().filter(|keys| !keys.are_one_integer(leaves));
        let bytes = hashed.map(|keys| leaves[keys.leaf].rows() * size_of::<i64>());
        bytes.sum()
    }

    fn columns(&self, leaves: &[Side]) -> Result<Vec<Vec<Chunks>>> {
        let column = |keys: &Keys| {
            let columns = keys.keys.iter().map(|&key| &leaves[keys.leaf].keys[key]);
            match keys.are_one_integer(leaves) {
                true => Ok(columns.flatten().cloned().collect()),
                false => hashed(&columns.cloned().collect::<Vec<_>>()),
            }
        };
        let of = self.of.iter();
        of.map(|keys| keys.iter().map(column).collect()).collect()
    }
}

/// What was done, in the order in which it was.
fn told(telemetry: &Telemetry) -> impl Iterator<Item = String> {
    telemetry.steps.iter().map(|step| {
        let detail = match &*step.detail {
            "" => String::new(),
            detail => format!(" ({detail})"),
        };
        format!(
            "{}{detail}: {} → {}",
            step.name, step.rows_in, step.rows_out
        )
    })
}

/// Makes blocks of what workers find.
struct Emitter<'a> {
    exchange: &'a Exchange<Block>,
    forest: &'a Arc<Forest>,
    /// The leaves whose rows are handed over.
    places: Vec<usize>,
    batch_size: usize,
    /// Rows of each worker that are not yet a batch. Only the worker takes its lock.
    workers: Vec<Mutex<Rows>>,
    /// Why rows could not be looked at.
    failure: Mutex<Option<DataFusionError>>,
}

impl Emitter<'_> {
    fn push(&self, rows: Rows) {
        self.exchange.push(Block::Rows(rows, self.forest.clone()));
    }

    /// Hands over full batches, and leaves the rest where it is.
    fn push_batches(&self, rows: &mut Rows) {
        while rows.count >= self.batch_size {
            self.push(rows.take_first(self.batch_size));
        }
    }

    /// Hands over what workers have left, together.
    fn finish(self) -> Result<()> {
        if let Some(failure) = lock(&self.failure).take() {
            return Err(failure);
        }
        let mut rest = Rows::none(self.forest.leaves.len());
        for worker in &self.workers {
            rest.append(&mut lock(worker));
            self.push_batches(&mut rest);
        }
        if rest.count > 0 {
            self.push(rest);
        }
        Ok(())
    }
}

impl RowConsumer for Emitter<'_> {
    fn consume(&self, worker: usize, count: usize, rows: &[Vec<u32>]) -> bool {
        let mut found = Rows::none(self.forest.leaves.len());
        found.count = count;
        for (&leaf, rows) in self.places.iter().zip(rows) {
            found.of[leaf].clone_from(rows);
        }
        if let Err(error) = self.forest.sift(&mut found) {
            lock(&self.failure).get_or_insert(error);
            return false;
        }
        let mut own = lock(&self.workers[worker]);
        own.append(&mut found);
        self.push_batches(&mut own);
        drop(own);
        !self.exchange.is_over() && lock(&self.failure).is_none()
    }
}
