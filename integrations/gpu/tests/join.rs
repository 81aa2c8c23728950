//! Joins on the device by the conformance suite, and of columns that came from chunks. Needs an adapter.

use std::cell::RefCell;
use std::sync::LazyLock;

use join_core::conformance::{Conditions, Random, RandomJoin, Wanted, check_join};
use join_core::input::KeyColumn;
use join_core::join::{Context, Join, JoinError, JoinInput, Outcome, Phases};
use join_core::key::Key;
use join_core::oracle::{sort_merge, sort_merge_pairs};
use join_core::output::{Consumer, Pair, Sink, SinkRef, collect};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::Column;
use joinery_gpu::{Device, DeviceKeys, GpuError, HostKeys, Joined, Matches, join};

/// All tests run on one device.
static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::open(None).unwrap());

/// The device as a join, within so many bytes of its memory beside the keys.
struct OnDevice(u64);

impl OnDevice {
    fn answer<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        matches: &mut Matches<'_>,
        phases: &mut Phases,
    ) -> Result<Joined, GpuError> {
        let upload = |column| DeviceKeys::upload(&DEVICE, MEMORY, &HostKeys::of(column));
        let (build, probe) = (upload(build)?, upload(probe)?);
        phases.lap("upload");
        let memory = self.0 + build.bytes() + probe.bytes();
        join(&DEVICE, memory, &build, &probe, matches, phases)
    }
}

impl Join for OnDevice {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let watch = std::sync::Mutex::new(Phases::start());
        let Context {
            team,
            memory,
            consumer,
            filter,
            ..
        } = *context;
        let single = Team::single();
        let results = collect(vec![()], consumer, filter, &single, memory, |(), sink| {
            let mut phases = watch.lock().unwrap();
            let is_summed = matches!(sink, SinkRef::Aggregate(_));
            let sink = RefCell::new(sink);
            let mut take = |pairs: &[_]| match &mut *sink.borrow_mut() {
                SinkRef::Aggregate(sums) => sums.emit_block(pairs),
                SinkRef::Pairs(kept) => kept.emit_block(pairs),
            };
            let mut matches = match is_summed {
                true => Matches::Summed,
                false => Matches::Pairs(&mut take),
            };
            let joined = self
                .answer(build, probe, &mut matches, &mut phases)
                .unwrap();
            if let SinkRef::Aggregate(sums) = &mut *sink.borrow_mut() {
                sums.merge(&joined.sums);
            }
        })?;
        let results = match consumer {
            Consumer::Pairs(placement) => results.placed(placement, team, memory)?,
            _ => results,
        };
        let phases = watch.into_inner().unwrap();
        Ok(Outcome {
            results,
            phases,
            table_bytes: 0,
            notes: Vec::new(),
        })
    }
}

const MEMORY: u64 = 256 << 20;
/// So little that most build sides take several tables, and most results several flights.
const LITTLE: u64 = 80 << 10;

#[test]
fn the_device_passes_the_conformance_suite() {
    check_join(&OnDevice(MEMORY));
}

/// Joins drawn at random, each with plenty of memory and with little.
#[test]
fn joins_drawn_at_random_have_the_oracles_answers() {
    let mut random = Random::of(1, "device");
    for seed in 0..150 {
        let drawn = RandomJoin::from_seed(seed);
        let team = drawn.team(ThreadStart::Fresh);
        for spare in [MEMORY, LITTLE] {
            for wanted in [Wanted::Aggregate, Wanted::Pairs(None)] {
                let conditions = Conditions {
                    budget: None,
                    ..Conditions::drawn(wanted, &mut random)
                };
                let checked = drawn.check(&OnDevice(spare), &team, &conditions);
                checked.unwrap_or_else(|fault| panic!("{fault}: {drawn}; {spare} bytes"));
            }
        }
    }
}

/// More equal keys than a thread looks at in one go, in several tables, with more pairs than fit into a flight.
#[test]
fn equal_keys_beyond_what_a_thread_looks_at_are_all_found() {
    let mut keys = vec![7; 30_000];
    keys.extend(0..500);
    let build = Column::from_i64(&keys);
    let probe = Column::from_i64(&[7, 3, -1, 7]);
    let input = JoinInput::new(&build, &probe).unwrap();
    let expected = sort_merge_pairs(&input);
    for spare in [MEMORY, LITTLE] {
        let mut found = Vec::new();
        let JoinInput::Int64(build, probe) = &input else {
            unreachable!("columns of INT64");
        };
        let mut take = |pairs: &[Pair]| found.extend_from_slice(pairs);
        let mut phases = Phases::start();
        let joined =
            OnDevice(spare).answer(build, probe, &mut Matches::Pairs(&mut take), &mut phases);
        assert_eq!(joined.unwrap().tables > 1, spare == LITTLE);
        found.sort_unstable();
        assert_eq!(found, expected);
        let joined = OnDevice(spare).answer(build, probe, &mut Matches::Summed, &mut phases);
        assert_eq!(joined.unwrap().sums, sort_merge(&input));
    }
}

#[test]
fn what_cannot_be_joined_is_said() {
    let (narrow, wide) = (Column::from_i32(&[1, 2]), Column::from_i64(&[1, 2]));
    let upload = |keys| DeviceKeys::upload(&DEVICE, MEMORY, &keys).unwrap();
    let narrow = upload(HostKeys::of(&KeyColumn::<i32>::new(&narrow).unwrap()));
    let wide = upload(HostKeys::of(&KeyColumn::<i64>::new(&wide).unwrap()));
    let joined = |memory, probe| {
        let phases = &mut Phases::start();
        join(
            &DEVICE,
            memory,
            &narrow,
            probe,
            &mut Matches::Summed,
            phases,
        )
        .map(|_| ())
    };
    assert!(matches!(joined(MEMORY, &wide), Err(GpuError::KeyTypes)));
    let little = joined(64, &narrow);
    assert!(matches!(
        little,
        Err(GpuError::TooLittle {
            given: 64,
            least: 65..
        })
    ));
}
