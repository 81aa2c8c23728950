//! Workers in processes of their own, and what happens to them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use joinery_tpch::TABLES;
use report::cluster_model::Moved;
use report::record::{SampleRecord, read_run};
use tempfile::TempDir;

/// What whatever is waited for may take at most: nothing is decided by it but that something hangs.
const LIMIT: Duration = Duration::from_secs(400);

/// A query that goes on for minutes without a row: each order is a partner of each line by its key, and of none by the rest.
const ENDLESS: &str = "select count(*) from orders join lineitem on o_shippriority = l_linenumber / 8 and o_totalprice + l_quantity < 0";

/// Some 60,000 lines of orders, as Parquet files, of which each worker reads a part.
static DATA: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workers-0.01");
    std::fs::create_dir_all(&folder).unwrap();
    for name in TABLES {
        let reader = joinery_tpch::table(name, 0.01);
        let file = File::create(folder.join(format!("{name}.parquet"))).unwrap();
        let groups = WriterProperties::builder().set_max_row_group_row_count(Some(4096));
        let mut writer = ArrowWriter::try_new(file, reader.schema(), Some(groups.build())).unwrap();
        for batch in reader {
            writer.write(&batch.unwrap()).unwrap();
        }
        writer.close().unwrap();
    }
    folder
});

fn table(name: &str) -> String {
    let path = DATA.join(format!("{name}.parquet"));
    format!("--table={name}={}", path.display())
}

fn sql(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_joinery-sql"));
    command.args(arguments);
    command
}

/// A worker, which is killed when it is done with.
struct Worker {
    process: Child,
    address: String,
    /// Of what it writes to the standard error, and what it would leave behind.
    folder: TempDir,
}

impl Worker {
    fn new(arguments: &[&str]) -> Self {
        Self::at("127.0.0.1:0", arguments)
    }

    fn at(address: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("temporary");
        std::fs::create_dir(&temporary).unwrap();
        let mut process = sql(&["worker", "--threads=2", "--listen", address])
            .args(arguments)
            .env("TMPDIR", temporary)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("errors")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening at ");
        Self {
            address: address.unwrap_or_else(|| panic!("{line}")).to_owned(),
            process,
            folder,
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// What it wrote to the standard error.
    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("errors")).unwrap()
    }

