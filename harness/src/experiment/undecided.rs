//! What the samples of a case leave open: who is fastest, how much a setting changes, how noisy the machine is.
//!
//! Nothing here knows a join or a clock: the same samples leave the same open.

use std::collections::BTreeMap;

use super::Contender;
use report::record::{CONTROL_A, CONTROL_B};
use report::stats::{self, Interval};

/// So many times as slow as the best in every round is behind, however few rounds there are.
const FAR: f64 = 3.0;

/// So many times as slow as the best says all that there is to say with a single round.
const FARTHEST: f64 = 10.0;

/// An interval that reaches no farther is narrow enough, however quiet the machine is.
const NARROW: f64 = 0.02;

/// Samples that each headline rests on, where there is time for them.
pub const HEADLINE: u32 = 10;

/// A contender with its samples.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Who it is.
    pub contender: &'a Contender,
    /// Seconds by round; none of one that failed.
    pub samples: &'a [(u32, f64)],
}

/// What more samples of a contender would tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Whether something is undecided that more samples may decide.
    pub is_open: bool,
    /// Samples that it is to have in any case.
    pub least: u32,
}

/// What each needs.
pub fn needs(standings: &[Standing<'_>]) -> Vec<Need> {
    let mut found = Found {
        standings,
        needs: vec![Need::default(); standings.len()],
        floors: BTreeMap::new(),
    };
    found.controls();
    for group in groups(standings.iter().map(|standing| standing.contender)) {
        found.race(&group);
    }
    for (number, standing) in standings.iter().enumerate() {
        if standing.contender.is_wanted {
            let seconds = standing.samples.iter().map(|sample| sample.1);
            found.is_to_be_narrow(&[number], interval(&seconds.collect::<Vec<_>>()));
        }
        if let Some(base) = found.base(number) {
            found.is_to_be_narrow(&[number, base], found.ratio(number, base));
        }
    }
    found.needs
}

/// How far a contender is behind the best of those that it races.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Not so far that a few samples could tell; or others are held against it, and it is wanted whatever it takes.
    Near,
    /// So far that few samples tell.
    Far,
    /// So far that one tells.
    Farthest,
}

/// How far each is behind, by what one sample of each costs.
pub fn far_behind(contenders: &[Contender], costs: &[Option<f64>]) -> Vec<Behind> {
    let mut behind = vec![Behind::Near; contenders.len()];
    for group in groups(contenders.iter()) {
        let cost = |&number: &usize| costs[number].unwrap_or(f64::INFINITY);
        let best = group.iter().map(cost).fold(f64::INFINITY, f64::min);
        for number in &group {
            behind[*number] = match cost(number) {
                cost if cost > FARTHEST * best => Behind::Farthest,
                cost if cost > FAR * best => Behind::Far,
                _ => Behind::Near,
            };
        }
    }
    for (number, contender) in contenders.iter().enumerate() {
        if contender.is_wanted {
            behind[number] = Behind::Near;
        }
    }
    let numbers = 0..contenders.len();
    for base in numbers.filter_map(|number| base_of(contenders.iter(), number)) {
        behind[base] = Behind::Near;
    }
    behind
}

/// Those that race: with each number of threads the variants as they are, and all peers whatever their threads. What is
/// changed by a toggle, and the control's second name, race nobody.
fn groups<'a>(contenders: impl Iterator<Item = &'a Contender>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
    for (number, contender) in contenders.enumerate() {
        let name = &contender.name;
        if name.toggles.is_empty() && name.label.as_deref() != Some(CONTROL_B) {
            let group = (!contender.is_peer).then_some(name.threads);
            groups.entry(group).or_default().push(number);
        }
    }
    groups.into_values().collect()
}

