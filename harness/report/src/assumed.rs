//! Numbers of a model's machine that nobody here can measure: each has a name as an argument, and a source.

/// A number of a machine `M`, and where its value is from.
pub struct Assumed<M> {
    /// Its name, as an argument.
    pub name: &'static str,
    /// Its unit, as an argument.
    pub unit: &'static str,
    /// The value, in that unit.
    pub value: f64,
    /// Who says so.
    pub source: &'static str,
    pub(crate) set: fn(&mut M, f64),
}

/// Sets an assumed number of a machine by its name, in its unit, to at least `least` and less than a million.
///
/// # Errors
///
/// If none has that name, or no machine has that value.
pub(crate) fn set<M>(
    all: &[Assumed<M>],
    machine: &mut M,
    name: &str,
    value: f64,
    least: f64,
) -> Result<(), String> {
    let found = all.iter().find(|assumed| assumed.name == name);
    let assumed = found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|assumed| assumed.name).collect();
        let names = names.join(", ");
        format!("nothing is called {name}: name one of {names}")
    })?;
    if !(least..1e6).contains(&value) {
        let (unit, usual) = (assumed.unit, assumed.value);
        return Err(format!(
            "{name}={value}: give {least} to a million, in {unit}, such as {name}={usual}"
        ));
    }
    (assumed.set)(machine, value);
    Ok(())
}

/// The name and the value of an argument `NAME=VALUE`.
///
/// # Errors
///
/// If it is none.
pub fn setting(argument: &str) -> Result<(&str, f64), String> {
    let given = argument.split_once('=');
    let given = given.and_then(|(name, value)| Some((name, value.parse().ok()?)));
    given.ok_or_else(|| format!("{argument}: give NAME=VALUE"))
}

/// What a program says of its arguments: a line for each number.
pub fn usage<M>(all: &[Assumed<M>]) -> String {
    let line = |assumed: &Assumed<M>| {
        let (name, value, unit) = (assumed.name, assumed.value, assumed.unit);
        format!("  {name}={value} {unit} ({})\n", assumed.source)
    };
    all.iter().map(line).collect()
}
