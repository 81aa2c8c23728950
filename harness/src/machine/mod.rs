//! What a run was measured on: processor, memory, kernel, toolchain, revision.

pub mod counters;
pub mod limits;
mod memory;
pub mod system;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use join_core::join::CacheSizes;
use join_core::parallel::{StartError, Team, ThreadStart};

use crate::size::Size;
use counters::Counters;
use report::record::{Cache, Environment};

const UNKNOWN: &str = "unknown";

/// Describes this machine and this build. What cannot be found out is `unknown` or 0.
pub fn environment(allocator: &str) -> Environment {
    let (commit, dirty) = revision(Path::new(env!("CARGO_MANIFEST_DIR")));
    Environment {
        cpu: fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| cpu_name(&text))
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: cores(),
        memory_bytes: read("/proc/meminfo")
            .and_then(|text| memory::kib(&text, "MemTotal"))
            .unwrap_or(0),
        caches: data_caches(),
        kernel: kernel(),
        huge_pages: huge_pages(),
        allocator: allocator.to_owned(),
        rustc: env!("JOINERY_RUSTC").to_owned(),
        profile: profile(),
        optimised: optimised(),
        commit,
        dirty,
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        counters: Counters::open().describe(),
    }
}

/// Whether this build may be timed: `opt-level` 2, 3, `s` or `z`.
pub fn optimised() -> bool {
    !matches!(env!("JOINERY_OPT_LEVEL"), "" | "0" | "1")
}

/// Logical processors that this process may use, by affinity and quota.
pub fn cores() -> u32 {
    thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// Bytes that can be allocated without swapping: what the kernel calls available, no more than this process's control
/// groups and its own limits leave. None where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let available = memory::available(Path::new("/"));
    available.into_iter().chain(memory::mappable()).min()
}

/// Bytes that data or a join may take: a tenth of what is available is left for everything else. As many as there are
/// addresses where the system does not say.
pub fn usable_bytes() -> u64 {
    available_bytes().map_or(u64::MAX, |bytes| bytes / 10 * 9)
}

/// Starts a team. A limit of addresses is asked first: a thread that starts and then gets no memory ends the process.
///
/// # Errors
/// If the system does not start so many threads, or has no room for them.
pub fn team(threads: u32, start: ThreadStart) -> Result<Team, StartError> {
    room_for_threads(threads)?;
    Team::try_new(threads as usize, start)
}

/// Holds the addresses of so many threads against the limit of this process.
///
/// # Errors
/// If there are too few.
pub fn room_for_threads(threads: u32) -> Result<(), StartError> {
    /// A stack, and what the allocator takes for a thread.
    const MIB: u64 = 2 + 32;
    let Some(left) = memory::mappable().map(|bytes| bytes >> 20) else {
        return Ok(());
    };
    if threads <= 1 || u64::from(threads) * MIB <= left {
        return Ok(());
    }
    Err(StartError {
        threads: threads as usize,
        reason: format!("each takes up to {MIB} MiB of addresses, and {left} MiB are left"),
    })
}

/// Whether the kernel backs memory with huge pages when `madvise` asks for them.
pub fn offers_huge_pages(environment: &Environment) -> bool {
    matches!(environment.huge_pages.as_str(), "always" | "madvise")
}

/// Whether only `madvise` gets huge pages, so that a program has them or not as it asks.
pub fn huge_pages_on_request(environment: &Environment) -> bool {
    environment.huge_pages == "madvise"
}

/// The first processor's model. A hypervisor often hides the marketing name, hence family and
/// model, which it must not hide.
fn cpu_name(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let value = value.trim();
            (key.trim() == name && !value.is_empty()).then(|| value.to_owned())
        })
    };
    if let Some(name) = field("model name") {
        return Some(match (field("cpu family"), field("model")) {
            (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
            _ => name,
        });
    }
    let (implementer, part) = (field("CPU implementer")?, field("CPU part")?);
    Some(format!(
        "{} implementer {implementer} part {part}",
        std::env::consts::ARCH
    ))
}

/// The data caches of the first processor, smallest level first; none where the system does not say.
pub fn data_caches() -> Vec<Cache> {
    caches(Path::new("/sys/devices/system/cpu/cpu0/cache"))
}

/// What a join plans for on a machine with these caches; usual sizes where one is not known.
pub fn cache_sizes(caches: &[Cache]) -> CacheSizes {
    let usual = CacheSizes::default();
    let bytes = |level, usual| {
        let cache = caches.iter().find(|cache| cache.level == level);
        cache.map_or(usual, |cache| cache.bytes as usize)
    };
    CacheSizes {
        l1: bytes(1, usual.l1),
        l2: bytes(2, usual.l2),
    }
}

