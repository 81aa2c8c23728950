//! Loads in a process of their own, which is killed or runs out of room.

mod common;

use std::io::{self, BufRead, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use aligned_ingest::{Chunks, Job, Layout, PlacementKind, RowIndex, Sink, StoreKind};
use common::{plain_rows, stream};

const FOLDER: &str = "INGEST_TEST_FOLDER";

/// A stream that never ends: a header and the same rows over and over.
struct Endless<'a> {
    bytes: Vec<u8>,
    rows: usize,
    at: usize,
    /// Raised when all rows were taken once.
    noticed: Option<&'a AtomicBool>,
}

impl Endless<'_> {
    fn new() -> Self {
        let mut bytes = stream(&plain_rows(1000, 150, 1), &[]);
        bytes.truncate(bytes.len() - 2);
        Endless {
            bytes,
            rows: 19,
            at: 0,
            noticed: None,
        }
    }
}

impl Read for Endless<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl BufRead for Endless<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.bytes.len() {
            self.at = self.rows;
            if let Some(noticed) = self.noticed {
                noticed.store(true, Ordering::Relaxed);
            }
        }
        Ok(&self.bytes[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }
}

fn endless_load(folder: &Path, store: StoreKind) -> String {
    let job = Job {
        source: "endless".into(),
        columns: Vec::new(),
        layout: Layout::new(64 << 10, 2, 1 << 30).unwrap(),
        placement: PlacementKind::Aligned,
        workers: 2,
        stride: RowIndex::DEFAULT_STRIDE,
    };
    let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut Endless::new()).map(drop);
    job.load(folder, store, &work).unwrap_err().to_string()
}

/// Runs the test of that name in a process of its own, with the folder in its environment.
fn start(test: &str, folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn folder() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

#[test]
fn a_loader_that_is_killed_leaves_no_manifest() {
    if let Some(folder) = folder() {
        endless_load(&folder, StoreKind::File);
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("out");
    let mut child = start("a_loader_that_is_killed_leaves_no_manifest", &folder);
    let written =
        || fs::metadata(folder.join("chunk-0000.rows")).is_ok_and(|file| file.len() > 1 << 20);
    while !written() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the load ended by itself"
        );
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let error = Chunks::open(&folder).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("no load into it was finished; load again into another folder"),
        "{error}"
    );
}

#[test]
fn a_worker_that_fails_stops_the_others() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("out");
    let job = Job {
        source: "endless".into(),
        columns: Vec::new(),
        layout: Layout::new(64 << 10, 2, 1 << 30).unwrap(),
        placement: PlacementKind::Aligned,
        workers: 3,
        stride: RowIndex::DEFAULT_STRIDE,
    };
    for (panics, said) in [
        (false, "worker 2: the rows cannot be read: byte 0"),
        (true, "worker 2 died: hit by a meteor"),
    ] {
        let written = AtomicBool::new(false);
        let work = |worker: u32, sink: &mut dyn Sink| {
            if worker != 2 {
                let mut rows = Endless::new();
                rows.noticed = Some(&written);
                return sink.copy(&mut rows).map(drop);
            }
            while !written.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            assert!(!panics, "hit by a meteor");
            sink.copy(&mut &b"no rows"[..]).map(drop)
        };
        let error = job.load(&folder, StoreKind::File, &work).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert!(!folder.exists());
    }
}

#[test]
fn a_worker_that_cannot_be_started_is_an_error_and_leaves_nothing() {
    if let Some(folder) = folder() {
        let limit = libc::rlimit {
            rlim_cur: 1,
            rlim_max: 1,
        };
        // SAFETY: system calls that touch no memory of ours. The limit does not hold for root.
        unsafe {
            libc::setrlimit(libc::RLIMIT_NPROC, &limit);
            libc::setuid(65_534);
        }
        let job = Job {
            source: "endless".into(),
            columns: Vec::new(),
            layout: Layout::new(64 << 10, 2, 1 << 30).unwrap(),
            placement: PlacementKind::Aligned,
            workers: 64,
            stride: RowIndex::DEFAULT_STRIDE,
        };
        let work = |_: u32, sink: &mut dyn Sink| sink.copy(&mut Endless::new()).map(drop);
        let error = job.load(&folder, StoreKind::File, &work).unwrap_err();
        println!("said: {error}; left: {}", folder.exists());
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("out");
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let test = "a_worker_that_cannot_be_started_is_an_error_and_leaves_nothing";
    let output = start(test, &folder).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().find(|line| line.contains("said: "));
    let said = said.unwrap_or_else(|| panic!("{text}"));
    assert!(said.contains("cannot start worker "), "{said}");
    assert!(said.contains("; use fewer workers; left: false"), "{said}");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    if let Some(folder) = folder() {
        let limit = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: 1 << 20,
        };
        // SAFETY: system calls that touch no memory of ours.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
        }
        for store in [StoreKind::File, StoreKind::Mapped] {
            println!(
                "said: {}; left: {}",
                endless_load(&folder, store),
                folder.exists()
            );
        }
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("out");
    let child = start("a_full_disk_is_an_error_and_leaves_nothing", &folder);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("said: "))
        .collect();
    assert_eq!(said.len(), 2, "{text}");
    for line in said {
        assert!(
            line.contains("chunk-000") && line.contains("File too large"),
            "{line}"
        );
        assert!(line.ends_with("left: false"), "{line}");
    }
}
