//! The settings of a session, `SET joinery.… = …`.

use std::fmt;
use std::str::FromStr;

use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::{config_field, extensions_options};
use plan_executor::Options;

/// What takes the place of DataFusion's hash joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Inner and semi joins that stand in a tree of two or more are one operator, which collects all that they read, finds
    /// an order by what it has read, and gathers columns once. Other joins stream where partitions of their output are asked
    /// for, or their left side is small, and are otherwise as in `Join`.
    #[default]
    Tree,
    /// Each join is one operator that collects both sides, makes a table of the smaller one, divides only keys and row ids
    /// among threads, and gathers columns once.
    Join,
    /// Each join collects its left side into a table, and its right one streams by, as in DataFusion's own. The plan stays as
    /// it is. So do, in the other modes, joins that cannot collect both sides.
    Streaming,
    /// Nothing: the stock operators run.
    Off,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tree, Self::Join, Self::Streaming, Self::Off];

    /// What settings call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Join => "join",
            Self::Streaming => "streaming",
            Self::Off => "off",
        }
    }

    /// The mode of a session; off where the extension is not installed.
    pub(crate) fn of(config: &ConfigOptions) -> Self {
        let options = config.extensions.get::<JoineryOptions>();
        options.map_or(Self::Off, |options| options.mode)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A mode that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMode(String);

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Mode::ALL.map(Mode::name).join("', '");
        write!(f, "joinery.mode is one of '{names}', not '{}'", self.0)
    }
}

impl std::error::Error for UnknownMode {}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        let mut modes = Self::ALL.into_iter();
        modes
            .find(|mode| mode.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownMode(name.to_owned()))
    }
}

config_field!(Mode);

/// The techniques of trees that are not of finding rows, each with a sentence.
const OF_LEAVES: [(&str, &str); 2] = [
    (
        SCAN_FILTERS,
        "what was read of leaves prunes the scans below others",
    ),
    (
        STREAMED_LEAF,
        "a last leaf of many rows streams through tables of the others",
    ),
];

const SCAN_FILTERS: &str = "scan-filters";

const STREAMED_LEAF: &str = "streamed-leaf";

/// Techniques of trees that are left out, to find out what they are worth.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Without(Vec<&'static str>);

impl Without {
    /// All techniques that can be left out, each with a sentence. Values that are looked up once are none of a tree's, which
    /// leaves columns where they are.
    pub fn techniques() -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = Options::NAMES.into_iter();
        let all = all.filter(|&(name, _)| name != "references");
        all.chain(OF_LEAVES)
    }

    /// All but this technique; `None` where there is no such one.
    pub fn one(name: &str) -> Option<Self> {
        let found = Self::techniques().find(|&(known, _)| known == name);
        found.map(|(known, _)| Self(vec![known]))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }

    /// Those of whoever finds the rows of a tree.
    fn options(&self) -> Options {
        let all = Options::default();
        self.0.iter().fold(all, |options, name| {
            options.without(name).unwrap_or(options)
        })
    }
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// A technique that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTechnique(String);

impl fmt::Display for UnknownTechnique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Without::techniques().map(|(name, _)| name).collect();
        let (names, unknown) = (names.join("', '"), &self.0);
        write!(f, "joinery.without lists '{names}', not '{unknown}'")
    }
}

impl std::error::Error for UnknownTechnique {}

impl FromStr for Without {
    type Err = UnknownTechnique;

    fn from_str(text: &str) -> Result<Self, UnknownTechnique> {
        let names = text.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        let known = |name: &str| {
            let found = Self::techniques().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found
                .map(|(known, _)| known)
                .ok_or_else(|| UnknownTechnique(name.to_owned()))
        };
        names.map(known).collect::<Result<_, _>>().map(Self)
    }
}

config_field!(Without);

extensions_options! {
    /// The settings of a session.
    pub struct JoineryOptions {
        /// What takes the place of hash joins: `tree`, `join`, `streaming` or `off`.
        pub mode: Mode, default = Mode::default()
        /// Techniques of trees that are left out, such as `filters, own-order`.
        pub without: Without, default = Without::default()
        /// Rows of the last leaf of a tree that are collected at least, and as many as the other leaves have, before it streams
        /// through tables of these; 0 to let it stream however many they are.
        pub stream_from: usize, default = 1 << 16
        /// On several machines: whether the keys of a join's left side go to all of them before its right side is shuffled, so
        /// that only rows with a partner are.
        pub filters_before_shuffle: bool, default = false
    }
}

impl JoineryOptions {
    /// The settings of a session in this mode, whose trees are without these techniques.
    #[must_use]
    pub fn of(mode: Mode, without: Without) -> Self {
        let mut options = Self::default();
        (options.mode, options.without) = (mode, without);
        options
    }

    /// The techniques of trees in a session.
    pub(crate) fn techniques(config: &ConfigOptions) -> Options {
        let options = config.extensions.get::<JoineryOptions>();
        options.map_or_else(Options::default, |options| options.without.options())
    }
}

impl JoineryOptions {
    /// Whether scans below trees get filters.
    pub(crate) fn filters_scans(config: &ConfigOptions) -> bool {
        Self::has(config, SCAN_FILTERS)
    }

    /// How many rows of the last leaf of a tree are collected before it streams; none where it never does.
    pub(crate) fn streams_from(config: &ConfigOptions) -> Option<usize> {
        let options = config.extensions.get::<Self>();
        let rows = options.map_or_else(|| Self::default().stream_from, |own| own.stream_from);
        Self::has(config, STREAMED_LEAF).then_some(rows)
    }

    fn has(config: &ConfigOptions, technique: &str) -> bool {
        let options = config.extensions.get::<Self>();
        options.is_none_or(|options| options.without.names().all(|name| name != technique))
    }
}

impl ConfigExtension for JoineryOptions {
    const PREFIX: &'static str = "joinery";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "fast".parse::<Mode>().unwrap_err().to_string();
        assert_eq!(
            error,
            "joinery.mode is one of 'tree', 'join', 'streaming', 'off', not 'fast'"
        );
    }

    #[test]
    fn techniques_are_listed_and_told_apart() {
        let without: Without = " filters,Own-Order ,".parse().unwrap();
        assert_eq!(without.to_string(), "filters, own-order");
        let expected = Options::default().without("filters").unwrap();
        assert_eq!(
            Some(without.options()),
            expected.without("own-order"),
            "those two and no others"
        );
        let error = "filters, speed".parse::<Without>().unwrap_err().to_string();
        assert!(error.ends_with("not 'speed'"), "{error}");
    }
}
