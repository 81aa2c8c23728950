//! What tells the data of one workload from that of another of the same name.

use join_core::checksum::RowHasher;
use join_core::input::KeyColumn;
use join_core::join::JoinInput;
use join_core::key::Key;

use report::record::Checksum;

/// Of the keys of both sides in the order of their rows, NULLs included. Other pages with the same keys have the same.
pub fn keys_checksum(input: &JoinInput<'_>) -> Checksum {
    let mut hasher = RowHasher::new();
    match input {
        JoinInput::Int32(build, probe) => add(&mut hasher, build, probe),
        JoinInput::Int64(build, probe) => add(&mut hasher, build, probe),
    }
    Checksum(hasher.finish())
}

fn add<K: Key>(hasher: &mut RowHasher, build: &KeyColumn<'_, K>, probe: &KeyColumn<'_, K>) {
    for column in [build, probe] {
        // So that no row can pass from one side to the other unseen.
        hasher.int(column.len() as i64);
        for page in column.pages() {
            let mut keys = page.fixed::<K>().iter();
            if !page.has_nulls() {
                keys.for_each(|key| hasher.int(key.bits() as i64));
                continue;
            }
            for valid in page.validity().iter() {
                match valid.then(|| keys.next()).flatten() {
                    Some(key) => hasher.int(key.bits() as i64),
                    None => hasher.null(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::table::Column;

    fn of(build: &[Option<i32>], probe: &[Option<i32>]) -> Checksum {
        let [build, probe] = [build, probe].map(|rows| Column::from_options(rows.iter().copied()));
        keys_checksum(&JoinInput::new(&build, &probe).unwrap())
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
