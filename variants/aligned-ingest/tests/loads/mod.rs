//! Loads from a server of the test's own.

#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use aligned_ingest::server::{Client, LoadPlan, Origin, Progress, Server, Snapshot, work};
use aligned_ingest::{
    Chunks, Job, Layout, LoadError, Manifest, PlacementKind, RowIndex, Sink, StoreKind, compact,
};

pub fn job(plan: &LoadPlan, placement: PlacementKind, slot: u64, workers: u32) -> Job {
    Job {
        source: plan.source.clone(),
        columns: plan.columns.clone(),
        layout: Layout::for_bytes(slot, 4, plan.estimated_bytes * 8 + (1 << 24), workers).unwrap(),
        placement,
        workers,
        stride: RowIndex::DEFAULT_STRIDE,
    }
}

pub fn load(
    server: &Server,
    from: &Origin,
    out: &Path,
    job_of: impl Fn(&LoadPlan) -> Job,
) -> Result<Manifest, LoadError> {
    let mut snapshot = Snapshot::begin(server).unwrap();
    let job = |plan: &LoadPlan| job_of(plan);
    let plan = snapshot.plan(from, 8).unwrap();
    let progress = Progress::default();
    let loaded = job(&plan).load(out, StoreKind::File, &|_, sink: &mut dyn Sink| {
        work(server, &plan, &progress, sink)
    });
    if let Ok(manifest) = &loaded {
        assert_eq!(progress.rows.load(Ordering::Relaxed), manifest.rows);
    }
    loaded
}

pub fn table(name: &str) -> Origin {
    Origin::Table(name.into())
}

pub fn query(text: &str) -> Origin {
    Origin::Query(text.into())
}

/// Rows of `source`, as SQL has it after FROM, that chunks turned into one COPY file do not give back, and rows that they
/// give and it has not: both by the text of the row, for not all types can be compared.
pub fn differing(chunks: &Chunks, client: &mut Client, source: &str, folder: &Path) -> i64 {
    let file = folder.join("file.copy");
    compact(chunks, &file).unwrap();
    client
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS pg_temp.again; CREATE TEMP TABLE again AS SELECT * FROM {source} AS s WITH NO DATA"
        ))
        .unwrap();
    let mut writer = client
        .copy_in("COPY pg_temp.again FROM STDIN (FORMAT binary)")
        .unwrap();
    std::io::copy(&mut fs::File::open(&file).unwrap(), &mut writer).unwrap();
    let rows = writer.finish().unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(rows, chunks.manifest().rows);
    let texts = |source: &str| format!("SELECT t::text FROM {source} AS t");
    let (there, again) = (texts(source), texts("pg_temp.again"));
    let query = format!(
        "SELECT (SELECT count(*) FROM ({there} EXCEPT ALL {again}) a) + (SELECT count(*) FROM ({again} EXCEPT ALL {there}) b)"
    );
    client.query_one(&query, &[]).unwrap().get(0)
}
