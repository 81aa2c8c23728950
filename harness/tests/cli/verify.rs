//! `verify --random`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::common::{folder, harness, run, text};

/// Joins that are made, unless `JOINERY_JOINS` says how many.
const JOINS: u64 = 800;

#[test]
fn every_variant_is_right_on_random_joins() {
    let joins = std::env::var("JOINERY_JOINS").unwrap_or_else(|_| JOINS.to_string());
    let output = run(folder().path(), &["verify", "--random", &joins]);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    let variants = registry::variants().len();
    let wanted =
        format!("{variants} variants agree with the oracle on {joins} random joins from seed 0 on");
    assert_eq!(out.lines().last(), Some(&*wanted), "{out}");
}

#[test]
fn one_variant_alone_makes_one_join_again() {
    let one = ["verify", "--random", "1", "--seed", "7", "--only", "radix"];
    let output = run(folder().path(), &one);
    assert_eq!(
        text(&output.stdout),
        "1 variants agree with the oracle on 1 random joins from seed 7 on\n"
    );
}

#[test]
fn answers_are_lines_of_json_that_a_seed_repeats() {
    let lines = |args: &[&str]| {
        let output = run(folder().path(), args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let all = lines(&["verify", "--answers", "300", "--seed", "5"]);
    let mut kinds = std::collections::BTreeSet::new();
    for (seed, line) in (5..).zip(all.lines()) {
        let answer: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(answer["seed"], seed);
        kinds.insert(answer["kind"].as_str().expect("a kind").to_owned());
        for side in ["build", "probe"] {
            let columns = answer[side].as_array().expect("columns");
            assert_eq!(
                columns.len(),
                answer["types"].as_array().expect("types").len()
            );
        }
    }
    assert_eq!((all.lines().count(), kinds.len()), (300, 12));
    let last = lines(&["verify", "--answers", "1", "--seed", "304"]);
    assert_eq!(all.lines().last(), Some(last.trim_end()));
    let both = ["verify", "--answers", "1", "--random", "1"];
    assert_eq!(run(folder().path(), &both).status.code(), Some(2));
}

#[test]
fn a_signal_tells_which_join_is_at_hand() {
    let folder = folder();
    // Several, so that most of the time goes to the joins and not to making them.
    let variants = ["sort-merge", "radix", "robin-hood", "hashbrown"];
    let ended = || {
        let only = variants.join("|");
        let many = ["verify", "--random", "1000000", "--only", &only];
        let mut command = harness(folder.path(), &many);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut harness = command.spawn().expect("the harness starts");
        let mut first = String::new();
        let out = harness.stdout.take().expect("it is piped");
        let _ = BufReader::new(out).read_line(&mut first);
        assert!(first.contains("1000 joins"), "{first}");
        // SAFETY: the process is a child that has not been waited for.
        unsafe { libc::kill(harness.id() as libc::pid_t, libc::SIGABRT) };
        let output = harness.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), None);
        text(&output.stderr)
    };
    // Now and then it comes between two seeds.
    let told = (0..50).map(|_| ended()).find(|error| !error.is_empty());
    let told = told.expect("a seed is at hand most of the time");
    let command = told
        .strip_prefix("ended during: harness verify --random 1 --seed ")
        .and_then(|rest| rest.strip_suffix('\n'))
        .unwrap_or_else(|| panic!("{told}"));
    // While the join is drawn it is of no variant yet.
    let (seed, variant) = match command.split_once(" --only ") {
        None => (command, variants[0]),
        Some(parts) => parts,
    };
    assert!(seed.parse::<u64>().is_ok_and(|seed| seed >= 999), "{told}");
    assert!(
        variants.iter().any(|name| variant.starts_with(name)),
        "{told}"
    );
}
