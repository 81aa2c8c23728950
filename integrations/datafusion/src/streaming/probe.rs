//! A partition of the output of a join that streams.

use std::cell::Cell;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::coalesce::{LimitedBatchCoalescer, PushBatchStatus};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use join_core::kind::{Kind, NO_ROW, Truth, settle};
use join_core::output::Pair;

use super::table::LeftTable;
use crate::filter::retain_true;
use crate::job::{Equipment, Question};
use crate::keys::{Form, equal_in_pairs};
use crate::lookup::Found;
use crate::metrics::StreamMetrics;
use crate::side::{Chunks, Side};

/// Rows that are looked up at a time, unless they have many partners.
const ROWS: usize = 1 << 13;

/// Pairs that a condition looks at together, at least.
const PIECE: usize = 1 << 11;

/// What a partition of the output is made of.
pub(crate) struct Probe {
    question: Arc<Question>,
    form: Form,
    right: Option<SendableRecordBatchStream>,
    /// A right side without rows.
    no_rows: Side,
    output: LimitedBatchCoalescer,
    batch_size: usize,
    figures: StreamMetrics,
    stage: Stage,
}

/// How far a partition is.
enum Stage {
    /// It waits for the table.
    Building(BoxFuture<'static, Result<Arc<LeftTable>>>),
    /// It reads the right side.
    Reading(Arc<LeftTable>),
    /// It looks rows of the right side up.
    LookingUp(Arc<LeftTable>, Box<Batch>),
    /// It goes through the rows of the left side, from this one on.
    Rest(Arc<LeftTable>, u32),
    /// There is nothing more but what is left in the output.
    Emptying,
    /// There is nothing more.
    Ended,
}

/// A batch of the right side.
struct Batch {
    right: Side,
    /// As what its rows are looked up.
    keys: Chunks,
    /// Rows that are yet to be looked up, the first ones last.
    rows: Vec<Range<usize>>,
    /// What was found.
    found: Option<Found>,
    /// Of which so many pairs have been handed over.
    handed_over: usize,
}

impl Probe {
    /// The output of a partition of the right side and of the table that it is looked up in, once that is there.
    ///
    /// # Errors
    ///
    /// None: no side without rows has too many.
    pub(crate) fn new(
        question: Arc<Question>,
        form: Form,
        right: SendableRecordBatchStream,
        table: BoxFuture<'static, Result<Arc<LeftTable>>>,
        figures: StreamMetrics,
        equipment: &Equipment,
    ) -> Result<Self> {
        let batch_size = equipment.context.session_config().batch_size();
        let schema = question.output.schema().clone();
        Ok(Self {
            form,
            no_rows: Side::empty(&question.right, &right.schema())?,
            right: Some(right),
            output: LimitedBatchCoalescer::new(schema, batch_size, None),
            batch_size,
            figures,
            stage: Stage::Building(table),
            question,
        })
    }

    /// The same, which ends after so many rows.
    pub(crate) fn limited(mut self, rows: Option<usize>) -> Self {
        let schema = self.question.output.schema().clone();
        self.output = LimitedBatchCoalescer::new(schema, self.batch_size, rows);
        self
    }

    /// The batches of the output.
    pub(crate) fn batches(self) -> BoxStream<'static, Result<RecordBatch>> {
        let batches = stream::try_unfold(self, |mut probe| async move {
            let batch = probe.next().await?;
            Ok(batch.map(|batch| (batch, probe)))
        });
        batches.boxed()
    }

