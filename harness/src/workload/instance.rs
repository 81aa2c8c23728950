//! A workload at a size, and its data.

use std::num::NonZeroUsize;
use std::sync::Arc;

use join_core::compound::Keys;
use join_core::join::JoinInput;
use join_core::kind::Kind;
use join_core::oracle;
use join_core::output::Aggregate;
use join_core::page::{DataType, PAGE_BYTES, rows_per_full_page};
use join_core::table::Column;

use super::checksum::keys_checksum;
use super::definition::Origin;
use super::error::Error;
use super::fields::Expected;
use super::synthetic::Synthetic;
use super::table_keys::TableKeys;
use super::tpch::Tpch;
use crate::machine;
use crate::question::{Less, NamedKind, Payload};
use report::record::{Answer, Checksum, JOIN, Size, WorkloadRecord};

/// A workload at a size: everything about it but the data.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Unique in a run.
    pub name: String,
    /// The ladder that this is a rung of.
    pub group: Option<String>,
    /// The kind of join.
    pub kind: Kind,
    /// Bytes of a row's payload on each side; 0 where results are row ids.
    pub payload_bytes: u32,
    /// Whether a sweep measures it unasked at any size but the full one.
    pub swept: bool,
    /// What it shows.
    pub sentence: String,
    /// What to look for in its chart.
    pub analysis: String,
    /// INT32 or INT64.
    pub key_type: DataType,
    /// The seed of its file.
    pub seed: u64,
    /// The file that it comes from.
    pub origin: Arc<Origin>,
    pub(super) source: Source,
    pub(super) expected: Vec<Expected>,
}

/// Where an instance's data comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Synthetic(Synthetic),
    Tpch(Tpch),
    /// Build side and probe side.
    Tables(TableKeys, TableKeys),
}

impl Instance {
    /// Rows of the build side.
    pub fn build_rows(&self) -> u64 {
        match &self.source {
            Source::Synthetic(synthetic) => synthetic.build_rows.into(),
            Source::Tpch(tpch) => tpch.build_rows(),
            Source::Tables(build, _) => build.rows(),
        }
    }

    /// Rows of the probe side; for TPC-H about that many.
    pub fn probe_rows(&self) -> u64 {
        match &self.source {
            Source::Synthetic(synthetic) => synthetic.probe_rows.into(),
            Source::Tpch(tpch) => tpch.estimated_probe_rows(),
            Source::Tables(_, probe) => probe.rows(),
        }
    }

    /// Whether it is one of several that ask one question: a rung of a ladder, a kind of join, a shape of keys, a payload.
    pub fn is_of_series(&self) -> bool {
        let is_plain = self.kind == Kind::Inner && !self.has_strings();
        self.group.is_some() || !is_plain || self.payload_bytes > 0
    }

    /// Whether its keys are strings.
    pub fn has_strings(&self) -> bool {
        self.key_type == DataType::Varchar
    }

    /// Whether its keys are hashed before they are joined, and compared after that.
    pub fn is_verified(&self) -> bool {
        self.has_strings() || self.key_columns() > 1 && self.key_type == DataType::Int64
    }

    /// Whether a sweep of a size measures it unasked.
    pub fn is_swept(&self, size: Size) -> bool {
        self.swept || size == Size::Full
    }

    /// About how many results the join has; for tables, whose keys are not known yet, the rows of the probe side.
    pub fn estimated_results(&self) -> u64 {
        match &self.source {
            Source::Synthetic(synthetic) => synthetic.estimated_results(self.kind),
            Source::Tpch(tpch) => tpch.estimated_results(self.kind),
            Source::Tables(..) => self.probe_rows(),
        }
    }

    /// Whether the generator does not know the answer.
    fn asks_oracle(&self) -> bool {
        let synthetic = match &self.source {
            Source::Synthetic(synthetic) => Some(synthetic),
            _ => None,
        };
        self.kind != Kind::Inner || synthetic.is_some_and(|drawn| drawn.condition.is_some())
    }

