//! A PostgreSQL server of a test's own.

#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aligned_ingest::server::{Client, Server};

/// A server in a temporary folder, reached over a socket in it. It ends with this.
pub struct Postgres {
    folder: tempfile::TempDir,
    bin: PathBuf,
}

/// The newest server's programs.
fn programs() -> PathBuf {
    if let Ok(bin) = std::env::var("PG_BIN") {
        return bin.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect(
        "these tests need a PostgreSQL server: run .ci/postgres, or install postgresql and set PG_BIN to its programs",
    )
}

impl Postgres {
    pub fn start() -> Postgres {
        Postgres::start_with(|_| String::new())
    }

    /// With more options, which `prepare` returns when its folder is there.
    pub fn start_with(prepare: impl Fn(&Postgres) -> String) -> Postgres {
        let server = Postgres {
            folder: tempfile::Builder::new()
                .prefix("pg")
                .tempdir_in("/tmp")
                .unwrap(),
            bin: programs(),
        };
        let path = server.folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        server.run(
            "initdb",
            &[
                "-D",
                "data",
                "-A",
                "trust",
                "-U",
                "me",
                "-N",
                "--locale=C",
                "-E",
                "UTF8",
            ],
        );
        server.run(
            "pg_ctl",
            &[
                "-D",
                "data",
                "-w",
                "-t",
                "120",
                "-l",
                "log",
                "-o",
                &format!(
                    "-k {} -c listen_addresses= -c fsync=off {}",
                    path.display(),
                    prepare(&server)
                ),
                "start",
            ],
        );
        server
    }

    /// Runs one of the server's programs in its folder, as a user who is not root.
    pub fn run(&self, program: &str, arguments: &[&str]) {
        let path = self.bin.join(program);
        // SAFETY: a system call without arguments.
        let root = unsafe { libc::geteuid() } == 0;
        let mut command = if root {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
                .arg(path);
            command
        } else {
            Command::new(path)
        };
        let status = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(status.success(), "{program} failed: {log}");
    }

    /// Its folder; the data is in `data`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn dsn(&self) -> String {
        format!(
            "host={} user=me dbname=postgres",
            self.folder.path().display()
        )
    }

    pub fn server(&self) -> Server {
        Server::new(&self.dsn(), None).unwrap()
    }

    pub fn client(&self) -> Client {
        self.server().connect().unwrap()
    }

    pub fn kill(&self) {
        self.run("pg_ctl", &["-D", "data", "-m", "immediate", "stop"]);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.folder.path().join("data/postmaster.pid").exists() {
            self.kill();
        }
    }
}
