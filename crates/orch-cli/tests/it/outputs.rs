//! Output that cannot be written is an error; output that nobody reads is none.

use std::fs::OpenOptions;

use crate::support::{Done, Project, sleeping};

/// A device that is always full.
fn full() -> std::fs::File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn what_cannot_be_written_to_stdout_is_an_error() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    project.orch(&["run", "task.yaml"]).exits(0);
    for args in [
        &["run", "task.yaml", "-q"][..],
        &["run", "task.yaml", "--json"],
        &["run", "task.yaml"],
        &["plan", "task.yaml"],
        &["status"],
        &["status", "--all", "--json"],
        &["show"],
        &["show", "latest", "s0"],
        &["memory", "list"],
        &["memory", "stats"],
        &["memory", "export", "-"],
        &["memory", "export", "/dev/full"],
        &["feedback", "--score", "1", "--json"],
        &["--help"],
        &["help", "run"],
        &["--version"],
    ] {
        let done = Done::from_stderr(project.command(args).stdout(full()));
        assert_eq!(done.code, 1, "{args:?}: {done:?}");
        assert!(done.stderr.contains("No space left on device"), "{args:?}: {done:?}");
    }
    let done = Done::from_stderr(project.command(&["status", "ffff", "--json"]).stdout(full()));
    assert_eq!(done.code, 2, "what went wrong first counts: {done:?}");
    for said in ["no run begins with `ffff`", "cannot write the output to stdout"] {
        done.says(said);
    }
}

#[test]
fn what_cannot_be_written_to_stderr_is_seen_by_the_exit_code() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let done = Done::from_command(project.command(&["run", "task.yaml"]).stderr(full())).exits(1);
    assert!(done.stdout.contains("slept"), "{done:?}");
    Done::from_command(project.command(&["run", "task.yaml", "-q"]).stderr(full())).exits(0);
}

#[test]
fn events_that_were_asked_for_and_are_missing_are_an_error() {
    let project = Project::with_workers(&sleeping(2, 0.0));
    for args in [&["--json"][..], &["--quiet"], &[]] {
        let run = ["run", "task.yaml", "--events", "/dev/full"];
        let done = project.orch(&[&run, args].concat()).exits(1);
        assert!(done.stdout.contains("slept"), "the output is there all the same: {done:?}");
        done.says("No space left on device");
    }
    let args = ["run", "task.yaml", "--events", "-"];
    let done = Done::from_stderr(project.command(&args).stdout(full()));
    assert_eq!(done.code, 1, "{done:?}");
}

#[test]
fn what_nobody_reads_is_no_error() {
    let project = Project::with_workers(&sleeping(2, 0.0));
    for args in [
        &["run", "task.yaml"][..],
        &["run", "task.yaml", "--json"],
        &["run", "task.yaml", "--events", "-"],
        &["status"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = Done::from_stderr(project.command(args).stdout(writer));
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
        assert!(
            !done.stderr.contains("cannot") && !done.stderr.contains("not delivered"),
            "{done:?}"
        );
    }
    let runs = project.orch(&["status", "--all", "--json"]).exits(0).json();
    assert!(
        runs["runs"].as_array().unwrap().iter().all(|run| run["end_status"] == "completed"),
        "{runs}"
    );
}