    /// Processor time in ticks of the system.
    fn ticks(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let after_name = text.rsplit_once(')').unwrap().1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Waits until it works.
    fn wait_for_work(&self) {
        let before = self.ticks();
        wait("a worker to work", || self.ticks() > before + 20);
    }

    /// Whether it works all the time, or not at all.
    fn is_busy(&self) -> Option<bool> {
        let before = self.ticks();
        sleep(Duration::from_secs(1));
        match self.ticks() - before {
            0..=2 => Some(false),
            20.. => Some(true),
            _ => None,
        }
    }

    /// Waits until it does nothing any more.
    fn wait_for_rest(&self) {
        wait("a worker to rest", || self.is_busy() == Some(false));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < LIMIT, "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// A query that is on its way.
struct Asked {
    process: Child,
}

impl Asked {
    fn new(workers: &[&Worker], query: &str, arguments: &[&str]) -> Self {
        let workers: Vec<&str> = workers.iter().map(|worker| &*worker.address).collect();
        let mut process = sql(&["query", "--threads=2", query]);
        if !workers.is_empty() {
            process.args(["--workers", &workers.join(",")]);
        }
        let process = process
            .args([table("orders"), table("lineitem")])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self {
            process: process.unwrap(),
        }
    }

    /// Its end, which comes.
    fn output(mut self) -> Output {
        wait("a query to end", || {
            self.process.try_wait().unwrap().is_some()
        });
        self.process.wait_with_output().unwrap()
    }

    fn rows(self) -> String {
        let output = self.output();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one line that it fails by.
    fn error(self) -> String {
        let output = self.output();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && errors.lines().count() == 1,
            "{errors}"
        );
        errors
    }
}

/// An error that is about this worker and no other.
fn names(error: &str, worker: &Worker) {
    let is_first = error.starts_with(&format!("error: worker {}: ", worker.address));
    assert!(
        is_first && error.matches("worker 127").count() == 1,
        "{error}"
    );
}

const COUNT: &str = "select o_orderpriority, count(*) as lines from orders join lineitem on o_orderkey = l_orderkey group by 1 order by 1";

#[test]
fn tpch_is_answered_alike_in_one_process_and_on_two_workers() {
    let workers = [Worker::new(&["--log-plans"]), Worker::new(&["--log-plans"])];
    let addresses = workers.iter().map(|worker| &*worker.address);
    let addresses = addresses.collect::<Vec<_>>().join(",");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let data: &Path = &DATA;
    let status = sql(&[
        "run",
        "tpch",
        "--scale=0.01",
        "--samples=1",
        "--allow-unoptimised",
    ])
    .args([
        "--threads=2",
        "--clusters=0,2",
        "--filters",
        "--workers",
        &addresses,
        "--data",
    ])
    .args([data, Path::new("--out"), &out])
    .stdout(Stdio::null())
    .status();
    assert!(status.unwrap().success());
    let run = read_run(&out).unwrap();
    assert_eq!(run.failures.len(), 0, "{:?}", run.failures);
    for engine in [
        "datafusion",
        "datafusion/2-workers",
        "datafusion+joinery/streaming",
        "datafusion+joinery/streaming/2-workers",
        "datafusion+joinery/streaming/2-workers/filters",
    ] {
        let samples = run.samples.iter().filter(|sample| sample.variant == engine);
        assert!(samples.count() >= 22, "{engine}");
    }
    let shuffled = run.samples.iter().filter(|sample| {
        let mut notes = sample.notes.iter();
        notes.any(|note| Moved::of(note).is_some_and(|moved| moved.all() > 0.0))
    });
    assert!(shuffled.count() >= 40);
    let of_stages = |sample: &&SampleRecord| {
        let mut notes = sample.notes.iter();
        notes.any(|note| note.starts_with("stage 1 of 2 tasks: "))
    };
    assert!(run.samples.iter().filter(of_stages).count() >= 40);
    for worker in &workers {
        let plans = worker.errors();
        let joins = |name: &str| plans.matches(name).count();
        assert!(joins("JoineryExec: ") > 50, "{}", joins("JoineryExec: "));
    }
}

#[test]
fn a_query_is_answered_and_explained() {
    let workers = [Worker::new(&[]), Worker::new(&[])];
    let two = [&workers[0], &workers[1]];
    let rows = Asked::new(&two, COUNT, &[]).rows();
    let alone = Asked::new(&[], COUNT, &[]);
    assert_eq!(rows, alone.rows());
    let plan = Asked::new(&two, COUNT, &["--explain", "--mode=join"]).rows();
    assert!(
        plan.contains("Stage 1") && plan.contains("JoineryExec"),
        "{plan}"
    );
    // As an option, as a setting, and as a query.
    let off = "--set=joinery.mode=off";
    for plan in [
        Asked::new(&two, COUNT, &["--explain", "--mode=off"]).rows(),
        Asked::new(&two, COUNT, &["--explain", off]).rows(),
        Asked::new(&two, &format!("explain {COUNT}"), &[off]).rows(),
    ] {
        assert!(
            plan.contains("Stage 1") && !plan.contains("JoineryExec"),
            "{plan}"
        );
    }
    let plan = Asked::new(&two, &format!("explain {COUNT}"), &[]).rows();
    assert!(
        plan.contains("Stage 1") && plan.contains("JoineryExec"),
        "{plan}"
    );
}

#[test]
fn a_worker_that_is_killed_is_named_and_leaves_nothing_and_may_come_again() {
    let (mut killed, other) = (Worker::new(&[]), Worker::new(&[]));
    let asked = Asked::new(&[&killed, &other], ENDLESS, &[]);
    killed.wait_for_work();
    killed.signal("KILL");
    names(&asked.error(), &killed);
    killed.process.wait().unwrap();
    let left = std::fs::read_dir(killed.folder.path().join("temporary")).unwrap();
    assert_eq!(left.count(), 0);
    // What it was part of stops on the other one.
    other.wait_for_rest();
    let error = Asked::new(&[&killed, &other], COUNT, &[]).error();
    names(&error, &killed);
    let again = Worker::at(&killed.address, &[]);
    assert!(
        Asked::new(&[&again, &other], COUNT, &[])
            .rows()
            .contains("1-URGENT")
    );
}

#[test]
fn a_worker_that_has_done_its_part_is_missed_at_once() {
    let workers = [Worker::new(&[]), Worker::new(&[])];
    // All rows have one key, so one of the workers joins all of them once both have read their parts.
    let shuffled = [
        "--set=datafusion.optimizer.hash_join_single_partition_threshold=0",
        "--set=datafusion.optimizer.hash_join_single_partition_threshold_rows=0",
    ];
    let asked = Asked::new(&[&workers[0], &workers[1]], ENDLESS, &shuffled);
    let mut idle = None;
    wait("one worker to have done its part", || {
        idle = match workers.each_ref().map(Worker::is_busy) {
            [Some(true), Some(false)] => Some(1),
            [Some(false), Some(true)] => Some(0),
            _ => None,
        };
        idle.is_some()
    });
    let idle = &workers[idle.unwrap()];
    idle.signal("KILL");
    names(&asked.error(), idle);
}

#[test]
fn a_worker_that_is_stopped_is_named() {
    let timeout = "--worker-timeout=3";
    let (stopped, other) = (Worker::new(&[timeout]), Worker::new(&[timeout]));
    let asked = Asked::new(&[&stopped, &other], ENDLESS, &[timeout]);
    stopped.wait_for_work();
    stopped.signal("STOP");
    names(&asked.error(), &stopped);
    // Nor is it waited for by whoever comes next.
    names(
        &Asked::new(&[&stopped, &other], COUNT, &[timeout]).error(),
        &stopped,
    );
    other.wait_for_rest();
}

#[test]
fn a_worker_without_memory_is_named() {
    let (small, other) = (Worker::new(&["--memory=1M"]), Worker::new(&[]));
    let query =
        "select * from orders join lineitem on o_orderkey = l_orderkey order by l_comment limit 3";
    let error = Asked::new(&[&small, &other], query, &[]).error();
    names(&error, &small);
    assert!(error.contains("more --memory"), "{error}");
    // It goes on.
    let query = "select o_orderstatus, count(*) from orders group by 1 order by 1";
    assert!(
        Asked::new(&[&small, &other], query, &[])
            .rows()
            .contains('P')
    );
}

#[test]
fn a_query_may_take_longer_than_a_worker_may_be_silent() {
    let timeout = "--worker-timeout=2";
    let workers = [Worker::new(&[timeout]), Worker::new(&[timeout])];
    // So many orders that it does, on whatever machine this is.
    for orders in [1000, 2000, 4000, 8000, 16000, 32000, 60000] {
        let query = format!("{ENDLESS} where o_orderkey < {orders}");
        let began = Instant::now();
        let rows = Asked::new(&[&workers[0], &workers[1]], &query, &[timeout]).rows();
        assert!(rows.contains("| 0 "), "{rows}");
        if began.elapsed() > Duration::from_secs(5) {
            return;
        }
    }
    panic!("no query took long");
}

#[test]
fn who_asked_is_interrupted_and_workers_rest() {
    let timeout = "--worker-timeout=3";
    let workers = [Worker::new(&[timeout]), Worker::new(&[timeout])];
    for signal in ["INT", "KILL"] {
        let asked = Asked::new(&[&workers[0], &workers[1]], ENDLESS, &[timeout]);
        workers[0].wait_for_work();
        let id = asked.process.id().to_string();
        Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status()
            .unwrap();
        assert!(!asked.output().status.success());
        for worker in &workers {
            worker.wait_for_rest();
        }
    }
}

#[test]
fn what_is_asked_wrongly_is_said_in_one_line() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let no_certificate = folder.join("Cargo.toml");
    let no_certificate = no_certificate.to_str().unwrap();
    for (arguments, said) in [
        (
            &["query", "select 1", "--workers", "a:1,here"][..],
            "--workers here: no address",
        ),
        (
            &["query", "select 1", "--workers", "a:1"],
            "--workers a:1: give two or more",
        ),
        (
            &["query", "select 1", "--workers", "127.0.0.1:1,127.0.0.1:2"],
            "worker 127.0.0.1:1: ",
        ),
        (
            &[
                "run",
                "tpch",
                "--workers",
                "127.0.0.1:1,127.0.0.1:2",
                "--allow-unoptimised",
            ],
            "worker 127.0.0.1:1: ",
        ),
        (
            &[
                "run",
                "tpch",
                "--workers",
                "a:1,b:1",
                "--clusters",
                "3",
                "--allow-unoptimised",
            ],
            "--clusters 3: give 0, or 2 to 2",
        ),
        (
            &[
                "run",
                "tpch",
                "--workers",
                "a:1,b:1",
                "--modes",
                "tree",
                "--allow-unoptimised",
            ],
            "--modes tree: ",
        ),
        (
            &["query", "select 1", "--set", "joinery.mod=off"],
            "--set joinery.mod=off: ",
        ),
        (
            &["query", "select 1", "--set", "joinery.mode=fast"],
            "not 'fast'",
        ),
        (
            &["query", "select 1", "--set", "joinery.mode"],
            "give a name and a value",
        ),
        (
            &["worker", "--listen", "0.0.0.0:0"],
            "--i-know-this-is-open",
        ),
        (
            &["worker", "--listen", "192.0.2.1:1", "--i-know-this-is-open"],
            "--listen 192.0.2.1:1: ",
        ),
        (
            &[
                "worker",
                "--listen",
                "127.0.0.1:0",
                "--allow-path",
                "/nowhere",
            ],
            "--allow-path /nowhere: ",
        ),
        (
            &["worker", "--listen", "127.0.0.1:0", "--worker-timeout", "0"],
            "--worker-timeout 0: ",
        ),
        (
            &[
                "worker",
                "--listen",
                "127.0.0.1:0",
                "--tls-cert",
                no_certificate,
                "--tls-key",
                no_certificate,
                "--tls-ca",
                no_certificate,
            ],
            "Cargo.toml: no PEM file",
        ),
    ] {
        let mut process = sql(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait("a wrong call to end", || {
            process.try_wait().unwrap().is_some()
        });
        let mut errors = String::new();
        process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        assert!(!process.wait().unwrap().success(), "{arguments:?}");
        assert!(
            errors.contains(said) && errors.lines().count() == 1,
            "{arguments:?}: {errors}"
        );
    }
}
