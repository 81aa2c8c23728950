//! `harness ingest check`: whether chunks are what they say, and what the server has.

use std::path::Path;

use aligned_ingest::Chunks;
use aligned_ingest::overlap::{Rule, measure, truth};
use aligned_ingest::pages::{NumericAs, SourceType};

use super::super::Ending;
use super::{Check, open_verified};
use report::charts::scale;

pub(super) fn run(args: &Check) -> Result<(), Ending> {
    let (chunks, found) = open_verified(&args.folder)?;
    let manifest = chunks.manifest();
    say!(
        "{}: {}, {found} whole rows in {} sections of {} chunks, {} used, {} empty in between",
        args.folder.display(),
        manifest.placement,
        manifest.sections.len(),
        manifest.layout.chunks,
        scale::bytes(manifest.used as f64),
        scale::bytes(manifest.wasted() as f64),
    );
    if let Some(section) = args.overlap {
        overlap(&chunks, section.0)?;
    }
    let mut wrong = Vec::new();
    if manifest.split_rows > 0 {
        wrong.push(format!(
            "{} of {} rows are split and lost to a reader of sections; load with aligned or packed-rows",
            manifest.split_rows, manifest.rows
        ));
    }
    if let Some(dsn) = &args.dsn {
        wrong.extend(against_server(&chunks, dsn, args.tls_ca.as_deref())?);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Ending::Wrong(wrong.join("; ")))
}

#[cfg(not(feature = "ingest"))]
fn against_server(_: &Chunks, _: &str, _: Option<&Path>) -> Result<Vec<String>, Ending> {
    Err(super::without_client())
}

#[cfg(feature = "ingest")]
fn against_server(chunks: &Chunks, dsn: &str, ca: Option<&Path>) -> Result<Vec<String>, Ending> {
    use aligned_ingest::server::{Server, check};
    let server = Server::new(dsn, ca).map_err(Ending::usage)?;
    let (rows, differences) = check(chunks, &server, &super::team()?).map_err(Ending::usage)?;
    let columns = chunks.manifest().columns.len();
    if differences.is_empty() {
        say!("{server}: {rows} rows and the checksums of {columns} columns are the same");
        return Ok(Vec::new());
    }
    let texts = differences
        .iter()
        .map(|d| format!("{}: {} here, {} on the server", d.what, d.chunks, d.server));
    Ok(texts.collect())
}

/// A section is read at once.
const MOST_OVERLAP: u64 = 1 << 30;

/// Tries the repair of a stream without manifest, with and without knowing the types, and more or less careful.
fn overlap(chunks: &Chunks, section: u64) -> Result<(), Ending> {
    let manifest = chunks.manifest();
    let rows = truth(chunks);
    let width = |type_name: &str| SourceType::of(type_name, NumericAs::Fp64)?.width();
    let widths: Vec<Option<u32>> = manifest
        .columns
        .iter()
        .map(|c| width(&c.type_name))
        .collect();
    let Ok(fields @ 1..) = u16::try_from(widths.len()) else {
        return Err(Ending::Usage(
            "the manifest names no columns; the repair has nothing to go by: leave --overlap out"
                .into(),
        ));
    };
    if section > MOST_OVERLAP {
        return Err(Ending::Usage(format!(
            "--overlap {} is too much; at most {}",
            scale::bytes(section as f64),
            scale::bytes(MOST_OVERLAP as f64)
        )));
    }
    let longest = manifest.sections.iter().map(|section| section.used).max();
    say!(
        "read without the manifest in sections of {}:",
        scale::bytes(section as f64)
    );
    for (known, confirm) in [(false, 1), (false, 3), (true, 1), (true, 3)] {
        let rule = Rule {
            fields,
            widths: if known { widths.clone() } else { Vec::new() },
            row_bytes: longest.unwrap_or(0),
            confirm,
        };
        let failures = measure(chunks, &rows, section, &rule);
        say!(
            "  types {}, {confirm} rows to believe a start: {} of {} rows lost, {} invented, {} mangled, {} of {} sections wrong",
            if known { "known" } else { "unknown" },
            failures.lost,
            failures.rows,
            failures.invented,
            failures.mangled,
            failures.wrong_sections,
            failures.sections
        );
    }
    Ok(())
}
