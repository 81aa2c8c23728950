//! Files that people name: read only where they are files, written only where there is none yet.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Reads a file of at most `most` bytes. A pipe or a device may have no end, or never begin.
///
/// # Errors
/// It is no regular file, is larger, or the system refuses.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let invalid = |what: String| Err(io::Error::new(ErrorKind::InvalidInput, what));
    let about = fs::metadata(path)?;
    if about.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return invalid("it is no regular file; copy what it holds to one".to_owned());
    }
    let mut bytes = Vec::new();
    // Some files of the system say that they are empty and are not.
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return invalid(format!(
            "it has more than the {most} bytes that such a file may have"
        ));
    }
    Ok(bytes)
}

/// A file that a verb is going to write. It is there from the beginning, so that a place that cannot be written is known
/// before anything else is done, and gone if nothing is written in the end.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: File,
    /// Whether it is to be removed.
    unwritten: bool,
}

impl NewFile {
    /// Makes the file. A pipe or a device that is there is written to.
    ///
    /// # Errors
    /// It is there already, or cannot be made; in one line, which begins with the path.
    pub fn create(path: &Path) -> Result<Self, String> {
        let new = OpenOptions::new().write(true).create_new(true).open(path);
        let (file, unwritten) = match new {
            Ok(file) => (Ok(file), true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let stays = |about: fs::Metadata| about.is_file() || about.is_dir();
                if fs::metadata(path).map_or(true, stays) {
                    return Err(format!(
                        "{} is there already; name a new file, or remove it",
                        path.display()
                    ));
                }
                (OpenOptions::new().write(true).open(path), false)
            }
            Err(error) => (Err(error), false),
        };
        let file = file.map_err(|error| cannot_write(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            unwritten,
        })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The system refuses; then nothing is left.
    pub fn write(mut self, text: &str) -> Result<(), String> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| cannot_write(&self.path, &error))?;
        self.unwritten = false;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.unwritten {
            // Whatever went wrong has been or will be told.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!(
        "cannot write {}: {error}; choose another place",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(read(&path, 4).unwrap_err().to_string().contains("4 bytes"));
        assert_eq!(
            read(folder.path(), 5).unwrap_err().kind(),
            ErrorKind::IsADirectory
        );
        assert_eq!(
            read(&folder.path().join("none"), 5).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        for device in ["/dev/zero", "/dev/null"].map(Path::new) {
            if device.exists() {
                assert!(read(device, 5).unwrap_err().to_string().contains("regular"));
            }
        }
        // The kernel says that it has no bytes.
        if Path::new("/proc/self/status").exists() {
            assert!(
                !read(Path::new("/proc/self/status"), 1 << 20)
                    .unwrap()
                    .is_empty()
            );
        }
    }

    #[test]
    fn a_file_that_is_not_written_is_gone_and_none_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        drop(NewFile::create(&path).unwrap());
        assert!(!path.exists());
        NewFile::create(&path).unwrap().write("text").unwrap();
        let error = NewFile::create(&path).unwrap_err();
        assert!(error.contains("there already"), "{error}");
        assert!(NewFile::create(folder.path()).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"text");
        let error = NewFile::create(&folder.path().join("no/file")).unwrap_err();
        assert!(error.starts_with("cannot write"), "{error}");
        #[cfg(target_os = "linux")]
        {
            let full = NewFile::create(Path::new("/dev/full")).unwrap();
            assert!(
                full.write("text")
                    .unwrap_err()
                    .starts_with("cannot write /dev/full")
            );
        }
    }
}
