//! Plans are carried out, and their results are kept for a day.

use std::fs;

use harness::machine;
use harness::machine::limits::cache::{Cached, Measured};
use harness::machine::limits::{self, Item, Kernel, Limit, Plan};
use jiff::{SignedDuration, Timestamp};
use report::record::{Environment, LimitRecord};

fn environment() -> Environment {
    machine::environment("mimalloc")
}

fn limit(threads: u32) -> Limit {
    Limit {
        what: "random_reads_per_second".to_owned(),
        threads,
        array_bytes: 256 << 20,
        huge_pages: true,
        value: 130.25e6,
        unit: "reads/s".to_owned(),
        median: 0.1 + 0.2,
        low: 1e-3,
    }
}

fn measured(now: Timestamp) -> Measured {
    Measured::new(&environment(), now, vec![limit(1), limit(2)])
}

fn why(cached: Cached) -> String {
    match cached {
        Cached::Unusable(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kernel_gives_a_limit_for_every_thread_count() {
    let full = Plan::full(&environment(), &[1, 2, 3]);
    let mut items: Vec<Item> = Vec::new();
    for item in full.items {
        let small = Item {
            array_bytes: 2 << 20,
            ..item
        };
        if !items.contains(&small) {
            items.push(small);
        }
    }
    let plan = Plan {
        items,
        threads: vec![1, 2, 3],
        repetitions: 3,
        seconds: 0.0,
    };
    let mut announced = Vec::new();
    let limits = limits::measure(&plan, |item| announced.push(*item)).unwrap();
    assert_eq!(announced, plan.items);
    assert_eq!(limits.len(), plan.items.len() * 3);
    for (index, limit) in limits.iter().enumerate() {
        let item = &plan.items[index / 3];
        assert_eq!(limit.what, item.kernel.what());
        assert_eq!(limit.threads, plan.threads[index % 3]);
        assert_eq!(limit.array_bytes, item.array_bytes);
        assert!(item.huge_pages || !limit.huge_pages);
        assert!(limit.low.is_finite() && limit.low > 0.0, "{limit:?}");
        assert!(limit.low <= limit.median && limit.median <= limit.value);
    }
}

#[test]
fn memory_that_cannot_be_had_is_an_error() {
    let plan = Plan {
        items: vec![Item {
            kernel: Kernel::Read,
            array_bytes: 1 << 60,
            huge_pages: true,
        }],
        threads: vec![1],
        repetitions: 1,
        seconds: 0.0,
    };
    let error = limits::measure(&plan, |_| ()).unwrap_err().to_string();
    assert!(error.contains("MiB") && error.contains("free"), "{error}");
}

#[test]
fn what_is_kept_comes_back_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/limits.json");
    let now = Timestamp::now();
    measured(now).save(&path).unwrap();
    measured(now).save(&path).unwrap();
    let later = now + SignedDuration::from_hours(23);
    let cached = Measured::load(&path, &environment(), &[1, 2], later);
    assert_eq!(cached, Cached::Usable(measured(now)));
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no half-written file stays: {left:?}");
}

#[test]
fn what_no_machine_has_is_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.json");
    let now = Timestamp::now();
    let spoilt: [fn(&mut Limit); 9] = [
        |limit| limit.value = -1.0,
        |limit| limit.value = 0.0,
        |limit| limit.value = 1e308,
        |limit| limit.value = f64::NAN,
        |limit| limit.value = f64::INFINITY,
        |limit| limit.median = 1e20,
        |limit| limit.low = 0.0,
        |limit| limit.low = 1e9,
        |limit| limit.array_bytes = 0,
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let mut limits = vec![limit(1), limit(2)];
        spoil(&mut limits[1]);
        let measured = Measured::new(&environment(), now, limits);
        measured.save(&path).unwrap();
        let why = why(Measured::load(&path, &environment(), &[1], now));
        // JSON has no spelling for what is not finite.
        let expected = ["random_reads_per_second", "damaged"];
        assert!(
            expected.iter().any(|part| why.contains(part)),
            "{number}: {why}"
        );
    }
}

#[test]
fn what_is_stale_is_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.json");
    let now = Timestamp::now();
    measured(now).save(&path).unwrap();
    let load = |environment: &Environment, threads: &[u32], hours| {
        let then = now + SignedDuration::from_hours(hours);
        Measured::load(&path, environment, threads, then)
    };
    let here = environment();
    assert!(why(load(&here, &[1], 24)).contains("day"));
    assert!(
        why(load(&here, &[1], -1)).contains("day"),
        "a clock set back"
    );
    assert!(why(load(&here, &[1, 4], 0)).contains("4 threads"));
    let mut other = here.clone();
    other.cores += 1;
    assert!(why(load(&other, &[1], 0)).contains("another machine"));
    let mut other = here.clone();
    other.huge_pages = "never".to_owned();
    other.huge_pages += &here.huge_pages;
    assert!(why(load(&other, &[1], 0)).contains("huge page"));
    let mut other = here.clone();
    other.harness_version += "-next";
    assert!(why(load(&other, &[1], 0)).contains("version"));
    let mut other = here;
    other.commit = "abc".to_owned();
    assert!(matches!(load(&other, &[1], 0), Cached::Usable(_)));
}

#[test]
fn a_damaged_cache_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.json");
    let now = Timestamp::now();
    let load = || Measured::load(&path, &environment(), &[1], now);
    assert_eq!(load(), Cached::Missing);
    measured(now).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 3] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(why(load()).contains("damaged"));
    }
    for wrong in ["null", "[]", "{\"schema\": \"one\"}", "\u{0}", "\u{fffd}"] {
        fs::write(&path, wrong).unwrap();
        assert!(why(load()).contains("damaged"), "{wrong}");
    }
    let text = String::from_utf8(whole).unwrap();
    fs::write(&path, text.replace(&now.to_string(), "yesterday")).unwrap();
    assert!(why(load()).contains("yesterday"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(why(load()).contains("cannot be read"));
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(
        measured(Timestamp::now())
            .save(&file.join("limits.json"))
            .is_err()
    );
    let occupied = folder.path().join("occupied");
    fs::create_dir_all(occupied.join("inside")).unwrap();
    assert!(measured(Timestamp::now()).save(&occupied).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_limit_becomes_a_line_of_the_run() {
    let record = LimitRecord::from(&limit(2));
    assert_eq!(record.what, "random_reads_per_second");
    assert_eq!((record.threads, record.array_bytes), (2, 256 << 20));
    assert_eq!((record.huge_pages, record.value), (true, 130.25e6));
}
