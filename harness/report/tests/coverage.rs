//! How often intervals hold what they are of, on machines that are made up. The table stands in `docs/method.md`.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use report::stats::{Interval, interval, paired_ratio};

const TRIALS: usize = 1000;
/// Rounds after which a sweep looks at its samples.
const SWEEP_LOOKS: [usize; 4] = [4, 10, 20, 40];
const SAMPLES: [usize; 8] = [2, 3, 4, 5, 6, 10, 15, 40];
/// Places in a round, of which a cell's is drawn anew each time.
const PLACES: usize = 8;

/// What a machine does to the times of one and the same code, place after place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Machine {
    /// 5 % of scatter, normal in logarithms.
    Even,
    /// 3 % of scatter, and one time in seven a spike of 40 % in the mean.
    Spikes,
    /// ×1.5 as slow for a third of the time, in stretches of 20 places in the mean.
    TwoStates,
    /// 10 % of drift, of which 95 % is left at the next place.
    Drift,
}

const MACHINES: [Machine; 4] = [
    Machine::Even,
    Machine::Spikes,
    Machine::TwoStates,
    Machine::Drift,
];

struct Noise {
    machine: Machine,
    random: Xoshiro256PlusPlus,
    is_slow: bool,
    drift: f64,
}

impl Noise {
    fn new(machine: Machine, seed: u64) -> Self {
        let mut noise = Self {
            machine,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            is_slow: false,
            drift: 0.0,
        };
        noise.drift = 0.1 * noise.normal();
        noise.is_slow = noise.random.random::<f64>() < 1.0 / 3.0;
        noise
    }

    fn normal(&mut self) -> f64 {
        // Box and Muller.
        let radius = (-2.0 * (1.0 - self.random.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.random.random::<f64>()).cos()
    }

    /// The time at the next place.
    fn next(&mut self) -> f64 {
        let logarithm = match self.machine {
            Machine::Even => 0.05 * self.normal(),
            Machine::Spikes => {
                let spike = match self.random.random::<f64>() < 1.0 / 7.0 {
                    true => -0.4 * (1.0 - self.random.random::<f64>()).ln(),
                    false => 0.0,
                };
                0.03 * self.normal() + spike
            }
            Machine::TwoStates => {
                let leaves = if self.is_slow { 0.05 } else { 0.025 };
                self.is_slow ^= self.random.random::<f64>() < leaves;
                let state = if self.is_slow { 1.5_f64.ln() } else { 0.0 };
                0.02 * self.normal() + state
            }
            Machine::Drift => {
                let fresh = 0.1 * (1.0 - 0.95_f64.powi(2)).sqrt();
                self.drift = 0.95 * self.drift + fresh * self.normal();
                0.02 * self.normal() + self.drift
            }
        };
        logarithm.exp()
    }

    /// A round in which one code is measured under two names, at two places that were drawn.
    fn round(&mut self) -> [f64; 2] {
        let times: Vec<f64> = (0..PLACES).map(|_| self.next()).collect();
        let first = self.random.random_range(0..PLACES);
        let second = (first + self.random.random_range(1..PLACES)) % PLACES;
        [times[first], times[second]]
    }
}

/// The median that the machine has in the long run.
fn truth(machine: Machine) -> f64 {
    let mut noise = Noise::new(machine, 1);
    let mut times: Vec<f64> = (0..400_001).map(|_| noise.next()).collect();
    *times.select_nth_unstable_by(200_000, f64::total_cmp).1
}

fn ratio(rounds: &[[f64; 2]], looks: u32) -> Interval {
    let side = |of: usize| (0..).zip(rounds.iter().map(move |round| round[of]));
    paired_ratio(side(0), side(1), looks).unwrap()
}

/// Shares of [`TRIALS`] in which a median, a ratio of a code to itself, and that ratio where measuring stopped as soon as
/// it seemed to differ, after any round or as a sweep looks, each hold the truth.
fn coverage(machine: Machine, samples: usize, truth: f64) -> [f64; 4] {
    let mut held = [0; 4];
    for trial in 0..TRIALS {
        let mut noise = Noise::new(machine, 1000 + trial as u64);
        let rounds: Vec<[f64; 2]> = (0..samples).map(|_| noise.round()).collect();
        let times: Vec<f64> = rounds.iter().map(|round| round[0]).collect();
        held[0] += usize::from(interval(&times, 1).unwrap().holds(truth));
        held[1] += usize::from(ratio(&rounds, 1).holds(1.0));
        // From three rounds on, after each.
        let looks = 3.min(samples)..=samples;
        let most = looks.clone().count() as u32;
        let mut stays = looks.map(|so_far| ratio(&rounds[..so_far], most).holds(1.0));
        held[2] += usize::from(stays.all(|holds| holds));
        let mut stays = SWEEP_LOOKS
            .into_iter()
            .filter(|so_far| *so_far <= samples)
            .map(|so_far| ratio(&rounds[..so_far], SWEEP_LOOKS.len() as u32).holds(1.0));
        held[3] += usize::from(stays.all(|holds| holds));
    }
    held.map(|count| count as f64 / TRIALS as f64)
}

/// The table of `docs/method.md`, by machine and number of samples.
fn table(all: &[(Machine, usize, [f64; 4])]) -> String {
    let numbers = SAMPLES.map(|samples| format!(" {samples} |")).concat();
    let mut table = format!(
        "| of | machine |{numbers}\n|---|---|{}\n",
        "---|".repeat(SAMPLES.len())
    );
    let kinds = [
        "median",
        "ratio to itself",
        "the same, looked at after each round",
        "the same, looked at as a sweep does",
    ];
    for (at, kind) in kinds.iter().enumerate() {
        for machine in MACHINES {
            let name = match machine {
                Machine::Even => "even",
                Machine::Spikes => "spikes",
                Machine::TwoStates => "two states",
                Machine::Drift => "drift",
            };
            table += &format!("| {kind} | {name} |");
            for (_, _, held) in all.iter().filter(|(of, ..)| *of == machine) {
                table += &format!(" {:.0} |", 100.0 * held[at]);
            }
            table.push('\n');
        }
    }
    table
}

#[test]
fn intervals_hold_what_they_are_of() {
    let all: Vec<_> = MACHINES
        .into_iter()
        .flat_map(|machine| {
            let truth = truth(machine);
            SAMPLES.map(|samples| (machine, samples, coverage(machine, samples, truth)))
        })
        .collect();
    for &(machine, samples, [median, ratio, looked_at, by_sweep]) in &all {
        let text =
            format!("{machine:?}, {samples} samples: {median} {ratio} {looked_at} {by_sweep}");
        // A shuffle decides which name comes first, so neither drift nor states favour one of both.
        assert!(ratio.min(looked_at).min(by_sweep) >= 0.92, "{text}");
        let is_independent = matches!(machine, Machine::Even | Machine::Spikes);
        assert!(median >= 0.92 || !is_independent, "{text}");
    }
    let table = table(&all);
    let page = include_str!("../../../docs/method.md");
    assert!(
        page.contains(&table),
        "docs/method.md has another table than this:\n{table}"
    );
}
