//! The array under the conformance suite, and which keys it takes.

use array_build::ArrayBuild;
use join_core::conformance::check_build;
use join_core::directory::Sizing;
use join_core::join::{Build, Context, JoinInput, Phases};
use join_core::memory::Memory;
use join_core::parallel::{Team, ThreadStart};
use join_core::table::Column;
use join_core::unchained::DefaultScheme;
use serial_build::SerialBuild;

fn build() -> ArrayBuild<SerialBuild<DefaultScheme>> {
    ArrayBuild {
        otherwise: SerialBuild::new(Sizing::default()),
    }
}

#[test]
fn it_conforms() {
    check_build(&build());
}

/// Whether these keys become an array.
fn is_array(column: &Column) -> bool {
    let team = Team::new(3, ThreadStart::Pool).parallel_from(0);
    let memory = Memory::unlimited();
    let context = Context::new(&team, &memory);
    let mut phases = Phases::start();
    match JoinInput::new(column, column).unwrap() {
        JoinInput::Int32(keys, _) => drop(build().build(&keys, &context, &mut phases).unwrap()),
        JoinInput::Int64(keys, _) => drop(build().build(&keys, &context, &mut phases).unwrap()),
    }
    let names: Vec<_> = phases.list().iter().map(|phase| phase.name).collect();
    names == ["range", "allocate", "scatter", "check"]
}

#[test]
fn dense_and_distinct_keys_become_an_array() {
    for (keys, wanted) in [
        ((0..100_000).rev().collect::<Vec<_>>(), true),
        (vec![7], true),
        // Four places a key, and one key wider.
        ((0..100_000).map(|row| row * 4 - 2000).collect(), true),
        ((0..100_000).map(|row| row * 5).collect(), false),
        // 32 places a key, and one key wider; half of L2, and more.
        ((0..1000).map(|row| row * 32 - 2000).collect(), true),
        ((0..1000).map(|row| row * 33).collect(), false),
        ((0..4096).map(|row| row * 32).collect(), true),
        ((0..5000).map(|row| row * 32).collect(), false),
        (vec![i32::MIN, i32::MIN + 63], true),
        (vec![i32::MIN, i32::MIN + 64], false),
        (vec![i32::MIN, i32::MAX], false),
        (vec![i32::MAX - 63, i32::MAX], true),
        // One key of many twice, far apart.
        ((0..100_000).map(|row| row % 99_999).collect(), false),
    ] {
        let named = format!("{} keys from {}", keys.len(), keys[0]);
        assert_eq!(is_array(&Column::from_i32(&keys)), wanted, "{named}");
        let wide: Vec<i64> = keys.iter().map(|&key| i64::from(key)).collect();
        assert_eq!(is_array(&Column::from_i64(&wide)), wanted, "INT64, {named}");
    }
    for (keys, wanted) in [
        ([i64::MIN, i64::MAX], false),
        ([i64::MIN, i64::MIN + 1], true),
        ([i64::MAX, i64::MAX - 7], true),
        ([-1, 1 << 62], false),
    ] {
        assert_eq!(is_array(&Column::from_i64(&keys)), wanted, "{keys:?}");
    }
}
