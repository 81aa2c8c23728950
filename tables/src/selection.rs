//! Which columns of a file are imported, and the types that were asked for.

use join_core::page::DataType;

use crate::Options;

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
/// What is wrong, without the file: names that are there twice, or not at all.
pub fn select(names: &[String], options: &Options) -> Result<Vec<Selected>, String> {
    for (number, name) in names.iter().enumerate() {
        if names[..number].contains(name) {
            return Err(format!(
                "two columns are named {name:?}; rename one, as columns are told apart by their names"
            ));
        }
    }
    let find = |name: &String, option: &str| {
        names.iter().position(|other| other == name).ok_or_else(|| {
            format!(
                "{option} names a column {name:?}, which is not there; there are: {}",
                names.join(", ")
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