    /// About how many bytes of pages the two key columns and the payload are.
    pub fn estimated_bytes(&self) -> u64 {
        /// A string's end, its bit, and the 24 bytes that strings have on average.
        const STRINGS: usize = PAGE_BYTES * 8 / (24 * 8 + 2 * 8 + 1);
        let per_page = match self.key_type {
            DataType::Int64 => rows_per_full_page::<i64>(),
            DataType::Varchar => STRINGS,
            _ => rows_per_full_page::<i32>(),
        };
        let keys = u64::from(self.key_columns());
        let pages = |rows: u64, per_page: usize| rows.div_ceil(per_page as u64);
        let columns = self.payload_columns() as u64;
        let sides = [self.build_rows(), self.probe_rows()];
        let pages = sides.map(|rows| {
            keys * pages(rows, per_page) + columns * pages(rows, rows_per_full_page::<i64>())
        });
        (pages[0] + pages[1]) * PAGE_BYTES as u64
    }

    /// Columns of the key.
    pub fn key_columns(&self) -> u32 {
        match &self.source {
            Source::Synthetic(synthetic) => synthetic.key_columns,
            Source::Tpch(tpch) if tpch.is_composite() => 2,
            _ => 1,
        }
    }

    /// INT64 columns of each side besides the key.
    pub fn payload_columns(&self) -> usize {
        (self.payload_bytes / Payload::WIDTH) as usize
    }

    /// About how many bytes of memory [`Instance::generate`] takes at the most.
    pub fn needed_bytes(&self) -> u64 {
        let (build, probe) = (self.build_rows(), self.probe_rows());
        let pages = self.estimated_bytes();
        // The oracle sorts keys with their rows.
        let sorted = (build + probe) * TableKeys::EXTRA_BYTES_PER_ROW;
        let of_kind = match self.asks_oracle() {
            false => 0,
            true => sorted + 4 * (build + probe),
        };
        match &self.source {
            Source::Synthetic(synthetic) => pages + synthetic.extra_bytes(pages).max(of_kind),
            Source::Tpch(_) => pages + (probe * Tpch::EXTRA_BYTES_PER_ROW).max(of_kind),
            // The pages themselves stay in their files.
            Source::Tables(..) => sorted,
        }
    }

    /// Holds the data against the memory that there is.
    ///
    /// # Errors
    /// If it takes more than `usable` bytes to make.
    pub fn fits(&self, usable: u64) -> Result<(), Error> {
        let needed = self.needed_bytes();
        if needed <= usable {
            return Ok(());
        }
        Err(Error::TooLarge {
            file: self.origin.file.clone(),
            name: self.name.clone(),
            needed_mib: needed >> 20,
            usable_mib: usable >> 20,
        })
    }

    /// About how many seconds of processor time [`Instance::generate`] takes. A table folder is only mapped, checked,
    /// and sorted for the answer.
    pub fn estimated_seconds(&self) -> f64 {
        const SORTED: f64 = 1e-7;
        let (build, probe) = match &self.source {
            Source::Synthetic(synthetic) => synthetic.seconds_per_row(),
            Source::Tpch(_) => (1e-9, 1.5e-7),
            Source::Tables(..) => (SORTED, SORTED),
        };
        let of_kind = match self.asks_oracle() {
            false => 0.0,
            true => SORTED,
        };
        (build + of_kind) * self.build_rows() as f64 + (probe + of_kind) * self.probe_rows() as f64
    }

