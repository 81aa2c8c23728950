//! What a role, a policy or another session puts in the way of a load.

#![cfg(feature = "postgres")]

mod loads;
mod postgres;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use aligned_ingest::server::{Origin, Progress, Server, Snapshot, check, work};
use aligned_ingest::{Chunks, LoadError, Manifest, PlacementKind, Sink, StoreKind};
use join_core::parallel::{Team, ThreadStart};
use loads::{job, load, query, table};
use postgres::Postgres;

/// A server on which the role `other`, who is nobody special, may read the table `t` of 50,000 rows.
fn server(more: &str) -> (Postgres, Server) {
    let postgres = Postgres::start_with(|_| "-c max_connections=30".into());
    postgres
        .client()
        .batch_execute(&format!(
            "CREATE ROLE other LOGIN; CREATE TABLE t AS SELECT n, repeat('x', 100) AS s FROM generate_series(1, 50000) n; \
             GRANT SELECT ON t TO other; {more}"
        ))
        .unwrap();
    let dsn = postgres.dsn().replace("user=me", "user=other");
    (postgres, Server::new(&dsn, None).unwrap())
}

/// Loads with eight workers, each of which calls `before` first.
fn load_after(
    server: &Server,
    from: &Origin,
    out: &Path,
    before: &(dyn Fn(u32) + Sync),
) -> Result<Manifest, LoadError> {
    let mut snapshot = Snapshot::begin(server).unwrap();
    let plan = snapshot.plan(from, 8).unwrap();
    let progress = Progress::default();
    let job = job(&plan, PlacementKind::Aligned, 64 << 10, 8);
    job.load(out, StoreKind::File, &|worker, sink: &mut dyn Sink| {
        before(worker);
        work(server, &plan, &progress, sink)
    })
}

#[test]
fn policies_that_hide_rows_of_a_table_are_an_error() {
    let (postgres, server) = server(
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO other USING (n % 2 = 0); \
         CREATE VIEW v AS SELECT * FROM t; ALTER VIEW v OWNER TO other; CREATE TABLE hidden AS SELECT 1 AS n",
    );
    let plan = |server: &Server, from: &Origin| {
        let mut snapshot = Snapshot::begin(server).unwrap();
        snapshot.plan(from, 2).map_err(|error| error.to_string())
    };
    for name in ["t", "v"] {
        let error = plan(&server, &table(name)).unwrap_err();
        assert!(error.contains("row-level security"), "{error}");
        assert!(
            error.contains("BYPASSRLS") && error.contains("--query"),
            "{error}"
        );
    }
    // Of a query what one may see is what is asked for, and its owner sees the whole table.
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("hidden");
    let error = load_after(&server, &table("hidden"), &path, &|_| ()).unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
    let owner = postgres.server();
    for (name, server, from, rows) in [
        ("seen", &server, query("SELECT * FROM t"), 25_000),
        ("all", &owner, table("t"), 50_000),
    ] {
        let path = out.path().join(name);
        let manifest = load_after(server, &from, &path, &|_| ()).unwrap();
        assert_eq!(manifest.rows, rows);
        let chunks = Chunks::open(&path).unwrap();
        let team = Team::new(2, ThreadStart::Fresh);
        assert_eq!(check(&chunks, server, &team).unwrap(), (rows, vec![]));
    }
    // The check of a table asks for all of it, too.
    let all = Chunks::open(&out.path().join("all")).unwrap();
    let error = check(&all, &server, &Team::single()).unwrap_err();
    assert!(error.to_string().contains("row-level security"), "{error}");
    // Without the policies it is loaded.
    let mut client = postgres.client();
    client
        .batch_execute("ALTER TABLE t DISABLE ROW LEVEL SECURITY")
        .unwrap();
    load_after(&server, &table("t"), &out.path().join("again"), &|_| ()).unwrap();
}

#[test]
fn limits_of_time_of_a_role_end_no_load() {
    let (_postgres, server) = server(
        "ALTER ROLE other SET statement_timeout = '1s'; ALTER ROLE other SET idle_in_transaction_session_timeout = '1s'; \
         ALTER ROLE other SET idle_session_timeout = '1s'; ALTER ROLE other SET lock_timeout = '1ms'",
    );
    let out = tempfile::tempdir().unwrap();
    // The first session waits for the workers, and a worker for a slow query.
    let path = out.path().join("t");
    let wait = |_: u32| thread::sleep(Duration::from_millis(1500));
    load_after(&server, &table("t"), &path, &wait).unwrap();
    let slow = query("SELECT n FROM t, LATERAL (SELECT pg_sleep(1.5)) p LIMIT 1");
    load_after(&server, &slow, &out.path().join("q"), &|_| ()).unwrap();
    let shown = server.connect().unwrap().query(
        "SELECT name, setting FROM pg_settings WHERE name ~ '_timeout$' AND name ~ 'statement|idle|transaction|^lock' ORDER BY name",
        &[],
    );
    let shown: Vec<(String, String)> = (shown.unwrap().iter())
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert!(shown.len() >= 4);
    for (name, setting) in shown {
        let expected = if name == "lock_timeout" { "10000" } else { "0" };
        assert_eq!(setting, expected, "{name}");
    }
}

