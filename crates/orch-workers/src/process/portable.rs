//! Where there is no `/proc`: a process is known by its number alone.

use orch_core::journal::ProcessId;
use rustix::process::{Pid, test_kill_process};

pub(super) fn identify(pid: u32) -> Option<ProcessId> {
    exists(pid).then(|| ProcessId::new(pid, 0, ""))
}

pub(super) fn is_alive(process: &ProcessId) -> bool {
    exists(process.pid)
}

fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}
