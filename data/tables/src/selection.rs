//! Which columns of a file are imported, and the types that were asked for.

use join_core::page::DataType;

use crate::Options;
use crate::names::quoted;

/// A column that is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Its number in the file.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The type that was asked for.
    pub asked: Option<DataType>,
}

/// The columns that `options` ask for among the `names` of a file.
///
/// # Errors
/// What is wrong, without the file: names that are there twice among those chosen, or not at all.
pub fn select(names: &[String], options: &Options) -> Result<Vec<Selected>, String> {
    let find = |name: &String, option: &str| {
        names.iter().position(|other| other == name).ok_or_else(|| {
            format!(
                "{option} names a column {name:?}, which is not there; there are: {}",
                listed(names)
            )
        })
    };
    for (number, (name, _)) in options.types.iter().enumerate() {
        find(name, "--types")?;
        if options.types[..number]
            .iter()
            .any(|(other, _)| other == name)
        {
            return Err(format!(
                "--types names column {name:?} twice; leave out one of them"
            ));
        }
    }
    let mut indices = Vec::new();
    for name in &options.columns {
        let index = find(name, "--columns")?;
        if indices.contains(&index) {
            return Err(format!(
                "--columns names column {name:?} twice; leave out one of them"
            ));
        }
        indices.push(index);
    }
    if indices.is_empty() {
        indices = (0..names.len()).collect();
    }
    for &index in &indices {
        let name = &names[index];
        if names.iter().filter(|other| *other == name).count() > 1 {
            return Err(format!(
                "two columns are named {name:?}; rename one, or leave both out with --columns, as columns are told apart by \
                 their names"
            ));
        }
    }
    let selected = indices.into_iter().map(|index| {
        let name = names[index].clone();
        let asked = options.types.iter().find(|(other, _)| *other == name);
        Selected {
            index,
            asked: asked.map(|(_, data_type)| *data_type),
            name,
        }
    });
    Ok(selected.collect())
}

/// Names for a reader.
pub fn listed(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}