/// The data and unified caches below a processor's `cache` folder, smallest level first.
fn caches(folder: &Path) -> Vec<Cache> {
    let mut caches: Vec<Cache> = (0..)
        .map(|index| folder.join(format!("index{index}")))
        .take_while(|folder| folder.is_dir())
        .filter_map(|folder| {
            let field = |name| read(folder.join(name));
            (field("type")? != "Instruction").then_some(())?;
            Some(Cache {
                level: field("level")?.parse().ok()?,
                bytes: field("size")?.parse().ok().map(|Size(bytes)| bytes)?,
            })
        })
        .collect();
    caches.sort_by_key(|cache| cache.level);
    caches
}

fn kernel() -> String {
    let release = read("/proc/sys/kernel/osrelease");
    let name = read("/proc/sys/kernel/ostype");
    match (name, release) {
        (Some(name), Some(release)) => format!("{name} {release}"),
        _ => std::env::consts::OS.to_owned(),
    }
}

/// The chosen word of `always [madvise] never`.
fn huge_pages() -> String {
    read("/sys/kernel/mm/transparent_hugepage/enabled")
        .and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned()))
        .unwrap_or_else(|| UNKNOWN.to_owned())
}

fn profile() -> String {
    // Cargo tells build scripts `debug` for the dev profile.
    let name = match env!("JOINERY_PROFILE") {
        "debug" => "dev",
        other => other,
    };
    let assertions = if cfg!(debug_assertions) {
        ", debug assertions"
    } else {
        ""
    };
    let slowed = if cfg!(feature = "slowed") {
        ", one variant slowed"
    } else {
        ""
    };
    format!("{name}{assertions}{slowed}")
}

/// The revision of the sources that this program was built from, and whether tracked files differ
/// from it now.
fn revision(folder: &Path) -> (String, bool) {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    match git(&["rev-parse", "--verify", "HEAD"]) {
        Some(commit) => {
            let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
            (commit, changes.is_some_and(|changes| !changes.is_empty()))
        }
        None => (UNKNOWN.to_owned(), false),
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_names_of_x86_and_arm() {
        let x86 = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping: 1\n";
        assert_eq!(
            cpu_name(x86).as_deref(),
            Some("AMD EPYC (family 25, model 17)")
        );
        let arm = "processor: 0\nCPU implementer : 0x41\nCPU part : 0xd40\n";
        assert!(
            cpu_name(arm)
                .unwrap()
                .ends_with("implementer 0x41 part 0xd40")
        );
        assert_eq!(cpu_name("processor: 0\n"), None);
    }

    #[test]
    fn caches_are_read_from_a_folder_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [
            ("2", "Unified", "1024K"),
            ("1", "Instruction", "64K"),
            ("1", "Data", "48K"),
            ("3", "Unified", "32M"),
            ("4", "Unified", "lots"),
        ];
        for (index, (level, kind, size)) in entries.iter().enumerate() {
            let folder = folder.path().join(format!("index{index}"));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("level"), format!("{level}\n")).unwrap();
            fs::write(folder.join("type"), format!("{kind}\n")).unwrap();
            fs::write(folder.join("size"), format!("{size}\n")).unwrap();
        }
        let found: Vec<_> = caches(folder.path())
            .iter()
            .map(|cache| (cache.level, cache.bytes))
            .collect();
        assert_eq!(found, [(1, 48 << 10), (2, 1 << 20), (3, 32 << 20)]);
        assert!(caches(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn a_folder_outside_git_has_no_revision() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(revision(folder.path()), (UNKNOWN.to_owned(), false));
    }

    #[test]
    fn the_id_names_a_file_and_ignores_what_varies_between_starts() {
        let mut machine = environment("mimalloc");
        machine.cpu = "Some(R) CPU @ 2.50GHz".to_owned();
        machine.cores = 8;
        machine.caches = vec![Cache {
            level: 2,
            bytes: 1 << 20,
        }];
        machine.memory_bytes = (24 << 30) - (400 << 20);
        let before = machine.machine_id();
        assert_eq!(before, "some-r-cpu-2.50ghz-8c-l2-1024k-24g");
        machine.memory_bytes += 5 << 20;
        machine.kernel = "another".to_owned();
        assert_eq!(machine.machine_id(), before);
        machine.cores = 4;
        assert_ne!(machine.machine_id(), before);
    }

    #[test]
    fn this_machine_is_described() {
        let machine = environment("mimalloc");
        assert!(machine.cores >= 1);
        assert!(!machine.cpu.is_empty());
        assert!(machine.rustc.starts_with("rustc"), "{}", machine.rustc);
        assert_eq!(machine.allocator, "mimalloc");
        if cfg!(target_os = "linux") {
            assert!(machine.memory_bytes > 0);
            assert!(available_bytes().is_some_and(|bytes| bytes <= machine.memory_bytes));
        }
    }
}
