//! Runs of the harness as tables: samples, summary, environment, failures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, MapFieldNames, StringBuilder, UInt64Builder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, ListArray, StringArray, StructArray, UInt32Array,
    UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use pyo3::prelude::*;
use report::record::{
    self, Phase, RecordError, SampleRecord, Source, SystemUse, Toggles, read_run as read,
};
use report::summary::{CellSummary, summarise};

use crate::error::Error;
use crate::export::Table;
use crate::lists::{lists, some_texts, table, texts};
use crate::work::apart;

/// A run: what was measured, and on what. An Arrow stream of its samples.
#[pyclass(frozen, module = "joinery")]
pub struct Run(pub(crate) record::Run);

#[pymethods]
impl Run {
    /// One row per measurement, in the fields of ``samples.jsonl``.
    #[getter]
    fn samples(&self) -> PyResult<Table> {
        Ok(samples(&self.0.samples)?)
    }

    /// One row per workload, variant, toggles and number of threads: medians with their 95 % intervals, in seconds.
    #[getter]
    fn summary(&self) -> PyResult<Table> {
        let summary = summarise(&self.0);
        let cells: Vec<&CellSummary> = summary.results.iter().chain(&summary.peers).collect();
        Ok(cells_table(&cells)?)
    }

    /// One row: the machine and the build.
    #[getter]
    fn environment(&self) -> PyResult<Table> {
        Ok(environment(&self.0)?)
    }

    /// One row per measurement that failed or gave a wrong answer. Such a cell is in no summary and in no chart.
    #[getter]
    fn failures(&self) -> PyResult<Table> {
        let all = &self.0.failures;
        Ok(table(vec![
            ("round", u32s(all.iter().map(|failure| failure.round))),
            (
                "workload",
                texts(all.iter().map(|failure| &failure.workload)),
            ),
            ("variant", texts(all.iter().map(|failure| &failure.variant))),
            (
                "toggles",
                toggles(all.iter().map(|failure| &failure.toggles)),
            ),
            ("threads", u32s(all.iter().map(|failure| failure.threads))),
            ("error", texts(all.iter().map(|failure| &failure.error))),
            ("wrong", bools(all.iter().map(|failure| failure.wrong))),
        ])?)
    }

    /// Sentences that a report repeats.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.notes.clone()
    }

    /// Samples.
    fn __len__(&self) -> usize {
        self.0.samples.len()
    }

    fn __repr__(&self) -> String {
        let (samples, failures) = (self.0.samples.len(), self.0.failures.len());
        format!("<joinery.Run of {samples} samples and {failures} failures>")
    }

    /// As that of ``samples``.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Bound::new(py, self.samples()?)?.call_method1("__arrow_c_stream__", (requested_schema,))
    }
}

/// Read a run of the harness.
///
/// Parameters
/// ----------
/// path : path
///     Its folder, such as ``reports/20260101-120000-0a1b``.
///
/// Returns
/// -------
/// Run
///     ``.samples``, ``.summary``, ``.environment`` and ``.failures`` as tables.
///
/// Raises
/// ------
/// ValueError
///     There is no run in the folder, or its records make no sense.
#[pyfunction]
pub(crate) fn read_run(py: Python<'_>, path: PathBuf) -> PyResult<Run> {
    apart(py, move || read(&path).map(Run).map_err(no_run))
}

/// The refusal of a folder in which there is no run.
pub(crate) fn no_run(error: RecordError) -> Error {
    Error::Value(format!("{error}; name the folder of a run"))
}

fn u32s(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

fn u64s(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn f64s(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn bools(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(BooleanArray::from_iter(values.map(Some)))
}

fn map_names() -> MapFieldNames {
    MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    }
}

fn toggles<'a>(all: impl Iterator<Item = &'a Toggles>) -> ArrayRef {
    let mut builder = MapBuilder::new(
        Some(map_names()),
        StringBuilder::new(),
        StringBuilder::new(),
    );
    for toggles in all {
        for (name, setting) in toggles {
            builder.keys().append_value(name);
            builder.values().append_value(setting);
        }
        builder.append(true).expect("as many names as settings");
    }
    Arc::new(builder.finish())
}

fn counters<'a>(all: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> ArrayRef {
    let mut builder = MapBuilder::new(
        Some(map_names()),
        StringBuilder::new(),
        UInt64Builder::new(),
    );
    for counters in all {
        for (name, count) in counters {
            builder.keys().append_value(name);
            builder.values().append_value(*count);
        }
        builder.append(true).expect("as many names as counts");
    }
    Arc::new(builder.finish())
}

/// Lists of names with seconds.
fn phases<'a>(all: impl Iterator<Item = &'a [Phase]> + Clone) -> ArrayRef {
    let fields = Fields::from(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("seconds", DataType::Float64, false),
    ]);
    let lens = OffsetBuffer::from_lengths(all.clone().map(<[Phase]>::len));
    let of_all: Vec<&Phase> = all.flatten().collect();
    let names = StringArray::from_iter_values(of_all.iter().map(|phase| &phase.name));
    let seconds = Float64Array::from_iter_values(of_all.iter().map(|phase| phase.seconds));
    let phases = StructArray::new(
        fields.clone(),
        vec![Arc::new(names), Arc::new(seconds)],
        None,
    );
    let item = Field::new("item", DataType::Struct(fields), false);
    Arc::new(ListArray::new(Arc::new(item), lens, Arc::new(phases), None))
}

