//! What an unchained table is made with.

use std::marker::PhantomData;

use crate::directory::{DirectoryLayout, Split};
use crate::hash::{Fibonacci, KeyHash};
use crate::tag::{MaskTable, TagScheme};

/// Hash, tag scheme and directory layout of a table: decided at compile time, so that no inner loop tests a toggle.
pub trait Scheme: Send + Sync + 'static {
    /// The hash.
    type Hash: KeyHash;
    /// The tag scheme.
    type Tags: TagScheme;
    /// The directory layout.
    type Directory: DirectoryLayout;
}

/// The scheme of these three.
pub struct SchemeOf<H, T, D>(PhantomData<(H, T, D)>);

impl<H: KeyHash, T: TagScheme, D: DirectoryLayout> Scheme for SchemeOf<H, T, D> {
    type Hash = H;
    type Tags = T;
    type Directory = D;
}

/// What measurements chose; `docs/findings/` says why.
pub type DefaultScheme = SchemeOf<Fibonacci, MaskTable, Split>;
