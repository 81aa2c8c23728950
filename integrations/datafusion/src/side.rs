//! A side of a join, collected.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{concat, interleave, take};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::runtime::JoinSet;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use join_core::kind::NO_ROW;
use join_core::table::PageOffsets;

use crate::keys;
use crate::metrics::Input;
use crate::tree::Sieve;

/// What is kept of the batches of a side.
pub(crate) struct Request {
    /// The keys.
    pub(crate) keys: Vec<PhysicalExprRef>,
    /// The columns that the output or a condition asks for.
    pub(crate) columns: Vec<usize>,
}

impl Request {
    /// Where a column of the side lies among those that are kept.
    pub(crate) fn place(&mut self, column: usize) -> usize {
        let kept = self.columns.iter().position(|&kept| kept == column);
        kept.unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        })
    }

    /// Keys and columns of a batch, for which so many bytes are reserved.
    pub(crate) fn of(&self, batch: &RecordBatch, bytes: usize) -> Result<Part> {
        let keys = self.keys.iter().map(|key| {
            let values = key.evaluate(batch)?.into_array(batch.num_rows())?;
            keys::plain(&values)
        });
        Ok(Part {
            rows: batch.num_rows(),
            bytes,
            keys: keys.collect::<Result<_>>()?,
            columns: self
                .columns
                .iter()
                .map(|&column| batch.column(column).clone())
                .collect(),
        })
    }
}

/// What is kept of a batch.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) rows: usize,
    /// Reserved for it.
    pub(crate) bytes: usize,
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) columns: Vec<ArrayRef>,
}

/// A partition of a side, as far as it was read.
pub(crate) struct Partition {
    pub(crate) parts: Vec<Part>,
    /// What the pool had no room for, if it refused: a batch, and all that follow it.
    pub(crate) rest: Option<SendableRecordBatchStream>,
}

impl Partition {
    /// A side in one partition, for which no bytes are reserved.
    pub(crate) fn of(side: Side) -> Self {
        Self {
            parts: side.into_parts(),
            rest: None,
        }
    }

    /// A partition of which nothing has been read.
    pub(crate) fn unread(stream: SendableRecordBatchStream) -> Self {
        Self {
            parts: Vec::new(),
            rest: Some(stream),
        }
    }
}

/// What became of collecting.
pub(crate) enum Collected {
    /// The side.
    All(Side),
    /// What there is of it, and why it is not all.
    Part(Vec<Partition>, DataFusionError),
    /// More rows than were asked for at most, and what has not been read yet.
    Enough(Vec<Partition>),
}

/// Arrays that are one column.
pub(crate) type Chunks = Vec<ArrayRef>;

/// The rows of a side, batch after batch; a row id is a row's number from the first on.
pub(crate) struct Side {
    offsets: PageOffsets,
    /// Keys as [`keys::plain`] leaves them.
    pub(crate) keys: Vec<Chunks>,
    /// Columns, each with one NULL behind its last batch: what stands where there is no row.
    columns: Vec<Chunks>,
}

/// Who collects.
pub(crate) struct Collector {
    pub(crate) request: Arc<Request>,
    pub(crate) schema: SchemaRef,
    pub(crate) reservation: Arc<MemoryReservation>,
    pub(crate) input: Input,
    pub(crate) time: Time,
    /// What rows must pass that are kept, if anything.
    pub(crate) sieve: Option<Arc<Sieve>>,
    /// Rows that are kept at most, but for those of the batches that make them more.
    pub(crate) most: usize,
    /// Rows that are kept.
    pub(crate) kept: AtomicUsize,
    /// Set once the pool has refused, and why: all tasks stop then.
    pub(crate) refusal: OnceLock<DataFusionError>,
}

