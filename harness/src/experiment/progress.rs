//! How far a run has come, on standard error: a bar with an estimate on a terminal, plain lines otherwise. Or whoever started
//! the run is told.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::tell;

/// Progress in seconds of estimated work.
pub struct Progress {
    shown: Shown,
    started: Instant,
    /// Estimated seconds of the workloads that are done.
    done: f64,
    /// Estimated seconds of the workload at hand.
    share: f64,
    workload: String,
    number: usize,
    workloads: usize,
}

/// Where progress is shown.
enum Shown {
    Nowhere,
    /// One for each workload that is done.
    Lines,
    Bar(ProgressBar),
    Listener(Box<dyn Fn(News<'_>)>),
}

/// What a listener is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum News<'a> {
    /// How much is done, from 0 to 1 with each workload an equal part, and what goes on.
    Step(f64, &'a str),
    /// A sentence that stays.
    Sentence(&'a str),
}

impl Progress {
    /// Starts with an estimate of `seconds` for so many workloads.
    pub fn new(seconds: f64, workloads: usize) -> Self {
        let shown = match std::io::stderr().is_terminal() {
            true => {
                let bar = ProgressBar::new((seconds * 1000.0) as u64);
                let style = "{bar:24} {percent:>3} %, {eta} left  {wide_msg}";
                bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
                bar.enable_steady_tick(Duration::from_millis(250));
                Shown::Bar(bar)
            }
            false => Shown::Lines,
        };
        Self::with(shown, workloads)
    }

    fn with(shown: Shown, workloads: usize) -> Self {
        Self {
            shown,
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
        Self::with(Shown::Nowhere, 0)
    }

    /// One that tells `listener` of so many workloads.
    pub fn told(workloads: usize, listener: impl Fn(News<'_>) + 'static) -> Self {
        Self::with(Shown::Listener(Box::new(listener)), workloads)
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
        let text = || format!("{}: {what}", self.workload);
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(((self.done + self.share * part) * 1000.0) as u64);
                bar.set_message(text());
            }
            Shown::Listener(listener) => {
                let done = self.number.saturating_sub(1) as f64 + part;
                listener(News::Step(done / self.workloads.max(1) as f64, &text()));
            }
            Shown::Nowhere | Shown::Lines => {}
        }
    }

    /// A sentence that stays.
    pub fn say(&self, text: &str) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Lines => tell!("{text}"),
            Shown::Bar(bar) => bar.suspend(|| tell!("{text}")),
            Shown::Listener(listener) => listener(News::Sentence(text)),
        }
    }

    /// The workload is done: `what` was measured.
    pub fn done(&self, what: &str) {
        match &self.shown {
            Shown::Lines => {
                let elapsed = self.started.elapsed().as_secs_f64();
                tell!("{elapsed:7.1} s  {}: {what}", self.workload);
            }
            Shown::Listener(_) => self.step(1.0, what),
            Shown::Nowhere | Shown::Bar(_) => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_listener_is_told_each_step_of_equal_parts() {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let own = heard.clone();
        let mut progress = Progress::told(2, move |news| match news {
            News::Step(part, what) => own.borrow_mut().push(format!("{part} {what}")),
            News::Sentence(text) => own.borrow_mut().push(text.to_owned()),
        });
        progress.workload("a", 0.0);
        progress.step(0.5, "round 1 of 2");
        progress.say("b failed");
        progress.done("2 samples");
        progress.workload("b", 0.0);
        let expected = [
            "0 [1/2] a: data and warm-up",
            "0.25 [1/2] a: round 1 of 2",
            "b failed",
            "0.5 [1/2] a: 2 samples",
            "0.5 [2/2] b: data and warm-up",
        ];
        assert_eq!(*heard.borrow(), expected);
    }
}
