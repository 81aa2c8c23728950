//! What `--only` names: workloads, variants, or both.

use super::Ending;
use super::plan::sets::{SETS, Set};
use crate::machine;
use crate::nearest::did_you_mean;
use crate::workload::{self, Instance, is_path, matches};
use registry::{Variant, variants};
use report::record::Size;

/// The workloads and variants of a run.
pub(super) struct Selection {
    pub(super) workloads: Vec<Instance>,
    pub(super) variants: Vec<Variant>,
    /// Sets of whole plans.
    pub(super) plans: Vec<&'static Set>,
    /// Whether patterns chose the workloads.
    pub(super) workloads_named: bool,
    /// Whether patterns chose the variants.
    pub(super) variants_named: bool,
}

/// Finds what the patterns name at a size. Patterns that match workloads choose workloads, those that match variants
/// choose variants; without any of a kind all workloads and the curated variants are chosen.
///
/// # Errors
/// A pattern matches nothing, a workload's file is bad, or its data would not fit into memory.
pub(super) fn select(only: &[String], size: Size) -> Result<Selection, Ending> {
    let patterns: Vec<&str> = only
        .iter()
        .flat_map(|pattern| pattern.split('|'))
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty())
        .collect();
    let canonical = workload::resolve(&[], size).map_err(Ending::usage)?;
    let all = variants();
    let mut named: Vec<String> = Vec::new();
    let mut chosen: Vec<String> = Vec::new();
    let mut plans: Vec<&Set> = Vec::new();
    for pattern in patterns {
        let of_workloads =
            is_path(pattern) || canonical.iter().any(|instance| instance.is_named(pattern));
        let of_variants = variants_of(pattern, &all);
        let of_plans = SETS.iter().filter(|set| matches(pattern, set.name));
        let before = plans.len();
        plans.extend(of_plans);
        let of_plans = plans.len() > before;
        if !of_workloads && !of_plans && of_variants.is_empty() {
            let names = canonical
                .iter()
                .flat_map(|instance| [Some(instance.name.as_str()), instance.group.as_deref()])
                .flatten()
                .chain(SETS.iter().map(|set| set.name))
                .chain(all.iter().map(|variant| variant.name.as_str()));
            return Err(Ending::Usage(format!(
                "--only {pattern}: no workload or variant matches{}; see `harness list workloads` and `harness list \
                 variants`",
                did_you_mean(pattern, names)
            )));
        }
        if of_workloads {
            named.push(pattern.to_owned());
        }
        chosen.extend(of_variants.iter().map(|variant| variant.name.clone()));
    }
    let workloads_named = !named.is_empty() || !plans.is_empty();
    let variants_named = !chosen.is_empty();
    let workloads = match (named.is_empty(), workloads_named) {
        (false, _) => workload::resolve(&named, size).map_err(Ending::usage)?,
        (true, true) => Vec::new(),
        (true, false) => canonical,
    };
    let usable = machine::usable_bytes();
    for workload in &workloads {
        workload.fits(usable).map_err(Ending::usage)?;
    }
    let wanted_set = |set: &&Set| match workloads_named {
        true => plans.iter().any(|named| named.name == set.name),
        // Those who name variants ask about joins.
        false => !variants_named,
    };
    let wanted = |variant: &Variant| match variants_named {
        true => chosen.contains(&variant.name),
        false => variant.curated,
    };
    Ok(Selection {
        workloads,
        variants: all.into_iter().filter(wanted).collect(),
        plans: SETS.iter().filter(wanted_set).collect(),
        workloads_named,
        variants_named,
    })
}

/// The variants that a pattern means: the one of that very name, else the curated ones that match, else all that do.
fn variants_of<'a>(pattern: &str, all: &'a [Variant]) -> Vec<&'a Variant> {
    if let Some(exact) = all.iter().find(|variant| variant.name == pattern) {
        return vec![exact];
    }
    let matching = |variant: &&Variant| {
        matches(pattern, &variant.name) || variant.build.is_some_and(|build| build == pattern)
    };
    let exact_build = all.iter().any(|variant| variant.build == Some(pattern));
    let found: Vec<&Variant> = all
        .iter()
        .filter(|variant| match exact_build {
            true => variant.build == Some(pattern),
            false => matching(variant),
        })
        .collect();
    let curated: Vec<&Variant> = found.iter().copied().filter(|v| v.curated).collect();
    if curated.is_empty() { found } else { curated }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> (Vec<String>, Vec<String>) {
        let only: Vec<String> = only.iter().map(|&pattern| pattern.to_owned()).collect();
        let selection = select(&only, Size::Quick).unwrap();
        let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect();
        (
            names(&mut selection.workloads.iter().map(|w| &w.name)),
            names(&mut selection.variants.iter().map(|v| &v.name)),
        )
    }

    #[test]
    fn plans_are_chosen_by_name_or_with_everything() {
        let plans = |only: &[&str]| -> (Vec<&str>, usize) {
            let only: Vec<String> = only.iter().map(|&pattern| pattern.to_owned()).collect();
            let found = select(&only, Size::Quick).unwrap();
            let names = found.plans.iter().map(|set| set.name);
            (names.collect(), found.workloads.len())
        };
        let (all, workloads) = plans(&[]);
        assert!(all == ["plans-tpch", "plans-ssb"] && workloads > 11);
        assert_eq!(plans(&["plans-ssb"]), (vec!["plans-ssb"], 0));
        assert_eq!(plans(&["plans-*", "nulls-1m"]), (all, 1));
        assert_eq!(plans(&["nulls-1m"]), (vec![], 1));
        assert_eq!(plans(&["serial"]).0, [""; 0]);
    }

    #[test]
    fn patterns_choose_what_they_match() {
        let (all_workloads, curated) = names(&[]);
        assert!(all_workloads.len() > 11 && curated.len() >= 8);
        let (workloads, variants) = names(&["pk-fk-1m|zipf-16m"]);
        assert_eq!(workloads, ["pk-fk-1m", "zipf-16m"]);
        assert_eq!(variants, curated);
        let (workloads, variants) = names(&["serial+zero-copy", "nulls-1m"]);
        assert_eq!(workloads, ["nulls-1m"]);
        assert_eq!(variants, ["serial+zero-copy"]);
        let (workloads, variants) = names(&["serial"]);
        assert_eq!(workloads, all_workloads);
        assert!(variants.iter().all(|name| name.starts_with("serial+")));
        // A combination that no sweep measures by itself.
        assert_eq!(
            names(&["serial-source+batched"]).1,
            ["serial-source+batched"]
        );
    }

    #[test]
    fn what_matches_nothing_is_refused_with_the_nearest_names() {
        let Err(Ending::Usage(text)) = select(&["zipf-16k".to_owned()], Size::Quick) else {
            panic!("not refused");
        };
        assert!(text.contains("did you mean zipf-16m"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
