//! What the system gave a process while it worked: CPU time, waits for a processor, and what the host took.
//!
//! Everything is read before and after a sample, outside its clock, from `getrusage` and from files of `/proc` that stay
//! open. What a system does not tell is left out.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[cfg(unix)]
use std::os::unix::fs::FileExt;

use report::record::SystemUse;

/// The kernel counts what the host takes in ticks of at least this length, so that reading more often tells nothing.
const TICK: Duration = Duration::from_millis(4);

/// Watches a process and the machine.
#[derive(Debug)]
pub struct Watch {
    /// Its folder below `/proc`.
    folder: PathBuf,
    is_own: bool,
    /// `schedstat` of each thread.
    threads: HashMap<u32, File>,
    machine: Option<File>,
    /// When `/proc/stat` was read, and what had been stolen by then.
    stolen: Option<(Instant, f64)>,
    tick_seconds: f64,
}

/// What was read before a sample.
#[derive(Debug)]
pub struct Start(Reading);

#[derive(Debug, Default)]
struct Reading {
    cpu_seconds: f64,
    switches: u64,
    /// Nanoseconds that each thread has waited.
    waited: Option<HashMap<u32, u64>>,
    stolen_seconds: f64,
}

impl Watch {
    /// Of this process.
    pub fn own() -> Self {
        Self::new(PathBuf::from("/proc/self"), true)
    }

    /// Of another process.
    pub fn of(process: u32) -> Self {
        Self::new(PathBuf::from(format!("/proc/{process}")), false)
    }

    fn new(folder: PathBuf, is_own: bool) -> Self {
        // SAFETY: it only looks a constant up.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Self {
            folder,
            is_own,
            threads: HashMap::new(),
            machine: File::open("/proc/stat").ok(),
            stolen: None,
            tick_seconds: 1.0 / ticks.max(1) as f64,
        }
    }

    /// To be called before a sample.
    pub fn start(&mut self) -> Start {
        Start(self.read())
    }

    /// What the process was given since.
    pub fn since(&mut self, start: &Start) -> SystemUse {
        let (before, after) = (&start.0, self.read());
        let waited = before.waited.as_ref().zip(after.waited.as_ref());
        let waited = waited.map(|(before, after)| -> u64 {
            // A thread that has ended took with it what it waited.
            let waits = after.iter().map(|(thread, &waited)| {
                waited.saturating_sub(before.get(thread).copied().unwrap_or(0))
            });
            waits.sum()
        });
        SystemUse {
            cpu_seconds: (after.cpu_seconds - before.cpu_seconds).max(0.0),
            waited_seconds: waited.map(|nanoseconds| nanoseconds as f64 / 1e9),
            involuntary_switches: after.switches.saturating_sub(before.switches),
            stolen_seconds: (after.stolen_seconds - before.stolen_seconds).max(0.0),
        }
    }

    fn read(&mut self) -> Reading {
        let threads = self.list_threads();
        let (cpu_seconds, switches) = match self.is_own {
            true => own_usage(),
            false => (self.cpu_seconds(), self.switches(&threads)),
        };
        Reading {
            cpu_seconds,
            switches,
            waited: self.waited(&threads),
            stolen_seconds: self.stolen(),
        }
    }

    fn list_threads(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(self.folder.join("task"));
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    fn waited(&mut self, threads: &[u32]) -> Option<HashMap<u32, u64>> {
        self.threads.retain(|thread, _| threads.contains(thread));
        let mut waited = HashMap::new();
        for &thread in threads {
            if !self.threads.contains_key(&thread) {
                let path = self.folder.join(format!("task/{thread}/schedstat"));
                let Ok(file) = File::open(path) else { continue };
                self.threads.insert(thread, file);
            }
            let waits = self.threads.get(&thread).and_then(contents);
            if let Some(waits) = waits.as_deref().and_then(waited_nanoseconds) {
                waited.insert(thread, waits);
            }
        }
        (!waited.is_empty()).then_some(waited)
    }

    fn stolen(&mut self) -> f64 {
        if let Some((at, seconds)) = self.stolen
            && at.elapsed() < TICK
        {
            return seconds;
        }
        let text = self.machine.as_ref().and_then(contents);
        let ticks = text.as_deref().and_then(stolen_ticks).unwrap_or(0);
        let seconds = ticks as f64 * self.tick_seconds;
        self.stolen = Some((Instant::now(), seconds));
        seconds
    }

    fn cpu_seconds(&self) -> f64 {
        let text = std::fs::read_to_string(self.folder.join("stat")).ok();
        let ticks = text.as_deref().and_then(cpu_ticks).unwrap_or(0);
        ticks as f64 * self.tick_seconds
    }

    fn switches(&self, threads: &[u32]) -> u64 {
        let of = |thread: &u32| {
            let path = self.folder.join(format!("task/{thread}/status"));
            involuntary(&std::fs::read_to_string(path).ok()?)
        };
        threads.iter().filter_map(of).fold(0, u64::saturating_add)
    }
}