/// What a contender is compared with: of the control's first name the second, of one with a toggle the one without.
fn base_of<'a>(contenders: impl Iterator<Item = &'a Contender>, number: usize) -> Option<usize> {
    let all: Vec<_> = contenders.map(|contender| &contender.name).collect();
    let name = all[number];
    let is_control = name.label.as_deref() == Some(CONTROL_A);
    if name.toggles.is_empty() && !is_control {
        return None;
    }
    all.iter().enumerate().position(|(other_number, other)| {
        let label = other.label.as_deref();
        let is_base = match is_control {
            true => other.toggles == name.toggles && label == Some(CONTROL_B),
            false => other.toggles.is_empty() && label != Some(CONTROL_B),
        };
        is_base
            && other_number != number
            && (&other.variant, other.threads) == (&name.variant, name.threads)
    })
}

struct Found<'s, 'a> {
    standings: &'s [Standing<'a>],
    needs: Vec<Need>,
    /// Of the controls, by threads.
    floors: BTreeMap<u32, f64>,
}

impl Found<'_, '_> {
    fn base(&self, number: usize) -> Option<usize> {
        base_of(self.standings.iter().map(|s| s.contender), number)
    }

    fn ratio(&self, over: usize, under: usize) -> Option<Interval> {
        let [over, under] = [over, under].map(|n| self.standings[n].samples.iter().copied());
        interval(&stats::paired_ratios(over, under))
    }

    /// The floors, and what the controls need themselves.
    fn controls(&mut self) {
        for number in 0..self.standings.len() {
            let name = &self.standings[number].contender.name;
            let (Some(CONTROL_A), Some(base)) = (name.label.as_deref(), self.base(number)) else {
                continue;
            };
            let ratio = self.ratio(number, base);
            self.is_to_be_narrow(&[number, base], ratio);
            for number in [number, base] {
                self.needs[number].least = HEADLINE;
            }
            if let Some(ratio) = ratio {
                self.floors.insert(name.threads, stats::floor(ratio));
            }
        }
    }

    /// Who of a group may be the fastest needs samples, until it is one alone.
    fn race(&mut self, group: &[usize]) {
        let median = |&number: &usize| {
            let seconds = self.standings[number].samples.iter().map(|sample| sample.1);
            Some((number, stats::median(&seconds.collect::<Vec<_>>())?))
        };
        let medians = group.iter().filter_map(median);
        let Some((best, _)) = medians.min_by(|a, b| a.1.total_cmp(&b.1)) else {
            return;
        };
        let others = group.iter().copied().filter(|&number| number != best);
        let open: Vec<usize> = others
            .filter(|&number| !self.is_behind(number, best))
            .collect();
        self.needs[best].is_open |= !open.is_empty();
        for number in open.iter().copied().chain([best]) {
            self.needs[number].least = HEADLINE;
        }
        for number in open {
            self.needs[number].is_open = true;
        }
    }

    /// Whether a contender is slower than the best beyond doubt. One without samples is out of the race.
    fn is_behind(&self, number: usize, best: usize) -> bool {
        let [over, under] = [number, best].map(|n| self.standings[n].samples.iter().copied());
        let ratios = stats::paired_ratios(over, under);
        ratios.iter().all(|&ratio| ratio > FAR)
            || interval(&ratios).is_some_and(|ratio| ratio.low > 1.0)
    }

    /// An interval that reaches farther than the noise needs samples of those that it is of.
    fn is_to_be_narrow(&mut self, of: &[usize], found: Option<Interval>) {
        let threads = self.standings[of[0]].contender.name.threads;
        let floor = self.floors.get(&threads).copied().unwrap_or(0.0);
        let reach = |i: Interval| (i.high / i.median).max(i.median / i.low) - 1.0;
        let is_open = found.is_some_and(|interval| reach(interval) > floor.max(NARROW));
        for &number in of {
            self.needs[number].is_open |= is_open;
            if self.standings[number].contender.is_wanted {
                self.needs[number].least = HEADLINE;
            }
        }
    }
}

