//! The join that picks, under the conformance suite, and what it picks.

use adaptive::{Adaptive, Candidate, Candidates, Choice, Observed};
use join_core::conformance::{SimpleProbe, SortedBuild, check_join};
use join_core::input::InputMode;
use join_core::join::{BuildProbe, CacheSizes, Context, DynJoin, JoinInput, Kernel};
use join_core::memory::Memory;
use join_core::output::{Consumer, Pair, PairConsumer};
use join_core::parallel::Team;
use join_core::table::Column;

fn adaptive() -> Adaptive {
    let join = |variant| Candidate {
        variant,
        join: Box::new(BuildProbe {
            build_input: InputMode::ZeroCopy,
            build: SortedBuild,
            probe: SimpleProbe {
                kernel: Kernel::SCALAR,
            },
        }),
    };
    Adaptive(Candidates {
        array: join("an-array"),
        one_table: join("a-table"),
        in_order: join("a-table-in-order"),
        partitioned: join("partitions"),
    })
}

#[test]
fn it_conforms() {
    check_join(&adaptive());
}

#[test]
fn it_says_what_it_picked() {
    for (build, probe, wanted) in [
        (
            9,
            300_000,
            "picked one table: 9 build and 300000 probe rows",
        ),
        (
            300_000,
            10,
            "picked one table: 300000 build and 10 probe rows",
        ),
        (
            110_000,
            110_000,
            "picked both sides partitioned: 110000 build and 110000 probe rows",
        ),
    ] {
        let column = |rows: i32| Column::from_i32(&(0..rows).collect::<Vec<_>>());
        let (build, probe) = (column(build), column(probe));
        let input = JoinInput::new(&build, &probe).unwrap();
        let (team, memory) = (Team::single(), Memory::unlimited());
        let context = Context::new(&team, &memory);
        let outcome = adaptive().join(&input, &context).unwrap();
        assert_eq!(outcome.notes[0], wanted);
        let runs = match wanted.starts_with("picked one table") {
            true => "runs a-table",
            false => "runs partitions",
        };
        assert_eq!(outcome.notes[1], runs);
    }
}

/// Each rule, just where it holds and just where it does not, beside caches of 1 MiB.
#[test]
fn rules_hold_up_to_their_bounds() {
    let observed = Observed {
        build_rows: 400_000,
        probe_rows: 4_000_000,
        repeated_build: 0.0,
        repeated_probe: 0.0,
        ascending_probe: 0.5,
        build_span: f64::INFINITY,
        tuple_bytes: 8,
        carried: 0,
        caches: CacheSizes {
            l2: 1 << 20,
            ..CacheSizes::default()
        },
    };
    let dense = Observed {
        build_span: 400_000.0,
        ..observed
    };
    let wide = Observed {
        build_span: 1_200_000.0,
        ..observed
    };
    let hot = Observed {
        repeated_probe: 0.9,
        ..observed
    };
    for (seen, choice) in [
        (dense, Choice::Array),
        (
            Observed {
                probe_rows: 399_999,
                ..dense
            },
            Choice::Partitioned,
        ),
        (
            Observed {
                repeated_build: 0.1,
                ..dense
            },
            Choice::Partitioned,
        ),
        (wide, Choice::Partitioned),
        (
            Observed {
                ascending_probe: 1.0,
                ..wide
            },
            Choice::Array,
        ),
        (hot, Choice::HotTable),
        (
            Observed {
                repeated_probe: 0.7,
                ..hot
            },
            Choice::Partitioned,
        ),
        (
            Observed {
                probe_rows: 3_199_999,
                ..hot
            },
            Choice::Partitioned,
        ),
        (
            Observed {
                build_rows: 900_000,
                probe_rows: 9_000_000,
                ..hot
            },
            Choice::Partitioned,
        ),
        (
            Observed {
                build_rows: 104_857,
                ..observed
            },
            Choice::OneTable,
        ),
        (
            Observed {
                carried: 64,
                ..observed
            },
            Choice::InOrder,
        ),
        (
            Observed {
                carried: 63,
                ..observed
            },
            Choice::Partitioned,
        ),
        (
            Observed {
                carried: 64,
                probe_rows: 399_999,
                ..observed
            },
            Choice::Partitioned,
        ),
        (
            Observed {
                build_rows: 104_858,
                ..observed
            },
            Choice::Partitioned,
        ),
    ] {
        assert_eq!(Choice::of(&seen), choice, "{seen:?}");
    }
}

/// Pairs of which nothing becomes, but whose probe rows have so many bytes.
struct Carries(usize);

impl PairConsumer for Carries {
    fn consume(&self, _: usize, _: &[Pair]) {}

    fn probe_bytes(&self) -> usize {
        self.0
    }
}

