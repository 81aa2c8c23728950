//! The process that measures peak memory: started by a sweep, not by people.

use join_core::memory::process::Origin;

use super::Ending;
use crate::experiment::{Cells, memory};
use crate::machine;
use crate::workload::Definition;
use registry::variants;

/// Prints a line for each variant of what standard input says is wanted. A fault is a line, too: whoever started it reads
/// nothing else.
pub(crate) fn run() -> Result<(), Ending> {
    let measured = measure();
    measured.or_else(|error| memory::fail(&error.to_string()).map_err(Ending::Usage))
}

fn measure() -> Result<(), Ending> {
    let wanted: memory::Wanted =
        serde_json::from_reader(std::io::stdin().lock()).map_err(Ending::usage)?;
    let origin = &wanted.origin;
    let definition = Definition::parse(&origin.file, &origin.folder, &origin.text);
    let instances = definition.and_then(|definition| definition.instances(wanted.size));
    let instances = instances.map_err(Ending::usage)?;
    let name = &wanted.record.name;
    let Some(instance) = instances.iter().find(|instance| instance.name == *name) else {
        return Err(Ending::Usage(format!(
            "{}: no workload {name}",
            origin.file
        )));
    };
    let mut cells = Cells::default();
    for mut variant in variants() {
        if wanted.variants.contains(&variant.name) {
            variant.base.source = Origin::System;
            cells
                .variant(&variant, &[wanted.threads])
                .map_err(Ending::usage)?;
        }
    }
    let environment = machine::environment("the system");
    memory::print(instance, &wanted, cells.into_vec(), &environment).map_err(Ending::Usage)
}
