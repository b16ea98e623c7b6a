//! What Linux says about this process; zeros elsewhere.

use std::fs;

/// Memory and writes of this process so far.
#[derive(Clone, Copy)]
pub(crate) struct Process {
    /// Memory in use now, in KiB.
    pub(crate) resident_kib: u64,
    /// The most memory that was ever in use, in KiB.
    pub(crate) peak_kib: u64,
    /// Bytes handed to the operating system by write calls, to files and elsewhere.
    pub(crate) written: u64,
}

impl Process {
    pub(crate) fn now() -> Self {
        Self {
            resident_kib: read("/proc/self/status", "VmRSS:"),
            peak_kib: read("/proc/self/status", "VmHWM:"),
            written: read("/proc/self/io", "wchar:"),
        }
    }
}

fn read(path: &str, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
