use super::*;
use crate::conformance::{SimpleProbe, SortedBuild};
use crate::input::InputMode;
use crate::join::{BuildProbe, CacheSizes, Kernel};
use crate::memory::Memory;
use crate::oracle;
use crate::output::FixedSlice;
use crate::parallel::ThreadStart;
use crate::table::Column;

/// Keys with NULLs, and columns of 8, 2 and 16 bytes that tell the row.
fn side(rows: usize, step: i32) -> (Column, Column, Vec<u16>, Vec<u128>) {
    let keys = (0..rows).map(|row| (row % 11 != 3).then_some(row as i32 * step % 1000));
    let wide: Vec<i64> = (0..rows as i64).map(|row| row << 30).collect();
    (
        Column::from_options(keys),
        Column::from_i64(&wide),
        (0..rows).map(|row| row as u16).collect(),
        (0..rows).map(|row| (row as u128) << 90).collect(),
    )
}

fn columns<'a>(
    (_, wide, words, wider): &'a (Column, Column, Vec<u16>, Vec<u128>),
) -> Vec<RowColumn<'a>> {
    let slice = |slice: Option<FixedSlice<'a>>| {
        RowColumn::Fixed(FixedColumn::of_slices(vec![slice.unwrap()]).unwrap())
    };
    vec![
        RowColumn::new(wide).unwrap(),
        slice(FixedSlice::new(words)),
        slice(FixedSlice::new(wider)),
    ]
}

fn simple() -> impl DynJoin {
    BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SortedBuild,
        probe: SimpleProbe {
            kernel: Kernel::SCALAR,
        },
    }
}

#[test]
fn rows_are_those_of_a_late_join() {
    let (build, probe) = (side(2000, 7), side(5000, 3));
    let input = JoinInput::new(&build.0, &probe.0).unwrap();
    let mut expected: Vec<(u32, u32)> = oracle::sort_merge_pairs(&input)
        .iter()
        .map(|pair| (pair.build, pair.probe))
        .collect();
    expected.sort_unstable();
    let join = simple();
    for (threads, l2) in [(1, 1 << 30), (1, 1 << 12), (3, 1 << 14), (8, 1)] {
        let (memory, team) = (
            Memory::unlimited(),
            Team::new(threads, ThreadStart::Fresh).parallel_from(0),
        );
        let context = Context {
            caches: CacheSizes { l1: l2, l2 },
            ..Context::new(&team, &memory)
        };
        let made = join_early(&join, &input, &columns(&build), &columns(&probe), &context);
        let (_, rows) = made.unwrap();
        let Rows::Buffers(chunks) = rows else {
            panic!("pages in place of buffers");
        };
        let mut found = Vec::new();
        for chunk in &chunks {
            for at in 0..chunk.rows {
                let value = |column: usize| chunk.columns[column].get(at).unwrap();
                let row = |side: usize| {
                    let wide = i64::from_ne_bytes(value(3 * side).try_into().unwrap()) >> 30;
                    let word = u16::from_ne_bytes(value(3 * side + 1).try_into().unwrap());
                    let wider = u128::from_ne_bytes(value(3 * side + 2).try_into().unwrap()) >> 90;
                    assert_eq!((wide, wide as u128), (i64::from(word), wider));
                    wide as u32
                };
                found.push((row(0), row(1)));
            }
        }
        found.sort_unstable();
        assert!(found == expected, "{threads} threads, {l2} bytes of L2");
        drop(chunks);
        assert_eq!(memory.used(), 0);
    }
}

#[test]
fn what_does_not_travel_is_refused() {
    let sides = (side(20, 7), side(50, 3));
    let input = JoinInput::new(&sides.0.0, &sides.1.0).unwrap();
    let join = simple();
    let (memory, team) = (Memory::unlimited(), Team::single());
    let context = Context::new(&team, &memory);
    let strings = Column::from_strings(vec![Some("a"); 20]);
    let nulls = Column::from_options(vec![None::<i64>; 20]);
    for column in [&strings, &nulls] {
        let build = [RowColumn::new(column).unwrap()];
        let error = join_early(&join, &input, &build, &[], &context).err();
        assert_eq!(error, Some(JoinError::Rows(RowsError::NotEarly)));
    }
    let error = join_early(&join, &input, &columns(&sides.1), &[], &context).err();
    assert_eq!(error, Some(JoinError::Rows(RowsError::Rows(50, 20))));
    for limit in [0, 1 << 8, 1 << 10] {
        let memory = Memory::limited(limit);
        let context = Context {
            memory: &memory,
            ..context
        };
        let made = join_early(
            &join,
            &input,
            &columns(&sides.0),
            &columns(&sides.1),
            &context,
        );
        assert!(matches!(made, Err(JoinError::OutOfMemory(_))), "{limit}");
        assert_eq!(memory.used(), 0);
    }
}
