//! The processes that attempts leave behind, found as children of this process.
//!
//! A process whose parent dies becomes a child of the nearest ancestor that adopts orphans. Once this process does
//! ([`adopt`]), everything that attempts leave behind comes to it: also what left the process group (`setsid`, a double
//! fork) and what cleared its environment. So one look at this process's own children finds it, without a look at all
//! processes of the machine.
//!
//! ```text
//! spawn --> leader runs --> waited for --end--> looks, until nobody of the attempt is left
//!                 '------> handle dropped ----> the next look, of any attempt or of `tend`
//! ```
//!
//! **Invariant:** nobody but this module waits for a child that is not a leader, and this module waits for no leader.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::ReapError;
use super::linux::{self, Stat};

/// How long processes may take to be gone after they were killed.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The first pause between two looks; each is twice as long as the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How often, at most, children that ended are looked for while attempts run.
const TEND_INTERVAL: Duration = Duration::from_secs(1);

/// How often the list of children is read again because it has changed while it was read.
const MAX_READS: u32 = 8;

static FAMILY: Mutex<Family> = Mutex::new(Family::new());

fn family() -> MutexGuard<'static, Family> {
    FAMILY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes this process adopt the orphans of its attempts. To be called once, before the first attempt, by a program that
/// starts no other children than attempts.
///
/// # Errors
/// When the system cannot do it; attempts then look for what they leave behind among all processes.
pub fn adopt() -> io::Result<()> {
    let children = children_of_self()?;
    // Before somebody can become our child.
    let mut family = family();
    set_child_subreaper(Some(getpid()))?;
    family.adopts = true;
    // A process that has children already, or is process 1 of its namespace, may get orphans of others as well.
    family.is_exclusive = children.is_empty() && std::process::id() != 1;
    family.spared = children.into_iter().filter_map(Stat::read).map(|s| (s.pid, s.start)).collect();
    family.own_attempt = linux::attempt_of(std::process::id());
    Ok(())
}

/// Waits for adopted processes that end while attempts run, so that they do not stay as zombies. Never returns.
pub async fn tend() {
    if let Ok(mut ended) = signal(SignalKind::child()) {
        while ended.recv().await.is_some() {
            // What cannot be read now is looked at again when the next child ends.
            let _ = family().look(None);
            tokio::time::sleep(TEND_INTERVAL).await;
        }
    }
    std::future::pending().await
}

