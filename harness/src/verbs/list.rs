//! `harness list`: what there is, by name.

use std::ffi::OsString;

use super::plan::sets::{SETS, Set};
use super::{Ending, program};
use crate::console::tell;
use crate::peers;
use crate::workload;
use registry::{TOGGLES, default_variant, variants};
use report::record::Size;

/// Of what to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Listed {
    /// Joins
    Variants,
    /// Toggles of the ablation and their settings
    Toggles,
    /// Workloads
    Workloads,
    /// Other engines
    Peers,
    /// GPUs, and what else offers itself as one (the first time builds the program)
    Devices,
}

/// Prints a table of what was asked for.
pub(crate) fn run(what: Listed) -> Result<(), Ending> {
    let rows = match what {
        Listed::Variants => of_variants(),
        Listed::Toggles => of_toggles(),
        Listed::Workloads => of_workloads()?,
        Listed::Peers => of_peers()?,
        Listed::Devices => {
            let devices = [OsString::from("devices")];
            return program::run(program::GPU, "list devices", &devices);
        }
    };
    print(&rows)
}

fn of_variants() -> Vec<Vec<String>> {
    let mut rows = vec![row(["variant", "family", "swept", "what it does"])];
    rows.extend(variants().into_iter().map(|variant| {
        let swept = if variant.curated { "yes" } else { "by name" };
        row([&variant.name, variant.family, swept, &variant.description])
    }));
    rows
}

fn of_toggles() -> Vec<Vec<String>> {
    let base = default_variant().base;
    let mut rows = vec![row(["toggle", "settings", "what it switches"])];
    rows.extend(TOGGLES.iter().map(|toggle| {
        let settings: Vec<String> = toggle
            .settings
            .iter()
            .map(|setting| {
                let default = setting.of(&base) == base;
                format!("{}{}", setting.name, if default { "*" } else { "" })
            })
            .collect();
        row([toggle.name, &settings.join(" "), toggle.sentence])
    }));
    rows.push(row(["", "* default", ""]));
    rows
}

fn of_peers() -> Result<Vec<Vec<String>>, Ending> {
    let folder = peers::folder();
    let peers = peers::all(&folder).map_err(Ending::usage)?;
    if peers.is_empty() {
        tell!(
            "there are no peers in {}; `--peers PATH` takes the folder of one",
            folder.display()
        );
    }
    let mut rows = vec![row(["peer", "version", "what it is, or how to install it"])];
    rows.extend(peers.iter().map(|peer| match peer.version() {
        Ok(version) => row([&peer.name, &version, &peer.description]),
        Err(missing) => row([&peer.name, "none", &missing.install]),
    }));
    Ok(rows)
}

fn of_workloads() -> Result<Vec<Vec<String>>, Ending> {
    let mut rows = vec![row([
        "workload",
        "quick",
        "default",
        "full",
        "what it shows",
    ])];
    let sizes = [Size::Quick, Size::Default, Size::Full];
    let instances = sizes
        .map(|size| workload::resolve(&[], size).map_err(Ending::usage))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen: Vec<&str> = Vec::new();
    for instance in instances.iter().flatten() {
        let name = instance.group.as_deref().unwrap_or(&instance.name);
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let mut cells = vec![name.to_owned()];
        for of_size in &instances {
            let mut rungs = of_size
                .iter()
                .filter(|other| other.group.as_deref().unwrap_or(&other.name) == name);
            let first = rungs.next();
            let text = |instance: &workload::Instance| {
                format!(
                    "{} x {}",
                    rows_text(instance.build_rows()),
                    rows_text(instance.probe_rows())
                )
            };
            cells.push(match (first, rungs.next_back()) {
                (Some(first), Some(last)) => format!("{} … {}", text(first), text(last)),
                (Some(only), None) => text(only),
                _ => String::new(),
            });
        }
        cells.push(instance.sentence.clone());
        rows.push(cells);
    }
    for set in SETS {
        let mut cells = vec![set.name.to_owned()];
        cells.extend(sizes.map(|size| format!("scale {}", Set::scale(size))));
        cells.push(set.sentence.to_owned());
        rows.push(cells);
    }
    Ok(rows)
}

/// A number of rows; in M (2^20) or K (2^10) where that is exact.
fn rows_text(rows: u64) -> String {
    match rows {
        _ if rows >= 1 << 20 && rows.is_multiple_of(1 << 20) => format!("{} M", rows >> 20),
        _ if rows >= 1 << 10 && rows.is_multiple_of(1 << 10) => format!("{} K", rows >> 10),
        _ => rows.to_string(),
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Prints rows with aligned columns; the last one is not padded.
pub(super) fn print(rows: &[Vec<String>]) -> Result<(), Ending> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = width - cell.chars().count() + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    super::print(&text)
}
