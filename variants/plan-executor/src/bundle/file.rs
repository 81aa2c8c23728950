//! `plan.json`, as it stands in the file.

use std::path::Path;

use join_core::page::DataType;
use join_core::table::{TableError, TableMeta, write_folder, write_pages};
use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError, Join, Node, Operator, Output, PLAN_FILE, PlanError};

#[derive(Serialize, Deserialize)]
pub(super) struct PlanFile {
    pub name: String,
    pub root: usize,
    pub inputs: Vec<TableMeta>,
    nodes: Vec<NodeLine>,
}

/// A node, as it stands in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct NodeLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scan: Option<ScanLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    join: Option<Join>,
    output: Vec<(usize, DataType)>,
}

#[derive(Serialize, Deserialize)]
struct ScanLine {
    base_table: usize,
}

impl From<Node> for NodeLine {
    fn from(node: Node) -> NodeLine {
        let (scan, join) = match node.operator {
            Operator::Scan(base_table) => (Some(ScanLine { base_table }), None),
            Operator::Join(join) => (None, Some(join)),
        };
        let output = node.output.iter();
        NodeLine {
            scan,
            join,
            output: output.map(|o| (o.index, o.data_type)).collect(),
        }
    }
}

impl PlanFile {
    /// The nodes, each of which is one of the two.
    pub fn nodes(&self) -> Result<Vec<Node>, PlanError> {
        let lines = self.nodes.iter().enumerate();
        lines
            .map(|(node, line)| {
                let operator = match (&line.scan, line.join) {
                    (Some(scan), None) => Operator::Scan(scan.base_table),
                    (None, Some(join)) => Operator::Join(join),
                    (None, None) => {
                        let found = "neither";
                        return Err(PlanError::Operator { node, found });
                    }
                    (Some(_), Some(_)) => {
                        let found = "both";
                        return Err(PlanError::Operator { node, found });
                    }
                };
                let output = line.output.iter();
                Ok(Node {
                    operator,
                    output: output
                        .map(|&(index, data_type)| Output { index, data_type })
                        .collect(),
                })
            })
            .collect()
    }
}

pub(super) fn write(bundle: &Bundle, folder: &Path) -> Result<(), BundleError> {
    write_folder(folder, |folder| {
        let tables = bundle.tables.iter().enumerate();
        let inputs = tables
            .map(|(number, table)| write_pages(table, folder, &format!("{number}_")))
            .collect::<Result<_, _>>()?;
        let (name, plan) = (&bundle.name, &bundle.plan);
        write_plan(folder, name, plan.nodes(), plan.root(), inputs)
    })
}

/// Writes only the plan of a bundle into `folder`. For programs that write the pages themselves; [`Bundle::open`] checks
/// what they have made.
///
/// # Errors
/// If the system refuses.
pub fn write_plan(
    folder: &Path,
    name: &str,
    nodes: &[Node],
    root: usize,
    inputs: Vec<TableMeta>,
) -> Result<(), BundleError> {
    let nodes = nodes.iter().cloned().map(NodeLine::from);
    let file = PlanFile {
        name: name.to_owned(),
        root,
        inputs,
        nodes: nodes.collect(),
    };
    let path = folder.join(PLAN_FILE);
    let text = serde_json::to_vec(&file).map_err(|source| BundleError::Json {
        path: path.clone(),
        source,
    })?;
    std::fs::write(&path, text).map_err(|e| TableError::io("write", &path)(e).into())
}
