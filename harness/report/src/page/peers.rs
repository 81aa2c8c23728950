//! The table of variants against peers.

use super::html::Table;
use super::tables::ends;
use crate::charts::scale;
use crate::summary::{CellSummary, Summary};

/// The fastest variant of each workload against its fastest peer.
pub fn against(summary: &Summary) -> String {
    let mut table = Table::new(&[
        "workload",
        "#threads",
        "fastest variant",
        "#its time",
        "fastest peer",
        "#its time",
        "#peer : variant",
        "#95 % interval",
    ]);
    for against in &summary.against_peers {
        let time = |cells: &[CellSummary], name: &str| {
            let mut cells = cells.iter();
            let cell = cells.find(|cell| {
                (&*cell.workload, cell.threads, &*cell.variant)
                    == (&*against.workload, against.threads, name)
                    && cell.toggles.is_empty()
            });
            cell.map_or(String::new(), |cell| scale::seconds(cell.seconds.median))
        };
        table.row(&[
            &against.workload,
            &against.threads,
            &against.variant,
            &time(&summary.results, &against.variant),
            &against.peer,
            &time(&summary.peers, &against.peer),
            &scale::times(against.ratio.median),
            &ends(against.ratio, scale::times),
        ]);
    }
    table.html()
}
