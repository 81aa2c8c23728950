//! Expectations in closed form.

use super::{Account, Case, RowLengths};
use crate::placement::PlacementKind;

/// What is to be expected of a placement.
///
/// With equal shares the last buffers follow from the others: with rows of one length they are exact. With uneven
/// shares a worker's last buffer is filled anywhere, half a slot on average.
pub fn expect(case: &Case, placement: PlacementKind) -> Account {
    match placement {
        PlacementKind::Packed => packed(case),
        PlacementKind::Aligned => aligned(case),
        PlacementKind::PackedRows => packed_rows(case),
    }
}

fn share(case: &Case) -> f64 {
    case.bytes as f64 / f64::from(case.workers)
}

/// Cut after every full slot. A cut splits a row unless it falls between two.
fn packed(case: &Case) -> Account {
    let workers = f64::from(case.workers);
    let boundaries = (share(case) / case.slot as f64).ceil() - 1.0;
    let splitting = match case.rows {
        RowLengths::Fixed(bytes) => splitting(case.slot, bytes),
        rows => 1.0 - 1.0 / rows.mean(),
    };
    Account {
        flushes: workers * (boundaries + 1.0),
        split_rows: workers * boundaries * splitting,
        ..Account::default()
    }
}

/// A middle flush leaves part of a row, the last one what is left of its slot.
fn aligned(case: &Case) -> Account {
    let (workers, share, slot) = (f64::from(case.workers), share(case), case.slot as f64);
    let leftover = case.rows.mean_leftover(case.slot);
    let flush = slot - leftover;
    if share * case.uneven > slot {
        let flushes = share / flush + 0.5;
        return Account {
            flushes: workers * flushes,
            middle_waste: workers * (flushes - 1.0) * leftover,
            last_waste: workers * slot / 2.0,
            ..Account::default()
        };
    }
    let flushes = (share / flush).ceil();
    let middle = (flushes - 1.0) * leftover;
    Account {
        flushes: workers * flushes,
        middle_waste: workers * middle,
        last_waste: workers * (flushes * slot - share - middle),
        ..Account::default()
    }
}

/// Flushes as `aligned` has them, back to back. The one that would go over the end of a chunk leaves on average half
/// of itself there.
fn packed_rows(case: &Case) -> Account {
    let aligned = aligned(case);
    let flush = case.bytes as f64 / aligned.flushes;
    Account {
        flushes: aligned.flushes,
        chunk_end_waste: f64::from(case.chunks - 1) * flush / 2.0,
        ..Account::default()
    }
}

/// The share of the cuts, one after every slot, that do not fall between two rows of this length.
pub(super) fn splitting(slot: u64, row: u64) -> f64 {
    1.0 - gcd(slot, row) as f64 / row as f64
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
