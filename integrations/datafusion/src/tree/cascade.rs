//! The last leaf of a tree, which streams through tables of the others.
//!
//! Whoever polls a partition of the output takes a batch of the leaf and looks its rows up in one table after the other; a row
//! of each leaf is added to those that are left. The tables stand in the order in which rows of a sample become fewest, and
//! what a condition rules out goes as soon as all is there that it looks at. Columns are gathered once, of the rows that
//! come out.

use std::mem;
use std::sync::Arc;
use std::vec;

use datafusion::arrow::array::{Array, BooleanBufferBuilder, make_array};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::coalesce::LimitedBatchCoalescer;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use join_core::memory::Memory;
use plan_executor::Context;

use super::forest::{Check, Rows};
use super::job::links;
use super::links::{Keys, Link, Links};
use super::shape::{Place, Residual, Shape};
use super::sieve::Test;
use crate::block::Block;
use crate::exchange::Exchange;
use crate::job::{Equipment, unjoined};
use crate::keys::{Form, Nulls};
use crate::lookup::Lookup;
use crate::memory::{Pool, Refusal};
use crate::metrics::StreamMetrics;
use crate::side::{Chunks, Part, Partition, Request, Side};

/// Rows that are looked up at a time, unless they have many partners.
const ROWS: usize = 1 << 13;

/// Pairs that are looked for at a time, unless a single row has more.
const PAIRS: usize = 1 << 16;

/// Rows of the last leaf by which the order of the tables is found.
const SAMPLE: usize = 1 << 10;

/// Of which so many are looked up before it is asked whether these are enough.
const SAMPLED_AT_A_TIME: usize = 16;

/// Rows that are tested before it is asked whether tests are worth what they cost.
const TESTED: usize = 1 << 16;

/// A test must drop one row in so many.
const WORTH: usize = 4;

/// Tables of all leaves but the last.
struct Cascade {
    leaves: Vec<Side>,
    steps: Vec<Step>,
    columns: Vec<Place>,
    schema: SchemaRef,
    /// The bytes that are reserved for the leaves, given back with the last stream.
    _reservations: Vec<Arc<MemoryReservation>>,
}

/// A table that rows are looked up in, and what happens to them then.
struct Step {
    /// The keys by which they are, of a leaf that is there by then.
    from: Keys,
    form: Form,
    lookup: Lookup,
    /// Tests rows of the last leaf before they are looked up, if it is their keys and these are integers.
    test: Option<Test>,
    /// The leaf whose rows are found.
    to: usize,
    /// Whether it matters alone that there is one.
    is_required: bool,
    /// What can be compared now.
    checks: Vec<Check>,
    /// What can be asked now.
    conditions: Vec<Residual>,
    /// Of each leaf whether its rows are asked for from now on.
    is_kept: Vec<bool>,
}

impl Step {
    fn keys(&self, rows: &Rows, leaves: &[&Side]) -> Result<Chunks> {
        let leaf = leaves[self.from.leaf];
        let places = leaf.locate(rows.of[self.from.leaf].iter().copied());
        let keys = self.from.keys.iter();
        let keys = keys.map(|&key| Ok(vec![leaf.gather_key(key, &places)?]));
        let keys: Vec<Chunks> = keys.collect::<Result<_>>()?;
        self.form.of_keys(&keys, Nulls::MatchNothing)
    }

    /// How many partners rows have.
    fn count(&self, rows: &Rows, leaves: &[&Side]) -> Result<u64> {
        self.lookup.count(&self.keys(rows, leaves)?, 0..rows.count)
    }

    /// How many partners a row of a sample has, as far as some of them tell: all of a few would be enough.
    fn partners(&self, sample: &Rows, leaves: &[&Side]) -> Result<f64> {
        let keys = self.keys(sample, leaves)?;
        let (mut looked_up, mut found) = (0, 0);
        while looked_up < sample.count && found < PAIRS as u64 {
            let some = looked_up..sample.count.min(looked_up + SAMPLED_AT_A_TIME);
            found += self.lookup.count(&keys, some.clone())?;
            looked_up = some.end;
        }
        let found = match self.is_required {
            true => found.min(looked_up as u64),
            false => found,
        };
        Ok(found as f64 / looked_up.max(1) as f64)
    }

