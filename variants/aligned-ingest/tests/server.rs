//! Against a real PostgreSQL server of the test's own: what it sends, what a load of it proves, and what becomes of a
//! load when something is killed. `.ci/postgres` installs a server and runs these; without one they fail by name.

#![cfg(feature = "postgres")]

mod common;
mod loads;
mod postgres;

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::Ordering;

use aligned_ingest::pages::{NumericAs, to_table};
use aligned_ingest::server::{Origin, Progress, Server, ServerError, Snapshot, check, fill, work};
use aligned_ingest::ssb::SsbTable;
use aligned_ingest::{Chunks, PlacementKind, Sink, StoreKind, compact};
use join_core::parallel::{Team, ThreadStart};
use loads::{job, load, table};
use postgres::Postgres;

const TYPES: &str = "CREATE TABLE every (a int2, b int4, c int8, d float4, e float8, f numeric(12,2), g bool, \
    h date, i timestamp, j text, k varchar(20), l char(5), m uuid);
    INSERT INTO every SELECT n % 1000, n, n::int8 * 1000000007, n / 7.0, n / 11.0, n * 1.37, n % 2 = 0, \
    date '1970-01-01' + n, timestamp '1999-12-31 23:59:59' + n * interval '1 second', 'row ' || n, \
    repeat('x', n % 20), 'c' || n % 100, md5(n::text)::uuid FROM generate_series(1, 30000) n;
    UPDATE every SET c = NULL, j = NULL, f = NULL WHERE b % 10 = 0;";

#[test]
fn a_loaded_table_is_the_servers_and_loads_back() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client.batch_execute(TYPES).unwrap();
    let server = postgres.server();
    let out = tempfile::tempdir().unwrap();
    let team = Team::new(2, ThreadStart::Fresh);
    for placement in PlacementKind::ALL {
        let path = out.path().join(placement.name());
        let manifest = load(&server, &table("every"), &path, |plan| {
            job(plan, placement, 64 << 10, 8)
        })
        .unwrap();
        assert_eq!(manifest.rows, 30_000);
        let chunks = Chunks::open(&path).unwrap();
        assert_eq!(chunks.verify(&team).unwrap(), 30_000 - manifest.split_rows);
        let (rows, differences) = check(&chunks, &server, &team).unwrap();
        assert_eq!(rows, 30_000);
        if placement == PlacementKind::Packed {
            assert!(manifest.split_rows > 10);
            let rows = |text: &str| text.parse::<u64>().unwrap();
            let lost = rows(&differences[0].server) - rows(&differences[0].chunks);
            assert_eq!(lost, manifest.split_rows);
            continue;
        }
        assert_eq!(differences, []);
        let file = out.path().join(format!("{placement}.copy"));
        compact(&chunks, &file).unwrap();
        client
            .batch_execute("DROP TABLE IF EXISTS again; CREATE TABLE again (LIKE every)")
            .unwrap();
        let mut writer = client
            .copy_in("COPY again FROM STDIN (FORMAT binary)")
            .unwrap();
        std::io::copy(&mut fs::File::open(&file).unwrap(), &mut writer).unwrap();
        assert_eq!(writer.finish().unwrap(), 30_000);
        let same = "SELECT count(*) FROM (SELECT * FROM every EXCEPT ALL SELECT * FROM again) d";
        assert_eq!(client.query_one(same, &[]).unwrap().get::<_, i64>(0), 0);
        // A table that was changed since is another one.
        client
            .batch_execute("BEGIN; UPDATE every SET b = b + 1 WHERE a = 7; COMMIT")
            .unwrap();
        let (_, differences) = check(&chunks, &server, &team).unwrap();
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].what, "checksum of \"b\"");
        client
            .batch_execute("UPDATE every SET b = b - 1 WHERE a = 7")
            .unwrap();
    }
}

