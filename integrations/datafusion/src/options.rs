//! The settings of a session, `SET joinery.… = …`.

use std::fmt;
use std::str::FromStr;

use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::{config_field, extensions_options};

/// What takes the place of DataFusion's hash joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each join is one operator that collects both sides, makes a table of the smaller one, divides only keys and row ids
    /// among threads, and gathers columns once.
    #[default]
    Join,
    /// Nothing: the stock operators run.
    Off,
}

impl Mode {
    const ALL: [Self; 2] = [Self::Join, Self::Off];

    fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
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

extensions_options! {
    /// The settings of a session.
    pub struct JoineryOptions {
        /// What takes the place of hash joins: `join` or `off`.
        pub mode: Mode, default = Mode::Join
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
        assert_eq!(error, "joinery.mode is one of 'join', 'off', not 'fast'");
    }
}
