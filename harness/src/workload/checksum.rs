//! What tells the data of one workload from that of another of the same name.

use join_core::checksum::RowHasher;
use join_core::table::{Column, Value};

use crate::question::Less;
use report::record::Checksum;

/// Of the keys of both sides in the order of their rows, NULLs included, and of the values that a condition compares. Other
/// pages with the same keys have the same.
pub fn keys_checksum(columns: &[(Column, Column)], condition: Option<&Less>) -> Checksum {
    let mut hasher = RowHasher::new();
    for (build, probe) in columns {
        for column in [build, probe] {
            // So that no row can pass from one side to the other unseen.
            hasher.int(column.row_count() as i64);
            column.values().for_each(|value| match value {
                Value::Int32(key) => hasher.int(i64::from(key as u32)),
                value => hasher.value(&value),
            });
        }
    }
    let values = condition.map(|less| less.build.iter().chain(&*less.probe));
    for &value in values.into_iter().flatten() {
        hasher.int(value.into());
    }
    Checksum(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(build: &[Option<i32>], probe: &[Option<i32>]) -> Checksum {
        let [build, probe] = [build, probe].map(|rows| Column::from_options(rows.iter().copied()));
        keys_checksum(&[(build, probe)], None)
    }

    #[test]
    fn any_other_key_order_null_or_side_is_told() {
        let rows = [Some(1), None, Some(3), Some(0)];
        let probe = [Some(7)];
        let all = [
            of(&rows, &probe),
            of(&[Some(3), None, Some(1), Some(0)], &probe),
            of(&[Some(1), Some(3), None, Some(0)], &probe),
            of(&[Some(1), Some(0), Some(3), Some(0)], &probe),
            of(&[Some(1), None, Some(3), None], &probe),
            of(&rows[..3], &[Some(0), Some(7)]),
            of(&probe, &rows),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
        assert_eq!(of(&rows, &probe), all[0]);
    }
}