#[test]
fn pages_hold_what_sql_says() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client.batch_execute(TYPES).unwrap();
    let out = tempfile::tempdir().unwrap();
    let query =
        Origin::Query("SELECT a, b, c, d, e, f, g, h, i, j, k, l FROM every ORDER BY b;".into());
    let path = out.path().join("chunks");
    load(&postgres.server(), &query, &path, |plan| {
        job(plan, PlacementKind::Aligned, 64 << 10, 2)
    })
    .unwrap();
    let chunks = Chunks::open(&path).unwrap();
    let team = Team::new(2, ThreadStart::Fresh);
    let paged = to_table(&chunks, "every", NumericAs::ScaledInt64(2), &team).unwrap();
    assert_eq!(paged.losses, []);
    let rows = client
        .query(
            "SELECT a::int8, b::int8, c, d::float8, e, (f * 100)::int8, g::int::int8, (h - date '1970-01-01')::int8, \
             (extract(epoch from i) * 1000000)::int8, j, k::text, l::text || repeat(' ', 5 - length(l)) \
             FROM every ORDER BY b",
            &[],
        )
        .unwrap();
    assert_eq!(paged.table.num_rows(), rows.len());
    use join_core::table::Value;
    for (number, column) in paged.table.columns().iter().enumerate() {
        for (value, row) in column.column.values().zip(&rows) {
            let same = match &value {
                Value::Int32(value) => row.get::<_, Option<i64>>(number) == Some((*value).into()),
                Value::Int64(value) => row.get::<_, Option<i64>>(number) == Some(*value),
                Value::Fp64(value) => row.get::<_, Option<f64>>(number) == Some(*value),
                Value::Varchar(value) => {
                    row.get::<_, Option<&str>>(number).map(str::as_bytes) == Some(&value[..])
                }
                Value::Null if number == 9 => row.get::<_, Option<&str>>(number).is_none(),
                Value::Null => row.get::<_, Option<i64>>(number).is_none(),
            };
            assert!(same, "column {} {value:?}", column.name);
        }
    }
    let path = out.path().join("uuid");
    load(&postgres.server(), &table("every"), &path, |plan| {
        job(plan, PlacementKind::Aligned, 64 << 10, 2)
    })
    .unwrap();
    let error = to_table(&Chunks::open(&path).unwrap(), "t", NumericAs::Fp64, &team).unwrap_err();
    assert!(
        error.to_string().starts_with("column \"m\" has type uuid"),
        "{error}"
    );
}

#[test]
fn all_workers_see_one_snapshot_while_the_table_changes() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client
        .batch_execute(
            "CREATE TABLE t AS SELECT n, repeat('x', 100) AS s FROM generate_series(1, 50000) n",
        )
        .unwrap();
    let server = postgres.server();
    let out = tempfile::tempdir().unwrap();
    let mut snapshot = Snapshot::begin(&server).unwrap();
    let plan = snapshot.plan(&table("t"), 4).unwrap();
    assert!(plan.copies.len() > 4);
    // Rows come, go and move to other pages before any worker has read one.
    client
        .batch_execute(
            "DELETE FROM t WHERE n % 3 = 0; UPDATE t SET n = -n WHERE n % 5 = 0; \
        INSERT INTO t SELECT n, 'new' FROM generate_series(50001, 60000) n",
        )
        .unwrap();
    let path = out.path().join("t");
    let progress = Progress::default();
    job(&plan, PlacementKind::PackedRows, 64 << 10, 4)
        .load(&path, StoreKind::Mapped, &|_, sink: &mut dyn Sink| {
            work(&server, &plan, &progress, sink)
        })
        .unwrap();
    snapshot.end();
    let chunks = Chunks::open(&path).unwrap();
    let team = Team::single();
    assert_eq!(chunks.verify(&team).unwrap(), 50_000);
    let paged = to_table(&chunks, "t", NumericAs::Fp64, &team).unwrap();
    let sum: i64 = paged.table.columns()[0]
        .column
        .values()
        .map(|value| match value {
            join_core::table::Value::Int32(n) => i64::from(n),
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(sum, 50_000 * 50_001 / 2);
    // And the check says that it is another table now.
    assert!(!check(&chunks, &server, &team).unwrap().1.is_empty());
}

#[test]
fn an_empty_table_and_a_row_larger_than_the_slot() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client
        .batch_execute(
            "CREATE TABLE none (a int, b text); \
        CREATE TABLE large AS SELECT 1 AS a, repeat('x', 100000) AS b; CREATE TABLE no_columns ()",
        )
        .unwrap();
    let server = postgres.server();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("none");
    let manifest = load(&server, &table("none"), &path, |plan| {
        job(plan, PlacementKind::Aligned, 4096, 4)
    })
    .unwrap();
    assert_eq!((manifest.rows, manifest.sections.len()), (0, 0));
    let chunks = Chunks::open(&path).unwrap();
    assert_eq!(
        check(&chunks, &server, &Team::single()).unwrap(),
        (0, vec![])
    );
    let paged = to_table(&chunks, "none", NumericAs::Fp64, &Team::single()).unwrap();
    assert_eq!(
        (paged.table.num_rows(), paged.table.columns().len()),
        (0, 2)
    );

    let path = out.path().join("large");
    let error = load(&server, &table("large"), &path, |plan| {
        job(plan, PlacementKind::Aligned, 4096, 4)
    })
    .unwrap_err();
    assert!(error.to_string().contains("raise the slot"), "{error}");
    assert!(!path.exists());

    let error = Snapshot::begin(&server)
        .unwrap()
        .plan(&table("nosuch"), 1)
        .unwrap_err();
    assert!(error.to_string().contains("no table \"nosuch\""), "{error}");
    let error = Snapshot::begin(&server)
        .unwrap()
        .plan(&Origin::Query("SELECT 1 FROM nosuch".into()), 1)
        .unwrap_err();
    assert!(
        error.to_string().contains("nosuch\" does not exist"),
        "{error}"
    );
}

