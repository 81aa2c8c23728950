//! Keys as 64 bits.

use std::mem::MaybeUninit;

use super::CompoundInput;
use super::part::{KeyPart, mix};
use super::strings::{Head, Notes};
use crate::input::{KeyColumn, KeySlice, StringRef};
use crate::join::{Context, JoinError, Side};
use crate::memory::Buffer;
use crate::page::DataType;
use crate::parallel::Tasks;

/// Rows that a worker hashes at a time: few enough for L1 to hold their keys until they are done, and a multiple of 8, so that
/// no byte of a bitmap has two writers.
const ROWS: usize = 1 << 11;

/// How a key becomes 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Whether a NULL is a value like others. Else a key with a NULL in it is one.
    pub nulls_match: bool,
    /// The bits of a hash that count.
    pub mask: u64,
    /// Whether what is equal will be compared, so that it is noted where strings lie.
    pub is_verified: bool,
    /// Whether strings have their heads beside the hashes.
    pub with_heads: bool,
}

/// The keys of a side.
pub(super) struct Hashed<'a> {
    keys: Buffer<i64>,
    /// Which rows have no NULL in their key, a bit each; none where all have none.
    valid: Option<Buffer<u8>>,
    /// What was noted of each column's strings.
    notes: Vec<Notes<Buffer<StringRef<'a>>, Buffer<Head>>>,
}

impl<'a> Hashed<'a> {
    /// Hashes the keys of a side with all threads.
    pub fn of(
        input: &CompoundInput<'a>,
        side: Side,
        how: How,
        context: &Context<'_>,
    ) -> Result<Self, JoinError> {
        let parts = input.parts(side);
        let rows = parts[0].len();
        let mut keys = context.memory.uninit::<i64>(rows)?;
        let has_nulls = !how.nulls_match && parts.iter().any(KeyPart::has_nulls);
        let mut valid = match has_nulls {
            true => Some(context.memory.zeroed::<u8>(rows.div_ceil(8))?),
            false => None,
        };
        let bits = valid.as_deref_mut().unwrap_or_default();
        let mut bits = bits.chunks_mut(ROWS / 8);
        let mut notes = Vec::new();
        for part in parts {
            let room = |wanted: bool| match wanted && part.data_type() == DataType::Varchar {
                true => rows,
                false => 0,
            };
            notes.push(Notes {
                refs: context
                    .memory
                    .uninit::<StringRef<'a>>(room(how.is_verified))?,
                heads: context.memory.uninit::<Head>(room(how.with_heads))?,
            });
        }
        let mut of_notes: Vec<_> = notes
            .iter_mut()
            .map(|notes| (notes.refs.chunks_mut(ROWS), notes.heads.chunks_mut(ROWS)))
            .collect();
        let shares = keys.chunks_mut(ROWS).enumerate();
        let tasks = Tasks::new(shares.map(|(nth, keys)| {
            let notes = of_notes.iter_mut().map(|(refs, heads)| Notes {
                refs: refs.next().unwrap_or_default(),
                heads: heads.next().unwrap_or_default(),
            });
            let notes: Vec<_> = notes.collect();
            (nth * ROWS, keys, bits.next(), notes)
        }));
        let workers = context.team.workers_for(rows);
        let hashed = context.team.run(vec![(); workers], |_, ()| {
            let mut held = [0_u8; ROWS];
            while let Some((_, (first, keys, bits, notes))) = tasks.take() {
                let held = match bits {
                    Some(_) => &mut held[..keys.len()],
                    None => &mut [],
                };
                held.fill(0);
                let keys = bytemuck::cast_slice_mut(fill(keys, 0));
                let notes = notes.into_iter().map(|notes| Notes {
                    refs: fill(notes.refs, StringRef::ASK),
                    heads: fill(notes.heads, Head::NULL),
                });
                hash(parts, notes, first, how, keys, held)?;
                let all = parts.len() as u8;
                let eights = held.chunks(8);
                for (byte, held) in bits.into_iter().flatten().zip(eights) {
                    let bits = held.iter().enumerate();
                    *byte = bits.fold(0, |byte, (bit, &held)| byte | u8::from(held == all) << bit);
                }
            }
            Ok(())
        });
        drop(tasks);
        let hashed = hashed.into_iter().collect::<Result<(), usize>>();
        hashed.map_err(|column| JoinError::OutsideStrings { side, column })?;
        // SAFETY: the shares are all rows, and each was filled.
        let (keys, notes) = unsafe {
            let notes = notes.into_iter().map(|notes| Notes {
                refs: notes.refs.assume_init(),
                heads: notes.heads.assume_init(),
            });
            (keys.assume_init(), notes.collect())
        };
        Ok(Self { keys, valid, notes })
    }

    /// What was noted of the strings of a column.
    pub fn notes(&self, column: usize) -> Notes<&[StringRef<'a>], &[Head]> {
        let Notes { refs, heads } = &self.notes[column];
        Notes { refs, heads }
    }

    /// As variants read them.
    pub fn column(&self) -> KeyColumn<'_, i64> {
        let slice = match &self.valid {
            None => KeySlice::new(&self.keys),
            Some(bits) => KeySlice::with_nulls(&self.keys, bits, 0).expect("a bit for each row"),
        };
        KeyColumn::of_slices(vec![slice]).expect("as many rows as the columns have")
    }
}

/// Fills room with what is there until a value comes: of a NULL, for good.
fn fill<T: Copy>(room: &mut [MaybeUninit<T>], value: T) -> &mut [T] {
    room.fill(MaybeUninit::new(value));
    // SAFETY: all have just been written.
    unsafe { room.assume_init_mut() }
}

/// Hashes the rows from `first` on into zeros, and counts in how many columns each holds a value, if anybody wants to know.
///
/// # Errors
///
/// The number of a column with strings that lie outside of what is said to hold them.
fn hash<'a, 'n>(
    parts: &[KeyPart<'a>],
    notes: impl Iterator<Item = Notes<&'n mut [StringRef<'a>], &'n mut [Head]>>,
    first: usize,
    how: How,
    hashes: &mut [u64],
    held: &mut [u8],
) -> Result<(), usize>
where
    'a: 'n,
{
    let rows = first..first + hashes.len();
    for ((nth, part), mut notes) in parts.iter().enumerate().zip(notes) {
        if how.nulls_match {
            // All that becomes of a NULL. Another number than any value's is not needed: what is equal is compared.
            hashes
                .iter_mut()
                .for_each(|hash| *hash = mix(*hash, nth as u64));
        }
        if !part.combine(rows.clone(), hashes, held, &mut notes) {
            return Err(nth);
        }
    }
    if how.mask != u64::MAX {
        hashes.iter_mut().for_each(|hash| *hash &= how.mask);
    }
    Ok(())
}
