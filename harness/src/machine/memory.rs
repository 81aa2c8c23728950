//! How much memory this process may still take.
//!
//! A control group's limit holds for all groups below it. Which group the process is in says `/proc/self/cgroup`; where
//! the groups are mounted, and from which group on, says `/proc/self/mountinfo`. Version 2 of the groups has one tree,
//! version 1 has one for memory.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where groups are mounted on every usual system, looked at even if the list of mounts cannot be read.
const USUAL: [(Version, &str); 2] = [
    (Version::Two, "/sys/fs/cgroup"),
    (Version::One, "/sys/fs/cgroup/memory"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The files of a group that hold limits in bytes.
    fn limits(self) -> &'static [&'static str] {
        match self {
            Version::One => &["memory.limit_in_bytes"],
            // Beyond the second the kernel does not end processes, but slows them down until they are below it.
            Version::Two => &["memory.max", "memory.high"],
        }
    }

    fn used(self) -> &'static str {
        match self {
            Version::One => "memory.usage_in_bytes",
            Version::Two => "memory.current",
        }
    }

    /// The fields of `memory.stat` that count the pages of files, which are given up where memory is wanted.
    fn reclaimable(self) -> [&'static str; 2] {
        match self {
            Version::One => ["total_inactive_file", "total_active_file"],
            Version::Two => ["inactive_file", "active_file"],
        }
    }

    /// The group that the process is in, by a line of `/proc/self/cgroup`.
    fn group(self, line: &str) -> Option<&str> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
        let is_this = match self {
            Version::One => controllers.split(',').any(|name| name == "memory"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        is_this.then_some(group)
    }
}

/// A tree of groups that the file system shows.
struct Mount {
    version: Version,
    /// The group that stands at its top.
    top: String,
    folder: PathBuf,
}

/// Bytes that can be allocated without swapping by the process whose file system is at `root`: the least of what the
/// kernel calls available and of what each control group of the process has left. None where the system does not say.
pub(super) fn available(root: &Path) -> Option<u64> {
    let kernel = kib(
        &read(root, "/proc/meminfo").unwrap_or_default(),
        "MemAvailable",
    );
    let groups = groups(root).into_iter();
    let left = groups.filter_map(|(version, folder)| left(version, &folder));
    left.chain(kernel).min()
}

/// Bytes that this process may still map by its own limits (`ulimit -v` and `ulimit -d`); none where it has no such
/// limits.
pub(super) fn mappable() -> Option<u64> {
    let status = read(Path::new("/"), "/proc/self/status").unwrap_or_default();
    let limits = [(libc::RLIMIT_AS, "VmSize"), (libc::RLIMIT_DATA, "VmData")];
    let left = limits.into_iter().filter_map(|(resource, used)| {
        let mut limit = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: `limit` is written before the call returns.
        let read = unsafe { libc::getrlimit(resource, &raw mut limit) };
        let limited = read == 0 && limit.rlim_cur != libc::RLIM_INFINITY;
        limited.then(|| {
            limit
                .rlim_cur
                .saturating_sub(kib(&status, used).unwrap_or(0))
        })
    });
    left.min()
}

/// A field that is given in KiB, in bytes.
pub(super) fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1 << 10)
    })
}

/// The folders of the groups that the process is in, each with those above it.
fn groups(root: &Path) -> Vec<(Version, PathBuf)> {
    let own = read(root, "/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for Mount {
        version,
        top,
        folder,
    } in mounts(root)
    {
        let group = own.lines().find_map(|line| version.group(line));
        let group = Path::new(group.unwrap_or("/"));
        let below = group.strip_prefix(&top).unwrap_or(group);
        // `..` leads out of the groups that this process can see.
        let names = below.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let mut place = folder;
        found.push((version, place.clone()));
        for name in names {
            place.push(name);
            found.push((version, place.clone()));
        }
    }
    found
}

fn mounts(root: &Path) -> Vec<Mount> {
    let list = read(root, "/proc/self/mountinfo").unwrap_or_default();
    let listed = list.lines().filter_map(|line| mount(root, line));
    let usual = USUAL.map(|(version, folder)| Mount {
        version,
        top: "/".to_owned(),
        folder: inside(root, folder),
    });
    listed.chain(usual).collect()
}

/// A line of `/proc/self/mountinfo`, if it mounts groups that count memory.
fn mount(root: &Path, line: &str) -> Option<Mount> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let (name, _device, options) = (kind.next()?, kind.next(), kind.next().unwrap_or(""));
    let version = match name {
        "cgroup2" => Version::Two,
        "cgroup" if options.split(',').any(|option| option == "memory") => Version::One,
        _ => return None,
    };
    let mut fields = place.split(' ').skip(3).map(unescaped);
    let (top, folder) = (fields.next()?, fields.next()?);
    Some(Mount {
        version,
        top,
        folder: inside(root, &folder),
    })
}

/// A path of `/proc/self/mountinfo`, in which blanks and the like stand as `\040`.
fn unescaped(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(field.to_owned(), |field, (code, c)| field.replace(code, c))
}