/// What a load says whose second worker calls `end` once rows come. Nothing is left of it.
fn ended_by(end: impl Fn(&Postgres) + Sync) -> String {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    client
        .batch_execute(
            "CREATE TABLE t AS SELECT n, repeat('x', 200) AS s FROM generate_series(1, 200000) n",
        )
        .unwrap();
    let server = postgres.server();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("t");
    let mut snapshot = Snapshot::begin(&server).unwrap();
    let plan = snapshot.plan(&table("t"), 2).unwrap();
    let progress = Progress::default();
    let error = job(&plan, PlacementKind::Aligned, 64 << 10, 2)
        .load(&path, StoreKind::File, &|worker, sink: &mut dyn Sink| {
            if worker == 1 {
                while progress.rows.load(Ordering::Relaxed) == 0 {
                    std::thread::yield_now();
                }
                end(&postgres);
            }
            work(&server, &plan, &progress, sink)
        })
        .unwrap_err();
    assert!(!path.exists());
    assert!(Chunks::open(&path).is_err());
    error.to_string()
}

#[test]
fn a_server_that_is_killed_leaves_nothing() {
    let text = ended_by(Postgres::kill);
    assert!(
        text.starts_with("worker ") && !text.contains('\n'),
        "{text}"
    );
}

#[test]
fn one_connection_that_is_terminated_leaves_nothing() {
    let text = ended_by(|postgres| {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%'";
        while postgres.client().query(end, &[]).unwrap().is_empty() {}
    });
    assert!(text.contains("the server stopped sending"), "{text}");
}

#[test]
fn a_table_that_exists_is_not_filled() {
    let postgres = Postgres::start();
    let mut client = postgres.client();
    let mut fill = || fill(&mut client, SsbTable::Supplier, 0.001);
    assert_eq!(fill().unwrap(), 10);
    let error = fill().unwrap_err().to_string();
    assert!(
        error.contains("\"supplier\" already exists; DROP TABLE"),
        "{error}"
    );
}

