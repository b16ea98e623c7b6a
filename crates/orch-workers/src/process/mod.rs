//! Processes, named so that a reused number is not mistaken for another, and the end of those that were left behind.
//!
//! On Linux a process is known by its number, its start time, the boot of the machine and the namespace of its number
//! (two containers on one machine count their processes each from 1). Elsewhere only by its number: that is enough to see
//! that it is gone, never to kill it.
//!
//! Attempts of this process leave nobody behind: [`orphans`] finds them among its children, if the program asks for it.
//! [`LeftoverReaper`] finds what attempts of another process left, among all processes.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub mod orphans;
#[cfg(not(target_os = "linux"))]
#[path = "orphans_portable.rs"]
pub mod orphans;
#[cfg(not(target_os = "linux"))]
mod portable;
mod reaper;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

use orch_core::journal::ProcessId;
use orch_core::{Fence, RunId};

pub use reaper::{LeftoverReaper, ReapError};

/// The variable by which a process says to which attempt it belongs; inherited by all that it starts.
pub const ATTEMPT_VARIABLE: &str = "ORCH_ATTEMPT";

/// Returns the value of [`ATTEMPT_VARIABLE`] for an attempt.
pub fn attempt_name(run: RunId, fence: Fence) -> String {
    format!("{run}/{fence}")
}

/// Names the process with the number `pid`; `None` when there is none.
pub fn identify(pid: u32) -> Option<ProcessId> {
    system::identify(pid)
}

/// Names the process that calls.
pub fn this_process() -> ProcessId {
    let pid = std::process::id();
    // Where the system does not say more, the number alone still says something.
    identify(pid).unwrap_or_else(|| ProcessId::new(pid, 0, ""))
}

/// Tells whether `process` still runs. One that has ended and was not waited for does not; of one whose start or boot is
/// unknown, only the number counts.
pub fn is_alive(process: &ProcessId) -> bool {
    system::is_alive(process)
}