/// Waits until another session waits for a lock.
fn somebody_waits(postgres: &Postgres) {
    let waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while postgres.client().query(waits, &[]).unwrap().is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_lock_asked_for_between_plan_and_workers_ends_the_load() {
    let (postgres, server) = server("CREATE VIEW v AS SELECT count(*) FROM t");
    let out = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        let loads = [table("t"), query("SELECT * FROM t"), table("v")].map(|from| {
            let (postgres, server) = (&postgres, &server);
            let path = out.path().join(format!("{from:?}").replace(' ', ""));
            let wait = move |_: u32| somebody_waits(postgres);
            // They hold their snapshots when the table is to be changed.
            let mut snapshot = Snapshot::begin(server).unwrap();
            let plan = snapshot.plan(&from, 2).unwrap();
            scope.spawn(move || {
                let progress = Progress::default();
                let job = job(&plan, PlacementKind::Aligned, 64 << 10, 2);
                let loaded = job.load(&path, StoreKind::File, &|worker, sink: &mut dyn Sink| {
                    wait(worker);
                    work(server, &plan, &progress, sink)
                });
                drop(snapshot);
                (loaded.unwrap_err().to_string(), path.exists())
            })
        });
        postgres
            .client()
            .batch_execute("SET lock_timeout = 0; ALTER TABLE t ADD COLUMN z int")
            .unwrap();
        for load in loads {
            let (error, exists) = load.join().unwrap();
            assert!(
                error.contains("another session holds or waits for a lock"),
                "{error}"
            );
            assert!(!exists && !error.contains('\n'), "{error}");
        }
    });
    // And once it has changed, it is loaded.
    load_after(&server, &table("t"), &out.path().join("after"), &|_| ()).unwrap();
}

#[test]
fn a_lock_that_is_held_ends_the_plan() {
    let (postgres, server) = server("");
    let mut client = postgres.client();
    client
        .batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let mut snapshot = Snapshot::begin(&server).unwrap();
    let error = snapshot.plan(&table("t"), 2).unwrap_err().to_string();
    assert!(
        error.contains("another session holds or waits for a lock"),
        "{error}"
    );
}

#[test]
fn more_workers_than_connections_are_an_error() {
    let (postgres, server) = server("");
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("t");
    let mut snapshot = Snapshot::begin(&server).unwrap();
    let plan = snapshot.plan(&table("t"), 2).unwrap();
    // With the snapshot's these are all connections of the server.
    let mut others: Vec<_> = (0..29).map(|_| postgres.client()).collect();
    let progress = Progress::default();
    let error = job(&plan, PlacementKind::Aligned, 64 << 10, 2)
        .load(&path, StoreKind::File, &|_, sink: &mut dyn Sink| {
            work(&server, &plan, &progress, sink)
        })
        .unwrap_err()
        .to_string();
    assert!(error.contains("; lower --workers"), "{error}");
    assert!(!path.exists());
    others.truncate(1);
    snapshot.end();
    // A backend ends a moment after its client.
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
    while others[0].query_one(backends, &[]).unwrap().get::<_, i64>(0) > 1 {
        thread::sleep(Duration::from_millis(10));
    }
    // Nothing of it is left on the server either.
    load(&server, &table("t"), &path, |plan| {
        loads::job(plan, PlacementKind::Aligned, 64 << 10, 4)
    })
    .unwrap();
}

#[test]
fn a_load_that_is_interrupted_leaves_nothing() {
    let (_postgres, server) = server("");
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("t");
    let endless = query("SELECT n, generate_series(1, 1000000) FROM t");
    let mut snapshot = Snapshot::begin(&server).unwrap();
    let plan = snapshot.plan(&endless, 1).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Progress::until(stop.clone());
    let mut job = job(&plan, PlacementKind::Aligned, 64 << 10, 1);
    job.layout = aligned_ingest::Layout::new(64 << 10, 1, 1 << 40).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while progress.bytes.load(Ordering::Relaxed) < 1 << 20 {
                thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
        });
        let loaded = job.load(&path, StoreKind::File, &|_, sink: &mut dyn Sink| {
            work(&server, &plan, &progress, sink)
        });
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains("interrupted"), "{error}");
    });
    assert!(!path.exists());
}

#[test]
fn a_load_that_waits_for_its_first_row_is_interrupted_at_once() {
    let (_postgres, server) = server("");
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("t");
    let mut snapshot = Snapshot::begin(&server).unwrap();
    let silent = query("SELECT n FROM t WHERE pg_sleep(3600) IS NOT NULL");
    let plan = snapshot.plan(&silent, 1).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (progress, done) = (Progress::until(stop.clone()), AtomicBool::new(false));
    let job = job(&plan, PlacementKind::Aligned, 64 << 10, 1);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Sooner or later the query is under way.
                thread::sleep(Duration::from_millis(100));
                stop.store(true, Ordering::Relaxed);
                progress.end_waits(&server);
            }
        });
        let loaded = job.load(&path, StoreKind::File, &|_, sink: &mut dyn Sink| {
            work(&server, &plan, &progress, sink)
        });
        done.store(true, Ordering::Relaxed);
        assert!(loaded.is_err());
    });
    assert!(!path.exists());
}