    /// The next batch of the output.
    ///
    /// # Errors
    ///
    /// Those of the inputs and of the condition, and memory that the pool does not give.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.output.next_completed_batch() {
                return Ok(Some(batch));
            }
            let stage = mem::replace(&mut self.stage, Stage::Ended);
            self.stage = match stage {
                Stage::Building(table) => {
                    let table = table.await?;
                    match table.left.rows() == 0 && self.question.needs_left() {
                        true => Stage::Emptying,
                        false => Stage::Reading(table),
                    }
                }
                Stage::Reading(table) => self.read(table).await?,
                Stage::LookingUp(table, batch) => {
                    let (stage, is_worth_a_pause) = self.look_up(table, batch)?;
                    if is_worth_a_pause {
                        // Nothing may come out for long, and a task that never waits is not ended from outside.
                        tokio::task::yield_now().await;
                    }
                    stage
                }
                Stage::Rest(table, first) => self.rest(table, first)?,
                Stage::Emptying => {
                    self.right = None;
                    self.output.finish()?;
                    Stage::Ended
                }
                Stage::Ended => return Ok(None),
            };
        }
    }

    /// Reads a batch.
    async fn read(&mut self, table: Arc<LeftTable>) -> Result<Stage> {
        let batch = match &mut self.right {
            Some(right) => right.next().await.transpose()?,
            None => None,
        };
        let Some(batch) = batch else {
            self.right = None;
            return Ok(self.after_last_batch(table));
        };
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(Stage::Reading(table));
        }
        let _timers = self.figures.timers();
        self.figures.join.right.batches.add(1);
        self.figures.join.right.rows.add(rows);
        self.figures.probe_hit_rate.add_total(rows);
        let question = &self.question;
        let right = self.no_rows.of_part(question.right.of(&batch, 0)?)?;
        if matches!(question.kind, Kind::NullAwareAnti(_)) && table.see(&right) {
            return Ok(Stage::Emptying);
        }
        let step = match self.one_is_enough() {
            true => ROWS,
            false => ROWS.min(table.lookup.rows_of(self.most_pairs())),
        };
        let starts = (0..rows).step_by(step).rev();
        let batch = Batch {
            keys: self.form.of_keys(&right.keys, question.nulls)?,
            rows: starts.map(|start| start..rows.min(start + step)).collect(),
            right,
            found: None,
            handed_over: 0,
        };
        Ok(Stage::LookingUp(table, Box::new(batch)))
    }

    /// Pairs that are looked for at a time, unless a single row has more.
    fn most_pairs(&self) -> usize {
        8 * self.batch_size.max(PIECE)
    }

    /// Whether one partner of a row of the right side is as good as all.
    fn one_is_enough(&self) -> bool {
        let question = &self.question;
        let asks_nothing_else = self.form != Form::Hashed && question.condition.is_none();
        question.has_right_rest() && !question.kind.has_pairs() && asks_nothing_else
    }

    fn after_last_batch(&self, table: Arc<LeftTable>) -> Stage {
        if !self.question.has_left_rest() || !table.finish() {
            return Stage::Emptying;
        }
        let is_null_aware = matches!(self.question.kind, Kind::NullAwareAnti(_));
        match is_null_aware && !table.mark_unknown() {
            true => Stage::Emptying,
            false => Stage::Rest(table, 0),
        }
    }

    /// Hands over some of what was found; or looks some rows up, and returns whether that took long without a result.
    fn look_up(&mut self, table: Arc<LeftTable>, mut batch: Box<Batch>) -> Result<(Stage, bool)> {
        let _timers = self.figures.timers();
        if let Some(found) = &batch.found {
            let end = found.pairs.len().min(batch.handed_over + self.batch_size);
            let pairs = &found.pairs[batch.handed_over..end];
            let sides = [&table.left, &batch.right];
            let is_enough = push(&mut self.output, self.question.output.of(sides, pairs)?)?;
            batch.handed_over = end;
            if end == found.pairs.len() {
                batch.found = None;
            }
            let stage = match is_enough {
                true => Stage::Emptying,
                false => Stage::LookingUp(table, batch),
            };
            return Ok((stage, false));
        }
        let Some(rows) = batch.rows.pop() else {
            return Ok((Stage::Reading(table), false));
        };
        let question = &*self.question;
        let one_is_enough = self.one_is_enough();
        if !one_is_enough && table.lookup.has_many() && rows.len() > 1 {
            let pairs = table.lookup.count(&batch.keys, rows.clone())?;
            if pairs > self.most_pairs() as u64 {
                let middle = rows.start + rows.len() / 2;
                batch.rows.extend([middle..rows.end, rows.start..middle]);
                return Ok((Stage::LookingUp(table, batch), true));
            }
        }
        let mut found = table
            .lookup
            .pairs(&batch.keys, rows.clone(), one_is_enough)?;
        if !question.kind.has_pairs() && self.sifts() {
            self.settle(&table, &batch, &mut found.pairs)?;
        } else {
            self.sift(&table, &batch, &mut found.pairs)?;
        }
        self.figures.count(&found.pairs);
        if let Some(marks) = &table.marks {
            let pairs = found.pairs.iter();
            pairs.for_each(|pair| marks.set(pair.build, Truth::True));
        }
        if question.has_right_rest() {
            found.pairs = with_rest(question.kind, rows, &found.pairs);
        } else if !question.kind.has_pairs() {
            found.pairs.clear();
        }
        let has_none = found.pairs.is_empty();
        batch.found = (!has_none).then_some(found);
        batch.handed_over = 0;
        let is_worth_a_pause = has_none && table.lookup.has_many();
        Ok((Stage::LookingUp(table, batch), is_worth_a_pause))
    }

    /// Whether pairs may be dropped.
    fn sifts(&self) -> bool {
        self.form == Form::Hashed || self.question.condition.is_some()
    }

    /// Marks the rows of the left side that have a pair which is not dropped, or leaves a pair of each row of the right one that
    /// has; and asks of no more pairs than that takes.
    fn settle(&self, table: &LeftTable, batch: &Batch, pairs: &mut Vec<Pair>) -> Result<()> {
        let ask = |pairs: &mut [Pair], settle: &dyn Fn(&Pair)| {
            let kept = self.keep(table, batch, pairs)?;
            pairs[..kept].iter().for_each(settle);
            Ok::<(), DataFusionError>(())
        };
        if let Some(marks) = &table.marks {
            let mark = |pair: &Pair| marks.set(pair.build, Truth::True);
            settle(
                pairs,
                |pair| marks.has_partner(pair.build),
                |pairs| ask(pairs, &mark),
            )?;
            pairs.clear();
            return Ok(());
        }
        let has_partner = vec![Cell::new(false); batch.right.rows()];
        let of = |pair: &Pair| &has_partner[pair.probe as usize];
        let mark = |pair: &Pair| of(pair).set(true);
        settle(pairs, |pair| of(pair).get(), |pairs| ask(pairs, &mark))?;
        let rows = has_partner.iter().zip(0..);
        let rows = rows.filter(|(has_partner, _)| has_partner.get());
        *pairs = rows
            .map(|(_, probe)| Pair {
                build: NO_ROW,
                probe,
            })
            .collect();
        Ok(())
    }

    /// Drops pairs whose keys differ, then those that the condition rules out.
    fn sift(&self, table: &LeftTable, batch: &Batch, pairs: &mut Vec<Pair>) -> Result<()> {
        if !self.sifts() {
            return Ok(());
        }
        let piece = self.batch_size.max(PIECE);
        let mut kept = 0;
        for start in (0..pairs.len()).step_by(piece) {
            let end = pairs.len().min(start + piece);
            let stay = self.keep(table, batch, &mut pairs[start..end])?;
            pairs.copy_within(start..start + stay, kept);
            kept += stay;
        }
        pairs.truncate(kept);
        Ok(())
    }

    /// Moves the pairs that are not dropped to the front, and returns how many they are.
    fn keep(&self, table: &LeftTable, batch: &Batch, mut pairs: &mut [Pair]) -> Result<usize> {
        let sides = [&table.left, &batch.right];
        if self.form == Form::Hashed {
            let equal = equal_in_pairs(sides, pairs, self.question.nulls)?;
            let stay = retain_true(pairs, &equal);
            pairs = &mut pairs[..stay];
        }
        match &self.question.condition {
            Some(condition) if !pairs.is_empty() => condition.keep(sides, pairs),
            _ => Ok(pairs.len()),
        }
    }

    /// Hands over some rows of the left side.
    fn rest(&mut self, table: Arc<LeftTable>, first: u32) -> Result<Stage> {
        let _timers = self.figures.timers();
        let (pairs, next) = table.rest(self.question.kind, first, self.batch_size);
        if pairs.is_empty() {
            return Ok(Stage::Emptying);
        }
        let sides = [&table.left, &self.no_rows];
        let is_enough = push(&mut self.output, self.question.output.of(sides, &pairs)?)?;
        Ok(match is_enough {
            true => Stage::Emptying,
            false => Stage::Rest(table, next),
        })
    }
}

/// Adds rows to the output. Returns whether there are as many as are asked for.
fn push(output: &mut LimitedBatchCoalescer, batch: RecordBatch) -> Result<bool> {
    Ok(output.push_batch(batch)? == PushBatchStatus::LimitReached)
}

/// What becomes of rows of the right side and of their pairs, in the order of the rows, where those without a partner, or
/// rows instead of pairs, are results.
fn with_rest(kind: Kind, rows: Range<usize>, pairs: &[Pair]) -> Vec<Pair> {
    let mut results = Vec::with_capacity(rows.len().max(pairs.len()));
    let instead = |truth| {
        move |probe| {
            Some(Pair {
                build: kind.emits(truth)?,
                probe,
            })
        }
    };
    let mut next = rows.start as u32;
    for pair in pairs {
        results.extend((next..pair.probe).filter_map(instead(Truth::False)));
        if kind.has_pairs() {
            results.push(*pair);
        }
        if pair.probe >= next {
            results.extend(instead(Truth::True)(pair.probe));
            next = pair.probe + 1;
        }
    }
    results.extend((next..rows.end as u32).filter_map(instead(Truth::False)));
    results
}
