//! The process that measures peak memory: started by a sweep, not by people.

use join_core::memory::process::Source;

use super::Ending;
use crate::cli::MemoryArgs;
use crate::measure::{Cells, memory};
use crate::record::Size;
use crate::{machine, workload};
use registry::variants;

/// Prints a line for each variant.
pub(super) fn run(args: &MemoryArgs) -> Result<(), Ending> {
    let size = match args.size.as_str() {
        "quick" => Size::Quick,
        "full" => Size::Full,
        _ => Size::Default,
    };
    let instances = workload::resolve(std::slice::from_ref(&args.workload), size);
    let instances = instances.map_err(Ending::usage)?;
    let Some(instance) = instances.iter().find(|instance| instance.name == args.name) else {
        return Err(Ending::Usage(format!("no workload {}", args.name)));
    };
    let mut cells = Cells::default();
    for mut variant in variants() {
        if args.variants.contains(&variant.name) {
            variant.base.source = Source::System;
            cells
                .variant(&variant, &[args.threads])
                .map_err(Ending::usage)?;
        }
    }
    let environment = machine::environment("the system");
    memory::print(instance, args.seed, &cells.into_vec(), &environment).map_err(Ending::Usage)
}