/// Ends everything that attempts of this process have left, and those attempts themselves. To be called when the process
/// is about to exit and no attempt is waited for any more; waits at most `limit` until they are gone.
pub fn end_all(limit: Duration) {
    let family = family();
    let mut pause = FIRST_PAUSE;
    let mut waited = Duration::ZERO;
    while family.adopts && family.end_children().is_ok_and(|left| left > 0) && waited < limit {
        std::thread::sleep(pause);
        waited += pause;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Starts the leader of an attempt.
pub(crate) fn spawn(command: &mut Command, attempt: String) -> io::Result<(Child, Member)> {
    // Nobody looks meanwhile: a leader that is not in the list yet would be taken for a process that was left behind.
    let mut family = family();
    let child = command.spawn()?;
    let pid = child.id().filter(|_| family.adopts);
    let stat = pid.and_then(Stat::read);
    if let Some(Stat { pid, start, .. }) = stat {
        family.leaders.push(Leader { pid, start, attempt, is: Leading::Running });
    }
    Ok((child, Member { pid: stat.map(|stat| stat.pid) }))
}

/// A leader that is being waited for. When it is dropped before that is over, the attempt counts as ended all the same.
pub(crate) struct Member {
    pid: Option<u32>,
}

impl Member {
    /// Ends whatever the attempt has left. To be called when its leader has been waited for. `None` when this process adopts
    /// no orphans: then nothing is known.
    pub(crate) async fn end(mut self) -> Option<Result<(), ReapError>> {
        let pid = self.pid.take()?;
        family().mark(pid, Leading::Ended);
        let mut pause = FIRST_PAUSE;
        let mut waited = Duration::ZERO;
        loop {
            let left = match family().look(Some(pid)) {
                Ok(left) => left,
                Err(error) => return Some(Err(ReapError::List(error))),
            };
            if left.is_empty() {
                return Some(Ok(()));
            }
            if waited >= END_TIMEOUT {
                family().spared.extend(left.iter().map(|stat| (stat.pid, stat.start)));
                let pids = left.iter().map(|stat| stat.pid).collect();
                return Some(Err(ReapError::StillAlive { pids }));
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            family().mark(pid, Leading::Dropped);
        }
    }
}

/// What is known of the children of this process.
#[derive(Debug)]
struct Family {
    adopts: bool,
    /// Whether every child is of an attempt.
    is_exclusive: bool,
    /// Processes that are left alone, with their start: they were there before, or could not be ended.
    spared: BTreeSet<(u32, u64)>,
    /// The attempt that this process itself belongs to.
    own_attempt: Option<String>,
    leaders: Vec<Leader>,
}

/// The first process of an attempt: it leads a session and a group.
#[derive(Debug)]
struct Leader {
    pid: u32,
    start: u64,
    attempt: String,
    is: Leading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leading {
    /// The attempt is not over.
    Running,
    /// The attempt was given up; the runtime waits for the leader.
    Dropped,
    /// The leader was waited for: its number may be given away.
    Ended,
}

/// A child that is no leader.
#[derive(Debug)]
struct Stray {
    stat: Stat,
    attempt: Option<String>,
}

impl Leader {
    fn started(&self, stray: &Stray) -> bool {
        let stat = &stray.stat;
        stat.group == self.pid
            || stat.session == self.pid
            || stray.attempt.as_ref() == Some(&self.attempt)
    }
}

impl Family {
    const fn new() -> Self {
        Self {
            adopts: false,
            is_exclusive: false,
            spared: BTreeSet::new(),
            own_attempt: None,
            leaders: Vec::new(),
        }
    }

    fn mark(&mut self, pid: u32, is: Leading) {
        // Of several with this number, the last one is meant: it was given away since.
        if let Some(leader) = self.leaders.iter_mut().rev().find(|leader| leader.pid == pid) {
            leader.is = is;
        }
    }

    /// Waits for strays that have ended, and kills those whose attempt is over. Returns those of them that were alive and
    /// matter to the attempt led by `asking`.
    fn look(&mut self, asking: Option<u32>) -> io::Result<Vec<Stat>> {
        let strays = self.strays(&adopted_children()?);
        let due: Vec<&Stray> = strays.iter().filter(|stray| self.is_due(stray)).collect();
        let mut matter = Vec::new();
        for stray in due {
            kill_tree(&stray.stat);
            let of_another = self
                .leaders
                .iter()
                .any(|leader| Some(leader.pid) != asking && leader.started(stray));
            if !of_another {
                matter.push(stray.stat);
            }
        }
        // Those who are gone, with all that they have left, are forgotten.
        self.leaders.retain(|leader| match leader.is {
            Leading::Running => true,
            Leading::Dropped => {
                let is_there = Stat::read(leader.pid).is_some_and(|it| it.start == leader.start);
                is_there || strays.iter().any(|stray| leader.started(stray))
            }
            Leading::Ended => strays.iter().any(|stray| leader.started(stray)),
        });
        Ok(matter)
    }

    /// Returns the children that live and are no leaders; those that have ended are waited for.
    fn strays(&self, children: &[u32]) -> Vec<Stray> {
        let is_leader = |pid: &u32| {
            self.leaders.iter().any(|leader| leader.pid == *pid && leader.is != Leading::Ended)
        };
        let others = children.iter().filter(|pid| !is_leader(pid)).copied();
        let mut strays = Vec::new();
        for stat in others.filter_map(Stat::read) {
            if !stat.runs {
                wait_for(stat.pid);
            } else if !self.spared.contains(&(stat.pid, stat.start)) {
                strays.push(Stray { stat, attempt: linux::attempt_of(stat.pid) });
            }
        }
        strays
    }

    /// Tells whether nobody needs `stray` any more.
    fn is_due(&self, stray: &Stray) -> bool {
        let running = || self.leaders.iter().filter(|leader| leader.is == Leading::Running);
        if running().any(|leader| leader.started(stray)) {
            return false;
        }
        if self.leaders.iter().any(|leader| leader.started(stray)) {
            return true;
        }
        // Nothing says whose it is. An attempt that runs and began before it may have started it.
        self.is_exclusive && running().all(|leader| leader.start > stray.stat.start)
    }

    /// Kills all children that come from attempts, and returns how many there were.
    fn end_children(&self) -> io::Result<usize> {
        let mut left = 0;
        for stat in children_of_self()?.into_iter().filter_map(Stat::read) {
            if !stat.runs {
                wait_for(stat.pid);
                continue;
            }
            if self.spared.contains(&(stat.pid, stat.start)) || !self.is_of_an_attempt(&stat) {
                continue;
            }
            kill_tree(&stat);
            left += 1;
        }
        Ok(left)
    }

    fn is_of_an_attempt(&self, stat: &Stat) -> bool {
        let attempt = linux::attempt_of(stat.pid);
        self.is_exclusive
            || self.leaders.iter().any(|leader| leader.pid == stat.pid)
            || (attempt.is_some() && attempt != self.own_attempt)
    }
}

/// Kills a process with all that descend from it.
fn kill_tree(stat: &Stat) {
    let mut all = vec![*stat];
    let mut next = 0;
    while let Some(Stat { pid, .. }) = all.get(next).copied() {
        next += 1;
        // A process that ends meanwhile leaves its children to us: the next look finds them.
        let below = linux::children(pid).unwrap_or_default();
        all.extend(below.into_iter().filter_map(Stat::read).filter(|stat| stat.runs));
    }
    all.iter().for_each(linux::kill);
}

fn wait_for(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It has ended, and nobody else waits for it.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Returns the children of this process.
fn children_of_self() -> io::Result<Vec<u32>> {
    let own = std::process::id();
    read_twice(|| linux::children(own))
}

/// Returns the children of the main thread, among which are all that this process has adopted: the kernel gives orphans to
/// the first thread that lives.
fn adopted_children() -> io::Result<Vec<u32>> {
    let own = std::process::id();
    read_twice(|| linux::children_of_thread(own, own))
}

/// The kernel may leave some out of a list that changes while it is read, so it must say the same twice.
fn read_twice(read: impl Fn() -> io::Result<Vec<u32>>) -> io::Result<Vec<u32>> {
    let mut children = read()?;
    for _ in 0..MAX_READS {
        let again = read()?;
        if again == children {
            break;
        }
        children = again;
    }
    Ok(children)
}
