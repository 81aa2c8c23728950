//! Keys as the core reads them: integers of 4 or 8 bytes and strings of bytes, where they lie if that is what they are.

mod strings;
mod types;
mod words;

use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use join_core::compound::{CompoundInput, KeyPart, Keys};
use join_core::input::{KeyColumn, KeySlice};
use join_core::join::{JoinError, JoinInput};
use join_core::key::Key;
use join_core::memory::Reservation;

use crate::error::Error;
use crate::import::Frame;
use crate::work::Means;
use strings::Strings;
use types::Plain;
use words::Words;

/// The columns of a frame that are keys.
pub(crate) type KeysOf<'a> = (&'a Frame, &'a [usize]);

/// The key columns of both sides, as they are compared.
pub(crate) struct KeyColumns {
    build: Vec<Part>,
    probe: Vec<Part>,
    _reservation: Reservation,
}

/// A key column of a side.
struct Part {
    /// What it is called in a sentence.
    called: String,
    /// Dictionaries as their values, truths as numbers.
    chunks: Vec<ArrayData>,
    plain: Plain,
}

/// The values of a key column.
enum Values<'a> {
    Words32(Words<'a, i32>),
    Words64(Words<'a, i64>),
    Bytes(Strings<'a>),
}

impl KeyColumns {
    /// The keys of two sides, column by column.
    ///
    /// # Errors
    ///
    /// They are not as many on both sides, or a column cannot be a key, or cannot be compared with that of the other side; or
    /// memory runs out.
    pub(crate) fn new(build: KeysOf<'_>, probe: KeysOf<'_>, means: &Means) -> Result<Self, Error> {
        let plain = plain_of(build, probe)?;
        let mut reservation = means.memory.reserve(0)?;
        let mut parts = |(frame, keys): KeysOf<'_>| -> Result<Vec<Part>, Error> {
            keys.iter()
                .zip(&plain)
                .map(|(&key, &plain)| Part::new(frame, key, plain, &mut reservation))
                .collect()
        };
        Ok(Self {
            build: parts(build)?,
            probe: parts(probe)?,
            _reservation: reservation,
        })
    }

    /// Calls `join` with the keys as the core reads them.
    ///
    /// # Errors
    ///
    /// Memory runs out, or those of `join`, in the names of the columns.
    pub(crate) fn with_keys<R>(
        &self,
        means: &Means,
        join: impl FnOnce(&Keys<'_>) -> Result<R, JoinError>,
    ) -> Result<R, Error> {
        let (build, probe) = self.values(means)?;
        join(&keys(&build, &probe)?).map_err(|error| match error {
            JoinError::OutsideStrings { side, column } => {
                let parts: &[Part] = side.of(&self.build, &self.probe);
                outside(&parts[column].called)
            }
            other => other.into(),
        })
    }

    /// Calls `each` with the columns of both sides, those that are compared together.
    ///
    /// # Errors
    ///
    /// Memory runs out, or strings make no sense.
    pub(crate) fn with_parts<R>(
        &self,
        means: &Means,
        each: impl FnOnce(&[(KeyPart<'_>, KeyPart<'_>)]) -> R,
    ) -> Result<R, Error> {
        let (build, probe) = self.values(means)?;
        let parts = build
            .iter()
            .zip(&probe)
            .map(|(build, probe)| Ok((build.part_inside()?, probe.part_inside()?)));
        Ok(each(&parts.collect::<Result<Vec<_>, Error>>()?))
    }

    fn values(&self, means: &Means) -> Result<(Vec<Values<'_>>, Vec<Values<'_>>), Error> {
        let build = self.build.iter().map(|part| part.values(means));
        let probe = self.probe.iter().map(|part| part.values(means));
        Ok((
            build.collect::<Result<_, _>>()?,
            probe.collect::<Result<_, _>>()?,
        ))
    }
}

/// Whether the keys of two sides can be joined, by their types.
///
/// # Errors
///
/// They are not as many on both sides, or a column cannot be a key, or cannot be compared with that of the other side.
pub(crate) fn check(build: KeysOf<'_>, probe: KeysOf<'_>) -> Result<(), Error> {
    plain_of(build, probe).map(|_| ())
}

fn plain_of(
    (build, build_keys): KeysOf<'_>,
    (probe, probe_keys): KeysOf<'_>,
) -> Result<Vec<Plain>, Error> {
    let (ours, theirs) = (build_keys.len(), probe_keys.len());
    if ours != theirs || ours == 0 {
        return Err(Error::Value(format!(
            "{} has {ours} and {} {theirs} key columns; give as many on both sides, at least one",
            build.what, probe.what
        )));
    }
    let pairs = build_keys.iter().zip(probe_keys);
    let plain = pairs.map(|(&b, &p)| {
        types::plain_of(
            (&build.columns[b], build.what),
            (&probe.columns[p], probe.what),
        )
    });
    plain.collect()
}

fn keys<'a>(build: &'a [Values<'a>], probe: &'a [Values<'a>]) -> Result<Keys<'a>, Error> {
    match (build, probe) {
        ([Values::Words32(build)], [Values::Words32(probe)]) => Ok(Keys::Integer(
            JoinInput::Int32(build.column()?, probe.column()?),
        )),
        ([Values::Words64(build)], [Values::Words64(probe)]) => Ok(Keys::Integer(
            JoinInput::Int64(build.column()?, probe.column()?),
        )),
        _ => {
            let parts = |values: &'a [Values<'a>]| {
                values
                    .iter()
                    .map(Values::part)
                    .collect::<Result<Vec<_>, _>>()
            };
            Ok(Keys::Compound(CompoundInput::new(
                parts(build)?,
                parts(probe)?,
            )?))
        }
    }
}

impl Part {
    fn new(
        frame: &Frame,
        key: usize,
        plain: Plain,
        reservation: &mut Reservation,
    ) -> Result<Self, Error> {
        let column = &frame.columns[key];
        let called = column.called(frame.what);
        let chunks = column.chunks.iter();
        let chunks = chunks
            .map(|chunk| types::plain(chunk, reservation))
            .collect::<Result<_, _>>()
            .map_err(|refusal| refusal.of(&called))?;
        Ok(Self {
            called,
            chunks,
            plain,
        })
    }

    fn values(&self, means: &Means) -> Result<Values<'_>, Error> {
        Ok(match self.plain {
            Plain::Words32 => Values::Words32(Words::of(&self.chunks, means)?),
            Plain::Words64 => Values::Words64(Words::of(&self.chunks, means)?),
            Plain::Bytes => Values::Bytes(Strings::of(&self.chunks, &self.called)),
        })
    }
}

impl<'a> Values<'a> {
    fn part(&'a self) -> Result<KeyPart<'a>, Error> {
        Ok(match self {
            Self::Words32(words) => KeyPart::Int32(words.column()?),
            Self::Words64(words) => KeyPart::Int64(words.column()?),
            Self::Bytes(strings) => KeyPart::Varchar(strings.column()?),
        })
    }

    /// The same for whoever reads strings and does not look where they lie.
    fn part_inside(&'a self) -> Result<KeyPart<'a>, Error> {
        match (self.part()?, self) {
            (KeyPart::Varchar(column), Self::Bytes(strings)) if !column.are_inside() => {
                Err(outside(strings.called))
            }
            (part, _) => Ok(part),
        }
    }
}

/// The refusal of strings that break the format.
fn outside(called: &str) -> Error {
    Error::Value(format!(
        "{called}: its strings lie outside of their bytes, or in no order"
    ))
}

/// A side's keys for the core, from values and the bitmaps beside them.
fn key_column<'a, K: Key>(
    slices: impl Iterator<Item = (&'a [K], Option<&'a NullBuffer>)>,
) -> Result<KeyColumn<'a, K>, Error> {
    let slices = slices.map(|(values, nulls)| match nulls {
        None => Some(KeySlice::new(values)),
        Some(nulls) => KeySlice::with_nulls(values, nulls.validity(), nulls.offset()),
    });
    let slices = slices.collect::<Option<Vec<_>>>();
    let slices =
        slices.ok_or_else(|| Error::value("a bitmap has fewer bits than its array has rows"))?;
    KeyColumn::of_slices(slices).ok_or_else(|| JoinError::TooManyRows.into())
}
