//! How far a run has come, on standard error: a bar with an estimate on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::tell;

/// Progress in seconds of estimated work.
pub struct Progress {
    is_silent: bool,
    bar: Option<ProgressBar>,
    started: Instant,
    /// Estimated seconds of the workloads that are done.
    done: f64,
    /// Estimated seconds of the workload at hand.
    share: f64,
    workload: String,
    number: usize,
    workloads: usize,
}

impl Progress {
    /// Starts with an estimate of `seconds` for so many workloads.
    pub fn new(seconds: f64, workloads: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new((seconds * 1000.0) as u64);
            let style = "{bar:24} {percent:>3} %, {eta} left  {wide_msg}";
            bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self::with(bar, false, workloads)
    }

    fn with(bar: Option<ProgressBar>, is_silent: bool, workloads: usize) -> Self {
        Self {
            is_silent,
            bar,
            started: Instant::now(),
            done: 0.0,
            share: 0.0,
            workload: String::new(),
            number: 0,
            workloads,
        }
    }

    /// One that says nothing.
    pub fn silent() -> Self {
        Self::with(None, true, 0)
    }

    /// A workload begins, which is estimated to take `seconds`.
    pub fn workload(&mut self, name: &str, seconds: f64) {
        self.done += self.share;
        self.share = seconds;
        self.number += 1;
        self.workload = format!("[{}/{}] {name}", self.number, self.workloads);
        self.step(0.0, "data and warm-up");
    }

    /// `part` (0 to 1) of the workload is done, and `what` goes on.
    pub fn step(&self, part: f64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(((self.done + self.share * part) * 1000.0) as u64);
            bar.set_message(format!("{}: {what}", self.workload));
        }
    }

    /// A sentence that stays.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell!("{text}")),
            None if self.is_silent => {}
            None => tell!("{text}"),
        }
    }

    /// The workload is done: `what` was measured.
    pub fn done(&self, what: &str) {
        if self.bar.is_none() && !self.is_silent {
            let elapsed = self.started.elapsed().as_secs_f64();
            tell!("{elapsed:7.1} s  {}: {what}", self.workload);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
