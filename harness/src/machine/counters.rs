//! What the processor and the kernel counted while a join ran: instructions, cycles, misses, page faults.
//!
//! Counters are opened once, on the thread that runs joins and before it has started any other, and are inherited by every
//! thread that it starts later, pools included. They count all the time and are read before and after a sample, outside its
//! clock, so that a sample costs no more with them than without.

use std::collections::BTreeMap;
use std::io;

/// What a counter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    count: u64,
    /// Nanoseconds since it was opened.
    enabled: u64,
    /// Nanoseconds of them in which it counted: less where events share the few counters that a processor has.
    running: u64,
}

/// Something that counts.
trait Source {
    fn read(&mut self) -> io::Result<Reading>;
}

/// The counters of this process.
pub struct Counters {
    sources: Vec<(&'static str, Box<dyn Source>)>,
    missing: Vec<(&'static str, String)>,
}

/// What was read before a sample.
pub struct Start(Vec<Option<Reading>>);

impl Counters {
    /// Opens what this kernel allows. Call it on the thread that runs joins.
    pub fn open() -> Self {
        let mut found = Self {
            sources: vec![("page_faults", Box::new(PageFaults))],
            missing: Vec::new(),
        };
        for (name, source) in hardware() {
            match source {
                Ok(source) => found.sources.push((name, source)),
                Err(reason) => found.missing.push((name, reason)),
            }
        }
        found
    }

    /// What is counted, and what is not and why.
    pub fn describe(&self) -> String {
        let names = |names: Vec<&str>| names.join(", ").replace('_', " ");
        let counted = names(self.sources.iter().map(|(name, _)| *name).collect());
        match self.missing.first() {
            None => counted,
            Some((_, reason)) => format!(
                "{counted}; not {}: {reason}",
                names(self.missing.iter().map(|(name, _)| *name).collect())
            ),
        }
    }

    /// To be called before a sample.
    pub fn start(&mut self) -> Start {
        Start(self.read())
    }

    /// What was counted since. A counter that did not run, or cannot be read, is left out.
    pub fn since(&mut self, start: &Start) -> BTreeMap<String, u64> {
        let now = self.read();
        let names = self.sources.iter().map(|(name, _)| *name);
        names
            .zip(start.0.iter().zip(&now))
            .filter_map(|(name, (before, after))| {
                Some((name.to_owned(), counted((*before)?, (*after)?)?))
            })
            .collect()
    }

    fn read(&mut self) -> Vec<Option<Reading>> {
        let sources = self.sources.iter_mut();
        sources.map(|(_, source)| source.read().ok()).collect()
    }
}

/// The count between two readings, extrapolated to the whole time where the counter ran for a part of it.
fn counted(before: Reading, after: Reading) -> Option<u64> {
    let count = after.count.checked_sub(before.count)?;
    let enabled = after.enabled.checked_sub(before.enabled)?;
    let running = after.running.checked_sub(before.running)?;
    match (enabled, running) {
        (0, _) => Some(count),
        (_, 0) => None,
        _ => Some((count as f64 * enabled as f64 / running as f64) as u64),
    }
}

/// Page faults of the whole process, which every kernel counts: first touch of fresh memory.
struct PageFaults;

impl Source for PageFaults {
    fn read(&mut self) -> io::Result<Reading> {
        // SAFETY: all bytes zero are a value of this plain structure.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `usage` is written before the call returns.
        if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Reading {
            count: (usage.ru_minflt + usage.ru_majflt) as u64,
            enabled: 0,
            running: 0,
        })
    }
}

type Opened = (&'static str, Result<Box<dyn Source>, String>);

#[cfg(not(target_os = "linux"))]
fn hardware() -> Vec<Opened> {
    let reason = format!("{} has no perf events", std::env::consts::OS);
    vec![("hardware events", Err(reason))]
}

#[cfg(target_os = "linux")]
fn hardware() -> Vec<Opened> {
    use perf_event::Builder;
    use perf_event::events::{Cache, CacheId, CacheOp, CacheResult, Hardware};

    let miss = |which| Cache {
        which,
        operation: CacheOp::READ,
        result: CacheResult::MISS,
    };
    let open = |builder: &mut Builder<'_>| -> Result<Box<dyn Source>, String> {
        let counter = builder.inherit(true).enabled(true).build();
        counter
            .map(|counter| Box::new(Perf(counter)) as Box<dyn Source>)
            .map_err(|error| reason(&error))
    };
    vec![
        (
            "instructions",
            open(&mut Builder::new(Hardware::INSTRUCTIONS)),
        ),
        ("cycles", open(&mut Builder::new(Hardware::CPU_CYCLES))),
        ("llc_misses", open(&mut Builder::new(miss(CacheId::LL)))),
        ("dtlb_misses", open(&mut Builder::new(miss(CacheId::DTLB)))),
        (
            "branch_misses",
            open(&mut Builder::new(Hardware::BRANCH_MISSES)),
        ),
    ]
}

#[cfg(target_os = "linux")]
struct Perf(perf_event::Counter);

#[cfg(target_os = "linux")]
impl Source for Perf {
    fn read(&mut self) -> io::Result<Reading> {
        let read = self.0.read_count_and_time()?;
        Ok(Reading {
            count: read.count,
            enabled: read.time_enabled,
            running: read.time_running,
        })
    }
}

/// Why the kernel opens no counter.
#[cfg(target_os = "linux")]
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
            let level = level.unwrap_or_default();
            format!(
                "the kernel does not allow it (kernel.perf_event_paranoid is {}; 2 or less does, or a container forbids it)",
                level.trim()
            )
        }
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) => {
            "the kernel offers no such hardware event (a virtual machine without a performance monitoring unit)".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts by fives, and ran for a part of the time.
    struct Fake {
        reads: u64,
        running_share: u64,
    }

    impl Source for Fake {
        fn read(&mut self) -> io::Result<Reading> {
            self.reads += 1;
            Ok(Reading {
                count: self.reads * 500,
                enabled: self.reads * 100,
                running: self.reads * self.running_share,
            })
        }
    }

    fn fake(running_share: u64) -> Counters {
        Counters {
            sources: vec![(
                "fake",
                Box::new(Fake {
                    reads: 0,
                    running_share,
                }),
            )],
            missing: vec![("cycles", "why".into()), ("llc_misses", "why not".into())],
        }
    }

    #[test]
    fn counts_are_differences_extrapolated_to_the_whole_time() {
        for (running_share, expected) in [(100, Some(500)), (50, Some(1000)), (0, None)] {
            let mut counters = fake(running_share);
            let start = counters.start();
            assert_eq!(counters.since(&start).get("fake").copied(), expected);
        }
    }

    #[test]
    fn what_is_missing_says_why_once() {
        assert_eq!(fake(100).describe(), "fake; not cycles, llc misses: why");
    }

    #[test]
    fn first_touch_of_any_thread_is_counted() {
        let mut counters = Counters::open();
        let start = counters.start();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut fresh = vec![0u8; 64 << 20];
                for byte in fresh.iter_mut().step_by(4096) {
                    *byte = 1;
                }
                std::hint::black_box(&fresh);
            });
        });
        let counted = counters.since(&start);
        // 32 faults of huge pages, or 16 Ki of small ones.
        assert!(counted["page_faults"] >= 32, "{counted:?}");
        // Where the processor's counters can be had, they saw the thread, too.
        if let Some(instructions) = counted.get("instructions") {
            assert!(*instructions > 16 << 10, "{counted:?}");
        }
    }
}
