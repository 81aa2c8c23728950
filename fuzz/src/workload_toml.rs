//! Arbitrary text as a workload's file. What is accepted must have instances at every size, or say in one line why not, and
//! small ones the answer that sorting both sides gives; what is not must be described in one line.

#![no_main]

use std::num::NonZeroUsize;
use std::path::Path;

use harness::workload::Definition;
use libfuzzer_sys::fuzz_target;
use report::record::Size;

/// Rows beyond which making them only takes time.
const MOST_ROWS: u64 = 2000;

/// A folder in which no table stands.
const NOWHERE: &str = "/dev/null";

fn in_one_line(error: impl ToString) {
    let error = error.to_string();
    assert!(!error.is_empty() && !error.contains('\n'), "{error}");
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let definition = match Definition::parse("own.toml", Path::new(NOWHERE), text) {
        Ok(definition) => definition,
        Err(error) => return in_one_line(error),
    };
    for size in [Size::Quick, Size::Default, Size::Full] {
        let instances = match definition.instances(size) {
            Ok(instances) => instances,
            Err(error) => {
                in_one_line(error);
                continue;
            }
        };
        for instance in instances {
            assert!(instance.estimated_seconds() >= 0.0);
            instance.estimated_results();
            instance.estimated_bytes();
            if instance.build_rows().saturating_add(instance.probe_rows()) > MOST_ROWS {
                continue;
            }
            match instance.generate(None, NonZeroUsize::MIN) {
                Ok(workload) => assert_eq!(workload.oracle(), workload.expected),
                Err(error) => in_one_line(error),
            }
        }
    }
});
