//! What an execution counts against its memory limit is what it takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use join_core::conformance::SortedBuild;
use join_core::memory::Memory;
use join_core::page::DataType;
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Column, NamedColumn, Table};
use plan_executor::{
    Bundle, Context, Executor, Join, Node, Operator, OperatorAtATime, Options, Output, Pipelined,
};

/// The system's allocator, which counts.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's conditions are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's conditions are the same.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two tables whose keys join in pairs, and a third that hangs on the second.
fn bundle(rows: i32, spread: i32) -> Bundle {
    let table = |name: &str, keys: Vec<i32>| {
        let others = keys.iter().map(|key| key / 2).collect::<Vec<_>>();
        let columns = vec![
            NamedColumn::new("key", Column::from_i32(&keys)),
            NamedColumn::new("other", Column::from_i32(&others)),
            NamedColumn::new(
                "text",
                Column::from_strings(keys.iter().map(|key| Some(format!("row {key}")))),
            ),
        ];
        Table::new(name, columns).unwrap()
    };
    let keys = |shift: i32| {
        (0..rows)
            .map(|row| ((row + shift) % rows / 2).wrapping_mul(spread))
            .collect()
    };
    let types = [DataType::Int32, DataType::Int32, DataType::Varchar];
    let scan = |table| Node {
        operator: Operator::Scan(table),
        output: (0..3)
            .map(|index| Output {
                index,
                data_type: types[index],
            })
            .collect(),
    };
    let join = |left, right, left_attr, right_attr, output: &[usize]| Node {
        operator: Operator::Join(Join {
            build_left: true,
            left,
            right,
            left_attr,
            right_attr,
        }),
        output: output
            .iter()
            .map(|&index| Output {
                index,
                data_type: types[index % 3],
            })
            .collect(),
    };
    let nodes = vec![
        scan(0),
        scan(1),
        join(0, 1, 0, 0, &[0, 1, 5]),
        scan(2),
        join(2, 3, 0, 0, &[1, 2, 5]),
    ];
    let tables = vec![
        table("a", keys(0)),
        table("b", keys(7)),
        table("c", keys(91)),
    ];
    Bundle::new("b", nodes, 4, tables).unwrap()
}

#[test]
fn what_is_counted_is_what_is_taken() {
    let options = Options::default();
    let executors: [(&str, Box<dyn Executor>); 4] = [
        ("pipelined", Box::new(Pipelined::new(options))),
        (
            "hashed",
            Box::new(Pipelined::new(options.without("direct").unwrap())),
        ),
        (
            "unfiltered",
            Box::new(Pipelined::new(options.without("filters").unwrap())),
        ),
        (
            "operators",
            Box::new(OperatorAtATime::new(Box::new(SortedBuild), "sorted")),
        ),
    ];
    let teams = [Team::single(), Team::new(2, ThreadStart::Pool)];
    for (rows, spread) in [(40_000, 1), (60_000, 30_011)] {
        let bundle = bundle(rows, spread);
        for (name, executor) in &executors {
            for team in &teams {
                let memory = Memory::unlimited();
                let before = HELD.load(Ordering::Relaxed);
                PEAK.store(before, Ordering::Relaxed);
                let execution = executor
                    .execute(
                        &bundle,
                        &Context {
                            team,
                            memory: &memory,
                        },
                    )
                    .unwrap();
                let taken = PEAK.load(Ordering::Relaxed) - before;
                assert!(execution.result.rows() > u64::from(rows.unsigned_abs()));
                let counted = memory.peak();
                // The build of the tests does not count itself.
                let percent = if *name == "operators" { 140 } else { 108 };
                assert!(
                    taken <= counted / 100 * percent,
                    "{name}, {rows} rows, {} threads: {taken} bytes taken, {counted} counted",
                    team.threads()
                );
            }
        }
    }
}
