//! The store of a run is removed, moved or replaced while the run goes on.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Project, Started, no_child_is_left_of, sleeping, timed};

/// What somebody does to the store.
type Harm = fn(&Project);

fn remove(project: &Project) {
    fs::remove_dir_all(project.path().join(".orch")).unwrap();
}

fn move_away(project: &Project) {
    fs::rename(project.path().join(".orch"), project.path().join("away")).unwrap();
}

/// Puts a store of another project into the place.
fn replace(project: &Project) {
    let other = Project::with_workers(&sleeping(1, 0.0));
    other.orch(&["run", "task.yaml"]).exits(0);
    fs::rename(other.store(), project.store()).unwrap();
}

#[test]
fn a_run_whose_store_is_lost_ends_its_attempts_and_says_so() {
    for (harm, says) in [
        (remove as Harm, "orch.db is gone: somebody has removed or moved it; run"),
        (move_away, "orch.db is gone: somebody has removed or moved it; run"),
        (replace, "orch.db is another store now: its id is"),
    ] {
        let project = Project::with_workers(&sleeping(2, 60.0));
        let mut started = project.start(&["run", "task.yaml"]);
        let run = started.run();
        started.until("> s1");
        harm(&project);
        let (done, took) = timed(|| started.finish());
        let done = done.exits(1);
        done.says(says);
        done.says(&format!("call `orch resume {run}`"));
        assert!(took.as_secs() < 10, "{took:?}");
        no_child_is_left_of(run);
    }
}

#[test]
fn a_run_whose_store_was_moved_goes_on_when_it_is_back() {
    let project = Project::with_workers(&sleeping(1, 60.0));
    let mut started = project.start(&["run", "task.yaml"]);
    started.until("> s0");
    move_away(&project);
    started.finish().exits(1);
    fs::rename(project.path().join("away"), project.path().join(".orch")).unwrap();
    let status = project.orch(&["status", "--json"]).exits(0).json();
    assert_eq!(status["status"], "suspended");
}

#[test]
fn a_run_that_ends_before_anybody_has_looked_is_no_success_either() {
    let project = Project::with_workers(&sleeping(1, 0.3));
    let mut started = project.start(&["run", "task.yaml"]);
    started.until("> s0");
    remove(&project);
    started.finish().exits(1).says("orch.db is gone");
}

#[test]
fn a_store_that_took_the_place_is_as_it_was() {
    let project = Project::with_workers(&sleeping(1, 60.0));
    let mut started = project.start(&["run", "task.yaml"]);
    started.until("> s0");
    replace(&project);
    started.finish().exits(1);
    let runs = project.orch(&["status", "--all", "--json"]).exits(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    assert_eq!(runs["runs"][0]["end_status"], "completed");
}

/// A worker that does not mind SIGTERM, so that its end takes all of the grace time.
const STUBBORN: &str = r#"
strategy: parallel
workers:
  stubborn:
    command: [sh, -c, "trap '' TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 5; done"]
    capabilities: [{ name: x, task_types: [sleep] }]
    grace: 60s
"#;

/// Does two things to a run, the second while its worker has its grace time for the first.
#[track_caller]
fn loss_and_signal(both: fn(&Project, &mut Started)) {
    let project = Project::new(&[("orch.yaml", STUBBORN), ("task.yaml", &sleeping(1, 0.0))]);
    let mut started = project.start(&["run", "task.yaml"]);
    let run = started.run();
    started.until("> s0");
    both(&project, &mut started);
    let (done, took) = timed(|| started.finish());
    done.exits(1).says("orch.db is gone");
    // 7 s are promised after the first of the two.
    assert!(took < Duration::from_secs(8), "{took:?}");
    no_child_is_left_of(run);
}

#[test]
fn a_loss_and_a_signal_in_either_order_end_in_time_and_say_what_is_lost() {
    thread::scope(|scope| {
        scope.spawn(|| {
            loss_and_signal(|project, started| {
                remove(project);
                // It looks every second; so the loss is noticed, and the worker has been told to end.
                thread::sleep(Duration::from_secs(2));
                started.signal(Signal::INT);
            });
        });
        scope.spawn(|| {
            loss_and_signal(|project, started| {
                started.signal(Signal::INT);
                started.until("suspending;");
                remove(project);
            });
        });
    });
}
