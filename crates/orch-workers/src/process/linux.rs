//! What `/proc` says about processes.

use std::fs;
use std::io;
use std::sync::OnceLock;

use orch_core::journal::ProcessId;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::ATTEMPT_VARIABLE;

/// A process, as `/proc/PID/stat` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    /// Whether it runs: has not ended, even if nobody has waited for it.
    pub(super) runs: bool,
    /// Its process group.
    pub(super) group: u32,
    /// Its session.
    pub(super) session: u32,
    /// When it was started, in clock ticks since the boot.
    pub(super) start: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> Option<Self> {
        Self::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses and may hold anything, parentheses and spaces too.
    fn parse(pid: u32, line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let runs = !matches!(fields.next()?, "Z" | "X" | "x");
        let group = fields.nth(1)?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let start = fields.nth(15)?.parse().ok()?;
        Some(Self { pid, runs, group, session, start })
    }
}

/// Returns where a process number means what it means to us: the boot of the machine and, behind a space, the namespace of
/// process numbers, which containers on one machine do not share. Empty when it cannot be read, and when `/proc` shows
/// another namespace than ours.
pub(super) fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let read = || {
            let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
            Some(format!("{} {}", boot.trim(), namespace.to_str()?))
        };
        read().filter(|_| shows_our_numbers()).unwrap_or_default()
    })
}

/// Tells whether `/proc` has the numbers of our namespace. It has not when the namespace is new and `/proc` was not mounted
/// anew.
fn shows_our_numbers() -> bool {
    let own = fs::read_link("/proc/self").ok();
    own.is_some_and(|own| own.to_str() == Some(&std::process::id().to_string()))
}

pub(super) fn identify(pid: u32) -> Option<ProcessId> {
    if boot().is_empty() {
        return None;
    }
    Stat::read(pid).map(|stat| ProcessId::new(pid, stat.start, boot()))
}

pub(super) fn is_alive(process: &ProcessId) -> bool {
    if !process.boot.is_empty() && process.boot != boot() {
        return false;
    }
    Stat::read(process.pid)
        .is_some_and(|stat| stat.runs && (process.start == 0 || process.start == stat.start))
}

/// Returns all processes that we can see.
///
/// # Errors
/// When `/proc` cannot be read: then nothing can be known.
pub(super) fn all() -> io::Result<Vec<Stat>> {
    if !shows_our_numbers() {
        return Err(io::Error::other("/proc shows the processes of another namespace"));
    }
    let entries = fs::read_dir("/proc")?.collect::<io::Result<Vec<_>>>()?;
    let pids = entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(Stat::read).collect())
}

/// Returns the children of `pid`, of all its threads.
pub(super) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.file_name();
        let Some(thread) = thread.to_str().and_then(|name| name.parse().ok()) else { continue };
        match children_of_thread(pid, thread) {
            Ok(of_thread) => children.extend(of_thread),
            // It has ended meanwhile, and another has its children.
            Err(error) if error.kind() == io::ErrorKind::NotFound && thread != pid => {}
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

/// Returns the children that a thread of `pid` has started or adopted.
pub(super) fn children_of_thread(pid: u32, thread: u32) -> io::Result<Vec<u32>> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children"))?;
    Ok(list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// Returns to which attempt a process says it belongs. `None` also for processes of other users, which we could not have
/// started, and for those that have taken the variable out of their environment.
pub(super) fn attempt_of(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(ATTEMPT_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// Kills the process that `stat` is about, never another with its number: the handle is opened first, then it is seen to
/// be the same process, then the signal goes through the handle.
pub(super) fn kill(stat: &Stat) {
    let Some(pid) = i32::try_from(stat.pid).ok().and_then(Pid::from_raw) else { return };
    let handle = pidfd_open(pid, PidfdFlags::empty());
    if Stat::read(stat.pid).is_none_or(|now| now.start != stat.start) {
        return;
    }
    // Errors show in the next look at `/proc`: the process is gone, or it is still there.
    let _ = match handle {
        Ok(handle) => pidfd_send_signal(handle, Signal::KILL),
        Err(_) => kill_process(pid, Signal::KILL),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_program_is_called() {
        let rest = "1 77 55 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 1000 1";
        for (line, expected) in [
            (format!("9 (sh) S {rest}"), Some((true, 77, 4242))),
            (format!("9 (a) b (c)) R {rest}"), Some((true, 77, 4242))),
            (format!("9 (x\ny) Z {rest}"), Some((false, 77, 4242))),
            ("9 (sh) S 1 77".to_owned(), None),
            ("nonsense".to_owned(), None),
            (String::new(), None),
        ] {
            let stat = expected.map(|(runs, group, start)| Stat {
                pid: 9,
                runs,
                group,
                session: 55,
                start,
            });
            assert_eq!(Stat::parse(9, &line), stat, "{line}");
        }
    }
}
