//! Files that people name, and files that are found: pipes, devices, links, permissions.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Done, Project, WORKERS, state_dir};

const TASK: &str = "description: Nap\nsubtasks:\n  - { id: a, task_type: sleep, description: Nap, context: { seconds: 0 } }\n";

/// What a file is that nobody can read to its end.
#[derive(Clone, Copy, Debug)]
enum Endless {
    Pipe,
    Zero,
    Root,
}

fn put(path: &Path, endless: Endless) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match endless {
        Endless::Pipe => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        Endless::Zero => symlink("/dev/zero", path).unwrap(),
        Endless::Root => symlink("/", path).unwrap(),
    }
}

/// Runs a command to its end, which must come soon. It gets too little memory for a file without an end.
#[track_caller]
fn ends(command: &mut Command) -> Done {
    const END_TIMEOUT: Duration = Duration::from_secs(20);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(END_TIMEOUT) {
        Ok(output) => {
            let output = output.unwrap();
            Done {
                code: output.status.code().unwrap_or(-1),
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: String::from_utf8(output.stderr).unwrap(),
            }
        }
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            kill_process(pid, Signal::KILL).unwrap();
            panic!("it has not ended after {END_TIMEOUT:?}");
        }
    }
}

fn limited(project: &Project, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 4000000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_orch")])
        .args(args)
        .current_dir(project.path())
        .env_remove("ORCH_LOG")
        .env("HOME", project.path())
        .env_remove("XDG_STATE_HOME")
        // Everybody may write to a device; here it counts that it is no file.
        .env("ORCH_TRUST", "1")
        .stdin(Stdio::null());
    command
}

#[test]
fn pipes_and_devices_in_the_place_of_files_are_refused_at_once() {
    use Endless::{Pipe, Root, Zero};
    let regular = "it is not a regular file";
    // An agent file that is none is skipped; who serves agents is told.
    for (name, endless, args, code, says) in [
        ("orch.yaml", Pipe, &["status"][..], 2, regular),
        ("orch.yaml", Zero, &["status"], 2, regular),
        ("orch.yaml", Root, &["status"], 2, regular),
        ("sub/orch.yaml", Pipe, &["status", "--config", "sub/orch.yaml"], 2, regular),
        (".alma/config.yaml", Pipe, &["plan", "task.yaml"], 2, regular),
        (".alma/config.yaml", Zero, &["plan", "task.yaml"], 2, regular),
        ("task2.yaml", Pipe, &["plan", "task2.yaml"], 2, regular),
        ("task2.yaml", Zero, &["run", "task2.yaml"], 2, regular),
        (".claude/agents/a.md", Pipe, &["plan", "task.yaml"], 0, ""),
        (".claude/agents/a.md", Zero, &["plan", "task.yaml"], 0, ""),
        (".claude/agents", Root, &["plan", "task.yaml"], 0, ""),
    ] {
        let project = Project::new(&[("task.yaml", TASK)]);
        if !name.starts_with("orch.yaml") {
            project.write("orch.yaml", WORKERS);
        }
        put(&project.path().join(name), endless);
        let done = ends(&mut limited(&project, args));
        assert_eq!(done.code, code, "{name} {endless:?}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{name} {endless:?}: {}", done.stderr);
    }
}

#[test]
fn a_pipe_in_a_folder_above_holds_nobody_up() {
    let project = Project::new(&[("a/b/task.yaml", TASK), ("a/b/orch.yaml", WORKERS)]);
    put(&project.path().join("a/.alma/config.yaml"), Endless::Pipe);
    fs::create_dir(project.path().join("a/c")).unwrap();
    let done = ends(limited(&project, &["status"]).current_dir(project.path().join("a/c")));
    done.exits(2).says("there are no runs here");
}

#[test]
fn files_that_are_too_large_are_refused_by_their_limit() {
    let project = Project::new(&[("task.yaml", TASK), ("orch.yaml", WORKERS)]);
    let large = |name: &str, bytes| {
        fs::File::options().append(true).open(project.path().join(name)).unwrap().set_len(bytes)
    };
    large("task.yaml", 8 * 1024 * 1024 + 1).unwrap();
    project.orch(&["plan", "task.yaml"]).exits(2).says("it is larger than 8388608 bytes");
    large("orch.yaml", 1024 * 1024 + 1).unwrap();
    project.orch(&["status"]).exits(2).says("it is larger than 1048576 bytes");
}

