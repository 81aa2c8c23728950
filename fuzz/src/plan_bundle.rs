//! Arbitrary bytes as a plan bundle: `plan.json` and pages. What is accepted must be executed by both executors with the
//! oracle's answer or be refused for want of memory; what is not must be described in one line.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use join_core::directory::Sizing;
use join_core::memory::Memory;
use join_core::page::{DataType, Page};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Column, ColumnBuilder, ColumnMeta, TableMeta, Value};
use join_core::unchained::DefaultScheme;
use libfuzzer_sys::fuzz_target;
use plan_executor::{
    Bundle, Context, Executor, Join, Node, Operator, OperatorAtATime, Options, Output, PLAN_FILE,
    Pipelined, oracle, write_plan,
};
use serial_build::SerialBuild;

/// The files of pages, which all columns share.
const FILES: usize = 4;

/// What an execution may hold: enough for all that the oracle can take, too little for what would take long.
const MEMORY: usize = 8 << 20;

/// The folder of the bundle, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let folder = parent.join(format!("joinery-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for bundles");
    folder
});

static TEAM: LazyLock<Team> = LazyLock::new(|| Team::new(2, ThreadStart::Pool).parallel_from(0));

/// Bytes that are read one after the other; zeros when there are no more.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> usize {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(first)
    }

    /// A number below `limit`; once in 64, the limit itself, which is out of range.
    fn below(&mut self, limit: usize) -> usize {
        match self.next() {
            255 if self.next() < 64 => limit,
            byte => byte % limit.max(1),
        }
    }

    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (run, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        run
    }

    fn data_type(&mut self) -> DataType {
        DataType::ALL[self.next() % DataType::ALL.len()]
    }
}

/// A column of few different values, then bytes of its pages changed here and there.
fn pages(bytes: &mut Bytes<'_>) -> (DataType, Vec<Page>) {
    let data_type = bytes.data_type();
    let mut column = ColumnBuilder::new(data_type);
    let rows = match bytes.next() {
        255 => 2500,
        rows => rows % 48,
    };
    let (nulls, keys, length) = (bytes.next(), 1 + bytes.next() % 16, bytes.next());
    let drawn = bytes.take(rows.min(48));
    for row in 0..rows {
        let draw = drawn
            .get(row % drawn.len().max(1))
            .map_or(row, |&byte| usize::from(byte));
        let key = (draw % keys) as i32 - 2;
        let value = match data_type {
            _ if draw % 16 < nulls % 8 => Value::Null,
            DataType::Int32 => {
                Value::Int32(key.wrapping_mul(if length > 200 { 1 << 27 } else { 1 }))
            }
            DataType::Int64 => Value::Int64(i64::from(key) << (length % 63)),
            DataType::Fp64 => Value::Fp64(f64::from(key)),
            DataType::Varchar => {
                // Most are short, a few stand at the limit of a page, or go over it.
                let length = if length > 240 && row % 32 == 0 {
                    8176 + key.unsigned_abs() as usize * 4
                } else {
                    length % 40
                };
                Value::Varchar(vec![b'a' + key.unsigned_abs() as u8; length].into())
            }
        };
        column.push(&value).expect("a value of the column's type");
    }
    let mut pages = column.finish().pages().to_vec();
    let bytes_of_pages: &mut [u8] = bytemuck::cast_slice_mut(&mut pages);
    for _ in 0..bytes.next().saturating_sub(192) / 16 {
        let at = bytes.next() | bytes.next() << 8;
        let run = bytes.next() % 8;
        for (place, byte) in bytes_of_pages.iter_mut().skip(at).zip(bytes.take(run)) {
            *place = *byte;
        }
    }
    (data_type, pages)
}

