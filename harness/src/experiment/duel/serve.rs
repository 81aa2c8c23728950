//! A build as a duel sees it: reads lines from standard input and answers each, until there are no more.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytemuck::Pod;
use join_core::compound::Keys as JoinKeys;
use join_core::key::Key;
use join_core::kind::Kind;
use join_core::table::Column;
use serde_json::Value;

use super::protocol::{Consumer, Hello, Loaded, PROTOCOL, Request, Wanted};
use crate::experiment::joins::Joins;
use crate::experiment::lines::{self, json};
use crate::experiment::{Cell, Cells, Work};
use crate::peers::{Joined, Side as Keys};
use crate::question::{Less, NamedKind, Question};
use crate::workload::borrowed;
use registry::{Variant, variants};
use report::record::Environment;
use std::sync::Arc;
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
        data: Vec::new(),
        values: None,
    };
    lines::answer(|line| build.answer(line))
}

/// What answers.
struct Build<'a> {
    environment: &'a Environment,
    variants: Vec<Variant>,
    joins: Joins<'a>,
    /// Those that were asked for already.
    cells: Vec<Cell>,
    /// The columns of the key, those of the build and those of the probe side.
    data: Vec<(Column, Column)>,
    /// Of the rows of the two, where a condition compares them.
    values: Option<Less>,
}

impl Build<'_> {
    fn answer(&mut self, line: &str) -> Result<Value, String> {
        match lines::request(line)? {
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
            kinds: Kind::ALL.iter().map(Kind::to_string).collect(),
        }
    }

    fn load(&mut self, build: &Keys, probe: &Keys) -> Result<Value, String> {
        // Before there are others: there may be no room for both.
        self.data = Vec::new();
        self.values = None;
        self.data.push((column(build)?, column(probe)?));
        for (build, probe) in build.more.iter().zip(&probe.more) {
            self.data.push((column(build)?, column(probe)?));
        }
        let sides = values(build)?.zip(values(probe)?);
        self.values = sides.map(|(build, probe)| Less { build, probe });
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
        if self.data.is_empty() {
            return Err("nothing was loaded".to_owned());
        }
        let keys = JoinKeys::new(&borrowed(&self.data)).map_err(|error| error.to_string())?;
        let Work::Join {
            configuration,
            join,
        } = &self.cells[at].work
        else {
            unreachable!("a variant is no peer");
        };
        let condition = match wanted.less {
            false => None,
            true => Some(self.values.as_ref().ok_or("no values were loaded")?),
        };
        let question = Question {
            kind: NamedKind::read(wanted.kind.as_deref())?,
            condition,
            pairs: wanted.consumer == Consumer::Pairs,
            payload: None,
        };
        let measured = self
            .joins
            .join(configuration, &**join, wanted.threads, &keys, question)
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

/// Reads a column from its files.
fn column(keys: &Keys) -> Result<Column, String> {
    match keys.r#type.as_str() {
        "INT32" => column_of::<i32>(keys),
        "INT64" => column_of::<i64>(keys),
        "VARCHAR" => strings(keys),
        other => Err(format!("keys of type {other} cannot be joined")),
    }
}

fn column_of<K: Key>(side: &Keys) -> Result<Column, String> {
    let keys: Vec<K> = numbers(&side.keys, rows(side)?)?;
    if side.valid.is_none() {
        return Ok(Column::from_values(&keys));
    }
    let is_valid = validity(side)?;
    let keys = keys.into_iter().enumerate();
    Ok(Column::from_options(
        keys.map(|(row, key)| is_valid(row).then_some(key)),
    ))
}

fn strings(side: &Keys) -> Result<Column, String> {
    let all = read(&side.keys)?;
    let ends = side
        .ends
        .as_ref()
        .ok_or("strings came without their ends")?;
    let ends: Vec<i32> = numbers(ends, rows(side)? + 1)?;
    let is_valid = validity(side)?;
    let strings = ends.windows(2).enumerate().map(|(row, ends)| {
        let string = all.get(ends[0] as usize..ends[1] as usize);
        let string = string.ok_or("a string ends behind all of them");
        string.map(|string| is_valid(row).then_some(string))
    });
    let strings: Vec<_> = strings.collect::<Result<_, &str>>()?;
    Ok(Column::from_strings(strings))
}