impl Collector {
    /// Reads streams to their ends, each in a task of its own, or until the pool refuses.
    pub(crate) async fn collect(
        self,
        streams: Vec<SendableRecordBatchStream>,
    ) -> Result<Collected> {
        let collector = Arc::new(self);
        let mut tasks = JoinSet::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let collector = collector.clone();
            tasks.spawn(async move { (number, collector.read(stream).await) });
        }
        let mut partitions = Vec::with_capacity(tasks.len());
        while let Some(read) = tasks.join_next().await {
            let (number, partition) = read.map_err(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => DataFusionError::ExecutionJoin(Box::new(error)),
            })?;
            partitions.push((number, partition?));
        }
        partitions.sort_by_key(|&(number, _)| number);
        let partitions = partitions.into_iter().map(|(_, partition)| partition);
        let collector = Arc::into_inner(collector).expect("all tasks have ended");
        let is_enough = collector.has_enough();
        match collector.refusal.into_inner() {
            Some(refusal) => Ok(Collected::Part(partitions.collect(), refusal)),
            None if is_enough => Ok(Collected::Enough(partitions.collect())),
            None => {
                let parts = partitions.flat_map(|partition| partition.parts).collect();
                Side::new(parts, &collector.request, &collector.schema).map(Collected::All)
            }
        }
    }

    /// Reads streams to their ends.
    ///
    /// # Errors
    ///
    /// If the pool refuses.
    pub(crate) async fn collect_all(self, streams: Vec<SendableRecordBatchStream>) -> Result<Side> {
        match self.collect(streams).await? {
            Collected::All(side) => Ok(side),
            Collected::Part(_, refusal) => Err(refusal),
            Collected::Enough(_) => internal_err!("there is no most of what is collected whole"),
        }
    }

    async fn read(&self, mut stream: SendableRecordBatchStream) -> Result<Partition> {
        let mut counter = RecordBatchMemoryCounter::new();
        let mut parts = Vec::new();
        loop {
            if self.has_enough() {
                return Ok(Partition {
                    parts,
                    rest: Some(stream),
                });
            }
            let Some(batch) = stream.next().await.transpose()? else {
                break;
            };
            let _timer = self.time.timer();
            self.input.batches.add(1);
            self.input.rows.add(batch.num_rows());
            let batch = match &self.sieve {
                Some(sieve) if batch.num_rows() > 0 => sieve.keep(batch)?,
                _ => batch,
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let bytes = counter.count_batch(&batch);
            if !self.reserve(bytes) {
                let schema = stream.schema();
                let rest = stream::iter([Ok(batch)]).chain(stream);
                let rest = Box::pin(RecordBatchStreamAdapter::new(schema, rest));
                return Ok(Partition {
                    parts,
                    rest: Some(rest),
                });
            }
            parts.push(self.request.of(&batch, bytes)?);
            self.kept.fetch_add(batch.num_rows(), Ordering::Relaxed);
        }
        Ok(Partition { parts, rest: None })
    }

    fn has_enough(&self) -> bool {
        // Relaxed: a batch more or less does not matter.
        self.kept.load(Ordering::Relaxed) > self.most
    }

    fn reserve(&self, bytes: usize) -> bool {
        if self.refusal.get().is_some() {
            return false;
        }
        let reserved = self.reservation.try_grow(bytes);
        // Where two tasks are refused at a time, the first one says why.
        reserved.map_err(|error| self.refusal.set(error)).is_ok()
    }
}

impl Side {
    /// A side of these parts.
    ///
    /// # Errors
    ///
    /// If they have too many rows.
    pub(crate) fn new(parts: Vec<Part>, request: &Request, schema: &SchemaRef) -> Result<Self> {
        let offsets = offsets(parts.iter().map(|part| part.rows))?;
        let mut keys = vec![Vec::with_capacity(parts.len()); request.keys.len()];
        let mut columns = vec![Vec::with_capacity(parts.len() + 1); request.columns.len()];
        for part in parts {
            let of_keys = keys.iter_mut().zip(part.keys);
            let of_columns = columns.iter_mut().zip(part.columns);
            of_keys
                .chain(of_columns)
                .for_each(|(chunks, chunk)| chunks.push(chunk));
        }
        for (chunks, &column) in columns.iter_mut().zip(&request.columns) {
            chunks.push(new_null_array(schema.field(column).data_type(), 1));
        }
        Ok(Self {
            offsets,
            keys,
            columns,
        })
    }

    /// The same columns of this part alone, whose rows are numbered from 0 on.
    ///
    /// # Errors
    ///
    /// If there are too many.
    pub(crate) fn of_part(&self, part: Part) -> Result<Self> {
        let nulls = self.columns.iter().map(|chunks| chunks.last());
        let columns = part.columns.into_iter().zip(nulls);
        Ok(Self {
            offsets: offsets([part.rows].into_iter())?,
            keys: part.keys.into_iter().map(|keys| vec![keys]).collect(),
            columns: columns
                .map(|(column, null)| {
                    [Some(column), null.cloned()]
                        .into_iter()
                        .flatten()
                        .collect()
                })
                .collect(),
        })
    }

    /// The same rows in one batch, where arrays can be put together: strings may be too long for that, and dictionaries have too
    /// many values.
    pub(crate) fn in_one_batch(self) -> Self {
        match self.offsets.starts().len() {
            0..=2 => self,
            _ => self.whole().unwrap_or(self),
        }
    }

