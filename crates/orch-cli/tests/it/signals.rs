//! Ctrl-C, SIGTERM, a terminal that goes away: the first suspends, a second Ctrl-C or SIGTERM kills; nothing is left behind.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Project, children_of, no_child_is_left_of, sleeping, timed};

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
        started.until("suspending; Ctrl-C once more to kill");
        // Two that come together are one.
        std::thread::sleep(Duration::from_millis(400));
        started.signal(second);
        started.finish().exits(130).says("go on with: orch resume");
        no_child_is_left_of(run);
    }
}

/// A shell hands SIGHUP on, so that it comes twice when its terminal is closed; a terminal's Ctrl-C can come with a SIGTERM.
#[test]
fn signals_that_come_together_suspend_and_do_not_kill() {
    for signals in [
        &[Signal::HUP, Signal::HUP, Signal::HUP] as &[Signal],
        &[Signal::HUP, Signal::INT],
        &[Signal::INT, Signal::TERM, Signal::HUP],
    ] {
        let project = Project::with_workers(&sleeping(2, 60.0));
        let mut started = project.start(&["run", "task.yaml"]);
        let run = started.run();
        started.until("> s1");
        for signal in signals {
            started.signal(*signal);
        }
        started.finish().exits(130).says("suspended: 0 of 2 done");
        no_child_is_left_of(run);
        let status = project.orch(&["status", "--json"]).exits(0).json();
        assert_eq!(status["status"], "suspended", "{signals:?}");
        assert_eq!(status["owner"], serde_json::Value::Null, "{signals:?}");
    }
}

/// However late and often: a terminal that goes away is no order to kill.
#[test]
fn any_number_of_hangups_gives_attempts_their_time() {
    let project = Project::new(&[("orch.yaml", STUBBORN), ("task.yaml", &sleeping(1, 0.0))]);
    let mut started = project.start(&["run", "task.yaml"]);
    let run = started.run();
    started.until("> s0");
    // Its shell minds no SIGTERM once it has started something.
    while children_of(run).len() < 2 {
        std::thread::yield_now();
    }
    started.signal(Signal::HUP);
    started.until("suspending;");
    let (done, took) = timed(|| {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(400));
            started.signal(Signal::HUP);
        }
        started.finish()
    });
    done.exits(130).says("suspended: 0 of 1 done");
    assert!(took > Duration::from_secs(4), "the worker had its time, not only {took:?}");
    assert!(took < Duration::from_secs(7), "{took:?}");
    no_child_is_left_of(run);
}