/// What the system gave, NULL where that was not recorded.
fn systems<'a>(all: impl Iterator<Item = Option<&'a SystemUse>> + Clone) -> ArrayRef {
    let recorded: NullBuffer = all.clone().map(|system| system.is_some()).collect();
    let all: Vec<SystemUse> = all
        .map(|system| system.copied().unwrap_or_default())
        .collect();
    let waited = all.iter().map(|system| system.waited_seconds);
    let fields: Vec<(&str, ArrayRef)> = vec![
        (
            "cpu_seconds",
            f64s(all.iter().map(|system| system.cpu_seconds)),
        ),
        ("waited_seconds", Arc::new(Float64Array::from_iter(waited))),
        (
            "involuntary_switches",
            u64s(all.iter().map(|system| system.involuntary_switches)),
        ),
        (
            "stolen_seconds",
            f64s(all.iter().map(|system| system.stolen_seconds)),
        ),
    ];
    let field = |(name, values): &(&str, ArrayRef)| {
        Field::new(*name, values.data_type().clone(), *name == "waited_seconds")
    };
    Arc::new(StructArray::new(
        fields.iter().map(field).collect(),
        fields.into_iter().map(|(_, values)| values).collect(),
        Some(recorded),
    ))
}

fn samples(all: &[SampleRecord]) -> Result<Table, Error> {
    table(vec![
        ("round", u32s(all.iter().map(|sample| sample.round))),
        ("order", u32s(all.iter().map(|sample| sample.order))),
        ("workload", texts(all.iter().map(|sample| &sample.workload))),
        ("variant", texts(all.iter().map(|sample| &sample.variant))),
        ("toggles", toggles(all.iter().map(|sample| &sample.toggles))),
        (
            "label",
            some_texts(all.iter().map(|sample| sample.label.as_ref())),
        ),
        ("pair", u32s(all.iter().map(|sample| sample.pair))),
        ("threads", u32s(all.iter().map(|sample| sample.threads))),
        ("seconds", f64s(all.iter().map(|sample| sample.seconds))),
        (
            "phases",
            phases(all.iter().map(|sample| sample.phases.as_slice())),
        ),
        ("rows", u64s(all.iter().map(|sample| sample.answer.rows))),
        (
            "sum_build",
            u64s(all.iter().map(|sample| sample.answer.sum_build)),
        ),
        (
            "sum_probe",
            u64s(all.iter().map(|sample| sample.answer.sum_probe)),
        ),
        (
            "checksum",
            texts(all.iter().map(|sample| sample.answer.checksum.to_string())),
        ),
        (
            "bytes",
            Arc::new(UInt64Array::from_iter(
                all.iter().map(|sample| sample.bytes),
            )),
        ),
        (
            "counters",
            counters(all.iter().map(|sample| &sample.counters)),
        ),
        ("notes", lists(all.iter().map(|sample| &sample.notes))),
        (
            "source",
            texts(all.iter().map(|sample| match sample.source {
                Source::Variant => "variant",
                Source::Peer => "peer",
            })),
        ),
        (
            "system",
            systems(all.iter().map(|sample| sample.system.as_ref())),
        ),
        (
            "disturbed",
            bools(all.iter().map(|sample| sample.disturbed)),
        ),
    ])
}

fn cells_table(all: &[&CellSummary]) -> Result<Table, Error> {
    let some = |number: fn(&CellSummary) -> Option<u64>| -> ArrayRef {
        Arc::new(UInt64Array::from_iter(all.iter().map(|cell| number(cell))))
    };
    table(vec![
        ("workload", texts(all.iter().map(|cell| &cell.workload))),
        ("variant", texts(all.iter().map(|cell| &cell.variant))),
        ("toggles", toggles(all.iter().map(|cell| &cell.toggles))),
        ("threads", u32s(all.iter().map(|cell| cell.threads))),
        ("samples", u64s(all.iter().map(|cell| cell.samples as u64))),
        ("median", f64s(all.iter().map(|cell| cell.seconds.median))),
        ("low", f64s(all.iter().map(|cell| cell.seconds.low))),
        ("high", f64s(all.iter().map(|cell| cell.seconds.high))),
        ("build_rows", u64s(all.iter().map(|cell| cell.build_rows))),
        ("probe_rows", u64s(all.iter().map(|cell| cell.probe_rows))),
        ("result_rows", u64s(all.iter().map(|cell| cell.result_rows))),
        (
            "tuples_per_second",
            f64s(all.iter().map(|cell| cell.tuples_per_second)),
        ),
        ("table_bytes", some(|cell| cell.table_bytes)),
        ("peak_bytes", some(|cell| cell.peak_bytes)),
        ("notes", lists(all.iter().map(|cell| &cell.notes))),
    ])
}

fn environment(run: &record::Run) -> Result<Table, Error> {
    let (of_run, machine) = (&run.run, &run.run.environment);
    let text = |text: &str| texts([text]);
    table(vec![
        ("run", text(&of_run.id)),
        ("started", text(&of_run.started)),
        ("seed", u64s([of_run.seed].into_iter())),
        ("size", text(&of_run.size.to_string())),
        ("complete", bools([run.complete].into_iter())),
        ("machine", text(&machine.machine_id())),
        ("cpu", text(&machine.cpu)),
        ("cores", u32s([machine.cores].into_iter())),
        ("memory_bytes", u64s([machine.memory_bytes].into_iter())),
        ("kernel", text(&machine.kernel)),
        ("huge_pages", text(&machine.huge_pages)),
        ("allocator", text(&machine.allocator)),
        ("rustc", text(&machine.rustc)),
        ("profile", text(&machine.profile)),
        ("optimised", bools([machine.optimised].into_iter())),
        ("commit", text(&machine.commit)),
        ("dirty", bools([machine.dirty].into_iter())),
        ("counters", text(&machine.counters)),
    ])
}
