//! Peers: what the harness makes of programs that answer rightly, wrongly, or not at all. The programs are shell scripts,
//! so that no engine is needed.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use report::record::{Run, Source, read_run};

/// Keys 0 to 999 on both sides, each matching itself.
const WORKLOAD: &str = r#"
name = "small"
sentence = "peers of all kinds"

[build]
rows = "1000"
keys = "unique"

[probe]
rows = "1000"
keys = "uniform"
"#;

/// A folder to work in, with the workload.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("small.toml"), WORKLOAD).unwrap();
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes a peer of a shell script; `more` goes into its definition.
    fn peer(&self, name: &str, script: &str, more: &str) -> String {
        let folder = self.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("main.sh"), script).unwrap();
        let definition = format!(
            "description = \"a {name} peer\"\nversion = [\"echo\", \"1.0\"]\nrun = [\"sh\", \"main.sh\"]\n\
             install = \"make {name}\"\n{more}"
        );
        std::fs::write(folder.join("peer.toml"), definition).unwrap();
        format!("./{name}")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command
            .current_dir(self.path())
            .args(arguments)
            .env("XDG_CACHE_HOME", self.path())
            .env("TMPDIR", self.path().join("keys"));
        if arguments.contains(&"--sweep") {
            // They take longer than all joins.
            command.arg("--no-limits");
        }
        command
    }

    fn sweep(&self, peers: &[&str], more: &[&str]) -> Output {
        let peers = peers.join(",");
        let sweep = [
            "--sweep",
            "--only",
            "small.toml|partitioned+zero-copy",
            "--threads",
            "1,2",
            "--samples",
            "3",
            "--out",
            "run",
            "--peers",
            &peers,
        ];
        let output = self.command(&[&sweep[..], more].concat()).output();
        output.unwrap()
    }

    fn run(&self) -> Run {
        read_run(&self.path().join("run")).unwrap()
    }

    fn summary(&self) -> serde_json::Value {
        let file = self.path().join("run/summary.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// Whether all key files are gone.
    fn is_tidy(&self) -> bool {
        let mut left = std::fs::read_dir(self.path().join("keys")).unwrap();
        left.next().is_none()
    }
}

fn error_text(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A script that answers `load` with yes and every join with `answer`.
fn answering(answer: &str) -> String {
    format!(
        "while read -r line; do\n  case \"$line\" in\n    *load*) echo '{{\"loaded\": true}}' ;;\n    *) {answer} ;;\n  esac\ndone\n"
    )
}

/// A script that gives the right answer, which it is told.
fn right(place: &Place) -> String {
    // The answer of the workload, from a run without peers.
    let output = place
        .command(&[
            "--sweep",
            "--only",
            "small.toml|partitioned+zero-copy",
            "--samples",
            "1",
            "--out",
            "before",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", error_text(&output));
    let run = read_run(&place.path().join("before")).unwrap();
    let answer = run.workloads[0].expected.unwrap();
    answering(&format!(
        "echo '{{\"seconds\": 0.000001, \"rows\": {}, \"sum_build\": {}, \"sum_probe\": {}, \
         \"phases\": [{{\"name\": \"upload\", \"seconds\": 0.000001}}]}}'",
        answer.rows, answer.sum_build, answer.sum_probe
    ))
}

#[test]
fn a_right_answer_is_measured_beside_the_variants() {
    let place = Place::new();
    let right = place.peer("right", &right(&place), "");
    let output = place.sweep(&[&right], &[]);
    assert!(output.status.success(), "{}", error_text(&output));
    let run = place.run();
    assert!(run.complete && run.failures.is_empty());
    let of_peer = run.samples.iter().filter(|s| s.source == Source::Peer);
    assert_eq!(of_peer.count(), 6, "three at each thread count");
    let summary = place.summary();
    let peers = summary["peers"].as_array().unwrap();
    assert_eq!(peers.len(), 2);
    for peer in peers {
        assert_eq!(peer["variant"], "right 1.0");
        assert_eq!(peer["checksum"], summary["results"][0]["checksum"]);
        assert!(peer["seconds"]["median"].as_f64().unwrap() > 0.0);
        assert_eq!(peer["phases"][0]["name"], "upload");
    }
    let ours = summary["results"].as_array().unwrap();
    assert!(ours.iter().all(|cell| cell["variant"] != "right 1.0"));
    assert!(place.is_tidy());
}

#[test]
fn every_fault_is_a_failed_sample_and_the_run_goes_on() {
    let place = Place::new();
    let crash = answering("echo out of luck >&2; exit 3");
    let nonsense = answering("echo 'forty-two'");
    let wrong = answering(
        "echo '{\"seconds\": 0.000001, \"rows\": 1, \"sum_build\": 1, \"sum_probe\": 1}'",
    );
    let slow =
        answering("echo '{\"seconds\": 1e9, \"rows\": 1, \"sum_build\": 1, \"sum_probe\": 1}'");
    let dawdling = answering(
        "echo '{\"seconds\": 0.000001, \"rows\": 1, \"sum_build\": 1, \"sum_probe\": 1, \
         \"phases\": [{\"name\": \"all\", \"seconds\": 2e9}]}'",
    );
    let refusing = answering("echo '{\"error\": \"no memory\\\\nat all\"}'");
    let faults = [
        (
            "crashing",
            crash.as_str(),
            "",
            "exit status: 3: out of luck",
        ),
        ("killed", &answering("kill -9 $$"), "", "was killed"),
        ("babbling", &nonsense, "", "nonsense"),
        ("flooding", "yes | tr -d '\\n'", "", "nonsense"),
        ("lying", &wrong, "", "wrong answer"),
        ("boasting", &slow, "", "took 1000000000 s"),
        ("dawdling", &dawdling, "", "took 2000000000 s"),
        ("refusing", &refusing, "", "no memory"),
        ("closed", "exec 1>&-; sleep 100", "", "closed its output"),
        (
            "hanging",
            &answering("sleep 100"),
            "timeout-seconds = 1",
            "did not answer within 1 s",
        ),
    ];
    let paths: Vec<String> = faults
        .iter()
        .map(|(name, script, more, _)| place.peer(name, script, more))
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let output = place.sweep(&paths, &[]);
    let said = error_text(&output);
    assert!(output.status.success(), "{said}");
    let run = place.run();
    assert!(run.complete);
    assert!(run.samples.iter().all(|s| s.source == Source::Variant));
    for (name, _, _, error) in faults {
        let variant = format!("{name} 1.0");
        let of_peer: Vec<_> = run
            .failures
            .iter()
            .filter(|f| f.variant == variant)
            .collect();
        assert_eq!(of_peer.len(), 2, "{name} at each thread count: {of_peer:?}");
        assert!(of_peer[0].error.contains(error), "{:?}", of_peer[0]);
        assert_eq!(of_peer[0].error.lines().count(), 1);
        assert_eq!(of_peer[0].wrong, name == "lying");
        assert!(said.contains(&variant), "{said}");
    }
    assert_eq!(place.summary()["peers"].as_array().unwrap().len(), 0);
    assert!(place.is_tidy());
}

#[test]
fn a_run_with_peers_is_gone_on_with_by_the_same_peers_only() {
    let place = Place::new();
    let right = place.peer("right", &right(&place), "");
    assert!(place.sweep(&[&right], &[]).status.success());
    let whole = place.run();
    let file = place.path().join("run/samples.jsonl");
    let records = std::fs::read_to_string(&file).unwrap();
    // As a kill in the second round leaves it.
    let until = records.match_indices("\"round\":2").nth(3).unwrap().0;
    std::fs::write(&file, &records[..until]).unwrap();
    let resume = || {
        let only = "small.toml|partitioned+zero-copy";
        let more = ["--threads", "1,2", "--samples", "3", "--peers", &right];
        let call = ["--sweep", "--only", only, "--resume", "run"];
        place
            .command(&[&call[..], &more].concat())
            .output()
            .unwrap()
    };
    let definition = place.path().join("right/peer.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(&definition, text.replace("1.0", "1.1")).unwrap();
    let refused = resume();
    let said = error_text(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`right 1.0`") && said.contains("`right 1.1`"),
        "{said}"
    );
    std::fs::write(&definition, &text).unwrap();
    // Of the same version, but run otherwise: by its definition, or by a file that it names.
    let script = place.path().join("right/main.sh");
    let program = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&definition, text.clone() + "timeout-seconds = 9\n").unwrap();
    let otherwise = resume();
    std::fs::write(&definition, text.replace("a right peer", "another text")).unwrap();
    std::fs::write(&script, format!("# changed\n{program}")).unwrap();
    for refused in [otherwise, resume()] {
        let said = error_text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(
            said.contains("peers") && said.contains("right 1.0 defined as"),
            "{said}"
        );
    }
    std::fs::write(&script, program).unwrap();
    let resumed = resume();
    assert!(resumed.status.success(), "{}", error_text(&resumed));
    let names = |run: &Run| {
        let mut names: Vec<_> = run
            .samples
            .iter()
            .map(|s| (s.variant.clone(), s.label.clone(), s.threads, s.round))
            .collect();
        names.sort();
        // Again because it was disturbed.
        names.dedup();
        names
    };
    assert!(place.run().complete);
    assert_eq!(names(&place.run()), names(&whole));
}

#[test]
fn what_a_peer_says_cannot_spoil_a_report_or_a_terminal() {
    let place = Place::new();
    let odd = place.peer("odd", &right(&place), "");
    let definition = place.path().join("odd/peer.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    let version = r#"["printf", '1.0 \001\033[31m<b>&\302\233']"#;
    let text = text.replace(r#"["echo", "1.0"]"#, version);
    std::fs::write(&definition, text).unwrap();
    let refusing = answering("printf '{\"error\": \"a\\\\u0007b\"}\\n'");
    let refusing = place.peer("refusing", &refusing, "");
    let output = place.sweep(&[&odd, &refusing], &[]);
    let said = error_text(&output);
    assert!(output.status.success(), "{said}");
    let is_legal = |c: char| !c.is_control() || c == '\n';
    assert!(said.chars().all(is_legal), "{said:?}");
    for name in ["times.svg", "index.html"] {
        let drawn = std::fs::read_to_string(place.path().join("run").join(name)).unwrap();
        assert!(drawn.chars().all(is_legal), "{name}");
        assert!(
            drawn.contains("1.0 \u{fffd}\u{fffd}[31m&lt;b&gt;&amp;\u{fffd}"),
            "{name}"
        );
    }
}

#[test]
fn a_peer_that_is_not_installed_is_named_with_its_install_line() {
    let place = Place::new();
    let absent = place.peer("absent", "", "");
    let definition = place.path().join("absent/peer.toml");
    for (version, reason) in [
        (
            r#"["no-such-program-anywhere"]"#,
            "no-such-program-anywhere",
        ),
        (r#"["sh", "-c", "echo no module >&2; exit 1"]"#, "no module"),
        (r#"["true"]"#, "no version"),
    ] {
        let text = format!(
            "description = \"a\"\nversion = {version}\nrun = [\"true\"]\ninstall = \"make absent\""
        );
        std::fs::write(&definition, text).unwrap();
        let output = place.sweep(&[&absent], &[]);
        let said = error_text(&output);
        assert!(output.status.success(), "{said}");
        let of_peer: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("absent"))
            .collect();
        assert_eq!(of_peer.len(), 1, "{said}");
        assert!(
            of_peer[0].contains(reason) && of_peer[0].contains("(cd absent && make absent)"),
            "{said}"
        );
        let run = place.run();
        assert!(run.complete && run.notes.iter().any(|note| note.contains("make absent")));
        let page = std::fs::read_to_string(place.path().join("run/index.html")).unwrap();
        assert!(page.contains("make absent"));
        std::fs::remove_dir_all(place.path().join("run")).unwrap();
    }
}

#[test]
fn bad_names_and_definitions_are_refused_in_one_line() {
    let place = Place::new();
    for (definition, says) in [
        ("description = 1", "line 1"),
        ("description = \"a\"\nrum = []", "line 2"),
        (
            "description = \"a\"\nversion = []\nrun = [\"a\"]\ninstall = \"\"",
            "`version` is empty",
        ),
        (
            "description = \"a\"\nversion = [\"a\"]\nrun = [\"a\"]\ninstall = \"\"\ntimeout-seconds = -1",
            "timeout-seconds",
        ),
    ] {
        let folder = place.path().join("bad");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("peer.toml"), definition).unwrap();
        let output = place.sweep(&["./bad"], &[]);
        let said = error_text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("peer.toml") && said.contains(says), "{said}");
    }
    let output = place.sweep(&["./nowhere"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let output = place.sweep(&["duckbd"], &[]);
    let said = error_text(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("did you mean duckdb"), "{said}");
}

#[test]
fn peers_are_listed_with_what_they_are_or_how_to_get_them() {
    let place = Place::new();
    let output = place.command(&["list", "peers"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for peer in ["duckdb", "polars", "datafusion"] {
        assert!(text.lines().any(|line| line.starts_with(peer)), "{text}");
    }
}

#[test]
fn ctrl_c_ends_a_peer_at_once_and_leaves_nothing_behind() {
    let place = Place::new();
    // Says where it is, and then takes its time.
    let script = answering("echo $$ > pid; sleep 1000");
    let slow = place.peer("slow", &script, "");
    let child = place
        .command(&[
            "--sweep",
            "--only",
            "small.toml|partitioned+zero-copy",
            "--out",
            "run",
            "--peers",
            &slow,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let file: PathBuf = place.path().join("slow/pid");
    let deadline = Instant::now() + Duration::from_secs(120);
    let peer = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Ok(pid) = text.trim().parse::<i32>() {
            break pid;
        }
        assert!(Instant::now() < deadline, "the peer never started");
        std::thread::sleep(Duration::from_millis(5));
    };
    // SAFETY: a signal to a child of this process that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", error_text(&output));
    assert!(!place.run().complete);
    assert!(place.is_tidy());
    // SAFETY: signal 0 only asks whether there is such a process.
    let is_there = unsafe { libc::kill(peer, 0) } == 0;
    assert!(!is_there, "the peer outlives the harness");
}
