//! `harness verify --random`: joins drawn at random through every variant, its toggles drawn at random too.

use std::num::NonZeroU64;

use join_core::conformance::{Conditions, Random, RandomJoin, Wanted};
use join_core::join::DynJoin;
use join_core::memory::process;
use join_core::parallel::{Team, ThreadStart};

use super::super::Ending;
use super::super::select::select;
use super::at_hand::{tell_on_signals, told};
use registry::{Configuration, Part, TOGGLES, Toggle, Variant, variants};
use report::record::Size;

/// Joins after which a line says how far it has come.
const REPORTED: u64 = 1000;

/// Checks the joins of so many seeds from the first on.
pub(crate) fn run(joins: NonZeroU64, first: u64, only: &[String]) -> Result<(), Ending> {
    let variants = named(only)?;
    tell_on_signals();
    let mut wrong = 0;
    for number in 0..joins.get() {
        let seed = first.wrapping_add(number);
        told(
            format!("ended during: {}", again(seed)),
            || -> Result<(), Ending> {
                for fault in check(seed, &variants) {
                    say!("WRONG  {fault}");
                    wrong += 1;
                }
                if (number + 1).is_multiple_of(REPORTED) {
                    say!("       {} joins, up to seed {seed}", number + 1);
                }
                Ok(())
            },
        )?;
    }
    process::trim();
    match wrong {
        0 => {
            say!(
                "{} variants agree with the oracle on {joins} random joins from seed {first} on",
                variants.len()
            );
            Ok(())
        }
        _ => Err(Ending::Wrong(format!("{wrong} wrong answers"))),
    }
}

/// The variants that patterns name, all of them without any.
pub(super) fn named(only: &[String]) -> Result<Vec<Variant>, Ending> {
    if only.is_empty() {
        return Ok(variants());
    }
    let selection = select(only, Size::Quick)?;
    if selection.workloads_named {
        return Err(Ending::Usage(format!(
            "--only {}: random joins are of no workload; name variants alone",
            only.join(" ")
        )));
    }
    Ok(selection.variants)
}

/// The command that makes one join again, through all variants.
fn again(seed: u64) -> String {
    format!("harness verify --random 1 --seed {seed}")
}

/// What variants answer wrongly to the join of a seed.
fn check(seed: u64, variants: &[Variant]) -> Vec<String> {
    let join = RandomJoin::from_seed(seed);
    let teams = [ThreadStart::Fresh, ThreadStart::Pool].map(|start| (start, join.team(start)));
    let wrong = variants.iter().filter_map(|variant| {
        let name = &variant.name;
        let again = format!("{} --only {name}", again(seed));
        let settings = Settings::drawn(variant, &mut Random::of(seed, name));
        let start = settings.configuration.thread_start;
        let (_, team) = teams.iter().find(|team| team.0 == start)?;
        let ended = format!("ended during: {again}");
        let fault = told(ended, || settings.check(&join, team)).err()?;
        Some(format!(
            "{name} ({}) {fault}; {:?}; {team:?}; {join}; again by: {again}",
            settings.toggles.join(", "),
            settings.conditions,
        ))
    });
    wrong.collect()
}

/// How a variant makes a random join.
pub(super) struct Settings {
    pub configuration: Configuration,
    pub join: Box<dyn DynJoin>,
    conditions: Conditions,
    /// What toggles were set to, in the order in which they were set.
    pub toggles: Vec<String>,
}

impl Settings {
    /// In every other case the variant's own settings, but for those of the process and the consumer, which are drawn
    /// always.
    pub fn drawn(variant: &Variant, random: &mut Random) -> Self {
        loop {
            let often = *random.pick(&[0, 0, 1, 4]);
            let (configuration, toggles) = drawn_toggles(variant, often, random);
            // Of a table's hash, tags and directory only one can differ from the default.
            let Ok(join) = variant.join(&configuration) else {
                continue;
            };
            let wanted = match random.once_in(3) {
                true => Wanted::Aggregate,
                false => Wanted::Pairs(configuration.placement()),
            };
            return Self {
                configuration,
                join,
                conditions: Conditions::drawn(wanted, random),
                toggles,
            };
        }
    }