/// What a group has left of its limits, if it has any.
fn left(version: Version, folder: &Path) -> Option<u64> {
    let file = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let number = |name: &str| file(name)?.trim().parse::<u64>().ok();
    let limit = version
        .limits()
        .iter()
        .filter_map(|name| number(name))
        .min()?;
    let stat = file("memory.stat").unwrap_or_default();
    let fields = stat.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        let counts = version.reclaimable().contains(&name);
        counts.then(|| value.parse::<u64>().ok()).flatten()
    });
    let used = number(version.used()).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(fields.sum())))
}

fn read(root: &Path, path: &str) -> Option<String> {
    fs::read_to_string(inside(root, path)).ok()
}

fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system of these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = inside(root.path(), path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = (
        "/proc/meminfo",
        "MemTotal:  9000 kB\nMemAvailable:    4096 kB\n",
    );
    const TWO: (&str, &str) = (
        "/proc/self/mountinfo",
        "24 1 8:1 / / rw - ext4 /dev/sda rw\n30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
    );

    fn found(files: &[(&str, &str)]) -> Option<u64> {
        available(system(files).path())
    }

    #[test]
    fn the_least_of_the_groups_up_to_the_top_counts() {
        let own = ("/proc/self/cgroup", "0::/app.slice/x.scope\n");
        let unlimited = ("/sys/fs/cgroup/app.slice/memory.max", "max\n");
        let files = [MEMINFO, TWO, own, unlimited];
        assert_eq!(found(&files), Some(4 << 20));
        for group in ["", "/app.slice", "/app.slice/x.scope"] {
            let limit = format!("/sys/fs/cgroup{group}/memory.max");
            let mut files = files.to_vec();
            files.retain(|(path, _)| *path != limit);
            files.push((&limit, "1000000\n"));
            assert_eq!(found(&files), Some(1_000_000), "{group}");
            // What others of a group use is theirs.
            let used = format!("/sys/fs/cgroup{group}/memory.current");
            files.push((&used, "900000\n"));
            assert_eq!(found(&files), Some(100_000), "{group}");
            // Pages of files are given up.
            let stat = format!("/sys/fs/cgroup{group}/memory.stat");
            files.push((&stat, "anon 5\ninactive_file 200000\nactive_file 300000\n"));
            assert_eq!(found(&files), Some(600_000), "{group}");
            let high = format!("/sys/fs/cgroup{group}/memory.high");
            files.push((&high, "500000\n"));
            assert_eq!(found(&files), Some(100_000), "{group}");
        }
        let beside = ("/sys/fs/cgroup/app.slice/y.scope/memory.max", "10\n");
        assert_eq!(found(&[&files[..], &[beside]].concat()), Some(4 << 20));
    }

    #[test]
    fn version_1_has_a_tree_for_memory() {
        let mounts = (
            "/proc/self/mountinfo",
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
             35 31 0:32 / /my\\040groups rw - cgroup cgroup rw,hugetlb,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - \
             cgroup2 cgroup2 rw\n",
        );
        let own = (
            "/proc/self/cgroup",
            "4:hugetlb,memory:/a/b\n1:cpu:/c\n0::/\n",
        );
        let files = [
            MEMINFO,
            mounts,
            own,
            ("/my groups/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/my groups/a/memory.limit_in_bytes", "2000000\n"),
            ("/my groups/a/memory.usage_in_bytes", "1500000\n"),
            (
                "/my groups/a/memory.stat",
                "total_inactive_file 100\nactive_file 7\n",
            ),
            ("/my groups/c/memory.limit_in_bytes", "1\n"),
        ];
        assert_eq!(found(&files), Some(500_100));
    }

    #[test]
    fn a_container_sees_its_group_at_the_top() {
        let mounts = (
            "/proc/self/mountinfo",
            "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
        );
        let limit = ("/sys/fs/cgroup/memory.max", "70000\n");
        let inner = ("/sys/fs/cgroup/job/memory.max", "60000\n");
        for (group, left) in [
            ("0::/docker/abc\n", 70_000),
            ("0::/docker/abc/job\n", 60_000),
            ("0::/../../elsewhere\n", 70_000),
            ("", 70_000),
        ] {
            let own = ("/proc/self/cgroup", group);
            assert_eq!(
                found(&[MEMINFO, mounts, own, limit, inner]),
                Some(left),
                "{group}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_limit() {
        assert_eq!(found(&[]), None);
        let own = ("/proc/self/cgroup", "nonsense\n0::/gone\n\u{fffd}:\n");
        let garbled = ("/proc/self/mountinfo", "1 2 3\n - \nx - cgroup2\n");
        let empty = ("/sys/fs/cgroup/memory.max", "");
        assert_eq!(found(&[MEMINFO, own, garbled, empty]), Some(4 << 20));
        // Without a list of mounts, the usual place is looked at.
        let own = ("/proc/self/cgroup", "0::/a\n");
        let limit = ("/sys/fs/cgroup/a/memory.max", "5000\n");
        assert_eq!(found(&[own, limit]), Some(5000));
        let folder = ("/sys/fs/cgroup/a/memory.max/is/a/folder", "");
        assert_eq!(found(&[MEMINFO, own, folder]), Some(4 << 20));
    }
}
