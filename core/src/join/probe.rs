//! What a probe variant implements, and the join made of a build and a probe.

use super::build::Build;
use super::consume::{Side, prepare};
use super::context::{Context, JoinError, Outcome};
use super::phases::Phases;
use super::sides::Join;
use super::table::DynJoinTable;
use crate::input::{InputMode, KeyColumn};
use crate::key::Key;
use crate::output::Results;

/// A probe variant: finds the matches of a key column in a table.
pub trait Probe: Send + Sync {
    /// Probes `table` with all keys of `column`, naming its phases on the way, and notes what it chose.
    fn probe<K: Key>(
        &self,
        table: &dyn DynJoinTable<K>,
        column: &KeyColumn<'_, K>,
        context: &Context<'_>,
        phases: &mut Phases,
        notes: &mut Vec<String>,
    ) -> Result<Results, JoinError>;
}

impl<P: Probe> Probe for &P {
    fn probe<K: Key>(
        &self,
        table: &dyn DynJoinTable<K>,
        column: &KeyColumn<'_, K>,
        context: &Context<'_>,
        phases: &mut Phases,
        notes: &mut Vec<String>,
    ) -> Result<Results, JoinError> {
        (**self).probe(table, column, context, phases, notes)
    }
}

/// A join made of a build variant and a probe variant.
#[derive(Debug, Clone, Copy)]
pub struct BuildProbe<B, P> {
    /// How the build side's keys are read (R1.2, R1.3).
    pub build_input: InputMode,
    /// The build variant.
    pub build: B,
    /// The probe variant.
    pub probe: P,
}

impl<B: Build, P: Probe> Join for BuildProbe<B, P> {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let mut phases = Phases::start();
        let mut notes = Vec::new();
        let source = prepare(
            Side::Build,
            self.build_input,
            build,
            context,
            &mut phases,
            &mut notes,
        )?;
        let table = self.build.build(&*source, context, &mut phases)?;
        let table_bytes = table.bytes();
        let results = self
            .probe
            .probe(&*table, probe, context, &mut phases, &mut notes)?;
        drop(table);
        drop(source);
        phases.lap("free");
        Ok(Outcome {
            results,
            phases,
            table_bytes,
            notes,
        })
    }
}