/// What is found by a search upwards is somebody's project; the home folder is nobody's.
#[test]
fn the_home_folder_is_not_a_project_of_what_lies_in_it() {
    let home =
        Project::new(&[("code/app/task.yaml", TASK), ("orch.yaml", WORKERS), ("task.yaml", TASK)]);
    let orch = |folder: &str, args: &[&str]| {
        Done::from_command(
            home.command(args).current_dir(home.path().join(folder)).env("HOME", home.path()),
        )
    };
    // In the home folder itself nothing is searched for.
    orch("", &["run", "task.yaml"]).exits(0);
    assert!(home.store().exists());
    let done = orch("code/app", &["status"]).exits(2);
    done.says("there are no runs here");
    done.says("code/app/.orch");
    // Under another home it is the project.
    let other = tempfile::tempdir().unwrap();
    let mut command = home.command(&["status", "--all"]);
    Done::from_command(command.current_dir(home.path().join("code/app")).env("HOME", other.path()))
        .exits(0);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_a_run_writes_is_private_and_ignored_by_git() {
    let project = Project::with_workers(TASK);
    fs::create_dir(project.path().join(".orch")).unwrap();
    fs::set_permissions(project.path().join(".orch"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        Command::new("git").args(["init", "-q"]).arg(project.path()).status().unwrap().success()
    );
    project.orch(&["run", "task.yaml", "--events", "events.jsonl"]).exits(0);
    project.orch(&["memory", "export", "memory.jsonl"]).exits(0);
    for name in [".orch/orch.db", ".orch/.gitignore", "events.jsonl", "memory.jsonl"] {
        assert_eq!(mode(&project.path().join(name)), 0o600, "{name}");
    }
    let git =
        Command::new("git").arg("-C").arg(project.path()).args(["status", "--porcelain"]).output();
    let listed = String::from_utf8(git.unwrap().stdout).unwrap();
    assert!(listed.contains("orch.yaml") && !listed.contains(".orch"), "{listed}");
    // What a person names may be a link, and keeps its permissions.
    symlink("memory.jsonl", project.path().join("link.jsonl")).unwrap();
    fs::set_permissions(project.path().join("memory.jsonl"), fs::Permissions::from_mode(0o644))
        .unwrap();
    project.orch(&["memory", "export", "link.jsonl"]).exits(0);
    assert_eq!(mode(&project.path().join("memory.jsonl")), 0o644);
    assert!(fs::symlink_metadata(project.path().join("link.jsonl")).unwrap().is_symlink());
}

/// The store is named by orch and not by a person: there no link is followed, by no command.
#[test]
fn a_store_that_is_a_link_is_refused() {
    let other = Project::with_workers(TASK);
    other.orch(&["run", "task.yaml"]).exits(0);
    let before = fs::read(other.store()).unwrap();
    let project = Project::with_workers(TASK);
    fs::create_dir(project.path().join(".orch")).unwrap();
    symlink(other.store(), project.store()).unwrap();
    for args in [&["status", "--all"][..], &["run", "task.yaml"], &["memory", "stats"], &["resume"]]
    {
        let done = project.orch(args);
        assert_ne!(done.code, 0, "{args:?}: {}", done.stdout);
        done.says("orch.db` is a link");
    }
    assert_eq!(fs::read(other.store()).unwrap(), before);
}

/// A temporary name beside the file that is written can be guessed by nobody.
#[test]
fn an_export_writes_through_no_link_that_was_planted_beside_it() {
    let project = Project::with_workers(TASK);
    project.orch(&["run", "task.yaml"]).exits(0);
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    // The shell that plants the link becomes the command, and so has its process number.
    let script = "ln -s \"$0\" \"all.$$.part\"; exec \"$@\"";
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(&victim).arg(env!("CARGO_BIN_EXE_orch"));
    command.args(["memory", "export", "all.jsonl"]).current_dir(project.path());
    command.env("XDG_STATE_HOME", state_dir()).env_remove("ORCH_LOG").stdin(Stdio::null());
    Done::from_command(&mut command).exits(0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(fs::read_to_string(project.path().join("all.jsonl")).unwrap().lines().count() > 1);
}
