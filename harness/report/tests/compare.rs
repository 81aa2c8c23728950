//! Two runs side by side: what is said of runs whose truth is known.

use std::collections::BTreeMap;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use report::compare::{Comparison, compare, draw};
use report::record::*;
use report::stats::Verdict;

const VARIANTS: usize = 8;
const WORKLOADS: usize = 6;

/// How a made-up run is measured.
#[derive(Debug, Clone, Copy)]
struct Machine {
    seed: u64,
    /// Spread of single samples, as a share.
    noise: f64,
    /// Spread of what moves a whole workload, as a share.
    drift: f64,
    /// Samples of a cell.
    rounds: u32,
    workloads: usize,
}

const CALM: Machine = Machine {
    seed: 1,
    noise: 0.03,
    drift: 0.0,
    rounds: 9,
    workloads: WORKLOADS,
};

fn variant(number: usize) -> String {
    format!("variant-{number}")
}

fn workload(number: usize) -> WorkloadRecord {
    WorkloadRecord {
        name: format!("workload-{number}"),
        group: None,
        sentence: String::new(),
        build_rows: 1000,
        probe_rows: 4000,
        key_type: "INT32".into(),
        build_bytes: 4000,
        probe_bytes: 16000,
        join_kind: None,
        condition: None,
        payload_bytes: None,
        experiment: JOIN.into(),
        expected: Some(Answer {
            rows: 7,
            sum_build: 8,
            sum_probe: 9,
            checksum: Checksum(number as u64),
        }),
        keys: Some(Checksum(1)),
    }
}

/// A run whose cells take 1 ms times `effect(workload, variant)`.
fn run(machine: Machine, effect: impl Fn(usize, usize) -> f64) -> Run {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(machine.seed);
    // Close enough to a normal distribution of variance 1.
    let mut normal = move || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    let mut samples = Vec::new();
    for at in 0..machine.workloads {
        let drift = (normal() * machine.drift).exp();
        for round in 1..=machine.rounds {
            for threads in [1, 2] {
                for number in 0..VARIANTS {
                    let labels: &[_] = match number {
                        0 => &[Some(CONTROL_A), Some(CONTROL_B)],
                        _ => &[None],
                    };
                    for label in labels {
                        let noise = (normal() * machine.noise).exp();
                        samples.push(SampleRecord {
                            round,
                            order: 0,
                            workload: workload(at).name,
                            variant: variant(number),
                            toggles: Toggles::new(),
                            label: label.map(str::to_owned),
                            threads,
                            seconds: 1e-3 * effect(at, number) * drift * noise,
                            phases: Vec::new(),
                            answer: workload(at).expected.unwrap(),
                            bytes: None,
                            counters: Default::default(),
                            notes: Vec::new(),
                            source: Source::Variant,
                            system: None,
                            disturbed: false,
                            pair: 0,
                        });
                    }
                }
            }
        }
    }
    Run {
        run: RunRecord {
            schema: SCHEMA,
            id: format!("run-{}", machine.seed),
            started: "2026-11-21T03:15:00Z".into(),
            seed: 1,
            size: Size::Quick,
            modes: vec!["sweep".into()],
            command: vec!["--sweep".into()],
            threads: vec![1, 2],
            environment: Environment {
                cpu: "a processor".into(),
                cores: 2,
                memory_bytes: 1 << 34,
                caches: Vec::new(),
                kernel: "Linux 6.1".into(),
                huge_pages: "madvise".into(),
                allocator: "a pool".into(),
                rustc: "rustc 1.95.0".into(),
                profile: "dev".into(),
                optimised: true,
                commit: "0123".into(),
                dirty: false,
                harness_version: "0.1.0".into(),
                counters: "none".into(),
            },
        },
        workloads: (0..machine.workloads).map(workload).collect(),
        variants: (0..VARIANTS)
            .map(|number| VariantRecord {
                name: variant(number),
                family: "test".into(),
                build: None,
                probe: None,
                description: String::new(),
                definition: None,
            })
            .collect(),
        schedules: Vec::new(),
        limits: Vec::new(),
        samples,
        failures: Vec::new(),
        memory: Vec::new(),
        tags: Vec::new(),
        builds: Vec::new(),
        notes: Vec::new(),
        finished: None,
        complete: true,
        torn: false,
    }
}

fn alike(_: usize, _: usize) -> f64 {
    1.0
}

