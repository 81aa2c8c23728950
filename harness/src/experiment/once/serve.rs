//! The process that executes plans, each once: reads lines from standard input and answers each, until there are no more.

use std::io;
use std::time::Instant;

use plan_executor::Bundle;
use serde_json::Value;

use super::protocol::{Open, Opened, Request};
use crate::experiment::executor::Equipped;
use crate::experiment::lines::{self, json};
use crate::experiment::plans;
use crate::machine::counters::Counters;
use crate::machine::system::Watch;

/// The verb that starts the process.
pub const VERB: &str = "__once";

/// Answers until standard input ends.
///
/// # Errors
/// Standard input or output fails.
pub fn serve() -> io::Result<()> {
    let mut process = Process {
        // Before there are threads: those that start later are counted, too.
        counters: Counters::open(),
        watch: Watch::own(),
        ready: None,
    };
    lines::answer(|line| process.answer(line))
}

/// What answers.
struct Process {
    counters: Counters,
    watch: Watch,
    /// The executor and the bundles.
    ready: Option<(Equipped, Vec<Bundle>)>,
}

impl Process {
    fn answer(&mut self, line: &str) -> Result<Value, String> {
        match lines::request(line)? {
            Request::Open(open) => self.open(&open).map(|opened| json(&opened)),
            Request::Execute(bundle) => self.execute(bundle),
        }
    }

    fn open(&mut self, open: &Open) -> Result<Opened, String> {
        let start = Instant::now();
        let executor = Equipped::new(&open.executor, &open.equipment)?;
        let threads = executor.threads;
        // The one waits for the disk, the other for the kernel.
        let (bundles, touched) = std::thread::scope(|scope| {
            let touching = scope.spawn(|| executor.reserve());
            let bundles = open.bundles.iter().map(|folder| Bundle::open(folder));
            let bundles: Result<Vec<_>, _> = bundles.collect();
            (bundles, touching.join().unwrap_or(0))
        });
        let bundles = bundles.map_err(|error| error.to_string())?;
        self.ready = Some((executor, bundles));
        Ok(Opened {
            seconds: start.elapsed().as_secs_f64(),
            threads,
            touched_bytes: touched as u64,
        })
    }

    fn execute(&mut self, bundle: usize) -> Result<Value, String> {
        let (executor, bundles) = self.ready.as_ref().ok_or("nothing was opened")?;
        let bundle = bundles.get(bundle).ok_or_else(|| {
            let bundles = bundles.len();
            format!("there is no bundle {bundle} among {bundles}")
        })?;
        let (watch, counters) = (&mut self.watch, &mut self.counters);
        let executed = plans::execute(executor, bundle, watch, Some(counters));
        let (measured, _) = executed.map_err(|failed| failed.to_string())?;
        Ok(json(&measured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Measured;
    use crate::experiment::executor::Equipment;
    use join_core::page::DataType;
    use join_core::table::{Column, NamedColumn, Table};
    use plan_executor::{Node, Operator, Output};

    #[test]
    fn each_line_is_answered_and_nonsense_with_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let column = NamedColumn::new("id", Column::from_i32(&[1, 2, 3]));
        let node = Node {
            operator: Operator::Scan(0),
            output: vec![Output {
                index: 0,
                data_type: DataType::Int32,
            }],
        };
        let table = Table::new("t", vec![column]).unwrap();
        let bundle = Bundle::new("b", vec![node], 0, vec![table]).unwrap();
        bundle.write(&folder.path().join("b")).unwrap();
        let mut process = Process {
            counters: Counters::open(),
            watch: Watch::own(),
            ready: None,
        };
        let execute = json(&Request::Execute(0)).to_string();
        assert!(process.answer(&execute).unwrap_err().contains("opened"));
        let mut open = Open {
            executor: "pipelined".to_owned(),
            equipment: Equipment {
                threads: Some(2),
                ..Equipment::default()
            },
            bundles: vec![folder.path().join("b")],
        };
        let opened = process.open(&open).unwrap();
        assert_eq!(opened.threads, 2);
        let measured: Measured = serde_json::from_value(process.answer(&execute).unwrap()).unwrap();
        assert_eq!(measured.answer.rows, 3);
        assert!(measured.system.is_some() && measured.counters.contains_key("page_faults"));
        for nonsense in ["", "{}", "{\"execute\":1}", "{\"open\":{}}", "[]"] {
            assert!(process.answer(nonsense).is_err(), "{nonsense}");
        }
        open.executor = "none".to_owned();
        let open = json(&Request::Open(open)).to_string();
        assert!(process.answer(&open).unwrap_err().contains("none"));
    }
}
