//! Carries a plan out.

use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use join_core::parallel::{StartError, Team, ThreadStart};

use super::plan::{Item, Kernel, Plan};
use super::random::Walk;
use super::region::{LINE_WORDS, Line, Region, words, words_mut};
use super::scatter::Partitions;
use super::team::{self, Amount, Timing};
use super::{Error, Limit, lookup, random, sequential};
use crate::machine;

/// Random accesses a thread makes to learn its speed.
const FIRST_ACCESSES: u64 = 1 << 17;

/// Phases that a team goes through for the same.
const FIRST_PHASES: u64 = 1 << 7;

/// Measures all of `plan` and calls `progress` before each array and kernel.
///
/// # Errors
/// When the memory for an array is not to be had, or threads do not start.
pub fn measure(plan: &Plan, mut progress: impl FnMut(&Item)) -> Result<Vec<Limit>, Error> {
    let mut limits = Vec::with_capacity(plan.items.len() * plan.threads.len());
    let most_threads = plan.threads.iter().copied().max().unwrap_or(1);
    machine::room_for_threads(most_threads)?;
    let mut array: Option<Array> = None;
    for item in &plan.items {
        progress(item);
        let array = match &mut array {
            Some(array) if array.serves(item) => array,
            // Drops the array before, so that never two are there at once.
            other => {
                *other = None;
                other.insert(Array::new(item, most_threads)?)
            }
        };
        if item.kernel == Kernel::DependentRead {
            random::link_cycle(array.region.lines_mut(), item.array_bytes);
        }
        if item.kernel == Kernel::Lookup {
            lookup::build(words_mut(array.region.lines_mut()));
        }
        for &threads in &plan.threads {
            let (timing, counted) = time(item, &mut array.region, threads, plan)?;
            limits.push(limit(item, array.huge_pages, threads, &timing, counted));
        }
    }
    Ok(limits)
}

/// A counter that has its cache line, and the one that is fetched beside it, to itself.
#[repr(align(128))]
struct Counter(AtomicU64);

/// Memory that is there: written once, by all threads, so that no measurement pays for page
/// faults, and so that on several memory nodes the pages are spread as the threads are.
struct Array {
    region: Region,
    asked_for_huge_pages: bool,
    huge_pages: bool,
}

impl Array {
    fn new(item: &Item, threads: u32) -> Result<Self, Error> {
        let mut region = map(item)?;
        let mut shares = shares(region.lines_mut(), threads);
        team::run(&mut shares, Amount::Fixed(1), 1, |share, _| number(share))
            .map_err(not_started(threads))?;
        let huge_pages = item.huge_pages && region.is_huge();
        Ok(Self {
            region,
            asked_for_huge_pages: item.huge_pages,
            huge_pages,
        })
    }

    fn serves(&self, item: &Item) -> bool {
        self.asked_for_huge_pages == item.huge_pages
            && size_of_val(self.region.lines()) == item.array_bytes as usize
    }
}

fn map(item: &Item) -> Result<Region, Error> {
    let bytes = usize::try_from(item.array_bytes).unwrap_or(usize::MAX / 2);
    Region::map(bytes, item.huge_pages).map_err(|source| Error::Memory {
        mib: item.array_bytes >> 20,
        source,
    })
}

fn not_started(threads: u32) -> impl Fn(io::Error) -> Error {
    move |error| {
        Error::Start(StartError {
            threads: threads as usize,
            reason: error.to_string(),
        })
    }
}

/// Fills a share with numbers that look random.
fn number(lines: &mut [Line]) {
    for (i, word) in lines.iter_mut().flat_map(|line| &mut line.0).enumerate() {
        *word = random::mix(i as u64);
    }
}