    /// The rows that have partners.
    fn with_partners(&self, mut rows: Rows, leaves: &[&Side]) -> Result<Rows> {
        let keys = self.keys(&rows, leaves)?;
        let found = self.lookup.pairs(&keys, 0..rows.count, true)?;
        let left = found.pairs.iter().map(|pair| pair.probe);
        let mut left: Vec<u32> = left.collect();
        left.dedup();
        for of in rows.of.iter_mut().filter(|of| !of.is_empty()) {
            *of = left.iter().map(|&row| of[row as usize]).collect();
        }
        rows.count = left.len();
        Ok(rows)
    }

    /// Rows with their partners; those without one are dropped.
    fn advance(&self, rows: Rows, leaves: &[&Side]) -> Result<Rows> {
        let keys = self.keys(&rows, leaves)?;
        let mut found = self.lookup.pairs(&keys, 0..rows.count, self.is_required)?;
        let pairs = &mut found.pairs;
        if self.is_required {
            pairs.dedup_by_key(|pair| pair.probe);
        }
        // Each row has one partner.
        let are_same =
            pairs.len() == rows.count && pairs.iter().zip(0..).all(|(pair, row)| pair.probe == row);
        let of = rows.of.into_iter().zip(&self.is_kept).enumerate();
        let of = of.map(|(leaf, (rows, is_kept))| match (is_kept, are_same) {
            (false, _) => Vec::new(),
            _ if leaf == self.to => pairs.iter().map(|pair| pair.build).collect(),
            (true, true) => rows,
            (true, false) if rows.is_empty() => rows,
            (true, false) => pairs.iter().map(|pair| rows[pair.probe as usize]).collect(),
        });
        let mut next = Rows {
            of: of.collect(),
            count: pairs.len(),
        };
        next.sift(leaves, &self.checks, &self.conditions)?;
        Ok(next)
    }
}

/// What a cascade is made for.
pub(super) struct Order {
    pub(super) shape: Shape,
    pub(super) schema: SchemaRef,
    pub(super) equipment: Equipment,
    /// Whether tables stand in an order of their own, and not in that of the plan.
    pub(super) own_order: bool,
    pub(super) reservations: Vec<Arc<MemoryReservation>>,
}

impl Order {
    /// Hands over what comes of the partitions of the last leaf, of which some rows have been read. Returns the other leaves, and
    /// leaves the partitions where they are, if the pool has no room for tables.
    ///
    /// # Errors
    ///
    /// Those of conditions.
    pub(super) async fn stream(
        self,
        leaves: Vec<Side>,
        partitions: &mut Vec<Partition>,
        last: Last,
        exchange: &Exchange<Block>,
    ) -> Result<Option<Vec<Side>>> {
        let parts = partitions.iter().flat_map(|partition| &partition.parts);
        let some = Side::new(parts.cloned().collect(), &last.request, &last.schema)?;
        let equipment = self.equipment.clone();
        // Not a worker of the runtime, which would wait for the team.
        let made = SpawnedTask::spawn_blocking(move || self.cascade(leaves, &some));
        let cascade = match made.join().await.map_err(unjoined)?? {
            Ok(cascade) => Arc::new(cascade),
            Err(refused) => return Ok(Some(refused)),
        };
        let last = Arc::new(last);
        for (number, partition) in mem::take(partitions).into_iter().enumerate() {
            let stream = cascade
                .clone()
                .stream(partition, &last, number, &equipment)?;
            exchange.send(Block::Stream(stream)).await;
        }
        Ok(None)
    }

