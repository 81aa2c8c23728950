//! Random plans, every executor against the oracle (R9.1, R9.2).

mod common;

use common::random_bundle;
use join_core::conformance::{SortedBuild, small};
use join_core::input::InputMode;
use join_core::join::Kernel;
use join_core::memory::Memory;
use join_core::parallel::{Team, ThreadStart};
use plan_executor::{Context, Executor, OperatorAtATime, Options, Pipelined, oracle};

const PLANS: u64 = 10_000;

/// How many under a sanitizer.
const FEW_PLANS: u64 = 500;

#[test]
fn executors_agree_with_the_oracle() {
    let teams = [
        Team::single(),
        Team::new(3, ThreadStart::Pool).parallel_from(0),
    ];
    let operators = [
        InputMode::Source,
        InputMode::ZeroCopy,
        InputMode::Materialised,
    ]
    .map(|input| {
        OperatorAtATime::new(Box::new(SortedBuild), "sorted")
            .input(input)
            .kernel(Kernel::SCALAR)
    });
    let pipelined = Pipelined::new(Options::default());
    let (mut rows_seen, mut empty) = (0, 0);
    let plans = if small() { FEW_PLANS } else { PLANS };
    for seed in 0..plans {
        let bundle = random_bundle(seed);
        let expected = oracle::execute(&bundle);
        let want = (expected.len() as u64, oracle::checksum(&expected));
        rows_seen += want.0;
        empty += u64::from(want.0 == 0);
        let memory = Memory::unlimited();
        let team = &teams[usize::from(seed % 8 == 0)];
        let context = Context {
            team,
            memory: &memory,
        };
        // All techniques, and all but one.
        let (without, _) = Options::NAMES[seed as usize % Options::NAMES.len()];
        let options = Options::default();
        let ablated = Pipelined::new(options.without(without).expect("a technique"));
        let executors: [&dyn Executor; 3] = [
            &operators[seed as usize % operators.len()],
            &pipelined,
            &ablated,
        ];
        for (nth, executor) in executors.into_iter().enumerate() {
            let execution = executor
                .execute(&bundle, &context)
                .expect("memory suffices");
            let result = &execution.result;
            let got = (result.rows(), result.checksum());
            assert_eq!(
                got,
                want,
                "seed {seed}, executor {nth}: {:?}",
                bundle.plan()
            );
            drop(execution);
            assert_eq!(memory.used(), 0, "seed {seed}: memory is given back");
        }
    }
    // The plans are worth something: most have rows, and not only a few.
    assert!(empty < plans / 2, "{empty} of {plans} results are empty");
    assert!(rows_seen > 20 * plans, "{rows_seen} rows in all");
}