/// A plan whose indexes are mostly in range, written with its pages.
fn write(bytes: &mut Bytes<'_>) {
    let files: Vec<_> = (0..FILES).map(|_| pages(bytes)).collect();
    for (number, (_, pages)) in files.iter().enumerate() {
        let path = FOLDER.join(format!("{number}.pages"));
        fs::write(path, bytemuck::cast_slice(pages)).expect("pages can be written");
    }
    let rows: Vec<Option<u64>> = files
        .iter()
        .map(|(data_type, pages)| {
            Some(
                Column::from_pages(*data_type, pages.clone())
                    .ok()?
                    .row_count(),
            )
        })
        .collect();
    let tables: Vec<(TableMeta, Vec<DataType>)> = (0..1 + bytes.next() % 3)
        .map(|number| {
            // The columns of a table have as many rows: one file again and again, unless a byte says otherwise.
            let first = bytes.next() % FILES;
            let columns = (0..bytes.next() % 4).map(|column| {
                let file = match bytes.next() {
                    byte @ 224.. => byte % FILES,
                    _ => first,
                };
                let (data_type, pages) = &files[file];
                ColumnMeta {
                    name: format!("{column}"),
                    data_type: *data_type,
                    file: format!("{file}.pages"),
                    pages: (pages.len() + bytes.next() / 250) as u64,
                }
            });
            let columns: Vec<_> = columns.collect();
            let types = columns.iter().map(|column| column.data_type).collect();
            let num_rows = rows[first].unwrap_or(7) + bytes.next() as u64 / 250;
            let name = format!("t{number}");
            (
                TableMeta {
                    name,
                    num_rows,
                    columns,
                },
                types,
            )
        })
        .collect();
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for _ in 0..1 + bytes.next() % 9 {
        let types = |node: usize, nodes: &[Node]| -> Vec<DataType> {
            let node = nodes.get(node);
            node.map_or(Vec::new(), |node| {
                node.output.iter().map(|o| o.data_type).collect()
            })
        };
        let (operator, available) = if open.len() >= 2 && bytes.next() % 2 == 0 {
            let (right, left) = (open.pop().unwrap_or(0), open.pop().unwrap_or(0));
            let (mut ours, theirs) = (types(left, &nodes), types(right, &nodes));
            let join = Join {
                build_left: bytes.next() % 2 == 0,
                left: if bytes.next() == 255 {
                    bytes.next()
                } else {
                    left
                },
                right,
                left_attr: bytes.below(ours.len()),
                right_attr: bytes.below(theirs.len()),
            };
            ours.extend(theirs);
            (Operator::Join(join), ours)
        } else {
            let table = bytes.below(tables.len());
            let types = tables
                .get(table)
                .map_or(Vec::new(), |(_, types)| types.clone());
            (Operator::Scan(table), types)
        };
        let output = (0..bytes.next() % 5).map(|_| {
            let index = bytes.below(available.len());
            let data_type = match bytes.next() {
                255 => DataType::Int32,
                _ => available.get(index).copied().unwrap_or(DataType::Int64),
            };
            Output { index, data_type }
        });
        let output = output.collect();
        open.push(nodes.len());
        nodes.push(Node { operator, output });
    }
    let root = match bytes.next() {
        250.. => bytes.next(),
        _ => nodes.len() - 1,
    };
    let inputs = tables.into_iter().map(|(table, _)| table).collect();
    write_plan(&FOLDER, "fuzz", &nodes, root, inputs).expect("a plan can be written");
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    if input.first() == Some(&b'{') {
        // The text itself, up to a zero, then the pages.
        let end = input
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(input.len());
        let text = bytes.take(end);
        bytes.next();
        write(&mut bytes);
        fs::write(FOLDER.join(PLAN_FILE), text).expect("a plan can be written");
    } else {
        write(&mut bytes);
    }
    let bundle = match Bundle::open(&FOLDER) {
        Ok(bundle) => bundle,
        Err(error) => return assert!(!error.to_string().contains('\n'), "{error}"),
    };
    let build = SerialBuild::<DefaultScheme>::new(Sizing::default());
    // What bytes are left leaves techniques out.
    let options = Options::NAMES
        .iter()
        .filter(|_| bytes.next() % 4 == 1)
        .fold(Options::default(), |options, (name, _)| {
            options.without(name).expect("a technique")
        });
    let executors: [&dyn Executor; 2] = [
        &OperatorAtATime::new(Box::new(build), "serial"),
        &Pipelined::new(options),
    ];
    let mut answers = Vec::new();
    for executor in executors {
        let memory = Memory::limited(MEMORY);
        let team = &TEAM;
        match executor.execute(
            &bundle,
            &Context {
                team,
                memory: &memory,
            },
        ) {
            Ok(execution) => answers.push((execution.result.rows(), execution.result.checksum())),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
        assert_eq!(memory.used(), 0, "memory is given back");
    }
    // What one of them could do in that memory, the oracle can, too.
    if let [first, second] = answers[..] {
        let rows = oracle::execute(&bundle);
        let expected = (rows.len() as u64, oracle::checksum(&rows));
        assert_eq!((first, second), (expected, expected), "{:?}", bundle.plan());
    }
});
