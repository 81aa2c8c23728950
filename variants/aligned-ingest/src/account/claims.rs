//! The figures of the page that the placements come from (`docs/background.md`, "The chunk loader"), beside the right ones.
//!
//! The page describes 40 GB from 16 workers in 8 chunks of 5 GB with slots of 64 MB, takes 11 MB of every slot as
//! unused in the worst case, and concludes that 2.15 % of the space is wasted.

use super::{Account, Case, count, formula, simulate};
use crate::placement::PlacementKind;

/// What the page takes as unused of a slot in the worst case: 11 MB of 64.
pub const UNUSED_OF_A_SLOT: f64 = 11.0 / 64.0;

/// A statement of the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What is stated.
    pub what: &'static str,
    /// The page's figure.
    pub claimed: String,
    /// The right one.
    pub right: String,
    /// Whether the page's figure is right.
    pub holds: bool,
    /// Why, or why not.
    pub why: String,
}

/// Boundaries (slots' worth of rows) per worker and per chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundaries {
    /// In a chunk, per worker.
    pub per_worker: f64,
    /// In a chunk.
    pub per_chunk: f64,
}

/// Boundaries with a chunk of `chunk` and slots of `slot`, in the same unit.
pub fn boundaries(chunk: f64, workers: u32, slot: f64) -> Boundaries {
    let per_worker = chunk / f64::from(workers) / slot;
    Boundaries {
        per_worker,
        per_chunk: per_worker * f64::from(workers),
    }
}

/// The page's worst case: every flush leaves 11/64 of its slot. Bytes of one chunk, and that chunk.
pub fn worst_case_of_a_chunk(case: &Case) -> (f64, f64) {
    let chunk = case.chunk_bytes() as f64;
    let flushes = boundaries(chunk, case.workers, case.slot as f64)
        .per_worker
        .ceil();
    let unused = case.slot as f64 * UNUSED_OF_A_SLOT;
    (f64::from(case.workers) * flushes * unused, chunk)
}

/// What last buffers leave when every chunk is a load of its own, with all workers.
pub fn chunk_by_chunk(case: &Case) -> Account {
    let one = Case {
        bytes: case.chunk_bytes(),
        chunks: 1,
        ..case.clone()
    };
    let one = simulate::simulate(&one, PlacementKind::Aligned).account;
    let chunks = f64::from(case.chunks);
    Account {
        flushes: one.flushes * chunks,
        split_rows: 0.0,
        middle_waste: one.middle_waste * chunks,
        last_waste: one.last_waste * chunks,
        chunk_end_waste: 0.0,
    }
}

/// The page's statements about a case.
pub fn claims(case: &Case) -> Vec<Claim> {
    vec![
        whole_rows(case),
        units(case),
        waste(case),
        what_decides(case),
    ]
}

fn whole_rows(case: &Case) -> Claim {
    let packed = simulate::simulate(case, PlacementKind::Packed).account;
    let cuts = packed.flushes - f64::from(case.workers);
    let overrun = case.rows.mean_leftover_after_a_full_slot();
    Claim {
        what: "a fixed advance of the cursor keeps rows whole",
        claimed: "0 rows split".into(),
        right: format!("{} rows split, or slots overrun", count(packed.split_rows)),
        holds: packed.split_rows == 0.0,
        why: format!(
            "a buffer cut at exactly the slot splits a row at {} of {} cuts; one that is flushed when it is at least \
             that long overruns its slot by up to a row, {:.0} B on average. The cut has to be at a row boundary, which \
             means reading the COPY framing",
            count(packed.split_rows),
            count(cuts),
            overrun
        ),
    }
}

fn units(case: &Case) -> Claim {
    let slot = case.slot as f64;
    let binary = boundaries(case.chunk_bytes() as f64, case.workers, slot);
    // 40 GiB read as 40 GB: the same digits, less in them.
    let decimal_chunk = case.chunk_bytes() as f64 / 1024f64.powi(3) * 1000.0;
    let same_digits = boundaries(decimal_chunk, case.workers, slot / 1024f64.powi(2));
    let truly_decimal = boundaries(decimal_chunk * 1e6, case.workers, slot);
    Claim {
        what: "boundaries in a chunk",
        claimed: format!(
            "{:.2} per worker, {:.0} in all",
            same_digits.per_worker,
            same_digits.per_chunk.floor()
        ),
        right: format!(
            "{:.2} per worker, {:.0} in all",
            binary.per_worker, binary.per_chunk
        ),
        holds: (same_digits.per_chunk - binary.per_chunk).abs() < 0.5,
        why: format!(
            "the page divides decimal megabytes by binary ones. With a chunk of {:.0} MiB it is {:.2} per worker; \
             with one of {:.0} MB and the slot as it is, {:.2} per worker and {:.1} in all",
            case.chunk_bytes() as f64 / 1024f64.powi(2),
            binary.per_worker,
            decimal_chunk,
            truly_decimal.per_worker,
            truly_decimal.per_chunk
        ),
    }
}

fn waste(case: &Case) -> Claim {
    let (wasted, chunk) = worst_case_of_a_chunk(case);
    let mib = 1024f64 * 1024.0;
    let chunks = f64::from(case.chunks);
    Claim {
        what: "space wasted in the worst case",
        claimed: format!(
            "{:.0} MB, {:.2} % of the table",
            wasted / mib,
            wasted / case.bytes as f64 * 100.0
        ),
        right: format!(
            "{:.0} MB of one chunk, {:.1} % of it",
            wasted / mib,
            wasted / chunk * 100.0
        ),
        holds: case.chunks == 1,
        why: format!(
            "the bytes are those of one chunk of {:.0} MB and are divided by all {}; in all chunks they are {:.0} MB, \
             {:.1} % of the table. And a flush that is cut at a row boundary does not waste {:.0} MB but less than a row",
            chunk / mib,
            case.chunks,
            wasted * chunks / mib,
            wasted / chunk * 100.0,
            case.slot as f64 * UNUSED_OF_A_SLOT / mib
        ),
    }
}

fn what_decides(case: &Case) -> Claim {
    let aligned = simulate::simulate(case, PlacementKind::Aligned).account;
    let apart = chunk_by_chunk(case);
    let anywhere = formula::expect(
        &Case {
            uneven: 0.99,
            ..case.clone()
        },
        PlacementKind::Aligned,
    );
    let share = |bytes: f64| format!("{:.3} %", bytes / case.bytes as f64 * 100.0);
    Claim {
        what: "what decides the waste",
        claimed: "every flush alike".into(),
        right: format!(
            "last buffers {}, middle flushes {}",
            share(aligned.last_waste),
            share(aligned.middle_waste)
        ),
        holds: aligned.last_waste <= aligned.middle_waste,
        why: format!(
            "each worker's last buffer is filled anywhere between a row and a slot: half a slot on average ({} in all), \
             nearly all of one where equal shares are just over whole slots. If every chunk were a load of its own with \
             {} last buffers, it would be {}",
            share(anywhere.last_waste),
            case.workers,
            share(apart.last_waste)
        ),
    }
}