    /// Makes the data on `threads` threads; the same data for any number of them. A `seed` stands in for the file's;
    /// TPC-H and table folders have none.
    ///
    /// # Errors
    /// If there is not enough memory, a table folder cannot be read, or the answer is not the one that the file has
    /// recorded for this data.
    pub fn generate(&self, seed: Option<u64>, threads: NonZeroUsize) -> Result<Workload, Error> {
        self.fits(machine::usable_bytes())?;
        let seed = seed.unwrap_or(self.seed);
        let mut condition = None;
        let (columns, expected) = match &self.source {
            Source::Synthetic(synthetic) => {
                condition = synthetic.values(seed);
                let (columns, answer) = synthetic.generate(self.key_type, seed, threads);
                (columns, Some(answer))
            }
            Source::Tpch(tpch) => {
                let (columns, answer) = tpch.generate(self.key_type, threads);
                (columns, Some(answer))
            }
            Source::Tables(build, probe) => (vec![self.open_columns(build, probe)?], None),
        };
        let is_known = self.kind == Kind::Inner && condition.is_none();
        let payload = (self.payload_bytes > 0).then(|| {
            let (build, probe) = (self.build_rows(), self.probe_rows());
            Payload::new(self.payload_columns(), build, probe, threads)
        });
        let mut workload = Workload {
            name: self.name.clone(),
            group: self.group.clone(),
            kind: self.kind,
            sentence: self.sentence.clone(),
            key_type: self.key_type,
            columns,
            condition,
            payload,
            expected: Aggregate::default(),
            recorded: false,
        };
        workload.expected = match expected.filter(|_| is_known) {
            Some(expected) => expected,
            None => workload.oracle(),
        };
        let is_files_data = seed == self.seed || !matches!(self.source, Source::Synthetic(_));
        if is_files_data {
            workload.recorded = self.check_recorded(&workload)?;
        }
        Ok(workload)
    }

    fn open_columns(
        &self,
        build: &TableKeys,
        probe: &TableKeys,
    ) -> Result<(Column, Column), Error> {
        let open = |keys: &TableKeys| {
            let opened = keys.open();
            opened.map_err(|error| Error::table(&self.origin.file, error))
        };
        Ok((open(build)?, open(probe)?))
    }

    /// Reads the table folders that it is of, if it is, to find early what is wrong with them.
    ///
    /// # Errors
    /// If a table folder cannot be read.
    pub fn check(&self) -> Result<(), Error> {
        if let Source::Tables(build, probe) = &self.source {
            self.open_columns(build, probe)?;
        }
        Ok(())
    }

    /// Whether the file has recorded the answer of this data.
    fn check_recorded(&self, workload: &Workload) -> Result<bool, Error> {
        let (build_rows, probe_rows) = (workload.build().row_count(), workload.probe().row_count());
        let is_this = |e: &&Expected| {
            (e.build_rows, e.probe_rows, e.kind.0) == (build_rows, probe_rows, self.kind)
        };
        let Some(recorded) = self.expected.iter().find(is_this) else {
            return Ok(false);
        };
        let (rows, checksum) = (workload.expected.rows, workload.expected.checksum());
        if (recorded.rows, recorded.checksum) == (rows, checksum) {
            return Ok(true);
        }
        Err(Error::Changed {
            file: self.origin.file.clone(),
            name: self.name.clone(),
            build_rows,
            probe_rows,
            found: format!("rows = {rows}, checksum = \"{checksum}\""),
            expected: format!(
                "rows = {}, checksum = \"{}\"",
                recorded.rows, recorded.checksum
            ),
        })
    }
}

/// Two key columns and the right answer of their join.
#[derive(Debug)]
pub struct Workload {
    /// Unique in a run.
    pub name: String,
    /// The ladder that this is a rung of.
    pub group: Option<String>,
    /// The kind of join.
    pub kind: Kind,
    /// What it shows.
    pub sentence: String,
    /// INT32, INT64 or VARCHAR.
    pub key_type: DataType,
    /// The columns of the key, those of the build and those of the probe side; one at least.
    pub columns: Vec<(Column, Column)>,
    /// What pairs must fulfil besides equal keys.
    pub condition: Option<Less>,
    /// The columns that rows of the result are made of.
    pub payload: Option<Payload>,
    /// The right answer: of an inner join known to the generator, which does not join; else the oracle's.
    pub expected: Aggregate,
    /// Whether the workload's file has recorded this answer too.
    pub recorded: bool,
}

