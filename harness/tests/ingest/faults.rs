//! What is killed, or runs out of room, leaves no manifest and says so in a line.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::postgres::Postgres;
use super::{good, ingest, run};

/// A server with a table `t` of about `bytes` bytes.
fn server(bytes: u32) -> Postgres {
    let postgres = Postgres::start();
    let rows = bytes / 200;
    let create = format!(
        "CREATE UNLOGGED TABLE t AS SELECT n, repeat('x', 186) AS s FROM generate_series(1, {rows}) n"
    );
    postgres.client().batch_execute(&create).unwrap();
    postgres
}

fn load<'a>(dsn: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["load", "--dsn", dsn, "--slot", "64KiB"];
    [&fixed, more].concat()
}

/// All rows of `t`, by four workers.
const TABLE: [&str; 4] = ["--table", "t", "--workers", "4"];

/// More rows than a test waits for.
const ENDLESS: [&str; 2] = ["--query", "SELECT n, s, generate_series(1, 1000000) FROM t"];

/// A load of them into `out`, whose output is piped.
fn endless(folder: &Path, dsn: &str) -> Command {
    let mut command = ingest(
        folder,
        &load(dsn, &[&ENDLESS[..], &["--out", "out"]].concat()),
    );
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn is_one_line(text: &str) -> bool {
    text.trim_end().lines().count() == 1 && text.starts_with("error: ")
}

/// There is no manifest, and the check says so.
fn nothing_is_there(folder: &Path, out: &str) {
    let (code, text) = run(ingest(folder, &["check", out]));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("no load into it was finished"), "{text}");
    assert!(is_one_line(&text), "{text}");
}

#[test]
fn a_loader_that_is_killed_leaves_no_manifest_and_the_next_load_is_whole() {
    let postgres = server(1 << 20);
    let dsn = postgres.dsn();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut child = endless(folder, &dsn)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let chunk = folder.join("out/chunk-0000.rows");
    while !fs::metadata(&chunk).is_ok_and(|file| file.len() > 0) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_there(folder, "out");
    let again = |out| [&TABLE[..], &["--out", out]].concat();
    let (code, text) = run(ingest(folder, &load(&dsn, &again("out"))));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("exists and is not empty"), "{text}");
    good(ingest(folder, &load(&dsn, &again("again"))));
    good(ingest(folder, &["check", "again", "--dsn", &dsn]));
}

#[test]
fn a_server_that_is_killed_ends_the_load_in_a_line() {
    let postgres = server(1 << 20);
    let dsn = postgres.dsn();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let child = endless(folder, &dsn).spawn().unwrap();
    let chunk = folder.join("out/chunk-0000.rows");
    while !fs::metadata(&chunk).is_ok_and(|file| file.len() > 0) {
        thread::sleep(Duration::from_millis(1));
    }
    postgres.kill();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(is_one_line(&text) && text.contains("worker "), "{text}");
    nothing_is_there(folder, "out");
}

#[test]
fn ctrl_c_ends_the_load_and_leaves_nothing() {
    let postgres = server(1 << 20);
    let dsn = postgres.dsn();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let child = endless(folder, &dsn).spawn().unwrap();
    let chunk = folder.join("out/chunk-0000.rows");
    while !fs::metadata(&chunk).is_ok_and(|file| file.len() > 0) {
        thread::sleep(Duration::from_millis(1));
    }
    // SAFETY: a system call that touches no memory; the child was not waited for yet.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(is_one_line(&text) && text.contains("interrupted"), "{text}");
    assert!(!folder.join("out").exists());
}

#[test]
fn more_connections_than_files_may_be_open_are_refused() {
    let postgres = server(16 << 20);
    let dsn = postgres.dsn();
    let temporary = tempfile::tempdir().unwrap();
    for (limit, good) in [("ulimit -n 70", false), ("ulimit -Sn 70", true)] {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{limit}; exec \"$@\""), "bash"]);
        command.args([env!("CARGO_BIN_EXE_harness"), "ingest"]);
        command
            .args(load(&dsn, &[&TABLE[..], &["--out", "out"]].concat()))
            .current_dir(temporary.path());
        let (code, text) = run(command);
        assert_eq!(code, if good { 0 } else { 2 }, "{text}");
        let refused = text.contains("lower --workers or --chunks, or raise ulimit -n");
        assert!(good || (refused && is_one_line(&text)), "{text}");
    }
}

const MOUNT: &str = "mount -t tmpfs -o size=4m none disk";
/// The load, and what it left.
const LOAD: &str = "\"$@\"; code=$?; ls disk; exit $code";

/// A shell that may mount in a namespace of its own, where the system lets it.
fn in_namespace(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "bash", "-c", script]);
    command.current_dir(folder).stderr(Stdio::null());
    command
}

/// On a tmpfs of 4 MiB where this user may mount one (alone in a namespace of its own), else under a limit on the size
/// of files. Either way the load fails.
#[test]
fn a_full_disk_ends_the_load_in_a_line() {
    let postgres = server(16 << 20);
    let dsn = postgres.dsn();
    for store in [&[][..], &["--mapped"]] {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        fs::create_dir(folder.join("disk")).unwrap();
        let arguments = load(&dsn, &[&TABLE[..], &["--out", "disk/out"], store].concat());
        let ours = ["bash", env!("CARGO_BIN_EXE_harness"), "ingest"];
        let mut command = in_namespace(folder, MOUNT);
        let said = if command.status().is_ok_and(|status| status.success()) {
            println!("disk full: a tmpfs of 4 MiB");
            command = in_namespace(folder, &format!("{MOUNT} && {LOAD}"));
            "No space left on device"
        } else {
            println!("disk full: no tmpfs can be mounted, so a limit of 1 MiB a file");
            command = Command::new("bash");
            command.args(["-c", &format!("ulimit -f 1024; {LOAD}")]);
            "File too large"
        };
        command.current_dir(folder).args(ours).args(&arguments);
        command.stderr(Stdio::piped());
        let (code, text) = run(command);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(said) && text.contains("chunk-000"), "{text}");
        // `ls` said nothing: the folder is gone.
        assert!(is_one_line(&text), "{text}");
    }
}