    fn whole(&self) -> Result<Self> {
        let one = |chunks: &[ArrayRef]| {
            let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
            concat(&chunks)
        };
        let columns = self.columns.iter().map(|chunks| match chunks.split_last() {
            Some((null, chunks)) => Ok(vec![one(chunks)?, null.clone()]),
            None => Ok(Vec::new()),
        });
        let columns: Vec<Chunks> = columns.collect::<Result<_>>()?;
        let keys = self.keys.iter().map(|chunks| {
            let mut all = self.columns.iter();
            let column = all.position(|column| Arc::ptr_eq(&column[0], &chunks[0]));
            Ok(vec![match column {
                Some(column) => columns[column][0].clone(),
                None => one(chunks)?,
            }])
        });
        Ok(Self {
            offsets: offsets([self.rows()].into_iter())?,
            keys: keys.collect::<Result<_>>()?,
            columns,
        })
    }

    /// A part of some of the rows, spread evenly over all.
    pub(crate) fn sampled(&self, rows: usize) -> Vec<u32> {
        let sampled = rows.min(self.rows());
        (0..sampled)
            .map(|number| (number * self.rows() / sampled) as u32)
            .collect()
    }

    /// A side without rows.
    ///
    /// # Errors
    ///
    /// None: there are not too many rows.
    pub(crate) fn empty(request: &Request, schema: &SchemaRef) -> Result<Self> {
        Self::new(Vec::new(), request, schema)
    }

    /// The parts that the side was made of.
    fn into_parts(self) -> Vec<Part> {
        let starts = self.offsets.starts();
        let of =
            |all: &[Chunks], part: usize| all.iter().map(|chunks| chunks[part].clone()).collect();
        (0..starts.len() - 1)
            .map(|part| Part {
                rows: (starts[part + 1] - starts[part]) as usize,
                bytes: 0,
                keys: of(&self.keys, part),
                columns: of(&self.columns, part),
            })
            .collect()
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.offsets.row_count() as usize
    }

    /// Whether a key of a row is NULL.
    pub(crate) fn has_null_keys(&self) -> bool {
        let mut keys = self.keys.iter().flatten();
        keys.any(|key| key.logical_null_count() > 0)
    }

    /// Says where rows lie, once for all columns that are gathered of them; [`NO_ROW`] lies at the NULL.
    pub(crate) fn locate(&self, rows: impl ExactSizeIterator<Item = u32>) -> Places {
        let batches = self.offsets.starts().len() - 1;
        if batches == 1 {
            return self.locate_in_one_batch(rows.collect());
        }
        let place = |row| match row {
            NO_ROW => (batches, 0),
            row => self.offsets.locate(row),
        };
        Places::Batches(rows.map(place).collect())
    }

    fn locate_in_one_batch(&self, mut rows: Vec<u32>) -> Places {
        if rows.len() == self.rows() && rows.iter().copied().eq(0..rows.len() as u32) {
            return Places::AllOfOneBatch;
        }
        let nulls = rows.contains(&NO_ROW).then(|| {
            let valid = rows.iter().map(|&row| row != NO_ROW);
            NullBuffer::from_iter(valid)
        });
        if nulls.is_some() {
            let no_rows = rows.iter_mut().filter(|row| **row == NO_ROW);
            no_rows.for_each(|row| *row = 0);
        }
        Places::OneBatch(UInt32Array::new(rows.into(), nulls))
    }

    /// The values of a kept column in these places.
    pub(crate) fn gather(&self, column: usize, places: &Places) -> Result<ArrayRef> {
        gather(&self.columns[column], places)
    }

    /// The values of a key in these places, each of which is a row.
    pub(crate) fn gather_key(&self, key: usize, places: &Places) -> Result<ArrayRef> {
        gather(&self.keys[key], places)
    }
}

/// The way from rows to batches with these numbers of rows.
fn offsets(rows: impl ExactSizeIterator<Item = usize>) -> Result<PageOffsets> {
    PageOffsets::from_row_counts(rows).ok_or_else(|| {
        DataFusionError::ResourcesExhausted(
            "a side of a join has more than 4,294,967,295 rows, the most that Joinery numbers; \
             SET joinery.mode = 'off' for this query"
                .to_owned(),
        )
    })
}

fn gather(chunks: &Chunks, places: &Places) -> Result<ArrayRef> {
    Ok(match places {
        Places::AllOfOneBatch => chunks[0].clone(),
        Places::OneBatch(rows) => take(&chunks[0], rows, None)?,
        Places::Batches(places) => {
            let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
            interleave(&chunks, places)?
        }
    })
}

/// Where rows of a side lie.
pub(crate) enum Places {
    /// All rows of the only batch, in order.
    AllOfOneBatch,
    /// Row numbers of the only batch.
    OneBatch(UInt32Array),
    /// Batches and rows of these.
    Batches(Vec<(usize, usize)>),
}
