//! Ends that are not the program's own: stop, timeout, drop; and who may survive them.

use std::path::Path;
#[cfg(target_os = "linux")]
use std::time::Duration;

use orch_core::{Cause, Worker};
use orch_workers::process::is_alive;
use serde_json::json;

#[cfg(target_os = "linux")]
use crate::support::living;
use crate::support::{context, evidence, noting, shell, shell_with, until_there, worker};

/// A file that a program makes when it has come so far.
fn flag(folder: &Path) -> (std::path::PathBuf, String) {
    let file = folder.join("flag");
    let name = file.to_str().unwrap().to_owned();
    (file, name)
}

#[tokio::test]
async fn an_attempt_that_was_stopped_before_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    let (file, name) = flag(folder.path());
    let context = context();
    context.stop.stop();
    let error = worker(shell_with(": > $1", &[&name])).execute(context).await.unwrap_err();
    assert_eq!(error.cause, Cause::Cancelled);
    assert_eq!(error.message, "asked to stop before it began");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_stopped_program_may_hand_over_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let (file, name) = flag(folder.path());
    let script = "trap 'echo half; exit 0' TERM; : > $1; while :; do sleep 0.05; done";
    let context = context();
    let stop = context.stop.clone();
    let worker = worker(shell_with(script, &[&name]));
    let (result, ()) = tokio::join!(worker.execute(context), async {
        until_there(&file).await;
        stop.stop();
    });
    let result = result.unwrap();
    assert_eq!(result.output, "half");
    assert_eq!(evidence(&result)["ended_by"], "stop");
}

