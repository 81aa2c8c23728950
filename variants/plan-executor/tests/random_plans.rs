//! Random plans, every executor against the oracle (R9.1, R9.2).
//!
//! `JOINERY_PLANS` is how many, `JOINERY_SEED` the seed of the first: with `JOINERY_PLANS=1` a plan that was wrong is run
//! again alone.

mod common;

use common::{Rng, described, random_bundle, shrunk};
use join_core::checksum::Checksum;
use join_core::conformance::{SortedBuild, small};
use join_core::input::InputMode;
use join_core::join::Kernel;
use join_core::memory::Memory;
use join_core::parallel::{Team, ThreadStart};
use plan_executor::{
    Bundle, Context, ExecuteError, Executor, OperatorAtATime, Options, Pipelined, oracle,
};

const PLANS: u64 = 20_000;

/// How many under a sanitizer.
const FEW_PLANS: u64 = 500;

/// Rows that a node of a plan may yield; larger ones are drawn again.
const MOST_ROWS: u64 = 20_000;

/// Plans that are told of when several are wrong.
const TOLD: usize = 3;

/// Number of rows, and their checksum.
type Answer = (u64, Checksum);

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{name}={text}: give a whole number, such as 20000")))
}

/// The plan of a seed, small enough for the oracle, and its answer.
fn plan(seed: u64) -> (Bundle, Answer) {
    let draws = (0_u64..).map(|draw| random_bundle(seed ^ draw << 48));
    let mut small = draws.filter_map(|bundle| {
        let answer = oracle_of(&bundle)?;
        Some((bundle, answer))
    });
    small.next().expect("most plans are small")
}

fn oracle_of(bundle: &Bundle) -> Option<Answer> {
    let rows = oracle::execute_within(bundle, MOST_ROWS, &Memory::unlimited()).ok()?;
    Some((rows.len() as u64, oracle::checksum(&rows)))
}

/// Executors with their names, and threads, for the plan of a seed.
struct Trial<'t> {
    executors: Vec<(String, Box<dyn Executor>)>,
    team: &'t Team,
}

impl<'t> Trial<'t> {
    fn new(seed: u64, teams: &'t [Team]) -> Trial<'t> {
        let mut rng = Rng::new(!seed);
        let input = rng.pick(&[
            InputMode::Contest,
            InputMode::ZeroCopy,
            InputMode::Materialised,
            InputMode::Stream,
        ]);
        let kernel = rng.pick(&[Kernel::SCALAR, Kernel::batched(1), Kernel::batched(64)]);
        let operators = OperatorAtATime::new(Box::new(SortedBuild), "sorted");
        let operators = operators.input(input).kernel(kernel);
        let mut executors: Vec<(String, Box<dyn Executor>)> = vec![
            (format!("operators {input:?}"), Box::new(operators)),
            without(&[]),
        ];
        let names = Options::NAMES.map(|(name, _)| name);
        executors.push(without(&[rng.pick(&names)]));
        let some: Vec<&str> = names.into_iter().filter(|_| rng.one_in(3)).collect();
        executors.push(without(&some));
        // Threads cost more than a small plan.
        let several = 1 + rng.below(teams.len() - 1);
        let team = &teams[if rng.one_in(8) { several } else { 0 }];
        Trial { executors, team }
    }

    fn execute(
        &self,
        executor: &dyn Executor,
        bundle: &Bundle,
        memory: &Memory,
    ) -> Result<Answer, ExecuteError> {
        let team = self.team;
        let execution = executor.execute(bundle, &Context { team, memory })?;
        Ok((execution.result.rows(), execution.result.checksum()))
    }

    /// What is wrong with an executor's answer.
    fn fault(&self, executor: &dyn Executor, bundle: &Bundle, want: Answer) -> Option<String> {
        let memory = Memory::unlimited();
        match self.execute(executor, bundle, &memory) {
            Ok(got) if got == want => {}
            Ok(got) => return Some(format!("{got:?}, not {want:?}")),
            Err(error) => return Some(error.to_string()),
        }
        if memory.used() != 0 {
            return Some(format!("{} bytes are not given back", memory.used()));
        }
        // With less memory, an error or the same answer.
        let limit = memory.peak() / 4 * (want.0 as usize % 4);
        let memory = Memory::limited(limit);
        match self.execute(executor, bundle, &memory) {
            Ok(got) if got != want => Some(format!("{got:?} in {limit} bytes, not {want:?}")),
            _ if memory.used() != 0 => Some("an error keeps memory".to_owned()),
            _ => None,
        }
    }

    /// What is wrong with the plan of a seed: who is, and the smallest tables that show it.
    fn faults(&self, bundle: &Bundle, want: Answer) -> Vec<String> {
        let faults = self.executors.iter().filter_map(|(name, executor)| {
            let fault = self.fault(&**executor, bundle, want)?;
            let wrong = |bundle: &Bundle| {
                let want = oracle_of(bundle);
                want.is_some_and(|want| self.fault(&**executor, bundle, want).is_some())
            };
            let small = shrunk(bundle.clone(), wrong);
            Some(format!(
                "{name}, {} threads: {fault}\n{}",
                self.team.threads(),
                described(&small)
            ))
        });
        faults.collect()
    }
}

/// The pipelined executor without these techniques.
fn without(names: &[&str]) -> (String, Box<dyn Executor>) {
    let options = names.iter().fold(Options::default(), |options, name| {
        options.without(name).expect("a technique")
    });
    let name = format!("pipelined without {names:?}");
    (name, Box::new(Pipelined::new(options)))
}

/// Says which plan it was when a thread panics.
struct Announced(u64);

impl Drop for Announced {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the plan of JOINERY_SEED={}", self.0);
        }
    }
}

#[test]
fn executors_agree_with_the_oracle() {
    let teams = [1, 2, 3, 8].map(|threads| match threads {
        1 => Team::single(),
        _ => Team::new(threads, ThreadStart::Pool).parallel_from(0),
    });
    let plans = variable("JOINERY_PLANS").unwrap_or(if small() { FEW_PLANS } else { PLANS });
    let first = variable("JOINERY_SEED").unwrap_or(0);
    let (mut rows, mut empty) = (0, 0);
    let mut wrong: Vec<String> = Vec::new();
    let mut wrong_plans = 0;
    for seed in first..first + plans {
        let _announced = Announced(seed);
        let (bundle, want) = plan(seed);
        rows += want.0;
        empty += u64::from(want.0 == 0);
        let trial = Trial::new(seed, &teams);
        let faults = if wrong_plans < TOLD {
            trial.faults(&bundle, want)
        } else {
            let mut executors = trial.executors.iter();
            let fault = executors.find_map(|(_, one)| trial.fault(&**one, &bundle, want));
            fault.into_iter().collect()
        };
        wrong_plans += usize::from(!faults.is_empty());
        let faults = faults.into_iter();
        wrong.extend(faults.map(|fault| format!("JOINERY_SEED={seed}: {fault}")));
    }
    wrong.truncate(10);
    assert!(
        wrong.is_empty(),
        "{wrong_plans} of {plans} plans are wrong; run one again with JOINERY_PLANS=1 and its seed\n{}",
        wrong.join("\n")
    );
    println!(
        "plans {first} to {}: 0 wrong, {empty} empty, {rows} rows",
        first + plans - 1
    );
    // The plans are worth something: most have rows, and not only a few.
    if plans >= FEW_PLANS {
        assert!(empty < plans / 2, "{empty} of {plans} results are empty");
        assert!(rows > 20 * plans, "{rows} rows in all");
    }
}
