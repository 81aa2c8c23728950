//! `harness ingest simulate`: the accounting of a load (S7).

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use aligned_ingest::PlacementKind;
use aligned_ingest::account::{Account, Case, RowLengths, claims, count, formula, simulate};

use super::super::Ending;
use super::{Simulate, chart};
use report::charts::scale::bytes as size;
use report::charts::text::wrap;

pub(super) fn run(args: &Simulate) -> Result<(), Ending> {
    let case = Case {
        bytes: args.bytes.0,
        workers: args.workers,
        chunks: args.chunks,
        slot: args.slot.0,
        rows: args.row.0,
        uneven: args.uneven,
        seed: args.seed,
    };
    case.check().map_err(Ending::usage)?;
    super::super::print(&report(&case))?;
    if let Some(folder) = &args.out {
        let write = || {
            fs::create_dir_all(folder)?;
            let mut written = Vec::new();
            for (name, svg) in chart::all(&case) {
                let path = folder.join(name);
                write_whole(&path, &svg)?;
                written.push(path);
            }
            io::Result::Ok(written)
        };
        let written = write().map_err(|error| {
            Ending::Usage(format!(
                "cannot write charts to {}: {error}; make room there, or name another folder with --out",
                folder.display()
            ))
        })?;
        for path in written {
            say!("{}", path.display());
        }
    }
    Ok(())
}

/// Writes a file that is there whole or not at all.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let partial = path.with_extension("svg.partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })
}

fn report(case: &Case) -> String {
    let mut text = String::new();
    let rows = match case.rows {
        RowLengths::Fixed(bytes) => format!("{bytes} B"),
        RowLengths::Uniform(low, high) => format!("{low} to {high} B"),
        RowLengths::Exponential(mean) => format!("{mean} B on average (exponential)"),
    };
    let chunk = case.chunk_bytes() as f64;
    let _ = writeln!(
        text,
        "{} in {} rows of {rows}; {} workers, {} chunks of {}, slots of {}\n",
        size(case.bytes as f64),
        count(case.row_count() as f64),
        case.workers,
        case.chunks,
        size(chunk),
        size(case.slot as f64),
    );
    let share = case.bytes as f64 / f64::from(case.workers);
    let per_chunk = claims::boundaries(chunk, case.workers, case.slot as f64);
    let _ = writeln!(
        text,
        "a worker writes {}, {:.2} slots; of each chunk {}, {:.2} slots; a chunk takes {:.1} slots\n",
        size(share),
        share / case.slot as f64,
        size(chunk / f64::from(case.workers)),
        per_chunk.per_worker,
        per_chunk.per_chunk,
    );
    table(case, &mut text);
    text.push_str(
        "\nWhat the page that the placements come from says of such a load (docs/background.md, \"The chunk loader\"):\n",
    );
    for claim in claims::claims(case) {
        let verdict = if claim.holds { "right" } else { "wrong" };
        let _ = writeln!(
            text,
            "\n  {}: {verdict}\n    the page says: {}\n    it should say: {}",
            claim.what, claim.claimed, claim.right
        );
        // As wide as 100 characters are in the charts' font.
        for line in wrap(&claim.why, 12.0, 620.0) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// A row a placement, expected and simulated.
fn table(case: &Case, text: &mut String) {
    let heads = [
        "placement",
        "",
        "flushes",
        "rows split",
        "middle flushes",
        "last buffers",
        "chunk ends",
        "wasted",
        "share",
        "address space",
    ];
    let mut lines: Vec<[String; 10]> = vec![heads.map(str::to_owned)];
    let mut sampled = false;
    for placement in PlacementKind::ALL {
        let simulated = simulate::simulate(case, placement);
        sampled |= !simulated.all_drawn;
        let expected = formula::expect(case, placement);
        lines.push(line(case, placement.name(), "expected", expected));
        lines.push(line(case, "", "simulated", simulated.account));
    }
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 10] = std::array::from_fn(width);
    for line in &lines {
        let cells = line
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                if column < 2 {
                    format!("{cell:width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    if sampled {
        text.push_str("(too many flushes to draw each: the first of a worker count as the mean)\n");
    }
    text.push_str(
        "Bytes really used are the rows' own; where files have holes, the rest of the address space takes no room.\n",
    );
}

fn line(case: &Case, name: &str, how: &str, account: Account) -> [String; 10] {
    let bytes = case.bytes as f64;
    let share = account.waste() / (bytes + account.waste()) * 100.0;
    [
        name.to_owned(),
        how.to_owned(),
        count(account.flushes),
        count(account.split_rows),
        size(account.middle_waste),
        size(account.last_waste),
        size(account.chunk_end_waste),
        size(account.waste()),
        format!("{share:.4} %"),
        size(bytes + account.waste()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_leaves_no_half_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        write_whole(&path, "whole").unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("a.svg.partial")).unwrap();
        write_whole(&path, "half").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
