//! The accounting against the figures of the page that the placements come from, against itself, and against real loads.

mod common;

use aligned_ingest::account::{Account, Case, RowLengths, claims, formula, simulate};
use aligned_ingest::{Job, Layout, Manifest, PlacementKind, RowIndex, Sink};
use common::{TestRow, encode, stream};

#[test]
fn the_pages_figures_come_out() {
    let case = Case::of_the_page();
    let (wasted, chunk) = claims::worst_case_of_a_chunk(&case);
    assert_eq!(wasted, 880.0 * 1048576.0);
    assert_eq!(format!("{:.1}", wasted / chunk * 100.0), "17.2");
    assert_eq!(format!("{:.2}", wasted / case.bytes as f64 * 100.0), "2.15");
    let binary = claims::boundaries(5120.0, 16, 64.0);
    assert_eq!((binary.per_worker, binary.per_chunk), (5.0, 80.0));
    let mixed = claims::boundaries(5000.0, 16, 64.0);
    assert_eq!(
        format!("{:.2} {:.0}", mixed.per_worker, mixed.per_chunk),
        "4.88 78"
    );
    let claims = claims::claims(&case);
    assert!(claims.iter().all(|claim| !claim.holds));
    let figures: Vec<_> = claims.iter().map(|c| (&*c.claimed, &*c.right)).collect();
    assert_eq!(
        figures[1],
        ("4.88 per worker, 78 in all", "5.00 per worker, 80 in all")
    );
    assert_eq!(
        figures[2],
        (
            "880 MB, 2.15 % of the table",
            "880 MB of one chunk, 17.2 % of it"
        )
    );
}

#[test]
fn shares_of_whole_slots_waste_nearly_a_slot_a_worker() {
    // 2,560 MiB per worker are 40 slots; the rows that did not fit into them need a 41st.
    let account = simulate::simulate(&Case::of_the_page(), PlacementKind::Aligned).account;
    assert_eq!(account.flushes, 16.0 * 41.0);
    let row = 150.0;
    assert!(account.middle_waste <= 16.0 * 40.0 * row);
    assert!(account.last_waste > 16.0 * ((64 << 20) as f64 - 41.0 * row));
}

fn near(a: f64, b: f64, within: f64) -> bool {
    (a - b).abs() <= within * a.abs().max(b.abs()) + 1e-9
}

#[test]
fn formula_and_simulation_agree() {
    let rows = [
        RowLengths::Fixed(150),
        RowLengths::Uniform(20, 300),
        RowLengths::Exponential(150),
    ];
    for rows in rows {
        for (slot, uneven) in [
            (1 << 20, 0.0),
            (1 << 20, 0.3),
            (64 << 10, 0.0),
            (64 << 10, 0.3),
        ] {
            let case = Case {
                bytes: 3_000_000_000,
                workers: 64,
                chunks: 8,
                slot,
                rows,
                uneven,
                seed: 3,
            };
            for placement in PlacementKind::ALL {
                let expected = formula::expect(&case, placement);
                let Account {
                    flushes,
                    split_rows,
                    middle_waste,
                    last_waste,
                    chunk_end_waste,
                } = simulate::simulate(&case, placement).account;
                let what = format!("{case:?} {placement}");
                assert!(
                    near(expected.flushes, flushes, 0.01),
                    "{what} {expected:?} {flushes}"
                );
                assert!(
                    near(expected.split_rows, split_rows, 0.02),
                    "{what} {expected:?} {split_rows}"
                );
                assert!(
                    near(expected.middle_waste, middle_waste, 0.05),
                    "{what} {expected:?} {middle_waste}"
                );
                assert!(
                    near(expected.last_waste, last_waste, 0.25),
                    "{what} {expected:?} {last_waste}"
                );
                // Seven draws.
                assert!(
                    near(expected.chunk_end_waste, chunk_end_waste, 0.7),
                    "{what} {expected:?} {chunk_end_waste}"
                );
            }
        }
    }
}

/// Loads rows into memory from `workers` workers and returns the manifest.
fn load(rows: &[Vec<TestRow>], slot: u64, chunk_bytes: u64, placement: PlacementKind) -> Manifest {
    let streams: Vec<_> = rows.iter().map(|rows| stream(rows, &[])).collect();
    let chunks = 16;
    let job = Job {
        source: "test".into(),
        columns: Vec::new(),
        layout: Layout::new(slot, chunks, chunk_bytes).unwrap(),
        placement,
        workers: streams.len() as u32,
        stride: RowIndex::DEFAULT_STRIDE,
    };
    let work =
        |worker: u32, sink: &mut dyn Sink| sink.copy(&mut &streams[worker as usize][..]).map(drop);
    job.load_in_memory(&work).unwrap().0
}

