//! Files and folders that appear whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{mem, process, ptr, thread};

use super::TableError;

/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// Lets `fill` write into a temporary folder beside `folder`, then renames it to `folder`: whoever looks
/// sees all of it or nothing. Folders that lead there are made. On any error what was made is removed.
///
/// # Errors
/// If `folder` exists and is not empty, if `fill` fails, or if the system refuses.
pub fn write_folder<T, E: From<TableError>>(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    if !is_free(folder)? {
        return Err(exists(folder).into());
    }
    let temporary = Temporary::beside(folder)?;
    fs::create_dir(&temporary.path).map_err(TableError::io("write", folder))?;
    let filled = fill(&temporary.path)?;
    fs::rename(&temporary.path, folder).map_err(TableError::io("write", folder))?;
    Ok(filled)
}

/// As [`write_folder`] for the new file `file`, which is on the disk when it appears.
///
/// # Errors
/// If `file` exists, if `fill` fails, or if the system refuses.
pub fn write_new_file<T, E: From<TableError>>(
    file: &Path,
    fill: impl FnOnce(&File) -> Result<T, E>,
) -> Result<T, E> {
    // Also a link that leads nowhere.
    if fs::symlink_metadata(file).is_ok() {
        return Err(exists(file).into());
    }
    let temporary = Temporary::beside(file)?;
    let made = File::create_new(&temporary.path).map_err(TableError::io("write", file))?;
    let filled = fill(&made)?;
    made.sync_all()
        .and_then(|()| fs::rename(&temporary.path, file))
        .map_err(TableError::io("write", file))?;
    Ok(filled)
}

/// Does `work`, which writes `out` by [`write_folder`] or [`write_new_file`]. Ctrl-C and other requests to end stop the
/// process with status 130 and leave nothing unfinished.
pub fn all_or_nothing<T>(out: &Path, work: impl FnOnce() -> T) -> T {
    static STOPPED: AtomicBool = AtomicBool::new(false);
    let (out, parents) = (out.to_owned(), missing_parents(out));
    let requests = hold_requests_to_end();
    let watch = move || {
        let mut signal = 0;
        // SAFETY: both point to values of this thread.
        if unsafe { libc::sigwait(&requests, &mut signal) } == 0 {
            STOPPED.store(true, Ordering::SeqCst);
            discard_unfinished(&out);
            remove_empty(&parents);
            process::exit(INTERRUPTED);
        }
    };
    if thread::Builder::new().spawn(watch).is_err() {
        // SAFETY: the set is initialised. Requests to end do again what they did.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &requests, ptr::null_mut()) };
    }
    let done = work();
    // An error of work whose folder was taken away is nobody's; the other thread ends the process.
    while STOPPED.load(Ordering::SeqCst) {
        thread::park();
    }
    done
}

/// Keeps requests to end from this thread and those that it starts, so that one thread can wait for them.
fn hold_requests_to_end() -> libc::sigset_t {
    // SAFETY: a set and an action are plain numbers, for which zeros are valid; the pointers are to values that live here.
    unsafe {
        let mut requests: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut requests);
        let mut hangup: libc::sigaction = mem::zeroed();
        libc::sigaction(libc::SIGHUP, ptr::null(), &mut hangup);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // Under nohup, the end of the terminal is no request.
            if signal != libc::SIGHUP || hangup.sa_sigaction != libc::SIG_IGN {
                libc::sigaddset(&mut requests, signal);
            }
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &requests, ptr::null_mut());
        requests
    }
}

/// Removes what this process has written for `out` and not finished, be it a file or a folder: for a program that is told to
/// stop. Another thread may still be writing, and then gets an error; or be done at this moment, and then all of it stays.
pub fn discard_unfinished(out: &Path) {
    let Some(prefix) = partial_prefix(out) else {
        return;
    };
    let parent = out.parent().filter(|parent| *parent != Path::new(""));
    let entries = fs::read_dir(parent.unwrap_or(Path::new(".")));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes())
        {
            // Only what is renamed here is ours alone: a folder that its writer has just put in its place must not be
            // emptied there, and nothing can be made in one whose name is gone.
            let mut discarded = name;
            discarded.push(".discarded");
            let discarded = entry.path().with_file_name(discarded);
            if fs::rename(entry.path(), &discarded).is_ok() {
                let _ = fs::remove_file(&discarded).or_else(|_| fs::remove_dir_all(&discarded));
            }
        }
    }
}

/// Whether `folder` is absent or an empty folder.
fn is_free(folder: &Path) -> Result<bool, TableError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        // A file, or a link that leads nowhere.
        Err(_) if fs::symlink_metadata(folder).is_ok_and(|found| !found.is_dir()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(TableError::io("write", folder)(error)),
    }
}

fn exists(path: &Path) -> TableError {
    TableError::Exists {
        path: path.to_owned(),
    }
}

/// What the names of this process's unfinished files and folders for `out` begin with; they lie beside it. `None` if `out`
/// has no name of its own.
fn partial_prefix(out: &Path) -> Option<OsString> {
    let mut prefix = OsString::from(".");
    prefix.push(out.file_name()?);
    prefix.push(format!(".{}-", std::process::id()));
    Some(prefix)
}

/// The folders above `out` that are not there, from the lowest up.
fn missing_parents(out: &Path) -> Vec<PathBuf> {
    let missing = |parent: &&Path| !parent.as_os_str().is_empty() && !parent.exists();
    let parents = out.ancestors().skip(1).take_while(missing);
    parents.map(Path::to_owned).collect()
}

/// Removes those of these folders that are empty.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}

/// A file or folder that is removed when this is dropped; after a rename there is nothing left to remove.
struct Temporary {
    path: PathBuf,
    /// The folders that were made above it.
    parents: Vec<PathBuf>,
}

impl Temporary {
    /// A name beside `out`, in a folder that is there.
    fn beside(out: &Path) -> Result<Temporary, TableError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = partial_prefix(out).ok_or(ErrorKind::InvalidFilename.into());
        let mut name = prefix.map_err(TableError::io("write", out))?;
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        name.push(format!("{unique}.partial"));
        // A file beyond the limit on sizes is to be an error, after which this is removed, not the end of the process.
        // SAFETY: to ignore a signal runs no code of ours when it comes.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let temporary = Temporary {
            path: out.with_file_name(name),
            parents: missing_parents(out),
        };
        if let Some(parent) = temporary.parents.first() {
            fs::create_dir_all(parent).map_err(TableError::io("write", out))?;
        }
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // An error has been or will be reported already; these would add nothing.
        let _ = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
        remove_empty(&self.parents);
    }
}