/// Slower by half: variant 3.
fn one_slower(_: usize, number: usize) -> f64 {
    if number == 3 { 1.5 } else { 1.0 }
}

fn verdict_of(comparison: &Comparison, name: &str) -> Verdict {
    let mut variants = comparison.variants.iter();
    let found = variants.find(|v| v.variant == name).unwrap();
    found.change.verdict
}

#[test]
fn runs_of_the_same_code_are_within_noise() {
    let (mut cells, mut within, mut variants_beyond) = (0, 0, 0);
    for seed in 0..30 {
        let machine = Machine {
            seed: 2 * seed,
            noise: [0.01, 0.05, 0.2][seed as usize % 3],
            drift: [0.0, 0.02, 0.05][seed as usize / 3 % 3],
            rounds: [3, 5, 15][seed as usize / 9 % 3],
            workloads: WORKLOADS,
        };
        let again = Machine {
            seed: 2 * seed + 1,
            ..machine
        };
        let found = compare(&run(machine, alike), &run(again, alike));
        assert_eq!(found.cells.len(), WORKLOADS * VARIANTS * 2);
        if found.counts.within_noise < found.cells.len() {
            println!(
                "seed {seed} {machine:?}: {:?}, common {:?}",
                found.counts, found.common
            );
        }
        cells += found.cells.len();
        within += found.counts.within_noise;
        let beyond = |v: &&_| {
            let v: &report::compare::VariantChange = v;
            v.change.verdict != Verdict::WithinNoise
        };
        variants_beyond += found.variants.iter().filter(beyond).count();
    }
    assert!(within * 100 >= cells * 99, "{within} of {cells}");
    assert!(variants_beyond <= 3, "{variants_beyond} variants");
}

#[test]
fn a_slowed_variant_is_called_slower_and_no_other() {
    for noise in [0.02, 0.08] {
        let machine = Machine {
            noise,
            drift: 0.03,
            ..CALM
        };
        let again = Machine { seed: 2, ..machine };
        let found = compare(&run(machine, alike), &run(again, one_slower));
        for number in 0..VARIANTS {
            let expected = match number {
                3 => Verdict::Slower,
                _ => Verdict::WithinNoise,
            };
            assert_eq!(verdict_of(&found, &variant(number)), expected, "{number}");
        }
        let slower = |c: &&_| {
            let c: &report::compare::CellChange = c;
            c.variant == variant(3) && c.change.verdict == Verdict::Slower
        };
        let cells = found.cells.iter().filter(slower).count();
        assert!(cells >= WORKLOADS, "{cells} of {}", 2 * WORKLOADS);
        assert!(
            found
                .common
                .is_some_and(|c| c.verdict == Verdict::WithinNoise)
        );
        // The other way round it is an improvement.
        let turned = compare(&run(again, one_slower), &run(machine, alike));
        assert_eq!(verdict_of(&turned, &variant(3)), Verdict::Faster);
    }
}

/// Runs that drift apart by some per cent, as two sweeps on a shared machine do, with as few samples as losers have.
#[test]
fn a_variant_that_is_a_tenth_slower_is_found() {
    let tenth = |_: usize, number: usize| if number == 3 { 1.1 } else { 1.0 };
    let (mut found, mut others, mut cells, mut within) = (0, 0, 0, 0);
    for seed in 0..20 {
        let machine = Machine {
            seed: 100 + 2 * seed,
            noise: 0.06,
            drift: 0.05,
            rounds: [3, 10][seed as usize % 2],
            workloads: WORKLOADS,
        };
        let again = Machine {
            seed: machine.seed + 1,
            ..machine
        };
        let (before, after) = (run(machine, alike), run(again, tenth));
        let slower = compare(&before, &after);
        found += u32::from(verdict_of(&slower, &variant(3)) == Verdict::Slower);
        let beyond = slower
            .variants
            .iter()
            .filter(|v| v.variant != variant(3) && v.change.verdict != Verdict::WithinNoise);
        others += beyond.count();
        let same = compare(&before, &run(again, alike));
        cells += same.cells.len();
        within += same.counts.within_noise;
    }
    assert!(found >= 18, "{found} of 20");
    assert_eq!(others, 0);
    assert!(within * 100 >= cells * 99, "{within} of {cells}");
}

