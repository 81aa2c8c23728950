//! `harness verify --answers`: joins of few rows drawn at random, each with what a variant answers, for another engine to
//! check.

use std::num::NonZeroU64;

use join_core::conformance::{FewRows, Random};
use join_core::join::Side;
use join_core::memory::process;
use join_core::parallel::{Team, ThreadStart};
use join_core::table::{Column, Value};
use serde::Serialize;

use super::super::Ending;
use super::at_hand::{tell_on_signals, told};
use super::random::{Settings, named};

/// A join and what a variant answers, as a line of JSON.
#[derive(Serialize)]
struct Answer<'a> {
    seed: u64,
    variant: &'a str,
    /// Those that are not the variant's own.
    toggles: &'a [String],
    kind: &'static str,
    nulls_equal: bool,
    /// In SQL.
    condition: Option<&'static str>,
    /// Those of the key's columns.
    types: Vec<&'static str>,
    build: Vec<Vec<Field>>,
    probe: Vec<Vec<Field>>,
    /// Build row and probe row of each result, in order.
    results: Vec<[u32; 2]>,
}

/// A value of a key, `null` for NULL.
#[derive(Serialize)]
#[serde(untagged)]
enum Field {
    Null,
    Number(i64),
    Text(String),
}

/// Prints so many joins from the first seed on, each with the answer of a variant that is drawn from those named.
pub(crate) fn run(joins: NonZeroU64, first: u64, only: &[String]) -> Result<(), Ending> {
    let variants = named(only)?;
    tell_on_signals();
    let mut teams: Vec<((usize, ThreadStart), Team)> = Vec::new();
    for number in 0..joins.get() {
        let seed = first.wrapping_add(number);
        let mut random = Random::of(seed, "variant");
        let variant = random.pick(&variants);
        let few = FewRows::from_seed(seed);
        let settings = Settings::drawn(variant, &mut random);
        let again = format!("harness verify --answers 1 --seed {seed}");
        told(
            format!("ended during: {again}"),
            || -> Result<(), Ending> {
                process::set(
                    settings.configuration.source,
                    settings.configuration.huge_pages,
                );
                let wanted = (few.threads, settings.configuration.thread_start);
                let at = teams.iter().position(|(team, _)| *team == wanted);
                let at = at.unwrap_or_else(|| {
                    // They are kept: a pool of threads takes longer to start than these joins.
                    teams.push((wanted, Team::new(wanted.0, wanted.1).parallel_from(0)));
                    teams.len() - 1
                });
                let results = few.results(&*settings.join, &teams[at].1);
                let results = results.map_err(|error| {
                    Ending::Wrong(format!("{}: {error}; again by: {again}", variant.name))
                })?;
                let answer = Answer {
                    seed,
                    variant: &variant.name,
                    toggles: &settings.toggles,
                    kind: few.kind.name(),
                    nulls_equal: few.nulls_equal,
                    condition: few.condition.map(|condition| condition.sql()),
                    types: few
                        .side(Side::Build)
                        .map(|column| column.data_type().name())
                        .collect(),
                    build: few.side(Side::Build).map(fields).collect(),
                    probe: few.side(Side::Probe).map(fields).collect(),
                    results: results
                        .iter()
                        .map(|pair| [pair.build, pair.probe])
                        .collect(),
                };
                say!(
                    "{}",
                    serde_json::to_string(&answer).expect("numbers and text")
                );
                Ok(())
            },
        )?;
    }
    process::trim();
    Ok(())
}

fn fields(column: &Column) -> Vec<Field> {
    let fields = column.values().map(|value| match value {
        Value::Int32(number) => Field::Number(number.into()),
        Value::Int64(number) => Field::Number(number),
        Value::Varchar(text) => Field::Text(String::from_utf8_lossy(&text).into_owned()),
        Value::Null | Value::Fp64(_) => Field::Null,
    });
    fields.collect()
}