#[test]
fn it_sees_what_rows_carry() {
    let column = Column::from_i32(&(0..110_000).collect::<Vec<_>>());
    let input = JoinInput::new(&column, &column).unwrap();
    let (team, memory) = (Team::single(), Memory::unlimited());
    for (bytes, runs) in [(80, "runs a-table-in-order"), (8, "runs partitions")] {
        let consumer = Carries(bytes);
        let context = Context::new(&team, &memory).with_consumer(Consumer::Stream(&consumer));
        let outcome = adaptive().join(&input, &context).unwrap();
        assert_eq!(outcome.notes[1], runs);
        assert!(outcome.notes[0].ends_with(&format!(", {bytes} bytes of each probe row")));
    }
}

#[test]
fn it_says_what_it_saw() {
    let column =
        |rows: i32, key: fn(i32) -> i32| Column::from_i32(&(0..rows).map(key).collect::<Vec<_>>());
    let seen = |build: &Column, probe: &Column| {
        let JoinInput::Int32(build, probe) = JoinInput::new(build, probe).unwrap() else {
            panic!("INT32 keys");
        };
        Observed::new(&build, &probe, CacheSizes::default()).to_string()
    };
    let dense = column(600_000, |row| row);
    // Equal neighbours ascend, too.
    let sorted = column(600_000, |row| row / 100_000);
    let same = "600000 build and 600000 probe rows";
    assert_eq!(
        seen(&dense, &sorted),
        format!(
            "{same}, 100 % of sampled probe keys repeated, build keys dense, probe keys ascending"
        )
    );
    assert_eq!(
        seen(&sorted, &column(600_000, |row| -row)),
        format!("{same}, 100 % of sampled build keys repeated")
    );
    // A long build side is enough.
    assert_eq!(
        seen(&dense, &column(10, |row| -row)),
        "600000 build and 10 probe rows, build keys dense"
    );
    assert_eq!(
        seen(&column(10, |_| 1), &column(10, |_| 1)),
        "10 build and 10 probe rows"
    );
}

#[test]
fn duplicates_and_skew_are_seen() {
    let column = |key: fn(i32) -> i32| Column::from_i32(&(0..600_000).map(key).collect::<Vec<_>>());
    let distinct = column(|row| row);
    for (build, probe, seen) in [
        (&distinct, &distinct, [0.0..=0.0, 0.0..=0.0, 1.0..=1.0]),
        (
            &column(|row| row % 16),
            &column(|row| -row),
            [1.0..=1.0, 0.0..=0.0, 0.0..=0.0],
        ),
        // Three of four rows have one of four keys.
        (
            &distinct,
            &column(|row| if row / 5 % 4 > 0 { row % 4 } else { row }),
            [0.0..=0.0, 0.6..=0.9, 0.0..=0.9],
        ),
    ] {
        let JoinInput::Int32(build, probe) = JoinInput::new(build, probe).unwrap() else {
            panic!("INT32 keys");
        };
        let observed = Observed::new(&build, &probe, CacheSizes::default());
        let shares = [
            observed.repeated_build,
            observed.repeated_probe,
            observed.ascending_probe,
        ];
        for (share, seen) in shares.iter().zip(seen) {
            assert!(seen.contains(share), "{observed:?}");
        }
    }
}

#[test]
fn dense_keys_are_seen() {
    let probe = Column::from_i32(&vec![7; 600_000]);
    for (keys, places, wanted) in [
        (0..100_000, 1, true),
        (-50_000..50_000, 4, true),
        (0..100_000, 5, false),
        (0..4000, 32, true),
        (0..3000, 36, false),
        // Beyond half of L2.
        (0..5000, 32, false),
        // Beyond twice L2.
        (0..150_000, 4, false),
        (0..63, 1, false),
    ] {
        let rows = keys.len() as i32;
        // In no order: the next of them is 40,503 further on.
        let keys: Vec<i32> = (0..rows)
            .map(|row| keys.start + (i64::from(row) * 40_503 % i64::from(rows)) as i32)
            .map(|key| key * places)
            .collect();
        let build = Column::from_i32(&keys);
        let JoinInput::Int32(build, probe) = JoinInput::new(&build, &probe).unwrap() else {
            panic!("INT32 keys");
        };
        let caches = CacheSizes {
            l2: 1 << 20,
            ..CacheSizes::default()
        };
        let observed = Observed::new(&build, &probe, caches);
        let dense = observed.is_dense() && observed.array_fits_l2_times(2);
        assert_eq!(dense, wanted, "{places} places a key: {observed:?}");
    }
    let twice: Vec<i32> = (0..100_000).map(|row| row / 1000).collect();
    let twice = Column::from_i32(&twice);
    let JoinInput::Int32(build, probe) = JoinInput::new(&twice, &probe).unwrap() else {
        panic!("INT32 keys");
    };
    let observed = Observed::new(&build, &probe, CacheSizes::default());
    assert!(!observed.is_dense(), "{observed:?}");
}
