//! `plot`: the charts of the reports.

use std::path::PathBuf;

use pyo3::prelude::*;
use report::charts;
use report::page::Drawn;
use report::record::read_run;

use crate::error::Error;
use crate::runs::{Run, no_run};
use crate::work::apart;

/// A chart: an SVG document that a notebook shows, and its data.
#[pyclass(frozen, module = "joinery")]
pub struct Chart(charts::Chart);

#[pymethods]
impl Chart {
    /// The document.
    #[getter]
    fn svg(&self) -> &str {
        &self.0.svg
    }

    /// The data, as CSV.
    #[getter]
    fn csv(&self) -> &str {
        &self.0.csv
    }

    /// What it shows.
    #[getter]
    fn title(&self) -> &str {
        &self.0.title
    }

    /// What it says, in a sentence made from the data.
    #[getter]
    fn finding(&self) -> &str {
        &self.0.finding
    }

    /// How to read it.
    #[getter]
    fn reading(&self) -> &str {
        self.0.reading
    }

    fn _repr_svg_(&self) -> &str {
        &self.0.svg
    }

    fn __repr__(&self) -> String {
        format!("<joinery.Chart {:?}>", self.0.title)
    }

    /// Write the document to a file.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        Ok(std::fs::write(path, &self.0.svg)?)
    }
}

/// Draw a chart of a run.
///
/// Parameters
/// ----------
/// samples : Run or path
///     What ``measure`` or ``read_run`` returned, or the folder of a run.
/// chart : str
///     ``"times"``, ``"phases"``, ``"ablation"``, ``"throughput"``, ``"scaling"`` or another one of a report.
///
/// Returns
/// -------
/// Chart
///     A notebook shows it; ``.save(path)`` writes the SVG, ``.csv`` has the data.
///
/// Raises
/// ------
/// ValueError
///     There is no such chart, or the run has no data for it; says why.
/// TypeError
///     ``samples`` is neither a run nor a path: a chart also tells the machine and the failures.
#[pyfunction]
#[pyo3(signature = (samples, chart="times"))]
pub(crate) fn plot(py: Python<'_>, samples: &Bound<'_, PyAny>, chart: &str) -> PyResult<Chart> {
    let run = match samples.cast::<Run>() {
        Ok(run) => run.get().0.clone(),
        Err(_) => {
            let path: PathBuf = samples.extract().map_err(|_| {
                Error::Type(
                    "samples is neither what joinery.measure or joinery.read_run returned nor the folder of a run"
                        .to_owned(),
                )
            })?;
            read_run(&path).map_err(no_run)?
        }
    };
    let wanted = chart.to_owned();
    let drawn = apart(py, move || {
        let drawn = Drawn::new(&run);
        let (mut names, mut reasons) = (Vec::new(), Vec::new());
        for chart in drawn.charts.into_iter().chain(drawn.plan_charts) {
            match chart {
                Ok(chart) if chart.name == wanted => return Ok(chart),
                Ok(chart) => names.push(chart.name),
                Err(left_out) => reasons.push(format!("{}: {}", left_out.title, left_out.reason)),
            }
        }
        Err(Error::Value(format!(
            "the run has no chart {wanted:?}; it has {}. Left out are: {}",
            names.join(", "),
            reasons.join("; ")
        )))
    })?;
    Ok(Chart(drawn))
}
