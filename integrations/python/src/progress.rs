//! A progress bar on `sys.stderr`, which a notebook shows as a terminal does: written by the interpreter's thread, told by the
//! thread that works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use harness::experiment::News;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

/// Characters of the bar.
const WIDTH: usize = 24;

/// What has been told and not been written.
#[derive(Default)]
struct Unwritten {
    sentences: Vec<String>,
    step: Option<String>,
}

/// A line that is written again and again.
#[derive(Default)]
pub(crate) struct Bar {
    told: Arc<Mutex<Unwritten>>,
    /// The line as it stands there.
    line: String,
}

impl Bar {
    /// What the thread that works is to call.
    pub(crate) fn listener(&self) -> impl Fn(News<'_>) + Send + 'static {
        let told = self.told.clone();
        move |news| match news {
            News::Sentence(text) => locked(&told).sentences.push(text.to_owned()),
            News::Step(part, what) => locked(&told).step = Some(line(part, what)),
        }
    }

    /// Writes what is new.
    ///
    /// # Errors
    ///
    /// Ctrl-C while it was written. Where nothing can be written, nothing is.
    pub(crate) fn write(&mut self, py: Python<'_>) -> PyResult<()> {
        let Unwritten { sentences, step } = std::mem::take(&mut *locked(&self.told));
        if sentences.is_empty() && step.is_none() {
            return Ok(());
        }
        let mut text = String::new();
        for sentence in sentences {
            self.put(&mut text, &sentence);
            text.push('\n');
            self.put(&mut text, "");
        }
        let line = step.unwrap_or_else(|| self.line.clone());
        self.put(&mut text, &line);
        to_stderr(py, &text)
    }

    /// Writes what is new, and leaves the line as it is.
    ///
    /// # Errors
    ///
    /// As [`Bar::write`].
    pub(crate) fn finish(mut self, py: Python<'_>) -> PyResult<()> {
        self.write(py)?;
        match self.line.is_empty() {
            true => Ok(()),
            false => to_stderr(py, "\n"),
        }
    }

    /// A line in the place of the one that stands there.
    fn put(&mut self, text: &mut String, line: &str) {
        let len = |line: &str| line.chars().count();
        let rest = len(&self.line).saturating_sub(len(line));
        text.push('\r');
        text.push_str(line);
        text.extend(std::iter::repeat_n(' ', rest));
        self.line = line.to_owned();
    }
}

fn locked(told: &Mutex<Unwritten>) -> MutexGuard<'_, Unwritten> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn line(part: f64, what: &str) -> String {
    let part = part.clamp(0.0, 1.0);
    let full = (part * WIDTH as f64) as usize;
    let (full, empty) = ("█".repeat(full), "░".repeat(WIDTH - full));
    format!("{full}{empty} {:>3.0} %  {what}", part * 100.0)
}

fn to_stderr(py: Python<'_>, text: &str) -> PyResult<()> {
    let written = py.import("sys").and_then(|sys| {
        let stderr = sys.getattr("stderr")?;
        if !stderr.is_none() {
            stderr.call_method1("write", (text,))?;
            stderr.call_method0("flush")?;
        }
        Ok(())
    });
    written.or_else(|error| match error.is_instance_of::<PyException>(py) {
        true => Ok(()),
        false => Err(error),
    })
}
