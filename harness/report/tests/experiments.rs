//! Runs of more than joins: cold executions stand apart, and each experiment is drawn by itself.

use std::path::Path;

use report::page::Drawn;
use report::plans::{Kind, PlanRun, once_name, ordered_name};
use report::record::*;
use report::summary::summarise;

mod synthetic;

/// The synthetic run of joins, with a plan that two executors were measured on: the first under two names.
fn run() -> Run {
    let mut records = synthetic::records(2);
    let end = records.pop().unwrap();
    let workload = r#"{"kind":"workload","name":"job/1a","group":"job","experiment":"plan","sentence":"","probe_rows":9}"#;
    records.push(serde_json::from_str(workload).unwrap());
    for variant in ["pipelined", "other"] {
        let line = format!(
            r#"{{"kind":"variant","name":"{variant}","family":"plan","build":null,"probe":null,"description":""}}"#
        );
        records.push(serde_json::from_str(&line).unwrap());
    }
    for (variant, label, seconds) in [
        ("pipelined", r#""A""#, 1.0),
        ("pipelined", r#""A'""#, 1.0),
        ("other", "null", 3.0),
    ] {
        for round in 0..4 {
            let seconds = if round == 0 { 100.0 } else { seconds };
            let line = format!(
                r#"{{"kind":"sample","round":{round},"order":0,"workload":"job/1a","variant":"{variant}","label":{label},
                "threads":2,"seconds":{seconds},"phases":[],"rows":7,"checksum":"00000000000000ff","source":"variant"}}"#
            );
            records.push(serde_json::from_str(&line).unwrap());
        }
    }
    records.push(end);
    let lines = records
        .iter()
        .map(|r| serde_json::to_string(r).unwrap() + "\n");
    let text: String = lines.collect();
    parse_run(Path::new(SAMPLES_FILE), text.as_bytes()).unwrap()
}

#[test]
fn a_cold_execution_is_in_no_median() {
    let run = run();
    let summary = summarise(&run);
    let cells = summary
        .results
        .iter()
        .filter(|cell| cell.workload == "job/1a");
    let cells: Vec<_> = cells
        .map(|cell| (cell.samples, cell.seconds.high))
        .collect();
    assert_eq!(cells, [(3, 1.0), (3, 3.0)]);
    let controls = summary.noise_floor.controls.iter();
    let control = controls.filter(|control| control.workload == "job/1a");
    assert!(control.into_iter().all(|control| control.ratio.high == 1.0));

    let plans = PlanRun::from_run(&run).unwrap();
    let kinds: Vec<Kind> = plans.arms.iter().map(|arm| arm.kind).collect();
    assert_eq!(kinds, [Kind::Executor, Kind::Control, Kind::Executor]);
    let other = plans.arms[2].bundles[0].as_ref().unwrap();
    assert_eq!(
        (other.cold_seconds, &*other.samples),
        (100.0, &[3.0; 3][..])
    );
    let over = plans.arms[2].summary.over_first.unwrap();
    assert_eq!((over.total.median, over.cold_total.median), (3.0, 1.0));
}

/// The plan of [`run`] again, each once: in two processes of each executor.
fn run_once() -> Run {
    let mut run = run();
    let warm = run.workload("job/1a").unwrap().clone();
    run.workloads.push(WorkloadRecord {
        name: once_name("job/1a"),
        experiment: ONCE.to_owned(),
        ..warm
    });
    let warm = run.samples.iter().filter(|s| s.workload == "job/1a");
    let once: Vec<SampleRecord> = warm
        .filter(|sample| [1, 2].contains(&sample.round))
        .map(|sample| SampleRecord {
            workload: once_name("job/1a"),
            seconds: sample.seconds * f64::from(sample.round) * 5.0,
            ..sample.clone()
        })
        .collect();
    run.samples.extend(once);
    run
}

#[test]
fn executions_of_fresh_processes_stand_beside_warm_ones() {
    let alone = PlanRun::from_run(&run()).unwrap();
    assert!(PlanRun::once(&run()).is_none());
    let run = run_once();
    assert_eq!(PlanRun::from_run(&run).unwrap(), alone);
    let once = PlanRun::once(&run).unwrap();
    let names =
        |run: &PlanRun| -> Vec<String> { run.arms.iter().map(|arm| arm.name.clone()).collect() };
    assert_eq!(names(&once), names(&alone));
    let other = once.arm("other").unwrap();
    let measured = other.measured("job/1a").unwrap();
    assert_eq!((measured.rows, &*measured.samples), (7, &[15.0, 30.0][..]));
    let over = other.summary.over_first.unwrap();
    assert_eq!((over.total.low, over.total.high), (3.0, 3.0));

    let drawn = Drawn::new(&run);
    assert!(drawn.plan_charts == Drawn::new(&self::run()).plan_charts);
    let charts: Vec<_> = drawn.once_charts.iter().flatten().collect();
    let names: Vec<&str> = charts.iter().map(|chart| chart.name).collect();
    assert_eq!(names, ["once-totals", "once-times", "once-against"]);
    assert!(charts[0].svg.contains("Total, warm") && charts[0].csv.contains("Total, warm"));
    let row = "job/1a,other,7,3,";
    assert!(charts[1].csv.contains(row), "{}", charts[1].csv);
}

