//! What a list holds of a tuple.

use std::marker::PhantomData;

use bytemuck::Pod;

use crate::key::{Key, Tuple};
use crate::tag::TagScheme;

/// A kind of list entries.
pub trait Entry: Send + Sync + 'static {
    /// Whether the tag is kept, and so the slots must be known before the tuples are.
    const KEEPS_TAG: bool;

    /// The entry of a tuple with a key of type `K`.
    type Of<K: Key>: Pod + Send + Sync;

    /// The entry of a tuple.
    fn new<K: Key>(hash: u64, tuple: Tuple<K>, prefix_bits: u32) -> Self::Of<K>;

    /// The tuple of an entry.
    fn tuple<K: Key>(entry: &Self::Of<K>) -> Tuple<K>;

    /// The tag of an entry, if it is kept.
    fn tag<K: Key>(entry: &Self::Of<K>) -> Option<u16>;
}

/// The tuple alone; hash and tag are computed again when they are needed.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Entry for Plain {
    const KEEPS_TAG: bool = false;

    type Of<K: Key> = Tuple<K>;

    #[inline(always)]
    fn new<K: Key>(_: u64, tuple: Tuple<K>, _: u32) -> Tuple<K> {
        tuple
    }

    #[inline(always)]
    fn tuple<K: Key>(entry: &Tuple<K>) -> Tuple<K> {
        *entry
    }

    #[inline(always)]
    fn tag<K: Key>(_: &Tuple<K>) -> Option<u16> {
        None
    }
}

/// The tuple and its tag of scheme `T`, as in the contest engine (R3.2): 12 bytes for an INT32 key.
#[derive(Debug, Clone, Copy)]
pub struct Tagged<T>(PhantomData<fn() -> T>);

/// A tuple and its tag; the tag is as wide as the key, so that there is no padding.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TaggedTuple<K: Key> {
    tuple: Tuple<K>,
    tag: K::Row,
}

// SAFETY: both fields are zeroable.
unsafe impl<K: Key> bytemuck::Zeroable for TaggedTuple<K> {}
// SAFETY: repr(C) of Pod fields: a tuple, then a tag as wide as each of its two fields, so no padding.
unsafe impl<K: Key> Pod for TaggedTuple<K> {}

impl<T: TagScheme> Entry for Tagged<T> {
    const KEEPS_TAG: bool = true;

    type Of<K: Key> = TaggedTuple<K>;

    #[inline(always)]
    fn new<K: Key>(hash: u64, tuple: Tuple<K>, prefix_bits: u32) -> TaggedTuple<K> {
        TaggedTuple {
            tuple,
            tag: K::row(u32::from(T::tag(hash, prefix_bits))),
        }
    }

    #[inline(always)]
    fn tuple<K: Key>(entry: &TaggedTuple<K>) -> Tuple<K> {
        entry.tuple
    }

    #[inline(always)]
    fn tag<K: Key>(entry: &TaggedTuple<K>) -> Option<u16> {
        Some(K::row_id(entry.tag) as u16)
    }
}