/// Whether a row of a side is not NULL.
fn validity(side: &Keys) -> Result<impl Fn(usize) -> bool, String> {
    let bits = side.valid.as_deref().map(read).transpose()?;
    Ok(move |row: usize| {
        bits.as_ref().is_none_or(|bits| {
            let byte = bits.get(row / 8);
            byte.is_some_and(|byte| byte >> (row % 8) & 1 == 1)
        })
    })
}

fn rows(side: &Keys) -> Result<usize, String> {
    usize::try_from(side.rows).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Reads so many numbers.
fn numbers<T: Pod>(path: &Path, count: usize) -> Result<Vec<T>, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut numbers = vec![T::zeroed(); count];
    let mut file = File::open(path).map_err(cannot)?;
    file.read_exact(bytemuck::cast_slice_mut(&mut numbers))
        .map_err(cannot)?;
    Ok(numbers)
}

/// Reads the values of a side's rows, where there are any.
fn values(side: &Keys) -> Result<Option<Arc<[i32]>>, String> {
    let Some(path) = &side.values else {
        return Ok(None);
    };
    let values: Vec<i32> = numbers(path, rows(side)?)?;
    Ok(Some(values.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine;
    use crate::peers::KeyFiles;
    use join_core::join::JoinInput;
    use join_core::kind::NO_ROW;
    use join_core::oracle;

    #[test]
    fn columns_come_back_from_their_files() {
        let rows: Vec<Option<i32>> = (0..9000).map(|i| (i % 5 != 2).then_some(i * 3)).collect();
        let nulls = Column::from_options(rows);
        let dense = Column::from_i32(&[7, 3, 9, 12, 3]);
        let input = JoinInput::new(&nulls, &dense).unwrap();
        let files = KeyFiles::write(&[(nulls.clone(), dense.clone())], None).unwrap();
        let (build, probe) = (column(&files.build).unwrap(), column(&files.probe).unwrap());
        let again = JoinInput::new(&build, &probe).unwrap();
        assert_eq!(oracle::sort_merge(&again), oracle::sort_merge(&input));
        assert_eq!(build.row_count(), 9000);
        let words = ["a", "", "three"].map(Some).into_iter().chain([None]);
        let words = Column::from_strings(words);
        let files = KeyFiles::write(&[(words.clone(), words.clone())], None).unwrap();
        let again = column(&files.build).unwrap();
        assert!(again.values().eq(words.values()));
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
            data: Vec::new(),
            values: None,
        };
        let column = Column::from_i32(&(0..5000).collect::<Vec<_>>());
        let files = KeyFiles::write(&[(column.clone(), column)], None).unwrap();
        let hello = build.answer("{\"hello\":1}").unwrap();
        assert_eq!(hello["protocol"], PROTOCOL);
        let join =
            "{\"join\":{\"variant\":\"partitioned-join\",\"threads\":2,\"consumer\":\"pairs\"}}";
        assert!(build.answer(join).unwrap_err().contains("loaded"));
        let load = json(&Request::Load {
            threads: 2,
            build: Box::new(files.build.clone()),
            probe: Box::new(files.probe.clone()),
        });
        assert_eq!(build.answer(&load.to_string()).unwrap()["loaded"], true);
        assert_eq!(build.answer(join).unwrap()["rows"], 5000);
        let semi = join.replace("}}", ",\"kind\":\"probe-semi\"}}");
        let semi = build.answer(&semi).unwrap();
        assert_eq!(semi["rows"], 5000);
        assert_eq!(semi["sum_build"], 5000 * u64::from(NO_ROW));
        for nonsense in ["", "{}", "{\"join\":\"aggregate\"}", "[]"] {
            assert!(build.answer(nonsense).is_err(), "{nonsense}");
        }
        let unknown = join.replace("partitioned-join", "none");
        assert!(build.answer(&unknown).unwrap_err().contains("none"));
    }
}