/// A run whose cells have as many samples as in `run`, drawn from them.
fn drawn_from(run: &Run, seed: u64) -> Run {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut cells: BTreeMap<(&str, &str, Option<&str>, u32), Vec<&SampleRecord>> = BTreeMap::new();
    for sample in run.samples.iter().filter(|s| s.toggles.is_empty()) {
        let SampleRecord {
            workload,
            variant,
            label,
            threads,
            ..
        } = sample;
        let key = (&**workload, &**variant, label.as_deref(), *threads);
        cells.entry(key).or_default().push(sample);
    }
    let mut samples = Vec::new();
    for cell in cells.values() {
        samples.extend((1..).zip(cell).map(|(round, _)| SampleRecord {
            round,
            ..cell[random.random_range(0..cell.len())].clone()
        }));
    }
    Run {
        samples,
        ..run.clone()
    }
}

#[test]
fn of_sweeps_like_the_reference_run_a_tenth_is_seen_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/reference");
    let reference = read_run(&folder).unwrap().part(JOIN);
    for (seed, slowed) in [
        (1, "partitioned-join"),
        (2, "radix"),
        (3, "std-hashmap+zero-copy"),
    ] {
        let [before, mut after] = [2 * seed, 2 * seed + 1].map(|seed| drawn_from(&reference, seed));
        let found = compare(&before, &after);
        let (within, all) = (found.counts.within_noise, found.cells.len());
        assert!(within * 100 >= all * 99, "{within} of {all}");
        for sample in after.samples.iter_mut().filter(|s| s.variant == slowed) {
            sample.seconds *= 1.1;
        }
        for variant in &compare(&before, &after).variants {
            let wanted = match variant.variant == slowed {
                true => Verdict::Slower,
                false => Verdict::WithinNoise,
            };
            assert_eq!(variant.change.verdict, wanted, "{}", variant.variant);
        }
    }
}

#[test]
fn what_slows_all_joins_is_an_effect_and_what_a_machine_does_is_not() {
    let again = Machine { seed: 2, ..CALM };
    let slowed = compare(&run(CALM, alike), &run(again, |_, _| 1.3));
    assert_eq!(slowed.common.unwrap().verdict, Verdict::Slower);
    assert_eq!(slowed.total.unwrap().verdict, Verdict::Slower);
    assert!(slowed.counts.slower > slowed.cells.len() / 2);
    // Half of the workloads are hit by a neighbour for a while.
    let hit = |at: usize, _| if at.is_multiple_of(2) { 1.15 } else { 0.98 };
    let hit = compare(&run(CALM, alike), &run(again, hit));
    assert_eq!(hit.counts.within_noise, hit.cells.len());
}

/// As plans do, of which there are two executors.
#[test]
fn what_moves_workloads_of_few_variants_is_no_effect_and_what_changes_one_of_them_is() {
    let few = |machine, effect: fn(usize, usize) -> f64| {
        let mut run = run(machine, effect);
        run.samples.retain(|s| s.variant <= variant(1));
        run
    };
    let (mut cells, mut within) = (0, 0);
    for seed in 0..30 {
        let machine = Machine {
            seed: 100 + 2 * seed,
            drift: 0.1,
            workloads: 20,
            ..CALM
        };
        let again = Machine {
            seed: machine.seed + 1,
            ..machine
        };
        // The second process was slower as a whole.
        let found = compare(&few(machine, alike), &few(again, |_, _| 1.07));
        cells += found.cells.len();
        within += found.counts.within_noise;
        for number in [0, 1] {
            let verdict = verdict_of(&found, &variant(number));
            assert_eq!(verdict, Verdict::WithinNoise, "seed {seed}");
        }
        let broken = |at: usize, number: usize| if (at, number) == (2, 1) { 4.0 } else { 1.0 };
        let found = compare(&few(machine, alike), &few(again, broken));
        let mut slower = found
            .cells
            .iter()
            .filter(|cell| cell.change.verdict == Verdict::Slower);
        let is_broken = |c: &report::compare::CellChange| {
            c.workload == workload(2).name && c.variant == variant(1)
        };
        assert!(slower.any(is_broken), "seed {seed}");
    }
    assert!(within * 100 >= cells * 99, "{within} of {cells}");
}

