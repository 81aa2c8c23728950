//! The model of many machines agrees with the bytes that two and four workers sent, and the committed chart is what it says.

use std::path::PathBuf;

use report::cluster_model::{
    Divided, Filter, Machine, Moved, Overhead, Panels, Part, Sides, Spent, StageSent, Way, csv,
    draw, predict,
};
use report::record::{Run, read_run};
use report::threads_model::Rates;

/// How far a prediction may be from a measurement, as a factor.
const AGREES: f64 = 1.15;

fn reports(name: &str) -> PathBuf {
    let reports = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../reports");
    reports.join(name)
}

fn rates() -> Rates {
    Rates::of(&read_run(&reports("threads")).unwrap()).unwrap()
}

fn time(sides: &Sides, workers: f64, way: Way) -> Spent {
    predict(&rates(), &Machine::assumed(), sides, workers, way)
}

/// What DataFusion's joins sent in all queries of a run.
fn sent(run: &Run, workers: u32) -> Moved {
    let variant = format!("datafusion/{workers}-workers");
    let queries = run.workloads.iter();
    queries.fold(Moved::default(), |all, query| {
        let moved = Moved::measured(run, &query.name, &variant);
        let moved = moved.unwrap_or_else(|| panic!("{} on {workers} workers", query.name));
        Moved {
            shuffled: all.shuffled + moved.shuffled,
            broadcast: all.broadcast + moved.broadcast,
            gathered: all.gathered + moved.gathered,
        }
    })
}

#[test]
fn four_workers_send_what_two_of_them_let_expect() {
    let run = read_run(&reports("cluster")).unwrap();
    assert!(run.run.environment.optimised && run.workloads.len() == 22);
    let [two, four] = [2, 4].map(|workers| sent(&run, workers));
    let predicted = two.on(4, 2);
    println!("{two}\n{four}\npredicted: {predicted}");
    // One process sends nothing.
    assert!(
        run.workloads
            .iter()
            .all(|query| Moved::measured(&run, &query.name, "datafusion").is_none())
    );
    for (part, predicted, measured) in [
        ("shuffled", predicted.shuffled, four.shuffled),
        ("broadcast", predicted.broadcast, four.broadcast),
        ("all", predicted.all(), four.all()),
    ] {
        let ratio = predicted / measured;
        assert!(
            (1.0 / AGREES..AGREES).contains(&ratio),
            "{part}: {predicted} predicted, {measured} measured"
        );
    }
}

/// Of time, as a factor.
const TIMES_AGREE: f64 = 1.3;

#[test]
fn four_workers_take_what_two_of_them_let_expect() {
    let run = read_run(&reports("cluster")).unwrap();
    let overhead = Overhead::of(&run, 2).unwrap();
    let (mut predicted, mut measured) = (0.0, 0.0);
    for query in &run.workloads {
        let two = Divided::of(&run, &query.name, 2).unwrap();
        let moved = Moved::measured(&run, &query.name, "datafusion/2-workers").unwrap();
        // Each stage has a task for each worker.
        predicted += overhead.seconds(2.0 * two.tasks, moved.on(4, 2).all());
        measured += Divided::of(&run, &query.name, 4).unwrap().beyond;
    }
    println!("{overhead:?}: {predicted} s beyond one process predicted, {measured} s measured");
    let ratio = predicted / measured;
    assert!(
        (1.0 / TIMES_AGREE..TIMES_AGREE).contains(&ratio),
        "{predicted} s predicted, {measured} s measured"
    );
}

#[test]
fn the_committed_chart_is_what_the_model_says() {
    let panels = Panels::new(&rates(), &Machine::assumed());
    for (name, made) in [
        ("cluster.svg", draw(&panels)),
        ("cluster.csv", csv(&panels)),
    ] {
        let kept = std::fs::read_to_string(reports("cluster").join(name)).unwrap();
        assert!(
            kept == made,
            "{name} is old: cargo run -p report --example cluster -- reports/cluster"
        );
    }
}

#[test]
fn a_note_is_read_as_it_is_written() {
    let moved = Moved {
        shuffled: 12.0,
        broadcast: 0.0,
        gathered: 3456.0,
    };
    assert_eq!(Moved::of(&moved.to_string()), Some(moved));
    assert_eq!(Moved::of("3 of 3 hash joins taken over"), None);
    let sent = StageSent {
        stage: 3,
        tasks: 2,
        bytes: 1234,
        way: "shuffled".to_owned(),
        ms: 0.125,
    };
    assert_eq!(StageSent::of(&sent.to_string()), Some(sent));
    assert_eq!(StageSent::of(&moved.to_string()), None);
}

#[test]
fn a_filter_for_everybody_pays_where_the_build_side_is_small() {
    let seconds = |build, filter| {
        let sides = Sides {
            build,
            hit: 0.1,
            ..Sides::HUNDRED_TERABYTES
        };
        let way = Way {
            filter,
            ..Way::PLAIN
        };
        time(&sides, 4096.0, way).of(Part::Network)
    };
    let none = |build| seconds(build, Filter::None);
    assert!(seconds(1e8, Filter::Broadcast) < 0.3 * none(1e8));
    assert!(seconds(1e11, Filter::Broadcast) > 2.0 * none(1e11));
    // Keys are a twelfth of a row, whatever the build side.
    for build in [1e8, 1e11] {
        assert!(seconds(build, Filter::KeysFirst) < 0.4 * none(build));
    }
}

#[test]
fn what_frequent_keys_cost_is_gone_where_they_are_replicated() {
    let sides = |zipf| Sides {
        zipf,
        ..Sides::HUNDRED_TERABYTES
    };
    let way = Way {
        replicated: true,
        ..Way::PLAIN
    };
    let even = time(&sides(0.0), 4096.0, Way::PLAIN);
    let skewed = time(&sides(1.0), 4096.0, Way::PLAIN);
    assert!(skewed.seconds > 10.0 * even.seconds, "{skewed:?}");
    let replicated = time(&sides(1.0), 4096.0, way);
    assert!(replicated.seconds < 1.3 * even.seconds, "{replicated:?}");
}

#[test]
fn machines_are_told_their_numbers_by_name() {
    let mut machine = Machine::assumed();
    machine.set("network", 400.0).unwrap();
    assert_eq!(machine.network, 50e9);
    for (name, value) in [("network", 0.0), ("network", f64::NAN), ("cpu", 4.0)] {
        assert!(machine.set(name, value).is_err(), "{name}={value}");
    }
}
