//! What an execution counts against its memory limit is what it takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use join_core::conformance::SortedBuild;
use join_core::memory::Memory;
use join_core::page::DataType;
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Column, NamedColumn, Table};
use plan_executor::{
    Bundle, Context, ExecuteError, Executor, Join, Node, Operator, OperatorAtATime, Options,
    Output, Pipelined,
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

/// What an execution takes, and what it counts.
struct Taken {
    rows: Result<u64, ExecuteError>,
    bytes: usize,
    counted: usize,
}

/// Executes a bundle in memory of this size.
fn taken(executor: &dyn Executor, bundle: &Bundle, team: &Team, limit: usize) -> Taken {
    let memory = Memory::limited(limit);
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let context = Context {
        team,
        memory: &memory,
    };
    let execution = executor.execute(bundle, &context);
    Taken {
        rows: execution.map(|execution| execution.result.rows()),
        bytes: PEAK.load(Ordering::Relaxed) - before,
        counted: memory.peak(),
    }
}

/// One test, because the allocator counts for all that run at a time.
#[test]
fn memory_is_counted() {
    what_is_counted_is_what_is_taken();
    memory_grows_with_the_joins_as_their_number_does();
}

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
                let taken = taken(&**executor, &bundle, team, usize::MAX);
                assert!(taken.rows.unwrap() > u64::from(rows.unsigned_abs()));
                let Taken { bytes, counted, .. } = taken;
                // The build of the tests does not count itself.
                let percent = if *name == "operators" { 160 } else { 108 };
                assert!(
                    bytes <= counted / 100 * percent,
                    "{name}, {rows} rows, {} threads: {bytes} bytes taken, {counted} counted",
                    team.threads()
                );
            }
        }
    }
}

/// A left-deep plan of so many joins over a table of 20 rows. `key` says which of an input's columns the next one is joined
/// with: the same one, so that all are of one class, or the other, so that each join has a class of its own. The result has a
/// column of each input.
fn chain(joins: usize, key: usize) -> Bundle {
    let keys: Vec<i32> = (0..20).collect();
    let column = |name| NamedColumn::new(name, Column::from_i32(&keys));
    let table = Table::new("t", vec![column("key"), column("other")]).unwrap();
    let output = |index| Output {
        index,
        data_type: DataType::Int32,
    };
    let scan = Node {
        operator: Operator::Scan(0),
        output: vec![output(0), output(1)],
    };
    let mut nodes = vec![scan.clone()];
    let mut root = 0;
    for join in 1..=joins {
        nodes.push(scan.clone());
        // A column of each input so far, then the last one's two, then the new one's two.
        let columns = join - 1;
        let passed_on = (0..columns).chain([columns, columns + 2, columns + 3]);
        nodes.push(Node {
            operator: Operator::Join(Join {
                build_left: true,
                left: root,
                right: nodes.len() - 1,
                left_attr: columns + key,
                right_attr: 0,
            }),
            output: passed_on.map(output).collect(),
        });
        root = nodes.len() - 1;
    }
    Bundle::new("chain", nodes, root, vec![table]).unwrap()
}

fn memory_grows_with_the_joins_as_their_number_does() {
    /// Bytes that are not counted: the graph, telemetry, and where the pages of columns begin.
    const PER_JOIN: usize = 4096;
    let pipelined = Pipelined::new(Options::default());
    let team = Team::single();
    for key in [0, 1] {
        let mut bytes = Vec::new();
        for joins in [1000, 2000] {
            let bundle = chain(joins, key);
            for limit in [usize::MAX, 8 << 20, 1 << 20] {
                let taken = taken(&pipelined, &bundle, &team, limit);
                assert_eq!(taken.rows.ok(), (limit == usize::MAX).then_some(20));
                assert!(
                    taken.bytes <= taken.counted + PER_JOIN * joins,
                    "{joins} joins in {limit} bytes: {} bytes taken, {} counted",
                    taken.bytes,
                    taken.counted
                );
                if limit == usize::MAX {
                    bytes.push(taken.counted);
                }
            }
        }
        assert!(bytes[1] <= 2 * bytes[0] + bytes[0] / 4, "{bytes:?}");
    }
}
