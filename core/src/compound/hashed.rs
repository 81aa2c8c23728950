//! Keys as 64 bits.

use std::mem::MaybeUninit;

use super::part::{Head, KeyPart, mix};
use crate::input::{KeyColumn, KeySlice};
use crate::join::Context;
use crate::memory::{Buffer, OutOfMemory, UninitBuffer};
use crate::page::DataType;
use crate::parallel::Tasks;

/// Rows that a worker hashes at a time: a multiple of 8, so that no byte of a bitmap has two writers.
const ROWS: usize = 1 << 12;

/// How a key becomes 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Whether they are the key itself, two INT32 side by side.
    pub is_exact: bool,
    /// Whether a NULL is a value like others. Else a key with a NULL in it is one.
    pub nulls_match: bool,
    /// The bits of a hash that count.
    pub mask: u64,
    /// Whether strings have their heads beside the hashes.
    pub with_heads: bool,
}

/// The keys of a side.
pub(super) struct Hashed {
    keys: Buffer<i64>,
    /// Which rows have no NULL in their key, a bit each; none where all have none.
    valid: Option<Buffer<u8>>,
    /// The heads of each column's strings, where they are wanted.
    heads: Vec<Option<Buffer<Head>>>,
}

impl Hashed {
    /// Hashes the keys of these columns with all threads.
    pub fn of(parts: &[KeyPart<'_>], how: How, context: &Context<'_>) -> Result<Self, OutOfMemory> {
        let rows = parts[0].len();
        let mut keys = context.memory.zeroed::<i64>(rows)?;
        let has_nulls = !how.nulls_match && parts.iter().any(KeyPart::has_nulls);
        let mut valid = match has_nulls {
            true => Some(context.memory.zeroed::<u8>(rows.div_ceil(8))?),
            false => None,
        };
        let bits = valid.as_deref_mut().unwrap_or_default();
        let mut bits = bits.chunks_mut(ROWS / 8);
        let mut heads = Vec::new();
        for part in parts {
            let wanted = how.with_heads && part.data_type() == DataType::Varchar;
            let room = wanted.then(|| context.memory.uninit::<Head>(rows));
            heads.push(room.transpose()?);
        }
        let mut of_heads: Vec<_> = heads
            .iter_mut()
            .map(|heads| heads.as_mut().map(|heads| heads.chunks_mut(ROWS)))
            .collect();
        let shares = keys.chunks_mut(ROWS).enumerate();
        let tasks = Tasks::new(shares.map(|(nth, keys)| {
            let heads = of_heads.iter_mut();
            let heads: Vec<_> = heads.map(|heads| heads.as_mut()?.next()).collect();
            (nth * ROWS, keys, bits.next(), heads)
        }));
        let workers = context.team.workers_for(rows);
        context.team.run(vec![(); workers], |_, ()| {
            let mut scratch = [0_u64; ROWS];
            let mut holds = [0_u8; ROWS];
            while let Some((_, (first, keys, bits, heads))) = tasks.take() {
                let (hashes, holds) = (&mut scratch[..keys.len()], &mut holds[..keys.len()]);
                hash(parts, first, how, hashes, holds);
                for (key, &hash) in keys.iter_mut().zip(&*hashes) {
                    *key = hash as i64;
                }
                let all = parts.len() as u8;
                let eights = holds.chunks(8);
                for (byte, holds) in bits.into_iter().flatten().zip(eights) {
                    let bits = holds.iter().enumerate();
                    *byte = bits.fold(0, |byte, (bit, &held)| byte | u8::from(held == all) << bit);
                }
                for (part, heads) in parts.iter().zip(heads) {
                    if let Some(heads) = heads {
                        heads.fill(MaybeUninit::new(Head::NULL));
                        part.for_each_string(first..first + heads.len(), |at, string| {
                            heads[at].write(Head::of(string));
                        });
                    }
                }
            }
        });
        drop(tasks);
        // SAFETY: the shares are all rows, and every head of a share is written.
        let whole = |heads: UninitBuffer<Head>| unsafe { heads.assume_init() };
        Ok(Self {
            keys,
            valid,
            heads: heads.into_iter().map(|heads| heads.map(whole)).collect(),
        })
    }

    /// The heads of the strings of a column.
    pub fn heads(&self, column: usize) -> Option<&[Head]> {
        self.heads[column].as_deref()
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

/// Hashes the rows from `first` on, and counts in how many columns each holds a value.
fn hash(parts: &[KeyPart<'_>], first: usize, how: How, hashes: &mut [u64], holds: &mut [u8]) {
    hashes.fill(0);
    holds.fill(0);
    let rows = first..first + hashes.len();
    for (nth, part) in parts.iter().enumerate() {
        let shift = 32 * nth as u32;
        part.for_each(rows.clone(), |at, bits| {
            hashes[at] = match how.is_exact {
                true => hashes[at] | bits << shift,
                false => mix(hashes[at], bits),
            };
            holds[at] += 1;
        });
        if how.nulls_match && part.has_nulls() {
            let nulls = holds.iter_mut().zip(&mut *hashes);
            for (held, hash) in nulls.filter(|(held, _)| usize::from(**held) <= nth) {
                // Another number than any value's is not needed: what is equal is compared.
                *hash = mix(*hash, nth as u64);
                *held += 1;
            }
        }
    }
    if !how.is_exact {
        hashes.iter_mut().for_each(|hash| *hash &= how.mask);
    }
}