    /// Tables of all leaves but the last, of which some rows are known; or the leaves, where the pool has no room for tables.
    fn cascade(self, leaves: Vec<Side>, last: &Side) -> Result<Result<Cascade, Vec<Side>>> {
        let leaves: Vec<Side> = leaves.into_iter().map(Side::in_one_batch).collect();
        let steps = {
            let all: Vec<&Side> = leaves.iter().chain([last]).collect();
            self.steps(&all)
        };
        let steps = match steps {
            Ok(steps) => steps,
            Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
                return Ok(Err(leaves));
            }
            Err(error) => return Err(error),
        };
        let through = steps.iter().map(|step| {
            let name = self.shape.name_of(step.to);
            format!("{name}: {}", step.lookup.name)
        });
        let through: Vec<String> = through.collect();
        let name = self.shape.name_of(self.shape.leaves.len() - 1);
        self.equipment
            .note(format!("stream {name} through {}", through.join("; ")));
        Ok(Ok(Cascade {
            leaves,
            steps,
            columns: self.shape.output.clone(),
            schema: self.schema,
            _reservations: self.reservations,
        }))
    }

    fn steps(&self, leaves: &[&Side]) -> Result<Vec<Step>> {
        let Links {
            mut joins, checks, ..
        } = links(&self.shape, leaves)?;
        let _timer = self.equipment.metrics.build_time.timer();
        let refusal = Refusal::default();
        let memory = Memory::lent(Pool {
            reservation: self.equipment.reserve("JoineryTable"),
            exchange: None,
            refusal: refusal.clone(),
        });
        let last = leaves.len() - 1;
        let mut is_there = vec![false; leaves.len()];
        is_there[last] = true;
        let mut ways: Vec<[Keys; 2]> = Vec::with_capacity(joins.len());
        // The joins are a tree of all leaves: from what is there one of them leads on.
        while let Some(next) = joins
            .iter()
            .position(|Link([left, right])| is_there[left.leaf] != is_there[right.leaf])
        {
            let Link(mut way) = joins.swap_remove(next);
            if !is_there[way[0].leaf] {
                way.reverse();
            }
            is_there[way[1].leaf] = true;
            ways.push(way);
        }
        // From the ends of the tree: a table has no rows that have no partners in those behind it.
        let mut tables: Vec<Step> = Vec::with_capacity(ways.len());
        while let Some([from, to]) = ways.pop() {
            let behind: Vec<&Step> = tables
                .iter()
                .filter(|table| table.from.leaf == to.leaf)
                .collect();
            let left = self.left(to.leaf, &behind, leaves)?;
            let (leaf, is_reduced) = (to.leaf, left.is_some());
            let table = self.table(from, &to, left, leaves, (&memory, &refusal))?;
            // Of these no row is asked for.
            tables.retain(|table| !(is_reduced && table.is_required && table.from.leaf == leaf));
            tables.push(table);
        }
        let of_leaves = self.reservations.iter().map(|bytes| bytes.size());
        let bytes = of_leaves.sum::<usize>() + memory.peak();
        self.equipment.metrics.build_mem_used.set_max(bytes);
        self.in_order(tables, checks, leaves)
    }

    /// Which rows of a leaf have partners in all of these tables; none where there is no table.
    fn left(
        &self,
        leaf: usize,
        tables: &[&Step],
        leaves: &[&Side],
    ) -> Result<Option<BooleanBuffer>> {
        if tables.is_empty() {
            return Ok(None);
        }
        let rows = leaves[leaf].rows() as u32;
        let team = self.equipment.team(rows as usize)?;
        let starts = (0..rows).step_by(ROWS);
        let left = |first: u32| {
            let mut some = Rows::none(leaves.len());
            some.of[leaf] = (first..rows.min(first + ROWS as u32)).collect();
            some.count = some.of[leaf].len();
            for table in tables {
                some = table.with_partners(some, leaves)?;
            }
            Ok(some.of.swap_remove(leaf))
        };
        let starts: Vec<u32> = starts.collect();
        let each = starts.len().div_ceil(team.workers_for(rows as usize));
        let parts: Vec<&[u32]> = starts.chunks(each.max(1)).collect();
        let all = team.run(parts, |_, starts| {
            let all = starts.iter().map(|&first| left(first));
            all.collect::<Result<Vec<Vec<u32>>>>()
        });
        let mut has_partners = BooleanBufferBuilder::new(rows as usize);
        has_partners.append_n(rows as usize, false);
        for part in all {
            let rows = part?.into_iter().flatten();
            rows.for_each(|row| has_partners.set_bit(row as usize, true));
        }
        Ok(Some(has_partners.finish()))
    }

    /// The table of the leaf of `to`, in which rows are looked up by `from`; of the rows that are left, if others are not.
    fn table(
        &self,
        from: Keys,
        to: &Keys,
        left: Option<BooleanBuffer>,
        leaves: &[&Side],
        (memory, refusal): (&Memory, &Refusal),
    ) -> Result<Step> {
        let leaf = leaves[to.leaf];
        let keys = to.keys.iter().map(|&key| leaf.keys[key].clone());
        let keys: Vec<Chunks> = keys.collect();
        let types = keys.iter().map(|chunks| chunks[0].data_type().clone());
        let form = Form::of(&types.collect::<Vec<DataType>>(), Nulls::MatchNothing);
        let mut keys = form.of_keys(&keys, Nulls::MatchNothing)?;
        if let Some(left) = left {
            let mut first = 0;
            for keys in &mut keys {
                // What is NULL equals nothing.
                let own = NullBuffer::new(left.slice(first, keys.len()));
                first += keys.len();
                let nulls = NullBuffer::union(keys.nulls(), Some(&own));
                let data = keys.to_data().into_builder().nulls(nulls);
                *keys = make_array(data.build()?);
            }
        }
        let team = self.equipment.team(leaf.rows())?;
        let context = Context {
            team: &team,
            memory,
        };
        let last = leaves.len() - 1;
        let column = match form {
            Form::Hashed => None,
            Form::Int32 | Form::Int64 if from.leaf == last => {
                Some(self.shape.leaves[last].keys[from.keys[0]])
            }
            Form::Int32 | Form::Int64 => None,
        };
        Ok(Step {
            test: column.and_then(|column| Test::of(column, &keys, &context)),
            from,
            form,
            lookup: Lookup::new(form, &keys, &team, (memory, refusal))?,
            to: to.leaf,
            is_required: self.shape.leaves[to.leaf].is_required,
            checks: Vec::new(),
            conditions: Vec::new(),
            is_kept: vec![true; leaves.len()],
        })
    }

    /// The tables in the order in which rows of a sample become fewest, with what can be asked after each.
    fn in_order(
        &self,
        mut tables: Vec<Step>,
        mut checks: Vec<Check>,
        leaves: &[&Side],
    ) -> Result<Vec<Step>> {
        let last = leaves.len() - 1;
        let mut conditions = self.shape.conditions.clone();
        let mut is_there = vec![false; leaves.len()];
        is_there[last] = true;
        let mut sample = Rows::none(leaves.len());
        sample.of[last] = leaves[last].sampled(SAMPLE);
        sample.count = sample.of[last].len();
        let mut steps: Vec<Step> = Vec::with_capacity(tables.len());
        while !tables.is_empty() {
            let mut best = None;
            for (number, table) in tables.iter().enumerate() {
                if !is_there[table.from.leaf] || best.is_some() && !self.own_order {
                    continue;
                }
                let partners = table.partners(&sample, leaves)?;
                if best.is_none_or(|(fewest, _)| partners < fewest) {
                    best = Some((partners, number));
                }
            }
            let (partners, best) = best.expect("a table that a leaf leads to which is there");
            let most = (PAIRS as f64 / partners).max(1.0) as usize;
            sample = sample.take_first(sample.count.min(most));
            let mut step = tables.remove(best);
            is_there[step.to] = true;
            step.checks = checks
                .extract_if(.., |check| check.iter().all(|key| is_there[key.leaf]))
                .collect();
            step.conditions = conditions
                .extract_if(.., |condition| {
                    let mut places = condition.columns.iter();
                    places.all(|place| is_there[place.leaf])
                })
                .collect();
            sample = step.advance(sample, leaves)?;
            sample = sample.take_first(sample.count.min(SAMPLE));
            steps.push(step);
        }
        let mut is_kept = vec![false; leaves.len()];
        let output = self.shape.output.iter();
        output.for_each(|place| is_kept[place.leaf] = true);
        for step in steps.iter_mut().rev() {
            let checks = step.checks.iter().flatten().map(|key| key.leaf);
            let conditions = step.conditions.iter().flat_map(|c| &c.columns);
            let asked = checks.chain(conditions.map(|place| place.leaf));
            asked.for_each(|leaf| is_kept[leaf] = true);
            step.is_kept.clone_from(&is_kept);
            is_kept[step.from.leaf] = true;
        }
        Ok(steps)
    }
}

