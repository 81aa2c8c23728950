//! Workers behind ports of this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use joinery_distributed::{
    Cluster, Connections, Tls, VERSION, Wire, environment, listen, serve, worker,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

fn wire(tls: Option<Tls>) -> Wire {
    Wire {
        timeout: Duration::from_secs(2),
        tls,
    }
}

/// Starts a worker of this version, and returns where it is.
fn started(wire: Wire, version: &'static str) -> SocketAddr {
    let listener = listen("127.0.0.1:0", &wire, false).unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections::new(wire).unwrap();
    let worker = worker(connections.clone(), environment(None, None).unwrap(), None);
    let worker = worker.with_version(version);
    tokio::spawn(async move { serve(worker, listener, &connections).await });
    address
}

/// What greeting the worker at an address ends with.
async fn greeted(address: SocketAddr, wire: Wire) -> Result<(), String> {
    let cluster = Cluster::new(&[address.to_string()], wire).unwrap();
    let greeted = cluster.greet().await;
    greeted.map_err(|error| error.strip_backtrace())
}

/// It is about the worker at this address, in one line.
fn names(error: &str, address: SocketAddr) {
    assert!(
        error.contains(&format!("worker {address}: ")) && error.lines().count() == 1,
        "{error}"
    );
}

#[tokio::test]
async fn a_worker_of_another_version_is_named() {
    let address = started(wire(None), VERSION);
    assert_eq!(greeted(address, wire(None)).await, Ok(()));
    let address = started(wire(None), "joinery 0.0.9");
    let error = greeted(address, wire(None)).await.unwrap_err();
    names(&error, address);
    assert!(
        error.contains("joinery 0.0.9") && error.contains(VERSION),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_worker_is_named() {
    // Nobody is there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = greeted(address, wire(None)).await.unwrap_err();
    names(&error, address);
    assert!(error.contains("refused"), "{error}");
    assert!(
        error.contains(&format!("sql worker --listen {address}")),
        "{error}"
    );

    // Somebody is there who never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = greeted(address, wire(None)).await.unwrap_err();
    names(&error, address);

    // Somebody who speaks another language.
    let speaks = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = greeted(address, wire(None)).await.unwrap_err();
    names(&error, address);
    speaks.abort();
}

#[test]
fn others_reach_a_worker_only_if_it_is_said() {
    let error = listen("0.0.0.0:0", &wire(None), false).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("--listen 0.0.0.0:0") && error.contains("--i-know-this-is-open"),
        "{error}"
    );
    assert!(listen("0.0.0.0:0", &wire(None), true).is_ok());
    assert!(listen("0.0.0.0:0", &wire(Some(tls("process", "authority"))), false).is_ok());
    assert!(listen("localhost:0", &wire(None), false).is_ok());
    let error = listen("here", &wire(None), false).unwrap_err();
    assert!(error.to_string().contains("--listen here: "), "{error}");
}

/// Where certificates are that are valid for a hundred years.
fn certificates() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates"))
}

fn tls(process: &str, authority: &str) -> Tls {
    let folder = certificates();
    let file = |name: &str, kind: &str| folder.join(format!("{name}.{kind}"));
    let (certificate, key) = (file(process, "pem"), file(process, "key"));
    Tls::read(&certificate, &key, &file(authority, "pem")).unwrap()
}

#[tokio::test]
async fn certificates_tell_processes_from_everybody() {
    let ours = || wire(Some(tls("process", "authority")));
    let address = started(ours(), VERSION);
    assert_eq!(greeted(address, ours()).await, Ok(()));
    // Without a certificate, with one of another authority, and where the worker has one of another authority.
    let strange = |authority| wire(Some(tls("stranger", authority)));
    for wire in [
        wire(None),
        strange("authority"),
        strange("stranger-authority"),
    ] {
        names(&greeted(address, wire).await.unwrap_err(), address);
    }
    // What is no certificate is named.
    let here = PathBuf::from(file!().rsplit('/').next().unwrap());
    let error = Tls::read(&here, &here, &here).unwrap_err();
    assert!(error.to_string().contains("loopback.rs: "), "{error}");
    // Nor is a key of another one.
    let folder = certificates();
    let [process, stranger] = ["process.pem", "stranger.key"].map(|name| folder.join(name));
    let error = Tls::read(&process, &stranger, &process).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("process.pem and ") && error.contains("stranger.key cannot"),
        "{error}"
    );
}

#[test]
fn what_is_no_address_is_named() {
    let cluster = |addresses: &[&str]| {
        let addresses: Vec<String> = addresses.iter().copied().map(str::to_owned).collect();
        Cluster::new(&addresses, wire(None))
            .unwrap_err()
            .to_string()
    };
    let wrong = [
        "",
        "9001",
        "host",
        "host:",
        "host:0",
        "host:70000",
        ":9001",
        "http://host:1",
        "a b:1",
    ];
    for wrong in wrong {
        let error = cluster(&["127.0.0.1:9001", wrong]);
        assert!(
            error.contains(&format!("--workers {wrong}: no address")),
            "{error}"
        );
    }
    let error = cluster(&["[::1]:9001", "host:9001", "[::1]:9001"]);
    assert!(
        error.contains("--workers [::1]:9001: it is named twice"),
        "{error}"
    );
}