/// The interval of a median; one sample has none.
fn interval(values: &[f64]) -> Option<Interval> {
    stats::interval(values, super::rounds::LOOKS.len() as u32).filter(|_| values.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::record::Toggles;

    /// Times about `seconds`, apart by up to `noise`, a share.
    fn times(seconds: f64, noise: f64, rounds: u32) -> Vec<(u32, f64)> {
        let at = |round: u32| seconds * (1.0 + noise * (f64::from(round * 7 % 5) / 4.0 - 0.5));
        (1..=rounds).map(|round| (round, at(round))).collect()
    }

    fn variant(name: &str, threads: u32) -> Contender {
        Contender::new(name, Toggles::new(), None, threads)
    }

    fn needs_of(cells: &[(Contender, Vec<(u32, f64)>)]) -> Vec<(bool, u32)> {
        let standings = cells
            .iter()
            .map(|(contender, samples)| Standing { contender, samples });
        let needs = needs(&standings.collect::<Vec<_>>());
        needs
            .iter()
            .map(|need| (need.is_open, need.least))
            .collect()
    }

    #[test]
    fn who_may_be_the_fastest_goes_on_and_who_is_behind_stops() {
        let cells = [
            (variant("first", 1), times(1.0, 0.1, 10)),
            (variant("close", 1), times(1.001, 0.2, 10)),
            (variant("behind", 1), times(1.5, 0.1, 10)),
            (variant("far", 1), times(9.0, 0.1, 2)),
            (variant("failed", 1), Vec::new()),
            (variant("alone", 2), times(0.5, 0.1, 10)),
        ];
        let decided = (false, 0);
        assert_eq!(
            needs_of(&cells),
            [
                (true, HEADLINE),
                (true, HEADLINE),
                decided,
                decided,
                decided,
                (false, HEADLINE)
            ]
        );
    }

    #[test]
    fn peers_race_one_another_at_any_number_of_threads() {
        let cells = [
            (variant("ours", 1), times(0.1, 0.1, 10)),
            (Contender::peer("one", 1), times(1.0, 0.1, 10)),
            (Contender::peer("one", 2), times(2.0, 0.1, 10)),
            (Contender::peer("two", 2), times(1.001, 0.2, 10)),
        ];
        let open = (true, HEADLINE);
        assert_eq!(
            needs_of(&cells),
            [(false, HEADLINE), open, (false, 0), open]
        );
    }

    #[test]
    fn effects_and_controls_go_on_until_they_are_narrow_with_what_they_are_compared_with() {
        let toggles = Toggles::from([("bloom".to_owned(), "off".to_owned())]);
        let [a, b] = Contender::control("ours", &Toggles::new(), 1);
        let cells = |noise: f64| {
            let other = Contender::new("ours", toggles.clone(), None, 1);
            [
                (a.clone(), times(1.0, 0.0, 10)),
                (b.clone(), times(1.0, 0.01, 10)),
                (other, times(1.5, noise, 10)),
                (variant("least", 1), times(0.5, 0.01, 10)),
            ]
        };
        let narrow = needs_of(&cells(0.01));
        assert_eq!(narrow[2], (false, 0));
        let wide = needs_of(&cells(0.5));
        assert_eq!(wide[2], (true, 0));
        assert_eq!(wide[0], (true, HEADLINE));
        assert_eq!(wide[3], (false, HEADLINE));
    }

    #[test]
    fn only_what_races_is_far_behind() {
        let toggles = Toggles::from([("bloom".to_owned(), "off".to_owned())]);
        let wanted = Contender {
            is_wanted: true,
            ..variant("wanted", 1)
        };
        let contenders = [
            variant("best", 1),
            variant("slow", 1),
            variant("base", 1),
            Contender::new("base", toggles, None, 1),
            wanted,
            variant("failed", 1),
            variant("slow", 2),
            variant("slowest", 1),
        ];
        let costs = [
            Some(1.0),
            Some(4.0),
            Some(5.0),
            Some(9.0),
            Some(6.0),
            None,
            Some(7.0),
            Some(11.0),
        ];
        use Behind::{Far, Farthest, Near};
        assert_eq!(
            far_behind(&contenders, &costs),
            [Near, Far, Near, Near, Near, Farthest, Near, Farthest]
        );
    }
}
