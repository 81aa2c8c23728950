//! How much of a run was disturbed, and what hangs on it.

use crate::charts::scale;
use crate::html::escape;
use crate::summary::Disturbance;
use crate::table::Table;

/// In a sentence for the top of the page.
pub fn sentence(found: &Disturbance) -> String {
    let marked = match found.disturbed {
        0 => "no sample was disturbed".to_owned(),
        marked => format!(
            "{marked} of {} samples were disturbed and count only where a round has no others",
            found.samples
        ),
    };
    let waited = found.waited.map_or(String::new(), |waited| {
        format!(
            "; threads that could run waited {} of that time for a processor",
            scale::percent(waited)
        )
    });
    let stolen = match found.stolen {
        0.0 => String::new(),
        stolen => format!("; the host took {}", scale::percent(stolen)),
    };
    let verdicts = match found.verdicts.len() {
        0 => "",
        _ => "; <a href=\"#disturbed\">verdicts that depend on them</a>",
    };
    format!(
        "{}{}{verdicts}",
        escape(&marked),
        escape(&format!("{waited}{stolen}"))
    )
}

/// The verdicts that all samples would change.
pub fn verdicts(found: &Disturbance) -> String {
    if found.verdicts.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["verdict on", "undisturbed samples", "all samples"]);
    for verdict in &found.verdicts {
        table.row(&[&verdict.what, &verdict.verdict, &verdict.of_all]);
    }
    table.html()
}
