//! What a join can be made with, beside its variant: the settings that an ablation changes one at a time.

use join_core::directory::{Packed, Split};
use join_core::hash::{Crc32, Fibonacci, Murmur};
use join_core::input::InputMode;
use join_core::join::{BuildProbe, DynBuild, DynJoin, Verify};
use join_core::memory::process::Origin;
use join_core::output::PairPlacement;
use join_core::parallel::ThreadStart;
use join_core::tag::{BelowPrefix, ContestBits, MaskTable, NoTags};
use join_core::unchained::{Scheme, SchemeOf};
use partitioned_build::Settings;
use probe::PipelinedProbe;

/// How keys are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// [`join_core::hash::Fibonacci`]
    Fibonacci,
    /// [`join_core::hash::Crc32`]
    Crc32,
    /// [`join_core::hash::Murmur`]
    Murmur,
}

/// Which bits of a hash make a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// [`join_core::tag::MaskTable`]
    MaskTable,
    /// [`join_core::tag::BelowPrefix`]
    BelowPrefix,
    /// [`join_core::tag::ContestBits`]
    LowBits,
    /// [`join_core::tag::NoTags`]
    Off,
}

/// How a directory entry is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// [`join_core::directory::Packed`]
    Packed,
    /// [`join_core::directory::Split`]
    Split,
}

/// What an entry of a partition's list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEntry {
    /// [`partitioned_build::Plain`]
    Tuple,
    /// [`partitioned_build::Tagged`]
    TupleAndTag,
}

/// All settings of a join. What a variant has no use for, it ignores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Configuration {
    /// The unchained table's hash.
    pub hash: Hash,
    /// The unchained table's tags.
    pub tags: Tags,
    /// The unchained table's directory.
    pub directory: Directory,
    /// The directory's size (serial and partitioned), and how tuples are partitioned.
    pub build: Settings,
    /// Build rows under which the partitioned build hands over to the serial one (R3.1).
    pub min_rows: usize,
    /// What lists of the partitioned build hold.
    pub list_entry: ListEntry,
    /// How the build side's keys are read.
    pub build_input: InputMode,
    /// How the probe side's keys are read, shared and looked up.
    pub probe: PipelinedProbe,
    /// How the threads of a phase come to be.
    pub thread_start: ThreadStart,
    /// Level 1 of allocation: where large blocks come from.
    pub source: Origin,
    /// Whether large blocks ask for huge pages.
    pub huge_pages: bool,
    /// How pairs are placed, where the consumer wants pairs (R8.3); `None`: handed on as they are produced.
    pub merge: Option<PairPlacement>,
    /// When pairs are made of a probe row's matches, where the consumer wants pairs.
    pub expand: Expand,
    /// When values are fetched, where the consumer wants rows.
    pub values: Values,
    /// What is compared of keys of several columns or strings whose hashes are equal.
    pub verify: Verify,
    /// How the join with both sides partitioned is made.
    pub join: partitioned_join::Settings,
}

/// When pairs are made of a probe row's matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expand {
    /// As they are found.
    AtOnce,
    /// Once the ranges of all rows' matches are known: see [`PairPlacement::Expanded`].
    Placed,
    /// Never: see [`PairPlacement::Ranges`].
    Never,
}

/// When the values of a result's rows are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Once pairs of rows are found.
    Late,
    /// With the keys, through a partitioning of both sides: see [`join_core::early`].
    Early,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            hash: Hash::Fibonacci,
            tags: Tags::MaskTable,
            directory: Directory::Split,
            build: Settings::default(),
            min_rows: 1 << 18,
            list_entry: ListEntry::Tuple,
            build_input: InputMode::default(),
            probe: PipelinedProbe::default(),
            thread_start: ThreadStart::default(),
            source: Origin::Pool,
            huge_pages: true,
            merge: Some(PairPlacement::Parallel),
            expand: Expand::AtOnce,
            values: Values::Late,
            verify: Verify::default(),
            join: partitioned_join::Settings::DEFAULT,
        }
    }
}

impl Configuration {
    /// Keys that a batched probe works on together.
    pub const BATCH: usize = 128;

    /// How pairs are placed, where the consumer wants pairs; `None`: handed on as they are produced.
    pub fn placement(&self) -> Option<PairPlacement> {
        match self.expand {
            Expand::AtOnce => self.merge,
            Expand::Placed => Some(PairPlacement::Expanded),
            Expand::Never => Some(PairPlacement::Ranges),
        }
    }
}

/// A combination of settings that no variant was compiled for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no table is compiled for hash {0:?} with tags {1:?} and a {2:?} directory; change one of them at a time"
)]
pub struct NotCompiled(Hash, Tags, Directory);

/// Makes a build, once the table's scheme is known as a type.
pub trait WithScheme {
    /// The build of a table of scheme `S`.
    fn make<S: Scheme>(self, configuration: &Configuration) -> Box<dyn DynBuild>;
}

/// Turns the scheme of `configuration` into a type: the default, and whatever differs from it in one place.
///
/// # Errors
/// The scheme differs in two places: compiling all of them would take minutes.
pub fn with_scheme(
    configuration: &Configuration,
    maker: impl WithScheme,
) -> Result<Box<dyn DynBuild>, NotCompiled> {
    let Configuration {
        hash,
        tags,
        directory,
        ..
    } = *configuration;
    Ok(match (hash, tags, directory) {
        (Hash::Fibonacci, Tags::MaskTable, Directory::Split) => {
            maker.make::<SchemeOf<Fibonacci, MaskTable, Split>>(configuration)
        }
        (Hash::Fibonacci, Tags::BelowPrefix, Directory::Split) => {
            maker.make::<SchemeOf<Fibonacci, BelowPrefix, Split>>(configuration)
        }
        (Hash::Fibonacci, Tags::LowBits, Directory::Split) => {
            maker.make::<SchemeOf<Fibonacci, ContestBits, Split>>(configuration)
        }
        (Hash::Fibonacci, Tags::Off, Directory::Split) => {
            maker.make::<SchemeOf<Fibonacci, NoTags, Split>>(configuration)
        }
        (Hash::Fibonacci, Tags::MaskTable, Directory::Packed) => {
            maker.make::<SchemeOf<Fibonacci, MaskTable, Packed>>(configuration)
        }
        (Hash::Crc32, Tags::MaskTable, Directory::Split) => {
            maker.make::<SchemeOf<Crc32, MaskTable, Split>>(configuration)
        }
        (Hash::Murmur, Tags::MaskTable, Directory::Split) => {
            maker.make::<SchemeOf<Murmur, MaskTable, Split>>(configuration)
        }
        _ => return Err(NotCompiled(hash, tags, directory)),
    })
}

/// The join of `build` and the probe of `configuration`.
pub fn joined(build: Box<dyn DynBuild>, configuration: &Configuration) -> Box<dyn DynJoin> {
    Box::new(BuildProbe {
        build_input: configuration.build_input,
        build,
        probe: configuration.probe,
    })
}
