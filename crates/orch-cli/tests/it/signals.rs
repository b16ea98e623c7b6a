//! Ctrl-C, SIGTERM, a terminal that goes away: the first suspends, the second kills; nothing is left behind.

use rustix::process::Signal;

use crate::support::{Project, children_of, no_child_is_left_of, sleeping};

/// A worker that does not mind SIGTERM, so that suspending takes its time.
const STUBBORN: &str = r#"
strategy: parallel
workers:
  stubborn:
    command: [sh, -c, "trap '' TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 5; done"]
    capabilities: [{ name: x, task_types: [sleep] }]
    grace: 60s
"#;

#[test]
fn the_first_suspends_and_says_how_to_go_on() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let project = Project::with_workers(&format!(
            "{}  - {{ id: quick, task_type: sleep, description: q, context: {{ seconds: 0 }} }}\n",
            sleeping(2, 60.0)
        ));
        let mut started = project.start(&["run", "task.yaml"]);
        let run = started.run();
        started.until("✓ quick");
        started.signal(signal);
        let done = started.finish().exits(130);
        done.says(&format!("go on with: orch resume {run}"));
        done.says("suspended: 1 of 3 done");
        assert_eq!(children_of(run), [0; 0], "{signal:?}");
        let status = project.orch(&["status", "--json"]).exits(0).json();
        assert_eq!(status["status"], "suspended");
        assert_eq!(status["owner"], serde_json::Value::Null, "the ownership is released");
        assert_eq!(status["subtasks"][0]["status"], "ready", "lost, not failed");
    }
}

#[test]
fn quiet_or_not_the_way_on_is_said() {
    for (flag, on_stdout) in [("--quiet", false), ("--json", true)] {
        let project = Project::with_workers(&sleeping(1, 60.0));
        let mut started = project.start(&["run", "task.yaml", flag]);
        // A quiet run says nothing until then: the worker shows that it is there.
        let store = project.store();
        while !store.exists()
            || project.orch(&["status", "-q", "--json"]).json()["counts"]["running"] != 1
        {
            std::thread::yield_now();
        }
        started.signal(Signal::INT);
        let done = started.finish().exits(130);
        let text = if on_stdout { &done.stdout } else { &done.stderr };
        assert!(text.contains("orch resume 01"), "{text}");
        if on_stdout {
            assert_eq!(done.json()["status"], "suspended");
        }
        started = project.start(&["cancel"]);
        started.finish().exits(0);
    }
}

#[test]
fn the_second_kills() {
    for (first, second) in
        [(Signal::INT, Signal::INT), (Signal::TERM, Signal::TERM), (Signal::INT, Signal::TERM)]
    {
        let project = Project::new(&[("orch.yaml", STUBBORN), ("task.yaml", &sleeping(3, 0.0))]);
        let mut started = project.start(&["run", "task.yaml"]);
        let run = started.run();
        started.until("> s2");
        while children_of(run).len() < 3 {
            std::thread::yield_now();
        }
        started.signal(first);
        started.until("suspending; once more to kill");
        started.signal(second);
        started.finish().exits(130).says("go on with: orch resume");
        no_child_is_left_of(run);
    }
}