    fn check(&self, join: &RandomJoin, team: &Team) -> Result<(), String> {
        process::set(self.configuration.source, self.configuration.huge_pages);
        join.check(&*self.join, team, &self.conditions)
    }
}

/// The variant's configuration with its toggles drawn, those of the join itself once in `often` times, and what was set.
fn drawn_toggles(
    variant: &Variant,
    often: u64,
    random: &mut Random,
) -> (Configuration, Vec<String>) {
    let mut configuration = variant.base;
    let mut set = Vec::new();
    let of_variant = |toggle: &&Toggle| variant.has(toggle.part);
    for toggle in TOGGLES.iter().filter(of_variant) {
        let always = matches!(toggle.part, Part::Process | Part::Merge);
        if always || often > 0 && random.once_in(often) {
            let setting = random.pick(toggle.settings);
            configuration = setting.of(&configuration);
            set.push(format!("{} {}", toggle.name, setting.name));
        }
    }
    (configuration, set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::join::{Context, JoinError, JoinInput, Outcome};
    use join_core::output::Results;

    /// The default variant's join, whose answer is spoilt.
    struct Spoilt(Box<dyn DynJoin>, fn(&mut Outcome));

    impl DynJoin for Spoilt {
        fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
            let mut outcome = self.0.join(input, context)?;
            (self.1)(&mut outcome);
            Ok(outcome)
        }
    }

    fn default_join() -> Box<dyn DynJoin> {
        let variant = registry::default_variant();
        variant.join(&variant.base).expect("it is compiled")
    }

    fn one_row_more(outcome: &mut Outcome) {
        if let Results::Aggregate(sums) = &mut outcome.results {
            sums.rows += 1;
        }
    }

    /// The sums stay right.
    fn pairs_exchanged(outcome: &mut Outcome) {
        if let Results::Pairs(pairs) = &mut outcome.results
            && let Some([.., last, next]) = pairs.chunks.last_mut().map(|chunk| &mut **chunk)
        {
            std::mem::swap(&mut last.build, &mut next.build);
        }
    }

    fn panics(_: &mut Outcome) {
        // Spares the panic hook and so the noise.
        std::panic::resume_unwind(Box::new("the variant broke"));
    }

    fn faults(variant: &Variant) -> Vec<String> {
        let variants = std::slice::from_ref(variant);
        (0..40).flat_map(|seed| check(seed, variants)).collect()
    }

    #[test]
    fn what_is_wrong_is_reported_with_the_command_that_runs_it_again() {
        for (make, what) in [
            (
                (|_| Ok(Box::new(Spoilt(default_join(), one_row_more)) as _)) as registry::Make,
                "wrong sums",
            ),
            (
                |_| Ok(Box::new(Spoilt(default_join(), pairs_exchanged)) as _),
                "wrong pairs",
            ),
            (
                |_| Ok(Box::new(Spoilt(default_join(), panics)) as _),
                "panicked: the variant broke",
            ),
        ] {
            let faults = faults(&Variant::unregistered("spoilt", make));
            let fault = faults.iter().find(|fault| fault.contains(what));
            let fault = fault.unwrap_or_else(|| panic!("nothing {what} among {faults:?}"));
            let (_, seed) = fault.split_once("seed ").expect("a seed");
            let seed = seed.split_once(',').expect("more than a seed").0;
            let again = format!("--random 1 --seed {seed} --only spoilt");
            assert!(fault.contains(&again), "{fault}");
        }
    }

    #[test]
    fn what_is_right_is_not_reported() {
        let variant = Variant::unregistered("default", |_| Ok(default_join()));
        assert_eq!(faults(&variant), Vec::<String>::new());
    }

    #[test]
    fn every_setting_of_every_variant_is_drawn() {
        for variant in variants() {
            let drawn = |seed| Settings::drawn(&variant, &mut Random::of(seed, &variant.name));
            let drawn: Vec<String> = (0..400).flat_map(|seed| drawn(seed).toggles).collect();
            for toggle in TOGGLES.iter().filter(|toggle| variant.has(toggle.part)) {
                for setting in toggle.settings {
                    let wanted = format!("{} {}", toggle.name, setting.name);
                    assert!(drawn.contains(&wanted), "{}: {wanted}", variant.name);
                }
            }
        }
    }
}
