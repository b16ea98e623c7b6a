//! Ends what attempts of a killed supervisor left behind.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::journal::{AttemptProcess, ProcessId};
use orch_core::{BoxError, Fence, Reaper, RunId};
use thiserror::Error;

use super::attempt_name;

/// How long to wait between two looks: the kernel tells nobody but the parent that a process has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// How many looks in a row must find nobody: one alone can miss a process that was started during the look.
const QUIET_LOOKS: u32 = 2;

/// Why attempts cannot be said to be dead.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReapError {
    /// Processes live on although they were killed, for example because the kernel keeps them in a call.
    #[error("processes {pids:?} of the attempts are still alive")]
    #[non_exhaustive]
    StillAlive {
        /// Their numbers.
        pids: Vec<u32>,
    },
    /// Processes have numbers that were noted, but whether they are the noted ones cannot be known; none was killed.
    #[error("cannot tell whether processes {pids:?} belong to the attempts; end them by hand")]
    #[non_exhaustive]
    Unproven {
        /// Their numbers.
        pids: Vec<u32>,
    },
    /// The process that asks belongs to one of the attempts itself; none was killed.
    #[error("this process ({pid}) belongs to the attempts that it is to end")]
    #[non_exhaustive]
    Own {
        /// Its number.
        pid: u32,
    },
    /// The list of processes cannot be read.
    #[error("cannot list the processes of this machine")]
    List(#[source] io::Error),
}

/// Kills all processes of given attempts, and returns when they are known to be dead.
///
/// On Linux a process belongs to an attempt if it was noted as its process (same number, start and boot), if it has the
/// attempt's name in its environment, or if it is in the group or session of such a one. A process escapes only if it left
/// the session and took the variable out of its environment.
///
/// Elsewhere there are only the notes, and they prove too little to kill by: a noted process that is gone is dead, one that
/// may be there is an error that names it.
#[derive(Debug, Clone)]
pub struct LeftoverReaper {
    patience: Duration,
}

impl LeftoverReaper {
    /// Makes a reaper that gives killed processes 5 seconds to be gone.
    pub fn new() -> Self {
        Self { patience: Duration::from_secs(5) }
    }

    /// Sets how long killed processes may take to be gone.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn reap_all(&self, wanted: Wanted) -> Result<(), ReapError> {
        let wanted = Arc::new(wanted);
        let mut looks = self.patience.as_millis() / PAUSE.as_millis();
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            let look = Arc::clone(&wanted);
            let pids = tokio::task::spawn_blocking(move || look.kill())
                .await
                .map_err(|e| ReapError::List(io::Error::other(e)))??;
            if pids.is_empty() {
                quiet += 1;
            } else if looks == 0 {
                return Err(ReapError::StillAlive { pids });
            } else {
                quiet = 0;
                looks -= 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

impl Default for LeftoverReaper {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Reaper for LeftoverReaper {
    async fn reap(
        &self,
        run: RunId,
        fences: &[Fence],
        noted: &[AttemptProcess],
    ) -> Result<(), BoxError> {
        let ours = |note: &&AttemptProcess| note.run == run && fences.contains(&note.fence);
        let wanted = Wanted {
            names: fences.iter().map(|fence| attempt_name(run, *fence)).collect(),
            noted: noted.iter().filter(ours).map(|note| note.process.clone()).collect(),
        };
        Ok(self.reap_all(wanted).await?)
    }

    /// A process of this boot and this namespace that is not there any more is gone. One of another boot may live on another
    /// machine, one of another namespace in another container.
    fn is_gone(&self, process: &ProcessId) -> bool {
        let boot = super::this_process().boot;
        !boot.is_empty() && process.boot == boot && !super::is_alive(process)
    }
}

/// Whom to end.
struct Wanted {
    /// Names of attempts, as processes carry them.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux shows the environments of processes")
    )]
    names: Vec<String>,
    noted: Vec<ProcessId>,
}

#[cfg(target_os = "linux")]
mod look {
    use std::collections::BTreeSet;

    use super::super::linux::{self, Stat};
    use super::{ProcessId, ReapError, Wanted};

    impl Wanted {
        /// Kills everybody who is wanted, and returns who was still alive.
        pub(super) fn kill(&self) -> Result<Vec<u32>, ReapError> {
            let all = linux::all().map_err(ReapError::List)?;
            let boot = linux::boot();
            self.check_proven(&all, boot)?;

            let belongs = |stat: &Stat| self.is_noted(stat, boot) || self.is_named(stat.pid);
            let members: Vec<Stat> = all.iter().copied().filter(belongs).collect();
            let groups = self.led(&members, |stat| stat.group);
            let sessions = self.led(&members, |stat| stat.session);
            let is_member: BTreeSet<u32> = members.iter().map(|stat| stat.pid).collect();
            let targets: Vec<Stat> = all
                .into_iter()
                .filter(|s| {
                    let with_them = groups.contains(&s.group) || sessions.contains(&s.session);
                    s.runs && (is_member.contains(&s.pid) || with_them)
                })
                .collect();

            let own = std::process::id();
            if targets.iter().any(|stat| stat.pid == own) {
                return Err(ReapError::Own { pid: own });
            }
            targets.iter().for_each(linux::kill);
            Ok(targets.iter().map(|stat| stat.pid).collect())
        }

        fn is_noted(&self, stat: &Stat, boot: &str) -> bool {
            self.noted.iter().any(|n| n.pid == stat.pid && n.start == stat.start && n.boot == boot)
        }

        fn is_named(&self, pid: u32) -> bool {
            linux::attempt_of(pid).is_some_and(|name| self.names.contains(&name))
        }

        /// The groups, or sessions, that belong to the attempts as a whole: led by a member, or noted and with a member in
        /// it, which shows that the number was not given away since.
        fn led(&self, members: &[Stat], of: impl Fn(&Stat) -> u32) -> BTreeSet<u32> {
            let whole =
                |stat: &&Stat| stat.pid == of(stat) || self.noted.iter().any(|n| n.pid == of(stat));
            members.iter().filter(whole).map(&of).collect()
        }

        /// Refuses to guess about a note that does not say which process it was about.
        fn check_proven(&self, all: &[Stat], boot: &str) -> Result<(), ReapError> {
            let vague = |n: &&ProcessId| {
                (n.start == 0 || n.boot.is_empty()) && (n.boot.is_empty() || n.boot == boot)
            };
            let runs = |pid: u32| all.iter().any(|stat| stat.pid == pid && stat.runs);
            let pids: Vec<u32> =
                self.noted.iter().filter(vague).map(|n| n.pid).filter(|p| runs(*p)).collect();
            if pids.is_empty() { Ok(()) } else { Err(ReapError::Unproven { pids }) }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Wanted {
    /// Kills nobody: returns when all noted processes are gone.
    fn kill(&self) -> Result<Vec<u32>, ReapError> {
        let alive = self.noted.iter().filter(|n| super::is_alive(n));
        let pids: Vec<u32> = alive.map(|n| n.pid).collect();
        if pids.is_empty() { Ok(pids) } else { Err(ReapError::Unproven { pids }) }
    }
}
