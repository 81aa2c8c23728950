//! What a worker reads.

use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::{Result, config_datafusion_err};
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as Stored,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

/// The files of a machine, to be read and not written, in some folders or in all of them.
#[derive(Debug)]
pub struct ReadOnly {
    files: LocalFileSystem,
    /// As they were given, and where they are.
    folders: Option<Vec<[PathBuf; 2]>>,
}

impl ReadOnly {
    /// The files below these folders, or everywhere.
    ///
    /// # Errors
    ///
    /// If one of them is no folder.
    pub fn new(folders: Option<&[PathBuf]>) -> Result<Self> {
        let found = |folder: &PathBuf| {
            let cannot = |error: String| {
                config_datafusion_err!("--allow-path {}: {error}", folder.display())
            };
            let given = std::path::absolute(folder).map_err(|error| cannot(error.to_string()))?;
            let real = folder.canonicalize();
            let real = real.map_err(|error| cannot(error.to_string()))?;
            match real.is_dir() {
                true => Ok([given, real]),
                false => Err(cannot("no folder".to_owned())),
            }
        };
        let folders = folders.map(|folders| folders.iter().map(found).collect());
        Ok(Self {
            files: LocalFileSystem::new(),
            folders: folders.transpose()?,
        })
    }

    /// Refuses what is not in the folders. Whether a file outside is there at all is not told; a link counts as where it leads.
    fn allow(&self, location: &Path) -> Stored<()> {
        let Some(folders) = &self.folders else {
            return Ok(());
        };
        let path = self.files.path_to_filesystem(location)?;
        let inside = |path: &FilePath| {
            let mut folders = folders.iter().flatten();
            folders.any(|folder| path.starts_with(folder))
        };
        if inside(&path) && path.canonicalize().map_or(true, |path| inside(&path)) {
            return Ok(());
        }
        Err(Error::PermissionDenied {
            path: path.display().to_string(),
            source: "it is outside of what --allow-path gives".into(),
        })
    }
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("files that are only read")
    }
}

fn refused<T>() -> Stored<T> {
    Err(Error::NotSupported {
        source: "a worker only reads files that a plan names".into(),
    })
}

#[async_trait]
impl ObjectStore for ReadOnly {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Stored<GetResult> {
        self.allow(location)?;
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Stored<Vec<Bytes>> {
        self.allow(location)?;
        self.files.get_ranges(location, ranges).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Stored<PutResult> {
        refused()
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Stored<Box<dyn MultipartUpload>> {
        refused()
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Stored<Path>>,
    ) -> BoxStream<'static, Stored<Path>> {
        stream::once(async { refused() }).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Stored<ObjectMeta>> {
        stream::once(async { refused() }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Stored<ListResult> {
        refused()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Stored<()> {
        refused()
    }
}
