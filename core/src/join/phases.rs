//! Times of a join's phases.

use std::time::Instant;

/// A phase and the seconds it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name, as charts show it.
    pub name: &'static str,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// A stopwatch whose laps are phases: together they cover the time since it was started.
#[derive(Debug)]
pub struct Phases {
    phases: Vec<Phase>,
    last: Instant,
}

impl Phases {
    /// Starts the watch.
    pub fn start() -> Self {
        Self {
            phases: Vec::new(),
            last: Instant::now(),
        }
    }

    /// Ends the phase `name`, which began when the one before it ended. Laps of the same name add up.
    pub fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        self.last = now;
        match self.phases.iter_mut().find(|phase| phase.name == name) {
            Some(phase) => phase.seconds += seconds,
            None => self.phases.push(Phase { name, seconds }),
        }
    }

    /// Goes on from the end of phases that began when these ended.
    pub fn append(&mut self, then: Self) {
        self.phases.extend(then.phases);
        self.last = then.last;
    }

    /// The phases so far.
    pub fn list(&self) -> &[Phase] {
        &self.phases
    }

    /// Seconds of all phases.
    pub fn total(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }
}
