//! `harness ingest` from a real PostgreSQL server into the joins. `.ci/postgres` installs a server and runs these.

#![cfg(feature = "ingest")]

#[path = "../../../variants/aligned-ingest/tests/postgres/mod.rs"]
mod postgres;

mod faults;
mod gpu;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Output};

use aligned_ingest::server::Client;
use join_core::join::{Context, JoinInput};
use join_core::memory::Memory;
use join_core::parallel::{Team, ThreadStart};
use join_core::table::Table;
use postgres::Postgres;

/// Rows of `lineorder` at scale factor 0.1.
const ROWS: u64 = 600_572;

/// `harness ingest` with these arguments, working in `folder`.
fn ingest(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(folder).arg("ingest").args(arguments);
    command
}

/// Runs it: its exit status, and both streams.
fn run(mut command: Command) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (
        status.code().unwrap_or(-1),
        String::from_utf8(text).unwrap(),
    )
}

fn good(command: Command) -> String {
    let (code, text) = run(command);
    assert_eq!(code, 0, "{text}");
    text
}

/// Count, sums of the numbers and of hashes of the texts.
fn figures(client: &mut Client, table: &str) -> String {
    let query = format!(
        "SELECT ROW(count(*), sum(lo_orderkey), sum(lo_linenumber), sum(lo_custkey), sum(lo_partkey), sum(lo_suppkey), \
         sum(lo_orderdate), sum(hashtext(lo_orderpriority)), sum(hashtext(lo_shippriority)), sum(lo_quantity), \
         sum(lo_extendedprice), sum(lo_ordtotalprice), sum(lo_discount), sum(lo_revenue), sum(lo_supplycost), sum(lo_tax), \
         sum(lo_commitdate), sum(hashtext(lo_shipmode)))::text FROM {table}"
    );
    client.query_one(&query, &[]).unwrap().get(0)
}

#[test]
fn lineorder_goes_through_chunks_and_back_and_through_pages_into_every_join() {
    let postgres = Postgres::start();
    let dsn = postgres.dsn();
    let mut client = postgres.client();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    good(ingest(
        folder,
        &["ssb", "--dsn", &dsn, "--scale-factor", "0.1"],
    ));
    let there = figures(&mut client, "lineorder");
    assert!(there.starts_with(&format!("({ROWS},")), "{there}");

    for placement in ["packed", "aligned", "packed-rows"] {
        let load = [
            "load",
            "--dsn",
            &dsn,
            "--table",
            "lineorder",
            "--workers",
            "8",
            "--slot",
            "1MiB",
            "--placement",
            placement,
            "--out",
            placement,
        ];
        let text = good(ingest(folder, &load));
        let loaded = text.lines().last().unwrap();
        assert!(loaded.contains(&format!("{ROWS} rows")), "{text}");
        let split: u64 = loaded
            .rsplit_once(" rows split")
            .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("{text}"));
        let (code, text) = run(ingest(folder, &["check", placement, "--dsn", &dsn]));
        if placement == "packed" {
            assert_eq!(code, 1, "{text}");
            assert!(split > 40, "{split} rows split");
            let lost = format!("{split} of {ROWS} rows are split and lost");
            assert!(text.contains(&lost), "{text}");
            let counted = format!("rows: {} here, {ROWS} on the server", ROWS - split);
            assert!(text.contains(&counted), "{text}");
            continue;
        }
        assert_eq!((code, split), (0, 0), "{text}");
        let same = format!("{ROWS} rows and the checksums of 17 columns are the same");
        assert!(text.contains(&same), "{text}");

        good(ingest(folder, &["compact", placement, "--out", "file"]));
        client
            .batch_execute(
                "DROP TABLE IF EXISTS again; CREATE UNLOGGED TABLE again (LIKE lineorder)",
            )
            .unwrap();
        let mut writer = client
            .copy_in("COPY again FROM STDIN (FORMAT binary)")
            .unwrap();
        io::copy(&mut File::open(folder.join("file")).unwrap(), &mut writer).unwrap();
        assert_eq!(writer.finish().unwrap(), ROWS);
        assert_eq!(figures(&mut client, "again"), there);
        fs::remove_file(folder.join("file")).unwrap();
    }

    // Only some days, so that not every row finds one.
    let days = "SELECT d_datekey, d_year FROM date WHERE d_year = 1993 OR d_daynuminweek = 1";
    good(ingest(
        folder,
        &["load", "--dsn", &dsn, "--query", days, "--out", "days"],
    ));
    for (chunks, table) in [("days", "date-pages"), ("aligned", "lineorder-pages")] {
        good(ingest(folder, &["pages", chunks, "--out", table]));
    }
    let joined =
        format!("SELECT count(*) FROM lineorder JOIN ({days}) d ON lo_orderdate = d_datekey");
    let expected: i64 = client.query_one(&joined, &[]).unwrap().get(0);
    assert!(expected > 0 && expected < ROWS as i64);
    let column = |folder: &str, name: &str| {
        let table = Table::open(&temporary.path().join(folder)).unwrap();
        let mut columns = table.columns().iter();
        let found = columns.find(|column| column.name == name).unwrap();
        found.column.clone()
    };
    let build = column("date-pages", "d_datekey");
    let probe = column("lineorder-pages", "lo_orderdate");
    let input = JoinInput::new(&build, &probe).unwrap();
    for variant in registry::variants() {
        for threads in [1, 2] {
            let (team, memory) = (Team::new(threads, ThreadStart::Fresh), Memory::unlimited());
            let join = variant.join(&variant.base).unwrap();
            let outcome = join.join(&input, &Context::new(&team, &memory)).unwrap();
            let rows = outcome.results.aggregate().map(|sums| sums.rows);
            assert_eq!(rows, Some(expected as u64), "{}", variant.name);
        }
    }
}
