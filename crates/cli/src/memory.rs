//! How much memory this process may use: the host's, or what its control group is left with.

use std::path::Path;

/// Bytes of memory that this process may use; `None` where the system does not say.
pub fn available() -> Option<u64> {
    let read = |path: &Path| fs_err::read_to_string(path).unwrap_or_default();
    let host = total(&read(Path::new("/proc/meminfo")));
    let group = group(&read(Path::new("/proc/self/cgroup")));
    let limits = group.iter().flat_map(|group| Path::new(group).ancestors()).filter_map(|folder| {
        let folder = folder.strip_prefix("/").unwrap_or(folder);
        // "max" where there is no limit.
        read(&Path::new("/sys/fs/cgroup").join(folder).join("memory.max")).trim().parse().ok()
    });
    host.into_iter().chain(limits).min()
}

/// The host's memory. proc_meminfo(5)
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The control group of version 2. cgroups(7)
fn group(cgroup: &str) -> Option<String> {
    cgroup.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_and_its_groups_are_read() {
        assert_eq!(total("MemTotal:       24690124 kB\nMemFree: 1 kB\n"), Some(24_690_124 * 1024));
        assert_eq!(total(""), None);
        assert_eq!(
            group("1:name=systemd:/x\n0::/system.slice/farm.service\n").as_deref(),
            Some("/system.slice/farm.service")
        );
        assert!(available().is_some_and(|bytes| bytes > 1 << 28));
    }
}
