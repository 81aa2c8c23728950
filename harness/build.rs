//! Hands the compiler's version, the profile and the flags to the crate, which records them with every run, and builds others
//! alike for duels.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let version = env::var_os("RUSTC")
        .and_then(|rustc| Command::new(rustc).arg("--version").output().ok())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default();
    let version = match version.trim() {
        "" => "unknown",
        known => known,
    };
    println!("cargo::rustc-env=JOINERY_RUSTC={version}");
    for (name, from) in [
        ("JOINERY_PROFILE", "PROFILE"),
        ("JOINERY_OPT_LEVEL", "OPT_LEVEL"),
        ("JOINERY_RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"),
    ] {
        let value = env::var(from).unwrap_or_default();
        println!("cargo::rustc-env={name}={value}");
    }
}