/// Times an item; also says how much of the counted unit all threads do a unit of amount.
fn time(
    item: &Item,
    region: &mut Region,
    threads: u32,
    plan: &Plan,
) -> Result<(Timing, usize), Error> {
    let passes = Amount::Lasting {
        first: 1,
        seconds: plan.seconds,
    };
    let accesses = Amount::Lasting {
        first: FIRST_ACCESSES,
        seconds: plan.seconds,
    };
    let team = threads as usize;
    let repetitions = plan.repetitions;
    // Each thread its own, which goes on from one repetition to the next: the same places once
    // more would be found in the cache.
    let walks = || (0..u64::from(threads)).map(Walk::new);
    // A black box around what is read keeps the compiler from reading it once for all passes; one
    // around what comes out keeps it from reading nothing.
    let kernel = item.kernel;
    Ok(match kernel {
        Kernel::Read => {
            let mut states = shares(region.lines_mut(), threads);
            let bytes = total(&states);
            let timing = team::run(&mut states, passes, repetitions, |share, passes| {
                for _ in 0..passes {
                    black_box(sequential::sum(words(black_box(share))));
                }
            })
            .map_err(not_started(threads))?;
            (timing, bytes)
        }
        Kernel::Write => {
            let mut states = shares(region.lines_mut(), threads);
            let bytes = total(&states);
            let timing = team::run(&mut states, passes, repetitions, |share, passes| {
                for pass in 0..passes {
                    sequential::fill(words_mut(share), random::mix(pass + 1));
                    black_box(&mut *share);
                }
            })
            .map_err(not_started(threads))?;
            (timing, bytes)
        }
        Kernel::WriteStreaming => {
            let mut states = shares(region.lines_mut(), threads);
            let bytes = total(&states);
            let timing = team::run(&mut states, passes, repetitions, |share, passes| {
                for pass in 0..passes {
                    sequential::fill_streaming(share, random::mix(pass + 1));
                    black_box(&mut *share);
                }
            })
            .map_err(not_started(threads))?;
            (timing, bytes)
        }
        Kernel::Copy | Kernel::CopyStreaming => {
            let mut states = pairs(region.lines_mut(), threads, 0);
            let bytes = 2 * states
                .iter()
                .map(|(from, _)| size_of_val(*from))
                .sum::<usize>();
            let timing = team::run(&mut states, passes, repetitions, |(from, to), passes| {
                for _ in 0..passes {
                    if kernel == Kernel::Copy {
                        let add = black_box(0);
                        let to = words_mut(to);
                        sequential::copy(to, words(from), add);
                    } else {
                        sequential::copy_streaming(to, from);
                    }
                    black_box(&mut *to);
                }
            })
            .map_err(not_started(threads))?;
            (timing, bytes)
        }
        Kernel::RandomRead | Kernel::PrefetchedRead => {
            let words = words(region.lines());
            let mut states: Vec<Walk> = walks().collect();
            let timing = team::run(&mut states, accesses, repetitions, |walk, pairs| {
                black_box(if kernel == Kernel::RandomRead {
                    random::sum(words, walk, pairs)
                } else {
                    random::sum_prefetched(words, walk, pairs)
                });
            })
            .map_err(not_started(threads))?;
            (timing, 2 * team)
        }
        Kernel::Lookup => {
            let words = words(region.lines());
            let mut states: Vec<Walk> = walks().collect();
            let timing = team::run(&mut states, accesses, repetitions, |walk, pairs| {
                black_box(lookup::sum(black_box(words), walk, pairs));
            })
            .map_err(not_started(threads))?;
            (timing, 2 * team)
        }
        Kernel::DependentRead => {
            let lines = region.lines();
            let apart = lines.len() / team;
            let mut states: Vec<u64> = (0..team).map(|i| (i * apart) as u64).collect();
            let timing = team::run(&mut states, accesses, repetitions, |at, count| {
                *at = black_box(random::chase(lines, *at, count));
            })
            .map_err(not_started(threads))?;
            (timing, team)
        }
        Kernel::RandomWrite => {
            let mut states: Vec<_> = shares(region.lines_mut(), threads)
                .into_iter()
                .zip(walks())
                .collect();
            let timing = team::run(
                &mut states,
                accesses,
                repetitions,
                |(share, walk), pairs| {
                    random::write(words_mut(share), walk, pairs);
                },
            )
            .map_err(not_started(threads))?;
            (timing, 2 * team)
        }
        Kernel::SharedCounter => {
            let counter = Counter(AtomicU64::new(0));
            let mut states = vec![&counter.0; team];
            let timing = team::run(&mut states, accesses, repetitions, |counter, additions| {
                for _ in 0..additions {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
            .map_err(not_started(threads))?;
            (timing, team)
        }
        Kernel::Phase => {
            let phases = Amount::Lasting {
                first: FIRST_PHASES,
                seconds: plan.seconds,
            };
            // One thread starts phases, as one thread runs a join.
            let mut states = [Team::try_new(team, ThreadStart::Pool)?];
            let timing = team::run(&mut states, phases, repetitions, |workers, phases| {
                for _ in 0..phases {
                    black_box(workers.run(vec![(); team], |worker, ()| worker));
                }
            })
            .map_err(not_started(threads))?;
            (timing, 1)
        }
        Kernel::Scatter { bits } | Kernel::ScatterCombined { bits } => {
            let mut states: Vec<_> =
                pairs(region.lines_mut(), threads, Partitions::slack_lines(bits))
                    .into_iter()
                    .map(|(input, output)| {
                        number(input);
                        let partitions = Partitions::count(words(input), bits);
                        (partitions, input, output)
                    })
                    .collect();
            let tuples = states
                .iter()
                .map(|(_, input, _)| input.len() * LINE_WORDS)
                .sum();
            let timing = team::run(&mut states, passes, repetitions, |state, passes| {
                let (partitions, input, output) = state;
                for _ in 0..passes {
                    let input = words(input);
                    if let Kernel::Scatter { .. } = kernel {
                        partitions.scatter(input, output);
                    } else {
                        partitions.scatter_combined(input, output);
                    }
                    black_box(&mut *output);
                }
            })
            .map_err(not_started(threads))?;
            (timing, tuples)
        }
        Kernel::FirstTouch => {
            let mut seconds = Vec::with_capacity(repetitions);
            let mut bytes = 0;
            for _ in 0..repetitions {
                // The second touch is no first one.
                *region = map(item)?;
                let mut states = shares(region.lines_mut(), threads);
                bytes = total(&states);
                let once = team::run(&mut states, Amount::Fixed(1), 1, |share, _| {
                    sequential::fill(words_mut(share), random::mix(1));
                })
                .map_err(not_started(threads))?;
                seconds.extend(once.seconds);
            }
            let amount = 1;
            (Timing { amount, seconds }, bytes)
        }
    })
}

/// The fastest repetition, and what the others reached.
fn limit(item: &Item, huge_pages: bool, threads: u32, timing: &Timing, counted: usize) -> Limit {
    let work = counted as f64 * timing.amount as f64;
    let mut rates: Vec<f64> = timing
        .seconds
        .iter()
        .map(|seconds| work / seconds)
        .collect();
    rates.sort_by(f64::total_cmp);
    let at = |index: usize| rates.get(index).copied().unwrap_or(0.0);
    Limit {
        what: item.kernel.what(),
        threads,
        array_bytes: item.array_bytes,
        huge_pages,
        value: at(rates.len().saturating_sub(1)),
        unit: item.kernel.unit().to_owned(),
        median: at(rates.len() / 2),
        low: at(0),
    }
}

/// Equal parts of an array, one a thread; what does not divide is left out.
fn shares(lines: &mut [Line], threads: u32) -> Vec<&mut [Line]> {
    let share = (lines.len() / threads as usize).max(1);
    lines
        .chunks_exact_mut(share)
        .take(threads as usize)
        .collect()
}

/// Each thread's input and its output, which is longer by `slack` lines.
fn pairs(lines: &mut [Line], threads: u32, slack: usize) -> Vec<(&mut [Line], &mut [Line])> {
    shares(lines, threads)
        .into_iter()
        .map(|share| {
            let input = share.len().saturating_sub(slack) / 2;
            let (from, to) = share.split_at_mut(input);
            let output = (input + slack).min(to.len());
            (from, &mut to[..output])
        })
        .collect()
}

fn total(shares: &[&mut [Line]]) -> usize {
    shares.iter().map(|share| size_of_val(*share)).sum()
}
