//! The end of processes whose supervisor died.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orch_core::journal::{AttemptProcess, ProcessId};
use orch_core::{BoxError, Fence, Reaper, RunId};
use orch_workers::process::{
    ATTEMPT_VARIABLE, LeftoverReaper, ReapError, attempt_name, identify, is_alive, this_process,
};

use crate::support::{new_run, runs};

/// A process that is killed when the test is over.
struct Leftover {
    child: Child,
    /// Numbers that the script wrote, one a line, up to the word `ready`.
    pids: Vec<u32>,
}

impl Leftover {
    /// Starts `script` in a group of its own, as the attempt `name` or as none, and waits until it says `ready`.
    fn start(script: &str, name: Option<String>) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .process_group(0)
            .stdout(Stdio::piped())
            .env_remove(ATTEMPT_VARIABLE);
        if let Some(name) = name {
            command.env(ATTEMPT_VARIABLE, name);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let pids = lines.take_while(|l| l != "ready").map(|l| l.parse().unwrap()).collect();
        Self { child, pids }
    }

    fn id(&self) -> ProcessId {
        identify(self.child.id()).unwrap()
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in &self.pids {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

const WAITS: &str = "echo ready; exec sleep 1000";

async fn reap(run: RunId, fences: &[u64], noted: &[AttemptProcess]) -> Result<(), BoxError> {
    let fences: Vec<Fence> = fences.iter().copied().map(Fence).collect();
    LeftoverReaper::new().reap(run, &fences, noted).await
}

fn issue(result: Result<(), BoxError>) -> ReapError {
    *result.unwrap_err().downcast().unwrap()
}

#[tokio::test]
async fn nobody_is_left_to_end() {
    reap(new_run(), &[1, 2], &[]).await.unwrap();
    reap(new_run(), &[], &[]).await.unwrap();
    LeftoverReaper::default().reap(new_run(), &[Fence(1)], &[]).await.unwrap();
}

#[tokio::test]
async fn a_noted_process_is_ended_with_its_group() {
    let run = new_run();
    let script = "sleep 1000 & echo $!; env -i sleep 1000 & echo $!; echo ready; wait";
    let leftover = Leftover::start(script, None);
    let noted = [AttemptProcess::new(run, Fence(1), leftover.id())];
    reap(run, &[1], &noted).await.unwrap();
    assert!(!is_alive(&noted[0].process), "although its parent has not waited for it");
    assert_eq!(leftover.pids.len(), 2);
    assert!(!leftover.pids.iter().any(|pid| runs(*pid)));
}

#[tokio::test]
async fn a_process_that_took_over_a_number_is_never_touched() {
    let run = new_run();
    let innocent = Leftover::start(WAITS, None);
    let id = innocent.id();
    for other in [
        ProcessId::new(id.pid, id.start + 1, id.boot.clone()),
        ProcessId::new(id.pid, id.start, "another boot"),
        ProcessId::new(id.pid, 0, "another boot"),
    ] {
        assert!(!is_alive(&other), "{other:?}");
        reap(run, &[1], &[AttemptProcess::new(run, Fence(1), other)]).await.unwrap();
        assert!(is_alive(&id));
    }
}

#[tokio::test]
async fn notes_of_others_are_not_followed() {
    let run = new_run();
    let innocent = Leftover::start(WAITS, None);
    for (other_run, fence) in [(run, 2), (new_run(), 1)] {
        let noted = [AttemptProcess::new(other_run, Fence(fence), innocent.id())];
        reap(run, &[1], &noted).await.unwrap();
        assert!(is_alive(&innocent.id()));
    }
}

#[tokio::test]
async fn a_process_is_found_by_its_environment_alone() {
    let run = new_run();
    let wanted = Leftover::start(WAITS, Some(attempt_name(run, Fence(1))));
    let escaped = Leftover::start(
        "setsid sh -c 'echo $$; echo ready; sleep 1000' & wait",
        Some(attempt_name(run, Fence(2))),
    );
    let spared = Leftover::start(WAITS, Some(attempt_name(run, Fence(11))));
    let stranger = Leftover::start(WAITS, Some(attempt_name(new_run(), Fence(1))));
    reap(run, &[1, 2], &[]).await.unwrap();
    assert!(!runs(wanted.child.id()) && !runs(escaped.child.id()) && !runs(escaped.pids[0]));
    assert!(runs(spared.child.id()) && runs(stranger.child.id()));
}

#[tokio::test]
async fn a_group_without_its_leader_is_ended_if_one_member_shows_whose_it_is() {
    let run = new_run();
    let script = "env -i sleep 1000 & echo $!; sleep 1000 & echo $!; echo ready";
    let mut leftover = Leftover::start(script, Some(attempt_name(run, Fence(1))));
    let leader = leftover.id();
    leftover.child.wait().unwrap();
    reap(run, &[1], &[AttemptProcess::new(run, Fence(1), leader)]).await.unwrap();
    assert_eq!(leftover.pids.len(), 2);
    assert!(!leftover.pids.iter().any(|pid| runs(*pid)));
}

#[tokio::test]
async fn what_is_not_dead_is_an_error_that_names_it() {
    let run = new_run();
    let leftover = Leftover::start(WAITS, Some(attempt_name(run, Fence(1))));
    let impatient = LeftoverReaper::new().with_patience(Duration::ZERO);
    let issue = issue(impatient.reap(run, &[Fence(1)], &[]).await);
    assert!(
        matches!(&issue, ReapError::StillAlive { pids, .. } if *pids == [leftover.child.id()]),
        "{issue}"
    );
}

#[tokio::test]
async fn what_cannot_be_told_is_an_error_and_kills_nobody() {
    let run = new_run();
    let leftover = Leftover::start(WAITS, Some(attempt_name(run, Fence(1))));
    let id = leftover.id();
    for vague in [ProcessId::new(id.pid, 0, id.boot.clone()), ProcessId::new(id.pid, id.start, "")]
    {
        assert!(is_alive(&vague));
        let noted = [AttemptProcess::new(run, Fence(1), vague)];
        let issue = issue(reap(run, &[1], &noted).await);
        assert!(matches!(&issue, ReapError::Unproven { pids, .. } if *pids == [id.pid]), "{issue}");
        assert!(is_alive(&id));
    }
}

#[tokio::test]
async fn the_reaper_does_not_end_itself() {
    let run = new_run();
    let leftover = Leftover::start(WAITS, Some(attempt_name(run, Fence(1))));
    let noted = [AttemptProcess::new(run, Fence(1), this_process())];
    let issue = issue(reap(run, &[1], &noted).await);
    assert!(matches!(issue, ReapError::Own { pid, .. } if pid == std::process::id()), "{issue}");
    assert!(is_alive(&leftover.id()));
}

#[test]
fn processes_are_known_by_more_than_their_number() {
    let own = this_process();
    assert_eq!(own.pid, std::process::id());
    assert!(own.start > 0 && !own.boot.is_empty());
    assert_eq!(identify(own.pid), Some(own.clone()));
    assert!(is_alive(&own));
    assert_eq!(identify(u32::MAX), None);
    assert!(!is_alive(&ProcessId::new(u32::MAX, 0, "")));

    // Ended, and its parent has not waited for it.
    let mut ended = Command::new("true").spawn().unwrap();
    let id = identify(ended.id()).unwrap();
    while is_alive(&id) {
        std::thread::yield_now();
    }
    assert_eq!(identify(id.pid), Some(id.clone()), "its number is still taken");
    ended.wait().unwrap();
}

#[tokio::test]
async fn a_session_is_ended_as_a_whole() {
    let run = new_run();
    // As a shell with job control does: a group of its own in the same session.
    let script = r#"exec setsid --wait sh -c '
        env -i python3 -c "
import os, sys, time
os.setpgid(0, 0)
print(os.getpid(), sys.argv[1], sep=chr(10), flush=True)
time.sleep(1000)" ready & wait'"#;
    let leftover = Leftover::start(script, None);
    let leader = identify(session_of(leftover.pids[0])).unwrap();
    reap(run, &[1], &[AttemptProcess::new(run, Fence(1), leader)]).await.unwrap();
    assert!(!runs(leftover.pids[0]));
}

#[cfg(target_os = "linux")]
fn session_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn only_a_process_of_this_boot_that_is_not_there_is_known_to_be_gone() {
    let reaper = LeftoverReaper::new();
    let mut leftover = Leftover::start(WAITS, None);
    let id = leftover.id();
    assert!(!reaper.is_gone(&id));
    assert!(!reaper.is_gone(&this_process()));
    leftover.child.kill().unwrap();
    leftover.child.wait().unwrap();
    let (boot, namespace) = id.boot.split_once(' ').unwrap();
    let cases = [
        (id.boot.clone(), true),
        (String::new(), false),
        ("another boot".to_owned(), false),
        // Another container on this machine, where our number is somebody else's.
        (format!("{boot} pid:[1]"), false),
        (format!("another {namespace}"), false),
        // Nobody knows which container.
        (boot.to_owned(), false),
    ];
    for (boot, gone) in cases {
        let process = ProcessId::new(id.pid, id.start, boot);
        assert_eq!(reaper.is_gone(&process), gone, "{process:?}");
    }
    let earlier = ProcessId::new(std::process::id(), 1, id.boot);
    assert!(reaper.is_gone(&earlier), "the number was given away since");
}
