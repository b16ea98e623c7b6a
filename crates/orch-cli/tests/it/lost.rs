//! The store of a run is removed, moved or replaced while the run goes on.

use std::fs;

use crate::support::{Project, no_child_is_left_of, sleeping, timed};

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
