//! A build as a duel sees it: reads lines from standard input and answers each, until there are no more.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};

use join_core::join::JoinInput;
use join_core::key::Key;
use join_core::table::{Column, one_line};
use serde::Serialize;
use serde_json::Value;

use super::protocol::{Consumer, Hello, Loaded, PROTOCOL, Refused, Request, Wanted};
use crate::experiment::joins::Joins;
use crate::experiment::{Cell, Cells, Work};
use crate::peers::{Joined, Side as Keys};
use registry::{Variant, variants};
use report::record::Environment;
use std::sync::atomic::AtomicBool;

/// Answers until standard input ends.
///
/// # Errors
/// Standard input or output fails.
pub fn serve(environment: &Environment) -> io::Result<()> {
    // A duel that is interrupted ends its processes itself.
    let never = AtomicBool::new(false);
    let mut build = Build {
        environment,
        variants: variants(),
        joins: Joins::new(environment, &never),
        cells: Vec::new(),
        data: None,
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = build.answer(&line?).unwrap_or_else(|error| {
            let error = one_line(&error).into_owned();
            json(&Refused { error })
        });
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// What answers.
struct Build<'a> {
    environment: &'a Environment,
    variants: Vec<Variant>,
    joins: Joins<'a>,
    /// Those that were asked for already.
    cells: Vec<Cell>,
    /// Build side and probe side.
    data: Option<(Column, Column)>,
}

impl Build<'_> {
    fn answer(&mut self, line: &str) -> Result<Value, String> {
        let request: Request = serde_json::from_str(line)
            .map_err(|error| format!("cannot read the request: {error}"))?;
        match request {
            Request::Hello(_) => Ok(json(&self.hello())),
            Request::Load { build, probe, .. } => self.load(&build, &probe),
            Request::Join(wanted) => self.join(&wanted).map(|joined| json(&joined)),
        }
    }

    fn hello(&self) -> Hello {
        let environment = self.environment.clone();
        Hello {
            protocol: PROTOCOL,
            optimised: environment.optimised,
            commit: environment.commit,
            dirty: environment.dirty,
            profile: environment.profile,
            rustc: environment.rustc,
            variants: self.variants.iter().map(|v| v.name.clone()).collect(),
        }
    }

    fn load(&mut self, build: &Keys, probe: &Keys) -> Result<Value, String> {
        // Before there are others: there may be no room for both.
        self.data = None;
        self.data = Some((column(build)?, column(probe)?));
        self.joins.see_memory();
        Ok(json(&Loaded { loaded: true }))
    }

    fn join(&mut self, wanted: &Wanted) -> Result<Joined, String> {
        let is_wanted = |cell: &Cell| {
            let name = &cell.contender.name;
            (&name.variant, name.threads) == (&wanted.variant, wanted.threads)
        };
        let at = match self.cells.iter().position(is_wanted) {
            Some(at) => at,
            None => {
                self.cells.push(self.cell(wanted)?);
                self.cells.len() - 1
            }
        };
        let (build, probe) = self.data.as_ref().ok_or("nothing was loaded")?;
        let input = JoinInput::new(build, probe).map_err(|error| error.to_string())?;
        let Work::Join {
            configuration,
            join,
        } = &self.cells[at].work
        else {
            unreachable!("a variant is no peer");
        };
        let pairs = wanted.consumer == Consumer::Pairs;
        let measured = self
            .joins
            .join(configuration, &**join, wanted.threads, &input, pairs)
            .map_err(|failed| failed.to_string())?;
        Ok(Joined {
            seconds: measured.seconds,
            rows: measured.answer.rows,
            sum_build: measured.answer.sum_build,
            sum_probe: measured.answer.sum_probe,
            phases: Vec::new(),
            system: None,
        })
    }

    fn cell(&self, wanted: &Wanted) -> Result<Cell, String> {
        let mut known = self.variants.iter();
        let variant = known.find(|variant| variant.name == wanted.variant);
        let variant = variant.ok_or_else(|| format!("there is no variant {}", wanted.variant))?;
        let mut cells = Cells::default();
        let added = cells.variant(variant, &[wanted.threads]);
        added.map_err(|error| error.to_string())?;
        Ok(cells.into_vec().remove(0))
    }
}

fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("plain values and string keys")
}

/// Reads a column from its files.
fn column(keys: &Keys) -> Result<Column, String> {
    match keys.r#type.as_str() {
        "INT32" => column_of::<i32>(keys),
        "INT64" => column_of::<i64>(keys),
        other => Err(format!("keys of type {other} cannot be joined")),
    }
}

fn column_of<K: Key>(side: &Keys) -> Result<Column, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", side.keys.display());
    let rows = usize::try_from(side.rows).map_err(|error| error.to_string())?;
    let mut keys = vec![K::zeroed(); rows];
    let mut file = File::open(&side.keys).map_err(cannot)?;
    file.read_exact(bytemuck::cast_slice_mut(&mut keys))
        .map_err(cannot)?;
    let Some(valid) = &side.valid else {
        return Ok(Column::from_values(&keys));
    };
    let bits = std::fs::read(valid)
        .map_err(|error| format!("cannot read {}: {error}", valid.display()))?;
    let is_valid = |row: usize| {
        bits.get(row / 8)
            .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
    };
    let keys = keys.into_iter().enumerate();
    Ok(Column::from_options(
        keys.map(|(row, key)| is_valid(row).then_some(key)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine;
    use crate::peers::KeyFiles;
    use join_core::oracle;

    #[test]
    fn columns_come_back_from_their_files() {
        let rows: Vec<Option<i32>> = (0..9000).map(|i| (i % 5 != 2).then_some(i * 3)).collect();
        let nulls = Column::from_options(rows);
        let dense = Column::from_i32(&[7, 3, 9, 12, 3]);
        let input = JoinInput::new(&nulls, &dense).unwrap();
        let files = KeyFiles::write(&input).unwrap();
        let (build, probe) = (column(&files.build).unwrap(), column(&files.probe).unwrap());
        let again = JoinInput::new(&build, &probe).unwrap();
        assert_eq!(oracle::sort_merge(&again), oracle::sort_merge(&input));
        assert_eq!(build.row_count(), 9000);
    }

    #[test]
    fn each_line_is_answered_and_nonsense_with_an_error() {
        let environment = machine::environment("test");
        let never = AtomicBool::new(false);
        let mut build = Build {
            environment: &environment,
            variants: variants(),
            joins: Joins::new(&environment, &never),
            cells: Vec::new(),
            data: None,
        };
        let column = Column::from_i32(&(0..5000).collect::<Vec<_>>());
        let input = JoinInput::new(&column, &column).unwrap();
        let files = KeyFiles::write(&input).unwrap();
        let hello = build.answer("{\"hello\":1}").unwrap();
        assert_eq!(hello["protocol"], PROTOCOL);
        let join =
            "{\"join\":{\"variant\":\"partitioned-join\",\"threads\":2,\"consumer\":\"pairs\"}}";
        assert!(build.answer(join).unwrap_err().contains("loaded"));
        let load = json(&Request::Load {
            threads: 2,
            build: files.build.clone(),
            probe: files.probe.clone(),
        });
        assert_eq!(build.answer(&load.to_string()).unwrap()["loaded"], true);
        assert_eq!(build.answer(join).unwrap()["rows"], 5000);
        for nonsense in ["", "{}", "{\"join\":\"aggregate\"}", "[]"] {
            assert!(build.answer(nonsense).is_err(), "{nonsense}");
        }
        let unknown = join.replace("partitioned-join", "none");
        assert!(build.answer(&unknown).unwrap_err().contains("none"));
    }
}