impl Workload {
    /// The first key column of the build side.
    pub fn build(&self) -> &Column {
        &self.columns[0].0
    }

    /// The first key column of the probe side.
    pub fn probe(&self) -> &Column {
        &self.columns[0].1
    }

    /// What a join is given.
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(&borrowed(&self.columns))
            .expect("columns that meet are of one type and their rows have been counted")
    }

    /// Bytes of all columns' pages.
    pub fn bytes(&self) -> u64 {
        let (build, probe) = self.bytes_of_sides();
        build + probe + self.payload.as_ref().map_or(0, Payload::page_bytes)
    }

    fn bytes_of_sides(&self) -> (u64, u64) {
        let build = self.columns.iter().map(|(build, _)| column_bytes(build));
        let probe = self.columns.iter().map(|(_, probe)| column_bytes(probe));
        (build.sum(), probe.sum())
    }

    /// The answer once more, by sorting both sides.
    pub fn oracle(&self) -> Aggregate {
        let condition = self.condition.as_ref().map(Less::as_filter);
        with_integers(&self.keys(), &self.columns, |input| {
            oracle::sums_of_kind(input, self.kind, condition)
        })
    }

    /// The right answer as its file records it, to be put into the list `expected`.
    pub fn answer(&self) -> String {
        let kind = match self.kind {
            Kind::Inner => String::new(),
            kind => format!("kind = \"{kind}\", "),
        };
        format!(
            "{{ build_rows = {}, probe_rows = {}, {kind}rows = {}, checksum = \"{}\" }}",
            self.build().row_count(),
            self.probe().row_count(),
            self.expected.rows,
            self.expected.checksum()
        )
    }

    /// The workload's line in a run's records.
    pub fn record(&self) -> WorkloadRecord {
        let (build_bytes, probe_bytes) = self.bytes_of_sides();
        WorkloadRecord {
            name: self.name.clone(),
            group: self.group.clone(),
            experiment: JOIN.to_owned(),
            join_kind: NamedKind::unless_inner(self.kind),
            condition: self.condition.as_ref().map(|_| Less::SQL.to_owned()),
            payload_bytes: self.payload.as_ref().map(Payload::bytes),
            sentence: self.sentence.clone(),
            build_rows: self.build().row_count(),
            probe_rows: self.probe().row_count(),
            key_type: vec![self.key_type.name(); self.columns.len()].join(", "),
            build_bytes,
            probe_bytes,
            expected: Some(answer(&self.expected)),
            keys: Some(keys_checksum(&self.columns, self.condition.as_ref())),
        }
    }
}

/// Columns as joins are given them.
pub fn borrowed(columns: &[(Column, Column)]) -> Vec<(&Column, &Column)> {
    columns
        .iter()
        .map(|(build, probe)| (build, probe))
        .collect()
}

/// Calls `each` with the keys, or, where they are no integers, with numbers that are equal where they are.
pub fn with_integers<R>(
    keys: &Keys<'_>,
    columns: &[(Column, Column)],
    each: impl FnOnce(&JoinInput<'_>) -> R,
) -> R {
    match keys {
        Keys::Integer(input) => each(input),
        Keys::Compound(_) => {
            let (build, probe) = oracle::numbered(&borrowed(columns));
            each(&JoinInput::new(&build, &probe).expect("two INT64 columns"))
        }
    }
}

/// The answer of a join as records hold it.
pub fn answer(aggregate: &Aggregate) -> Answer {
    Answer {
        rows: aggregate.rows,
        sum_build: aggregate.sum_build,
        sum_probe: aggregate.sum_probe,
        checksum: Checksum(aggregate.checksum().0),
    }
}

fn column_bytes(column: &Column) -> u64 {
    (column.pages().len() * PAGE_BYTES) as u64
}
