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

use super::forest::{Check, Forest, Rows};
use super::shape::{Leaf, Shape, is_integer};
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
        let mut sources = shape.leaves.iter().zip(sources);
        for (leaf, source) in sources.by_ref() {
            if let Some(pruning) = pruning[leaves.len()].take() {
                let links = shape.links_back(leaves.len()).into_iter();
                pruning.fill_by(links.map(|(_, place)| {
                    let key = shape.key_at(place);
                    &leaves[key.leaf].keys[key.key]
                }))?;
            }
            let request = request(leaf, &source.schema);
            let metrics = &equipment.metrics;
            let collector = equipment.collector(&request, &source.schema, &metrics.left);
            let reservation = collector.reservation.clone();
            // All leaves but the last must leave room for a table of them, so that another can be made if ours cannot.
            let rows = leaves.last().map_or(0, Side::rows);
            if let Err(refusal) = tables.try_grow(rows * TABLE_ROW + SMALL) {
                let _ = collector.refusal.set(refusal);
            }
            let collected = collector.collect(source.streams).await?;
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
}

/// How a search ended.
enum Searched {
    /// All rows were handed over.
    Done,
    /// The pool refused what it takes, or there are more rows than it counts, before there was any.
    Refused(Vec<Side>),
}

/// The keys that make a join a part of the tree: of each leaf, one or several.
struct Link([Keys; 2]);

/// Keys of a leaf that are compared together, by their numbers there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Keys {
    leaf: usize,
    keys: Vec<usize>,
}

impl Search {
    fn run(self, leaves: Vec<Side>) -> Result<Searched> {
        let (links, checks) = self.links(&leaves)?;
        let forest = Arc::new(Forest {
            leaves,
            checks,
            conditions: self.shape.conditions.clone(),
            columns: self.shape.output.clone(),
            schema: self.schema.clone(),
            reservations: self.reservations.clone(),
        });
        match self.rows(&forest, &links) {
            Ok(()) => Ok(Searched::Done),
            Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
                // Whoever has got a row has a part in the leaves.
                let leaves = Arc::into_inner(forest).map(|forest| forest.leaves);
                leaves.map(Searched::Refused).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The keys by which each join is made, and what is left to be compared.
    ///
    /// A join that compares its new leaf with several of those on its other side would close a cycle: it is made by the
    /// keys that have most different values, as far as a sample tells, and the others are compared at last.
    fn links(&self, leaves: &[Side]) -> Result<(Vec<Link>, Vec<Check>)> {
        let (mut links, mut checks) = (Vec::new(), Vec::new());
        for pairs in &self.shape.joins {
            let mut groups: Vec<Vec<Check>> = Vec::new();
            for pair in pairs {
                let pair = pair.map(|place| self.shape.key_at(place));
                let of = |check: &Check| check.map(|key| key.leaf);
                match groups.iter_mut().find(|group| of(&group[0]) == of(&pair)) {
                    Some(group) => group.push(pair),
                    None => groups.push(vec![pair]),
                }
            }
            let best = match groups.len() {
                1 => 0,
                _ => {
                    let values = groups.iter().map(|group| values(leaves, group));
                    let values = values.collect::<Result<Vec<f64>>>()?;
                    let all = 0..groups.len();
                    let best = all.max_by(|&a, &b| values[a].total_cmp(&values[b]));
                    best.expect("a join has keys")
                }
            };
            let chosen = groups.swap_remove(best);
            checks.extend(groups.into_iter().flatten());
            let link = Link([0, 1].map(|side| Keys {
                leaf: chosen[0][side].leaf,
                keys: chosen.iter().map(|check| check[side].key).collect(),
            }));
            if !link.0[0].are_one_integer(leaves) {
                // Equal hashes may be those of different keys.
                checks.extend(chosen);
            }
            links.push(link);
        }
        Ok((links, checks))
    }

    fn rows(&self, forest: &Arc<Forest>, links: &[Link]) -> Result<()> {
        let Self {
            equipment,
            exchange,
            options,
            ..
        } = self;
        let _timer = equipment.metrics.join_time.timer();
        let (leaves, matters) = (&forest.leaves, forest.matters());
        let keys = LeafKeys::new(leaves, links);
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
        for Link([left, right]) in links {
            tree.equate(keys.place(left), keys.place(right));
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
                equipment.note(told(&telemetry));
                Ok(())
            }
            Err(ExecuteError::Memory { source, .. }) => Err(refusal.explain(&source)),
            // DataFusion's joins have no such limit.
            Err(error) => Err(DataFusionError::ResourcesExhausted(error.to_string())),
        }
    }

    /// A leaf as an input, which is called by its number and its first column.
    fn input<'k>(
        &self,
        number: usize,
        leaf: &Side,
        columns: &'k [Chunks],
    ) -> Result<TreeInput<'k>> {
        let schema = self.shape.leaves[number].plan.schema();
        let name = match schema.fields().first() {
            Some(field) => format!("leaf {} ({}, …)", number + 1, field.name()),
            None => format!("leaf {}", number + 1),
        };
        let mut input = TreeInput::new(name, leaf.rows());
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

/// How many different keys the side of a join has that has most, as far as a sample tells.
fn values(leaves: &[Side], group: &[Check]) -> Result<f64> {
    let side = |side: usize| -> Result<f64> {
        let leaf = &leaves[group[0][side].leaf];
        let rows = leaf.rows();
        let sampled = rows.min(SAMPLE);
        let row = |number: usize| (number * rows / sampled) as u32;
        let places = leaf.locate((0..sampled).map(row));
        let keys = group.iter().map(|check| check[side].key);
        let keys = keys.map(|key| leaf.gather_key(key, &places));
        let distinct = distinct(&keys.collect::<Result<Vec<ArrayRef>>>()?)?;
        // Where nearly all of a sample differ, so do nearly all rows.
        Ok(match 10 * distinct > 9 * sampled {
            true => rows as f64,
            false => distinct as f64,
        })
    };
    Ok(side(0)?.max(side(1)?))
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
    fn new(leaves: &[Side], links: &[Link]) -> Self {
        let mut of: Vec<Vec<Keys>> = leaves.iter().map(|_| Vec::new()).collect();
        for keys in links.iter().flat_map(|link| &link.0) {
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
fn told(telemetry: &Telemetry) -> String {
    let steps = telemetry.steps.iter().map(|step| {
        let detail = match &*step.detail {
            "" => String::new(),
            detail => format!(" ({detail})"),
        };
        format!(
            "{}{detail}: {} → {}",
            step.name, step.rows_in, step.rows_out
        )
    });
    steps.collect::<Vec<_>>().join("; ")
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