#[test]
fn passwords_are_not_printed() {
    for dsn in [
        "postgres://me:s3cret@localhost:1/db",
        "host=localhost port=1 user=me password=s3cret dbname=db",
    ] {
        let server = Server::new(dsn, None).unwrap();
        let error = server.connect().map(drop).unwrap_err();
        for text in [
            server.to_string(),
            format!("{server:?}"),
            error.to_string(),
            format!("{error:?}"),
        ] {
            assert!(!text.contains("s3cret"), "{text}");
        }
        assert!(
            error
                .to_string()
                .starts_with("cannot connect to localhost:1 database db: "),
            "{error}"
        );
    }
    let error = Server::new("host=x password='s3cret", None).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

/// A server on the loopback, on a port of its own, which lets nobody in who does not encrypt. `ca.crt` signed its
/// certificate for `localhost`; `other.crt` signed nothing.
fn encrypting() -> (Postgres, u16) {
    // Free again at the end of the statement.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let port = free.unwrap().port();
    let server = Postgres::start_with(|server| {
        let openssl =
            |line: &str| server.run("/usr/bin/openssl", &line.split(' ').collect::<Vec<_>>());
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for name in ["ca", "other"] {
            openssl(&format!(
                "req -x509 {key} -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name}"
            ));
        }
        openssl(&format!(
            "req {key} -keyout server.key -out server.csr -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        ));
        openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -copy_extensions copy -days 2 -out server.crt",
        );
        let hba = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(server.folder().join("data/pg_hba.conf"), hba).unwrap();
        let folder = server.folder().display();
        format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file={folder}/server.crt \
             -c ssl_key_file={folder}/server.key"
        )
    });
    (server, port)
}

#[test]
fn connections_are_encrypted_as_the_mode_says() {
    let (postgres, port) = encrypting();
    let socket = format!("{} port={port}", postgres.dsn());
    let create = "CREATE TABLE t AS SELECT n FROM generate_series(1, 100000) n; ALTER USER me PASSWORD 's3cret'";
    let mut client = Server::new(&socket, None).unwrap().connect().unwrap();
    client.batch_execute(create).unwrap();
    let dsn = |host: &str, more: &str| {
        format!(
            "host={host} hostaddr=127.0.0.1 port={port} user=me dbname=postgres password=s3cret {more}"
        )
    };
    let certificate = |name: &str| postgres.folder().join(name);
    let connect = |dsn: &str, ca: Option<&str>| {
        let server = Server::new(dsn, ca.map(certificate).as_deref())?;
        let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row = server.connect()?.query_one(query, &[]).unwrap();
        Ok::<bool, ServerError>(row.get(0))
    };
    for (dsn, ca, encrypted) in [
        (socket.as_str(), None, false),
        (&dsn("localhost", ""), None, true),
        (&dsn("localhost", "sslmode=require"), None, true),
        (&dsn("127.0.0.1", "sslmode=require"), None, true),
        (&dsn("localhost", "sslmode=require"), Some("ca.crt"), true),
        (&dsn("localhost", "sslmode=prefer"), Some("ca.crt"), true),
    ] {
        assert_eq!(connect(dsn, ca).unwrap(), encrypted, "{dsn} {ca:?}");
    }
    for (dsn, ca, said) in [
        (dsn("localhost", "sslmode=disable"), None, "no encryption"),
        (dsn("127.0.0.1", ""), Some("ca.crt"), "certificate"),
        (dsn("localhost", ""), Some("other.crt"), "certificate"),
        (
            dsn("localhost", "").replace("s3cret", "s3cre"),
            None,
            "password authentication failed for user \"me\"; correct the password",
        ),
        (
            dsn("localhost", "").replace("password=s3cret", ""),
            None,
            "password missing; give it by PGPASSWORD",
        ),
        (
            socket.replace("dbname=postgres", "dbname=none"),
            None,
            "database \"none\" does not exist; correct dbname",
        ),
        (
            socket.replace("user=me", "user=you"),
            None,
            "role \"you\" does not exist; name another user",
        ),
        (
            socket.clone(),
            Some("ca.crt"),
            "server does not support TLS",
        ),
        (socket.clone(), Some("server.csr"), "no certificate"),
        (socket.clone(), Some("none.crt"), "none.crt"),
    ] {
        let error = connect(&dsn, ca).unwrap_err().to_string();
        assert!(error.contains(said), "{dsn} {ca:?}: {error}");
        assert!(!error.contains("s3cre") && !error.contains('\n'), "{error}");
    }
    // And rows come this way.
    let server = Server::new(&dsn("localhost", ""), Some(&certificate("ca.crt"))).unwrap();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("t");
    let manifest = load(&server, &table("t"), &path, |plan| {
        job(plan, PlacementKind::Aligned, 64 << 10, 4)
    });
    assert_eq!(manifest.unwrap().rows, 100_000);
    let chunks = Chunks::open(&path).unwrap();
    assert_eq!(
        check(&chunks, &server, &Team::single()).unwrap(),
        (100_000, vec![])
    );
}
