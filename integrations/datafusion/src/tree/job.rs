//! One execution of a tree: its leaves are read, then threads find the rows of the output.

use std::sync::{Arc, Mutex};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use join_core::memory::Memory;
use plan_executor::{
    Context as Work, ExecuteError, JoinTree, Options, Pipelined, Role, RowConsumer, Telemetry,
    TreeInput,
};

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

/// All that a tree needs to run.
pub(crate) struct Job {
    pub(crate) shape: Shape,
    pub(crate) schema: SchemaRef,
    pub(crate) options: Options,
    /// Of each leaf.
    pub(crate) sources: Vec<Source>,
    /// Of each leaf the filter that leaves before it fill.
    pub(crate) pruning: Vec<Option<Pruning>>,
    pub(crate) equipment: Equipment,
}

/// A leaf that was read, or as far as it was.
struct Read {
    schema: SchemaRef,
    request: Arc<Request>,
    reservation: Arc<MemoryReservation>,
    partitions: Vec<Partition>,
}

impl Job {
    /// Reads the leaves, from the left to the right, and has threads find rows. Where the pool has no room for all of them
    /// and for tables, DataFusion's joins take over with what was read.
    pub(crate) async fn run(self, exchange: Arc<Exchange<Block>>) -> Result<()> {
        let Self {
            shape,
            schema,
            options,
            sources,
            mut pruning,
            equipment,
        } = self;
        let tables = equipment.reserve("JoineryTable");
        let mut leaves: Vec<Side> = Vec::with_capacity(sources.len());
        let mut read: Vec<Read> = Vec::with_capacity(sources.len());
        // What is said of the leaves.
        let mut notes: Vec<String> = Vec::new();
        let mut sources = shape.leaves.iter().zip(sources);
        for (leaf, source) in sources.by_ref() {
            let mut sieve = None;
            if let Some(pruning) = pruning[leaves.len()].take() {
                let links = shape.links_back(leaves.len()).into_iter();
                pruning.fill_by(links.map(|(_, place)| {
                    let key = shape.key_at(place);
                    &leaves[key.leaf].keys[key.key]
                }))?;
                // A scan that asks for the filter reads files: what it drops here is held by nobody else.
                sieve = Sieve::new(&shape, &leaves, &equipment).await?.map(Arc::new);
            }
            let request = request(leaf, &source.schema);
            let metrics = &equipment.metrics;
            let mut collector = equipment.collector(&request, &source.schema, &metrics.left);
            collector.sieve.clone_from(&sieve);
            let reservation = collector.reservation.clone();
            // All leaves but the last must leave room for a table of them, so that another can be made if ours cannot.
            let rows = leaves.last().map_or(0, Side::rows);
            if let Err(refusal) = tables.try_grow(rows * TABLE_ROW + SMALL) {
                let _ = collector.refusal.set(refusal);
            }
            let collected = collector.collect(source.streams).await?;
            if let Some(sieve) = sieve.filter(|sieve| sieve.dropped() > 0) {
                let name = shape.name_of(leaves.len());
                let dropped = sieve.dropped();
                notes.push(format!("read {name} without {dropped} rows"));
            }
            let partitions = match collected {
                // There is nothing to be joined with.
                Collected::All(side) if side.rows() == 0 => return Ok(()),
                Collected::All(side) => {
                    leaves.push(side);
                    Vec::new()
                }
                Collected::Part(partitions, _) => partitions,
            };
            let refused = !partitions.is_empty();
            read.push(Read {
                schema: source.schema,
                request,
                reservation,
                partitions,
            });
            if refused {
                break;
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
                reservations: read.iter().map(|read| read.reservation.clone()).collect(),
                notes,
            };
            // Not a worker of the runtime: it blocks while nobody asks for what it found.
            let search = SpawnedTask::spawn_blocking(move || search.run(leaves));
            match search.join().await.map_err(unjoined)?? {
                Searched::Done => return Ok(()),
                Searched::Refused(refused) => leaves = refused,
            }
        }
        for (read, leaf) in read.iter_mut().zip(leaves) {
            read.partitions = vec![Partition::of(leaf)];
            read.reservation.free();
        }
        // What nobody has read yet.
        for (leaf, source) in sources {
            read.push(Read {
                request: request(leaf, &source.schema),
                schema: source.schema,
                reservation: Arc::new(equipment.reserve("JoineryInput")),
                partitions: source.streams.into_iter().map(Partition::unread).collect(),
            });
        }
        equipment
            .note("joined by DataFusion: the memory pool has no room for all leaves".to_owned());
        let leaves = read
            .into_iter()
            .map(Read::replayed)
            .collect::<Result<_>>()?;
        let plan = shape.stock(leaves)?;
        stock(plan, &schema, &equipment.context, &exchange).await
    }
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

impl Read {
    /// The leaf as a plan, with the columns that it has.
    fn replayed(mut self) -> Result<Arc<dyn ExecutionPlan>> {
        let parts = self.partitions.iter_mut().flat_map(|read| &mut read.parts);
        parts.for_each(|part| part.keys.clear());
        let half = Half {
            schema: self.schema,
            request: Arc::new(Request {
                keys: Vec::new(),
                columns: self.request.columns.clone(),
            }),
            partitions: self.partitions,
            reservation: self.reservation,
        };
        Ok(Arc::new(half.replayed()?))
    }
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
        } = self.links(&leaves)?;
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

    /// How the leaves are joined.
    fn links(&self, leaves: &[Side]) -> Result<Links> {
        let classes = self.shape.classes().into_iter();
        let key = |place| self.shape.key_at(place);
        let classes: Vec<Vec<Key>> = classes
            .map(|class| class.into_iter().map(key).collect())
            .collect();
        let known = self.shape.leaves.iter().zip(leaves).map(|(leaf, side)| {
            let keys = side.keys.iter();
            Known {
                rows: side.rows(),
                is_required: leaf.is_required,
                integers: keys.map(|keys| is_integer(keys[0].data_type())).collect(),
            }
        });
        let known: Vec<Known> = known.collect();
        Links::of(&classes, &known, |keys| values(&leaves[keys.leaf], keys))
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

/// How many different keys a leaf has, as far as a sample tells: as many as would, if rows were drawn from them at random, leave
/// so many different ones in the sample.
fn values(leaf: &Side, keys: &Keys) -> Result<f64> {
    let rows = leaf.rows();
    let sampled = rows.min(SAMPLE);
    let row = |number: usize| (number * rows / sampled) as u32;
    let places = leaf.locate((0..sampled).map(row));
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