#[tokio::test]
async fn a_stopped_program_without_output_is_cancelled() {
    for (script, exit) in [
        ("trap 'exit 0' TERM; : > $1; while :; do sleep 0.05; done", json!({"exit_code": 0})),
        (
            "trap 'echo x; exit 4' TERM; : > $1; while :; do sleep 0.05; done",
            json!({"exit_code": 4, "stdout": "x\n", "stdout_bytes": 2}),
        ),
        (": > $1; sleep 1000", json!({"signal": 15})),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (file, name) = flag(folder.path());
        let context = context();
        let stop = context.stop.clone();
        let worker = worker(shell_with(script, &[&name]));
        let (result, ()) = tokio::join!(worker.execute(context), async {
            until_there(&file).await;
            stop.stop();
        });
        let error = result.unwrap_err();
        assert_eq!(error.cause, Cause::Cancelled, "{script}");
        let mut expected = exit;
        expected["ended_by"] = json!("stop");
        let mut evidence = json!(error.evidence);
        // A shell may say on stderr that its child was terminated.
        evidence.as_object_mut().unwrap().retain(|key, _| !key.starts_with("stderr"));
        assert_eq!(evidence, expected);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stop_leaves_nobody() {
    for script in [
        "sleep 1000 & : > $1; wait",
        "trap '' TERM; sleep 1000 & sleep 1000 & : > $1; wait; sleep 1000",
        "setsid sh -c ': > $0; sleep 1000' $1 & wait",
        "setsid sh -c 'trap \"\" TERM; : > $0; sleep 1000' $1 >/dev/null 2>&1 & wait",
        "sleep 1000 & : > $1; kill -STOP $$",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (file, name) = flag(folder.path());
        let mut config = shell_with(script, &[&name]);
        config.grace = Duration::from_millis(50);
        let context = context();
        let (attempt, stop) = (context.attempt.clone(), context.stop.clone());
        let worker = worker(config);
        let (result, lived) = tokio::join!(worker.execute(context), async {
            until_there(&file).await;
            let lived = living(&attempt);
            stop.stop();
            lived
        });
        assert!(lived.len() >= 2, "there was nobody but the program: {script}");
        assert_eq!(living(&attempt), [0; 0], "{script}");
        let error = result.unwrap_err();
        assert_eq!(error.cause, Cause::Cancelled, "{script}");
        assert_eq!(error.message, "`sh` was asked to stop");
        assert!(!error.evidence.contains_key("left_behind"), "{script}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_timeout_leaves_nobody() {
    let script = "setsid sleep 1000 >/dev/null 2>&1 & trap '' TERM; sleep 1000; sleep 1000";
    let mut config = shell(script);
    config.grace = Duration::from_millis(50);
    let mut context = context();
    context.attempt.timeout_ms = 300;
    let attempt = context.attempt.clone();
    let error = worker(config).execute(context).await.unwrap_err();
    assert_eq!(living(&attempt), [0; 0]);
    assert_eq!(error.cause, Cause::Timeout);
    assert_eq!(error.message, "`sh` ran out of time");
    assert_eq!(error.evidence["ended_by"], "timeout");
}

#[tokio::test]
async fn a_program_may_hand_over_what_it_has_when_its_time_is_up() {
    let mut context = context();
    // Long enough for the shell to set its trap on a busy machine.
    context.attempt.timeout_ms = 1_500;
    let script = "trap 'exit 0' TERM; echo so far; while :; do sleep 0.05; done";
    let result = worker(shell(script)).execute(context).await.unwrap();
    assert_eq!(result.output, "so far");
    assert_eq!(evidence(&result)["ended_by"], "timeout");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_end_of_its_own_leaves_nobody() {
    for escape in [
        "sleep 1000 &",
        "setsid sleep 1000 >/dev/null 2>&1 &",
        "setsid sleep 1000 &",
        "(setsid sh -c 'sleep 1000; sleep 1000' &) &",
    ] {
        for code in ["0", "1"] {
            let context = context();
            let attempt = context.attempt.clone();
            let script = format!("{escape} sleep 0.05; echo $$; exit $1");
            let outcome = worker(shell_with(&script, &[code])).execute(context).await;
            // At once: a retry must not overlap with those who are left.
            assert_eq!(living(&attempt), [0; 0], "{escape} {code}");
            let evidence = match &outcome {
                Ok(result) => evidence(result),
                Err(error) => json!(error.evidence),
            };
            for sign in ["left_behind", "output_held_open"] {
                assert!(evidence.get(sign).is_none(), "{escape} {code}: {evidence}");
            }
            assert_eq!(outcome.is_ok(), code == "0", "{escape}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_pipe_held_open_by_somebody_who_cannot_be_found_does_not_hang_us() {
    let folder = tempfile::tempdir().unwrap();
    let (file, name) = flag(folder.path());
    // Without its environment it can only be found by a process that adopts orphans.
    let script = "env -i setsid sh -c 'echo $$ > $0.pid; mv $0.pid $0; exec sleep 1000' $1 & \
                  while ! [ -e $1 ]; do sleep 0.01; done; echo done";
    let result = worker(shell_with(script, &[&name])).execute(context()).await.unwrap();
    let left = std::fs::read_to_string(&file).unwrap();
    std::process::Command::new("kill").args(["-KILL", left.trim()]).status().unwrap();
    assert_eq!(result.output, "done");
    assert_eq!(evidence(&result), json!({"exit_code": 0, "output_held_open": true}));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_leads_a_session_without_a_terminal() {
    // Process, group, session, controlling terminal.
    let script = "echo $$; cut -d' ' -f5,6,7 /proc/$$/stat";
    let result = worker(shell(script)).execute(context()).await.unwrap();
    let text = result.output.as_str().unwrap();
    let (pid, rest) = text.split_once('\n').unwrap();
    assert_eq!(rest, format!("{pid} {pid} 0"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dropped_attempt_leaves_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (file, name) = flag(folder.path());
    let (context, noted) = noting(context());
    let attempt = context.attempt.clone();
    let worker = worker(shell_with("trap '' TERM; sleep 1000 & : > $1; wait", &[&name]));
    tokio::select! {
        result = worker.execute(context) => panic!("ended: {result:?}"),
        () = until_there(&file) => {}
    }
    crate::support::until("nobody lives", || living(&attempt).is_empty()).await;
    assert!(!is_alive(&noted.all()[0]));
}

#[tokio::test]
async fn the_process_is_noted_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (file, name) = flag(folder.path());
    let (context, noted) = noting(context());
    let worker = worker(shell_with("echo $$; while ! [ -e $1 ]; do sleep 0.01; done", &[&name]));
    let (result, ()) = tokio::join!(worker.execute(context), async {
        crate::support::until("it is noted", || !noted.all().is_empty()).await;
        assert!(is_alive(&noted.all()[0]));
        std::fs::write(&file, "").unwrap();
    });
    let [process] = &noted.all()[..] else { panic!("{:?}", noted.all()) };
    assert_eq!(result.unwrap().output, process.pid.to_string());
    assert!(!is_alive(process));
}