#[test]
fn charts_of_joins_are_the_same_beside_other_experiments() {
    let run = run();
    let joins = run.part(JOIN);
    assert!(joins.variant("other").is_none() && joins.workload("job/1a").is_none());
    let ingest = run.part(INGEST).samples.len();
    assert_eq!(joins.samples.len() + ingest + 12, run.samples.len());
    let mut alone = run.clone();
    alone.samples.retain(|sample| sample.workload != "job/1a");
    alone
        .workloads
        .retain(|workload| workload.experiment != PLAN);
    alone.variants.retain(|variant| variant.family != PLAN);
    assert!(Drawn::new(&alone).charts == Drawn::new(&run).charts);
    let plans = Drawn::new(&run).plan_charts;
    assert_eq!(plans.iter().flatten().count(), 3);
}

/// The plan of [`run`] as two queries in three orders of their tables each, with twice as many warm samples; `other` takes so
/// many times the seconds.
fn run_in_orders(factors: [f64; 3]) -> Run {
    let mut run = run();
    let plan = run.workload("job/1a").unwrap().clone();
    let mut samples: Vec<SampleRecord> = run.samples.clone();
    let warm = samples
        .clone()
        .into_iter()
        .filter(|sample| sample.round > 0);
    samples.extend(warm.map(|sample| SampleRecord {
        round: sample.round + 3,
        ..sample
    }));
    run.samples.clear();
    run.workloads.clear();
    for query in ["tpch/q5", "tpch/q9"] {
        for (order, factor) in (1..).zip(factors) {
            let name = ordered_name(query, order);
            run.workloads.push(WorkloadRecord {
                name: name.clone(),
                experiment: SQL.to_owned(),
                ..plan.clone()
            });
            let of_plan = samples.iter().filter(|sample| sample.workload == plan.name);
            run.samples.extend(of_plan.map(|sample| SampleRecord {
                workload: name.clone(),
                seconds: match &*sample.variant {
                    "other" => sample.seconds * factor,
                    _ => sample.seconds,
                },
                ..sample.clone()
            }));
        }
    }
    run
}

#[test]
fn orders_of_tables_become_one_chart_of_how_far_times_lie_apart() {
    let run = run_in_orders([1.0, 20.0, 4.0]);
    let drawn = Drawn::new(&run);
    let charts: Vec<_> = drawn.query_charts.iter().flatten().collect();
    let names: Vec<&str> = charts.iter().map(|chart| chart.name).collect();
    assert_eq!(names, ["query-orders"]);
    let chart = charts[0];
    for text in ["tpch/q5", "tpch/q9", "largest time : smallest time"] {
        assert!(chart.svg.contains(text), "{text}");
    }
    assert!(!chart.svg.contains("1 without a time"));
    let finding = &chart.finding;
    assert!(finding.contains("pipelined up to ×1 ("), "{finding}");
    assert!(finding.contains("other up to ×20 ("), "{finding}");
    let csv: Vec<&str> = chart.csv.lines().collect();
    assert_eq!(
        csv[0],
        "query,engine,orders,missing,samples,least,most,ratio"
    );
    let of_other = csv
        .iter()
        .filter(|line| line.starts_with("tpch/q9,other,3,0,"));
    let of_other: Vec<_> = of_other.collect();
    assert!(of_other.len() == 1 && of_other[0].ends_with(",20"));

    // Few samples are no ground to say anything.
    let mut few = run.clone();
    few.samples.retain(|sample| sample.round < 3);
    let drawn = Drawn::new(&few);
    let chart = drawn.query_charts.iter().flatten().next().unwrap();
    assert!(
        chart.finding.contains("too few") && !chart.finding.contains('×'),
        "{}",
        chart.finding
    );

    // An engine that fails in some order has a mark of the others, and a note.
    let mut failing = run;
    failing.samples.retain(|sample| {
        sample.variant != "other" || sample.workload != ordered_name("tpch/q9", 2)
    });
    let drawn = Drawn::new(&failing);
    let chart = drawn.query_charts.iter().flatten().next().unwrap();
    assert!(chart.svg.contains("1 without a time"));
}
