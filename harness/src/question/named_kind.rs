//! A kind of join by its name, as files have it.

use join_core::kind::Kind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A kind of join by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedKind(pub Kind);

impl NamedKind {
    /// The name of a kind where a record or a request has it: an inner join goes without.
    pub fn unless_inner(kind: Kind) -> Option<String> {
        (kind != Kind::Inner).then(|| kind.to_string())
    }

    /// The kind that a record or a request names, an inner join where it names none.
    ///
    /// # Errors
    /// There is no such kind, in one line.
    pub fn read(name: Option<&str>) -> Result<Kind, String> {
        name.map_or(Ok(Kind::Inner), |name| {
            Kind::named(name).ok_or_else(|| {
                let names = Kind::ALL.map(Kind::name).join(", ");
                format!("there is no kind of join called {name:?}; there are {names}")
            })
        })
    }
}

impl Default for NamedKind {
    fn default() -> Self {
        Self(Kind::Inner)
    }
}

impl<'de> Deserialize<'de> for NamedKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::read(Some(&name)).map(Self).map_err(D::Error::custom)
    }
}
