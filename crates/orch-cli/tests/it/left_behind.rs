//! Nothing that an attempt has started outlives it, and no process takes another's for dead.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Done, Project, Started, state_dir, tell};

/// A time to sleep that no other process sleeps: who sleeps it is ours.
fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("9{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst))
}

/// Returns who sleeps `mark`.
fn asleep(mark: &str) -> Vec<u32> {
    let wanted = format!("sleep\0{mark}\0");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted.as_bytes())
    })
    .collect()
}

/// Waits until somebody sleeps `mark`, as long as `started` runs.
#[track_caller]
fn until_asleep(mark: &str, started: &mut Started) {
    while asleep(mark).is_empty() {
        assert!(!started.has_ended(), "it has ended before");
        std::thread::yield_now();
    }
}

/// A worker that leaves somebody behind, and one that looks who is there when the first is over.
fn project(escape: &str, mark: &str, then: &str) -> Project {
    let escape = escape.replace("MARK", mark);
    let look = format!(
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep '^sleep {mark} '; done; true"
    );
    let config = json!({
        "retry": { "max_retries": 0 },
        "workers": {
            "leaves": {
                "command": ["sh", "-c", format!("{escape}\n{then}")],
                "capabilities": [{ "name": "leave", "task_types": ["leave"] }],
            },
            "looks": {
                "command": ["sh", "-c", look],
                "capabilities": [{ "name": "look", "task_types": ["look"] }],
            },
        },
    });
    let task = json!({
        "description": "Leave nobody",
        "subtasks": [
            { "id": "leave", "task_type": "leave", "description": "Leave", "required": false },
            {
                "id": "look", "task_type": "look", "description": "Look",
                "dependencies": ["leave"], "tolerates": ["leave"],
            },
        ],
    });
    Project::new(&[("orch.yaml", &config.to_string()), ("task.yaml", &task.to_string())])
}

const ESCAPES: [&str; 4] = [
    "setsid sleep MARK >/dev/null 2>&1 & sleep 0.1",
    "setsid sleep MARK & sleep 0.1",
    "(setsid sh -c 'sleep MARK & sleep MARK' >/dev/null 2>&1 &) & sleep 0.1",
    "env -i setsid sleep MARK >/dev/null 2>&1 & sleep 0.1",
];

#[test]
fn an_attempt_that_is_over_has_left_nobody() {
    for escape in ESCAPES {
        for then in ["echo fine", "exit 1"] {
            let mark = mark();
            let done = project(escape, &mark, then).orch(&["run", "task.yaml", "-q"]).exits(0);
            assert_eq!(done.json()["look"], "", "{escape}; {then}");
            assert_eq!(asleep(&mark), [0; 0], "{escape}; {then}");
        }
    }
}

#[test]
fn a_second_ctrl_c_leaves_nobody() {
    for escape in ESCAPES {
        let mark = mark();
        let stubborn = format!("trap '' TERM; {escape}");
        let project = project(&stubborn, &mark, "sleep 60; sleep 60");
        let mut started = project.start(&["run", "task.yaml"]);
        until_asleep(&mark, &mut started);
        started.signal(Signal::INT);
        started.until("suspending; Ctrl-C once more to kill");
        // A second one at once may be one that was sent twice.
        std::thread::sleep(std::time::Duration::from_millis(400));
        started.signal(Signal::INT);
        started.finish().exits(130);
        assert_eq!(asleep(&mark), [0; 0], "{escape}");
    }
}

/// Makes a command run as process 1 of a namespace of its own, as in a container; `None` where that is not allowed.
fn contained(command: &Command) -> Option<Command> {
    let may = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        tell("NOT RUN: `unshare -pf --mount-proc` is not allowed here");
        return None;
    }
    let mut contained = Command::new("unshare");
    contained
        .args(["-pf", "--kill-child", "--mount-proc"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env("XDG_STATE_HOME", state_dir())
        .stdin(Stdio::null());
    Some(contained)
}

#[test]
fn as_process_1_it_waits_for_orphans() {
    let config = json!({
        "strategy": "parallel",
        "workers": {
            "leaves": {
                "command": ["sh", "-c", "(setsid true &) & (setsid sleep 0.05 &) & exit 0"],
                "capabilities": [{ "name": "leave", "task_types": ["leave"] }],
            },
            "looks": {
                "command": ["sh", "-c", "sleep 1.2; cat /proc/[0-9]*/stat | grep -c ') Z ' || true"],
                "capabilities": [{ "name": "look", "task_types": ["look"] }],
            },
        },
    });
    let mut subtasks = vec![json!({
        "id": "look", "task_type": "look", "description": "Look",
        "dependencies": (0..20).map(|n| format!("s{n}")).collect::<Vec<_>>(),
    })];
    subtasks.extend(
        (0..20).map(
            |n| json!({ "id": format!("s{n}"), "task_type": "leave", "description": "Leave" }),
        ),
    );
    let task = json!({ "description": "Leave orphans", "subtasks": subtasks });
    let project =
        Project::new(&[("orch.yaml", &config.to_string()), ("task.yaml", &task.to_string())]);
    let Some(mut command) = contained(&project.command(&["run", "task.yaml", "-q"])) else {
        return;
    };
    let done = Done::from_command(&mut command).exits(0);
    assert_eq!(done.json()["look"], "0", "zombies");
}

#[test]
fn a_run_in_another_container_is_not_taken_for_dead() {
    let mark = mark();
    let project = project("", &mark, &format!("sleep {mark} & sleep 3; kill $!"));
    let Some(mut run) = contained(&project.command(&["run", "task.yaml"])) else { return };
    let mut run = Started::from_command(&mut run);
    until_asleep(&mark, &mut run);
    let mut resume = contained(&project.command(&["resume"])).unwrap();
    Done::from_command(&mut resume).exits(1).says("orch run (process 1)");
    run.finish().exits(0).says("completed");
}

#[test]
fn a_worker_that_asks_the_terminal_fails_at_once() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let screen =
        fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let project = project("", "0", "stty -echo < /dev/tty && read p < /dev/tty || exit 77");
    let orch = project.command(&["run", "task.yaml"]);
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait"])
        .arg(orch.get_program())
        .args(orch.get_args())
        .current_dir(project.path())
        .env("XDG_STATE_HOME", state_dir())
        .stdin(screen);
    // One that is stopped by the terminal would go on until its time is up.
    let done = Done::from_command(&mut command).exits(0);
    done.says("exited with code 77");
    done.says("/dev/tty");
}
