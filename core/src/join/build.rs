//! What a build variant implements.

use super::context::{Context, JoinError};
use super::phases::Phases;
use super::table::DynJoinTable;
use crate::input::KeySource;
use crate::key::{Key, OfKey};

/// A build variant: makes a table from the keys of the build side.
pub trait Build: Send + Sync {
    /// Builds a table of all keys of `source`, naming its phases on the way.
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError>;
}

/// A [`Build`] behind a pointer.
pub trait DynBuild: Send + Sync {
    /// Builds a table of INT32 keys.
    fn build_int32<'a>(
        &self,
        source: &'a dyn KeySource<i32>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<i32> + 'a>, JoinError>;

    /// Builds a table of INT64 keys.
    fn build_int64<'a>(
        &self,
        source: &'a dyn KeySource<i64>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<i64> + 'a>, JoinError>;
}

impl<B: Build> DynBuild for B {
    fn build_int32<'a>(
        &self,
        source: &'a dyn KeySource<i32>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<i32> + 'a>, JoinError> {
        self.build(source, context, phases)
    }

    fn build_int64<'a>(
        &self,
        source: &'a dyn KeySource<i64>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<i64> + 'a>, JoinError> {
        self.build(source, context, phases)
    }
}

impl Build for dyn DynBuild {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        struct Method;

        impl OfKey for Method {
            type Of<K: Key> = for<'a> fn(
                &dyn DynBuild,
                &'a dyn KeySource<K>,
                &Context<'_>,
                &mut Phases,
            )
                -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError>;
        }

        K::pick::<Method>(
            |build, source, context, phases| build.build_int32(source, context, phases),
            |build, source, context, phases| build.build_int64(source, context, phases),
        )(self, source, context, phases)
    }
}

impl<B: Build + ?Sized> Build for &B {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        (**self).build(source, context, phases)
    }
}

impl<B: Build + ?Sized> Build for Box<B> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        (**self).build(source, context, phases)
    }
}

/// One build below a number of rows, another from there on (R3.1). A source of unknown length counts as large.
#[derive(Debug, Clone, Copy)]
pub struct Threshold<Small, Large> {
    /// Rows from which on `large` builds.
    pub min_rows: usize,
    /// Builds small inputs.
    pub small: Small,
    /// Builds large inputs.
    pub large: Large,
}

impl<Small: Build, Large: Build> Build for Threshold<Small, Large> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        if source.rows().is_some_and(|rows| rows < self.min_rows) {
            self.small.build(source, context, phases)
        } else {
            self.large.build(source, context, phases)
        }
    }
}
