//! Chunks of a server's rows on a GPU, where `JOINERY_GPU` is set: its program is built first, which takes minutes, and needs
//! an adapter.

use super::{ROWS, good, ingest, run};
use crate::postgres::Postgres;

#[test]
fn lineorder_is_counted_on_a_gpu_and_becomes_the_same_pages() {
    if std::env::var_os("JOINERY_GPU").is_none() {
        eprintln!(
            "left out: JOINERY_GPU is not set, which builds the program of a GPU; .ci/run sets it in step gpu"
        );
        return;
    }
    let postgres = Postgres::start();
    let dsn = postgres.dsn();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let facts = ["ssb", "--dsn", &dsn, "--scale-factor", "0.1"];
    good(ingest(folder, &facts));
    let load = [
        "load",
        "--dsn",
        &dsn,
        "--table",
        "lineorder",
        "--workers",
        "8",
    ];
    good(ingest(
        folder,
        &[&load[..], &["--slot", "1MiB", "--out", "chunks"]].concat(),
    ));

    let text = good(ingest(folder, &["gpu", "check", "chunks", "--dsn", &dsn]));
    assert!(text.contains(&format!("{ROWS} rows of ")), "{text}");
    assert!(text.contains("the same rows, values and sums"), "{text}");
    let same = format!("{ROWS} rows and the checksums of 17 columns are the same");
    assert!(text.contains(&same), "{text}");

    good(ingest(folder, &["pages", "chunks", "--out", "processor"]));
    good(ingest(
        folder,
        &["gpu", "pages", "chunks", "--out", "device"],
    ));
    for number in 0..17 {
        let [ours, theirs] = ["device", "processor"].map(|table| {
            let file = folder.join(table).join(format!("{number}.pages"));
            std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        });
        assert!(ours == theirs, "column {number}");
    }

    // A row more on the server, and a section that was changed.
    let mut client = postgres.client();
    let more = "INSERT INTO lineorder SELECT * FROM lineorder LIMIT 1";
    client.batch_execute(more).unwrap();
    let (code, text) = run(ingest(folder, &["gpu", "check", "chunks", "--dsn", &dsn]));
    let counted = format!("rows: {ROWS} here, {} on the server", ROWS + 1);
    assert!(code == 1 && text.contains(&counted), "{code}: {text}");
}