/// The last leaf, as far as it was read.
pub(super) struct Last {
    pub(super) schema: SchemaRef,
    pub(super) request: Arc<Request>,
    /// Holds the bytes of what was read, which are given back as it streams.
    pub(super) reservation: Arc<MemoryReservation>,
}

impl Cascade {
    /// What comes of a partition of the last leaf.
    fn stream(
        self: Arc<Self>,
        partition: Partition,
        last: &Arc<Last>,
        number: usize,
        equipment: &Equipment,
    ) -> Result<SendableRecordBatchStream> {
        let batch_size = equipment.context.session_config().batch_size();
        let passage = Passage {
            no_rows: Side::empty(&last.request, &last.schema)?,
            last: last.clone(),
            parts: partition.parts.into_iter(),
            rest: partition.rest,
            batch: None,
            work: Vec::new(),
            tests: Tests(vec![[0; 2]; self.steps.len()]),
            output: LimitedBatchCoalescer::new(self.schema.clone(), batch_size, None),
            figures: equipment.metrics.clone().of_stream(number),
            cascade: self.clone(),
        };
        let batches = stream::try_unfold(passage, |mut passage| async move {
            let batch = passage.next().await?;
            Ok(batch.map(|batch| (batch, passage)))
        });
        let schema = self.schema.clone();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// A partition of the last leaf on its way.
struct Passage {
    cascade: Arc<Cascade>,
    last: Arc<Last>,
    /// The last leaf without rows.
    no_rows: Side,
    parts: vec::IntoIter<Part>,
    rest: Option<SendableRecordBatchStream>,
    /// The batch that is on its way.
    batch: Option<Side>,
    /// Rows of it, and how many tables each have behind them; those that come first last.
    work: Vec<(usize, Rows)>,
    tests: Tests,
    output: LimitedBatchCoalescer,
    figures: StreamMetrics,
}

/// What is known of tests of each table: how many rows were tested, and how many passed.
struct Tests(Vec<[usize; 2]>);

impl Tests {
    /// The rows of a part of the last leaf that pass, tested where that has been worth something.
    fn passing(&mut self, steps: &[Step], part: &Part) -> Result<Vec<u32>> {
        let mut passing: Option<BooleanBuffer> = None;
        for (step, [tested, passed]) in steps.iter().zip(&mut self.0) {
            let Some(test) = &step.test else {
                continue;
            };
            // Those that pass are looked up as well.
            if *tested > TESTED && *passed * WORTH > *tested * (WORTH - 1) {
                continue;
            }
            let passes = test.passes(&part.columns)?;
            *tested += part.rows;
            *passed += passes.count_set_bits();
            passing = Some(match passing {
                Some(passing) => &passing & &passes,
                None => passes,
            });
        }
        Ok(match passing {
            Some(passing) => passing.set_indices_u32().collect(),
            None => (0..part.rows as u32).collect(),
        })
    }
}

impl Passage {
    /// The next batch of the output.
    ///
    /// # Errors
    ///
    /// Those of the leaf and of conditions, and memory that the pool does not give.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.output.next_completed_batch() {
                return Ok(Some(batch));
            }
            if let (Some((step, rows)), Some(batch)) = (self.work.pop(), &self.batch) {
                let _timers = self.figures.timers();
                let leaves: Vec<&Side> = self.cascade.leaves.iter().chain([batch]).collect();
                match self.cascade.steps.get(step) {
                    None => {
                        let cascade = &self.cascade;
                        let output = rows.gather(&leaves, &cascade.columns, &cascade.schema)?;
                        self.output.push_batch(output)?;
                    }
                    Some(table) => go_on(table, (step, rows), &leaves, &mut self.work)?,
                }
            } else if let Some(part) = self.read().await? {
                let _timers = self.figures.timers();
                let mut rows = Rows::none(self.cascade.leaves.len() + 1);
                let own = &mut rows.of[self.cascade.leaves.len()];
                *own = self.tests.passing(&self.cascade.steps, &part)?;
                rows.count = own.len();
                if rows.count > 0 {
                    self.batch = Some(self.no_rows.of_part(part)?);
                    self.work.push((0, rows));
                }
            } else {
                self.output.finish()?;
                return Ok(self.output.next_completed_batch());
            }
            // Nothing may come out for long, and a task that never waits is not ended from outside.
            tokio::task::consume_budget().await;
        }
    }

    /// A part of the leaf that has rows.
    async fn read(&mut self) -> Result<Option<Part>> {
        if let Some(part) = self.parts.next() {
            self.last.reservation.shrink(part.bytes);
            return Ok(Some(part));
        }
        while let Some(rest) = &mut self.rest {
            let Some(batch) = rest.next().await.transpose()? else {
                self.rest = None;
                break;
            };
            let _timers = self.figures.timers();
            self.figures.join.right.batches.add(1);
            self.figures.join.right.rows.add(batch.num_rows());
            if batch.num_rows() > 0 {
                return self.last.request.of(&batch, 0).map(Some);
            }
        }
        Ok(None)
    }
}

/// Looks rows up, or leaves them to be looked up in two parts.
fn go_on(
    table: &Step,
    (step, mut rows): (usize, Rows),
    leaves: &[&Side],
    work: &mut Vec<(usize, Rows)>,
) -> Result<()> {
    let lookup = &table.lookup;
    let most = ROWS.min(lookup.rows_of(PAIRS));
    let first = match rows.count > most {
        true => most,
        false
            if rows.count > 1
                && lookup.has_many()
                && table.count(&rows, leaves)? > PAIRS as u64 =>
        {
            rows.count / 2
        }
        false => rows.count,
    };
    if first < rows.count {
        let first = rows.take_first(first);
        work.extend([(step, rows), (step, first)]);
        return Ok(());
    }
    let next = table.advance(rows, leaves)?;
    if next.count > 0 {
        work.push((step + 1, next));
    }
    Ok(())
}