#[test]
fn a_real_load_wastes_what_the_simulation_says() {
    // The page's case scaled down by 1024: 16 workers, 40 MiB, slots of 64 KiB.
    for lengths in [RowLengths::Fixed(150), RowLengths::Uniform(100, 200)] {
        let length = |n: u64| match lengths {
            RowLengths::Uniform(low, high) => {
                low + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (high - low + 1)
            }
            RowLengths::Fixed(bytes) | RowLengths::Exponential(bytes) => bytes,
        };
        let rows: Vec<Vec<TestRow>> = (0..16)
            .map(|worker| {
                let mut bytes = 0;
                let rows = (0..).map(|n| vec![Some(vec![0; length(n * 16 + worker) as usize - 6])]);
                rows.take_while(|row| {
                    bytes += encode(row).len();
                    bytes <= 2560 << 10
                })
                .collect()
            })
            .collect();
        let shares: Vec<u64> = rows
            .iter()
            .map(|rows| rows.iter().map(|row| encode(row).len() as u64).sum())
            .collect();
        let case = Case {
            bytes: shares.iter().sum(),
            slot: 64 << 10,
            rows: lengths,
            ..Case::of_the_page()
        };
        let manifest = load(&rows, case.slot, 5 << 20, PlacementKind::Aligned);
        let simulated = simulate::simulate_shares(&case, PlacementKind::Aligned, &shares).account;
        assert_eq!(simulated.flushes, manifest.sections.len() as f64);
        let longest = length(0).max(200) as f64;
        let off = (simulated.waste() - manifest.wasted() as f64).abs();
        assert!(off <= longest * simulated.flushes, "{off}");
        if lengths == RowLengths::Fixed(150) {
            assert_eq!(off, 0.0);
        }
        let packed = load(&rows, case.slot, 5 << 20, PlacementKind::Packed);
        let simulated = simulate::simulate_shares(&case, PlacementKind::Packed, &shares).account;
        assert_eq!(packed.wasted(), 0);
        assert!((simulated.split_rows - packed.split_rows as f64).abs() <= 8.0);
        let tight = load(&rows, case.slot, 5 << 20, PlacementKind::PackedRows);
        let ends = tight.reserved / (5 << 20);
        assert!(tight.wasted() <= ends * case.slot);
    }
}

#[test]
fn a_case_that_makes_no_sense_is_refused() {
    let good = Case::of_the_page();
    good.check().unwrap();
    for (case, what) in [
        (
            Case {
                workers: 0,
                ..good.clone()
            },
            "at least 1",
        ),
        (
            Case {
                rows: RowLengths::Fixed(1),
                ..good.clone()
            },
            "at least 2 bytes",
        ),
        (
            Case {
                rows: RowLengths::Uniform(9, 3),
                ..good.clone()
            },
            "shorter to the longer",
        ),
        (
            Case {
                slot: 100,
                ..good.clone()
            },
            "do not fit",
        ),
        (
            Case {
                bytes: u64::MAX,
                ..good.clone()
            },
            "too many",
        ),
        (
            Case {
                uneven: 1.5,
                ..good.clone()
            },
            "uneven",
        ),
    ] {
        assert!(
            case.check().unwrap_err().to_string().contains(what),
            "{case:?}"
        );
    }
}

#[test]
fn any_case_is_accounted_for() {
    for bytes in [1, 2, 149, 151, 1 << 20, 100_000_000_000_000, (1 << 60) - 1] {
        for workers in [1, 3, 4096] {
            for slot in [4096, 64 << 20] {
                let case = Case {
                    bytes,
                    workers,
                    slot,
                    ..Case::of_the_page()
                };
                case.check().unwrap();
                for placement in PlacementKind::ALL {
                    let account = simulate::simulate(&case, placement).account;
                    assert!(account.waste() >= 0.0 && account.flushes > 0.0);
                    let share = case.bytes as f64 / f64::from(workers);
                    let ends = if placement == PlacementKind::PackedRows {
                        8.0
                    } else {
                        0.0
                    };
                    let most = account.flushes * 150.0 + (f64::from(workers) + ends) * slot as f64;
                    assert!(account.waste() <= most, "{case:?} {account:?} {share}");
                }
            }
        }
    }
}
