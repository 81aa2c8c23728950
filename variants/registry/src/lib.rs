//! The registry: which variants, toggles and settings there are, by name.
//!
//! A package of its own because this is where every join is compiled: the harness around it builds in seconds.

mod configuration;
mod executors;
pub mod toggles;
mod variants;

use join_core::join::DynJoin;

pub use configuration::{Configuration, Expand, NotCompiled, Values};
pub use executors::{EXECUTORS, ExecutorSettings, ExecutorVariant};
pub use toggles::{Part, Setting, TOGGLES, Toggle};
pub use variants::{BUILDS, BuildVariant, DEFAULT, HEADLINES, Make};

use configuration::joined;
use variants::{JOINS, PROBES};

/// A join that can be measured: a build and a probe, or a join of its own.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Unique: `build+probe`, or the join's own name.
    pub name: String,
    /// Its group in charts.
    pub family: &'static str,
    /// The build's name.
    pub build: Option<&'static str>,
    /// The probe's name.
    pub probe: Option<&'static str>,
    /// One sentence.
    pub description: String,
    /// Whether a sweep measures it when it is not told which.
    pub curated: bool,
    /// Its configuration before any toggle.
    pub base: Configuration,
    parts: &'static [Part],
    recipe: Recipe,
}

/// Where a variant's join comes from.
#[derive(Debug, Clone)]
enum Recipe {
    Build(&'static BuildVariant),
    Join(Make),
}

impl Variant {
    /// The join under a configuration.
    ///
    /// # Errors
    /// Nothing was compiled for this combination.
    pub fn join(&self, configuration: &Configuration) -> Result<Box<dyn DynJoin>, NotCompiled> {
        match self.recipe {
            Recipe::Build(build) => Ok(joined(build.make(configuration)?, configuration)),
            Recipe::Join(make) => make(configuration),
        }
    }

    /// Whether it has the part that a toggle changes.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// A join that no list names: how a test measures what must not be registered.
    pub fn unregistered(name: &str, make: Make) -> Self {
        Self {
            name: name.to_owned(),
            family: "unregistered",
            build: None,
            probe: None,
            description: String::new(),
            curated: true,
            base: Configuration::default(),
            parts: &[],
            recipe: Recipe::Join(make),
        }
    }
}

/// All variants: every build with every probe, then the joins of their own.
pub fn variants() -> Vec<Variant> {
    let combined = BUILDS.iter().flat_map(|build| {
        PROBES.iter().map(move |probe| {
            let mut base = Configuration::default();
            (probe.choose)(&mut base);
            Variant {
                name: format!("{}+{}", build.name, probe.name),
                family: build.family,
                build: Some(build.name),
                probe: Some(probe.name),
                description: format!("{}; {}", build.description, probe.description),
                curated: build.probes.contains(&probe.name),
                base,
                parts: build.parts,
                recipe: Recipe::Build(build),
            }
        })
    });
    let own = JOINS.iter().map(|join| Variant {
        name: join.name.to_owned(),
        family: join.family,
        build: None,
        probe: None,
        description: join.description.to_owned(),
        curated: true,
        base: Configuration::default(),
        parts: join.parts,
        recipe: Recipe::Join(join.make),
    });
    combined.chain(own).collect()
}

/// The variant that an ablation changes.
///
/// # Panics
/// If there is no variant of the name [`DEFAULT`], which a test rules out.
pub fn default_variant() -> Variant {
    let mut all = variants().into_iter();
    all.find(|variant| variant.name == DEFAULT)
        .expect("the default variant is registered")
}

/// The build of the default variant: what an executor of plans builds with unless it is told otherwise.
///
/// # Panics
/// As [`default_variant`].
pub fn default_build() -> &'static BuildVariant {
    match default_variant().recipe {
        Recipe::Build(build) => build,
        Recipe::Join(_) => unreachable!("the default variant is a build and a probe"),
    }
}

/// The variants that an ablation changes when it is not told which, and the toggles to show on each: those of parts that
/// none before it has.
pub fn ablated(toggles: &[&'static Toggle]) -> Vec<(Variant, Vec<&'static Toggle>)> {
    let all = variants();
    let named = |name: &&str| all.iter().find(|variant| variant.name == **name).cloned();
    let ablated: Vec<Variant> = variants::ABLATED.iter().filter_map(named).collect();
    let of = |index: usize| {
        let (before, rest) = ablated.split_at(index);
        let first = |part| rest[0].has(part) && !before.iter().any(|variant| variant.has(part));
        let toggles = toggles.iter().copied();
        (rest[0].clone(), toggles.filter(|t| first(t.part)).collect())
    };
    (0..ablated.len()).map(of).collect()
}

/// The toggle of that name.
pub fn toggle(name: &str) -> Option<&'static Toggle> {
    TOGGLES.iter().find(|toggle| toggle.name == name)
}