#[test]
fn a_processor_with_two_states_is_no_effect() {
    let calm = Machine { rounds: 31, ..CALM };
    let mut before = run(calm, alike);
    let mut after = run(Machine { seed: 2, ..calm }, alike);
    // Slow for 8 rounds of 31 before, for 23 after: each median is sure of its state.
    let slow = |run: &mut Run, rounds: std::ops::RangeInclusive<u32>| {
        for sample in &mut run.samples {
            if sample.variant == variant(5) && rounds.contains(&sample.round) {
                sample.seconds *= 1.5;
            }
        }
    };
    slow(&mut before, 1..=8);
    slow(&mut after, 1..=23);
    let found = compare(&before, &after);
    assert_eq!(found.counts.within_noise, found.cells.len());
}

#[test]
fn what_cannot_be_compared_says_why() {
    type Spoil = fn(&mut Run);
    let cases: [(Spoil, usize, &str); 11] = [
        (
            |run| run.run.environment.cores = 4,
            usize::MAX,
            "different machine: a-processor-2c-16g, then a-processor-4c-16g",
        ),
        (
            |run| run.run.size = Size::Default,
            usize::MAX,
            "different size: quick, then default",
        ),
        (
            |run| run.run.environment.optimised = false,
            usize::MAX,
            "not optimised",
        ),
        (
            |run| run.workloads[0].build_rows += 1,
            2 * VARIANTS,
            "different size: 1000 ⋈ 4000 rows, then 1001",
        ),
        (
            |run| {
                run.workloads[0].expected.as_mut().unwrap().checksum = Checksum(99);
                for sample in &mut run.samples {
                    if sample.workload == "workload-0" {
                        sample.answer.checksum = Checksum(99);
                    }
                }
            },
            2 * VARIANTS,
            "different answers: checksum 0000000000000000, then 0000000000000063",
        ),
        (
            |run| run.workloads[0].key_type = "INT64".into(),
            2 * VARIANTS,
            "different key type: INT32, then INT64",
        ),
        (
            |run| run.workloads[0].keys = Some(Checksum(2)),
            2 * VARIANTS,
            "different keys: checksum 0000000000000001, then 0000000000000002",
        ),
        (
            |run| run.samples.retain(|s| s.variant != "variant-3"),
            2 * WORKLOADS,
            "not measured in the second run",
        ),
        (
            |run| {
                run.failures.push(FailureRecord {
                    label: None,
                    round: 1,
                    workload: "workload-2".into(),
                    variant: "variant-4".into(),
                    toggles: Toggles::new(),
                    threads: 2,
                    error: "wrong answer: 3 rows".into(),
                    wrong: true,
                });
            },
            1,
            "failed in the second run: wrong answer: 3 rows",
        ),
        (
            |run| {
                run.samples
                    .retain(|s| s.variant != "variant-3" || s.round == 1)
            },
            2 * WORKLOADS,
            "a single sample has no spread",
        ),
        (
            |run| {
                for name in run.variants.iter_mut().map(|v| &mut v.name) {
                    if name == "variant-7" {
                        *name = "new".into();
                    }
                }
                for sample in &mut run.samples {
                    if sample.variant == "variant-7" {
                        sample.variant = "new".into();
                    }
                }
            },
            4 * WORKLOADS,
            "not measured in the first run",
        ),
    ];
    let before = run(CALM, alike);
    let all = WORKLOADS * VARIANTS * 2;
    for (spoil, count, reason) in cases {
        let mut after = run(CALM, alike);
        spoil(&mut after);
        let found = compare(&before, &after);
        assert_eq!(found.not_comparable.len(), count.min(all), "{reason}");
        let reasons: Vec<&str> = found
            .not_comparable
            .iter()
            .map(|c| c.reason.as_str())
            .collect();
        assert!(reasons.iter().any(|r| r.contains(reason)), "{reasons:?}");
        let folder = tempfile::tempdir().unwrap();
        let page = std::fs::read_to_string(draw(folder.path(), &found).unwrap()).unwrap();
        assert!(page.contains(reason.split(',').next().unwrap()), "{reason}");
        assert_eq!(folder.path().join("compare.svg").exists(), count < all);
    }
}

#[test]
fn a_comparison_is_the_same_bytes_each_time() {
    let (before, after) = (
        run(CALM, alike),
        run(Machine { seed: 2, ..CALM }, one_slower),
    );
    let files = || {
        let folder = tempfile::tempdir().unwrap();
        draw(folder.path(), &compare(&before, &after)).unwrap();
        ["comparison.json", "compare.svg", "index.html"]
            .map(|name| std::fs::read(folder.path().join(name)).unwrap())
    };
    assert!(files() == files());
}