/// CPU seconds and involuntary switches of this process, threads that have ended among them.
fn own_usage() -> (f64, u64) {
    // SAFETY: all bytes zero are a value of this plain structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is written before the call returns.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } != 0 {
        return (0.0, 0);
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    (cpu, u64::try_from(usage.ru_nivcsw).unwrap_or(0))
}

/// The beginning of an open file of `/proc`, written anew by the kernel for each reading.
#[cfg(unix)]
fn contents(file: &File) -> Option<String> {
    let mut buffer = [0; 256];
    let length = file.read_at(&mut buffer, 0).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[cfg(not(unix))]
fn contents(_file: &File) -> Option<String> {
    None
}

/// The second field of a thread's `schedstat`: nanoseconds in which it could have run.
fn waited_nanoseconds(schedstat: &str) -> Option<u64> {
    let mut fields = schedstat.split_ascii_whitespace();
    let _ran: u64 = fields.next()?.parse().ok()?;
    fields.next()?.parse().ok()
}

/// The eighth number of the first line of `/proc/stat`: ticks of all processors that the host took.
fn stolen_ticks(stat: &str) -> Option<u64> {
    let (line, _) = stat.split_once('\n')?;
    let mut fields = line.split_ascii_whitespace();
    (fields.next()? == "cpu").then_some(())?;
    fields.nth(7)?.parse().ok()
}

/// User and system time of `/proc/PID/stat`, whose second field, a name in parentheses, may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let [user, system] = [fields.next()?, fields.next()?].map(str::parse::<u64>);
    user.ok()?.checked_add(system.ok()?)
}

fn involuntary(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel_are_read() {
        assert_eq!(waited_nanoseconds("1030106461 276845 46\n"), Some(276_845));
        let stat = "cpu  32 3 8 89 9 0 3 71 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ticks(stat), Some(71));
        let stat = "23656 (a) b) R 23641 23641 7409 0 -1 4194304 2848 6575 6 0 102 7 2 1 20 0 1 0";
        assert_eq!(cpu_ticks(stat), Some(109));
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t34\nnonvoluntary_ctxt_switches:\t11\n";
        assert_eq!(involuntary(status), Some(11));
    }

    #[test]
    fn what_is_no_such_file_says_nothing() {
        for text in [
            "",
            "\n",
            "cpu",
            "cpu \n",
            "x y z",
            "1",
            "-1 -1",
            "1 99999999999999999999",
            "(",
            ")",
            "1 () R 1",
        ] {
            assert_eq!(waited_nanoseconds(text), None, "{text:?}");
            assert_eq!(stolen_ticks(text), None, "{text:?}");
            assert_eq!(cpu_ticks(text), None, "{text:?}");
            assert_eq!(involuntary(text), None, "{text:?}");
        }
        assert_eq!(stolen_ticks("cpu 1 2 3 4 5 6 7 x\n"), None);
        assert_eq!(stolen_ticks("cpu0 1 2 3 4 5 6 7 8\n"), None);
        assert_eq!(involuntary("nonvoluntary_ctxt_switches: many"), None);
    }

    #[test]
    fn a_process_that_works_uses_the_processor_and_one_that_is_gone_nothing() {
        let mut watch = Watch::own();
        let start = watch.start();
        let mut sum = 0_u64;
        while watch.since(&start).cpu_seconds < 0.02 {
            sum = std::hint::black_box(sum.wrapping_mul(3) + 1);
        }
        let mut gone = Watch::of(u32::MAX);
        let start = gone.start();
        let found = gone.since(&start);
        assert_eq!(
            (
                found.cpu_seconds,
                found.waited_seconds,
                found.involuntary_switches
            ),
            (0.0, None, 0)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_process_is_read_by_its_number() {
        let watch = &mut Watch::of(std::process::id());
        let own = watch.list_threads();
        assert!(!own.is_empty());
        assert!(
            watch
                .waited(&own)
                .is_none_or(|waited| waited.len() <= own.len())
        );
        assert!(watch.cpu_seconds() >= 0.0);
    }
}
