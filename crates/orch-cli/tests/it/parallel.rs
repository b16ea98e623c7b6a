//! Parallel is parallel. The one test of wall time: what the run itself says that it took, from submission to end.

use std::time::Duration;

use crate::support::{Project, sleeping, tell};

#[track_caller]
fn takes(max_parallel: &str) -> Duration {
    let project = Project::with_workers(&sleeping(8, 1.0));
    let done =
        project.orch(&["run", "task.yaml", "--json", "--max-parallel", max_parallel]).exits(0);
    Duration::from_millis(done.json()["total_duration_ms"].as_u64().unwrap())
}

#[test]
fn eight_seconds_of_work_take_less_the_more_may_go_on_at_once() {
    // The upper limits are far away, as the machine may be busy: below 4 s more than two went on at once, below 8 s two.
    let wide = takes("8");
    assert!((Duration::from_secs(1)..Duration::from_secs(4)).contains(&wide), "{wide:?}");
    let narrow = takes("2");
    assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&narrow), "{narrow:?}");
    tell(&format!("8 x 1 s: {wide:?} at limit 8, {narrow:?} at limit 2"));
}
