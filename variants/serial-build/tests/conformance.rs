//! The serial build, in every scheme, against the oracle.

use join_core::conformance::check_build;
use join_core::directory::{Packed, Sizing};
use join_core::hash::Fibonacci;
use join_core::tag::SourceBits;
use join_core::unchained::{DefaultScheme, SchemeOf};
use serial_build::SerialBuild;

#[test]
fn default_scheme() {
    check_build(&SerialBuild::<DefaultScheme>::new(Sizing::default()));
}

#[test]
fn the_sources_scheme_and_sizing() {
    check_build(&SerialBuild::<SchemeOf<Fibonacci, SourceBits, Packed>>::new(Sizing::SOURCE));
}
