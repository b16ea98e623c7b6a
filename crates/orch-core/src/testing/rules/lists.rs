//! Lists of runs.

use super::append;
use crate::Seq;
use crate::journal::{Journal, RunFilter};
use crate::testing::{SampleRun, Writers};

async fn listed(journal: &dyn Journal, filter: &RunFilter) -> Vec<String> {
    let rows = journal.rows(filter).await.expect("the journal lists");
    rows.into_iter().map(|row| row.head.task_id.to_string()).collect()
}

/// Filters add up; the newest run comes first, whatever was appended to last.
pub async fn rows_are_filtered_and_newest_first(writers: &Writers) {
    let runs = [(3, "p"), (1, "p"), (2, "q"), (4, "q")];
    let runs = runs.map(|(number, project)| {
        let run = SampleRun::in_project(number, project);
        if number == 1 { run } else { run.with_request_key(&format!("a%/{number}")) }
    });
    for run in &runs {
        append(&*writers.first, run.step(0, 1)).await;
    }
    append(&*writers.second, runs[1].end(1)).await;
    append(&*writers.second, runs[3].end(1)).await;
    let all = RunFilter::new();
    let prefix = |prefix: &str| all.clone().with_prefix(prefix.to_owned());
    let request = |prefix: &str| all.clone().with_request_prefix(prefix.to_owned());
    let id = runs[2].id().to_string();
    for journal in writers.both() {
        for (filter, expected) in [
            (all.clone(), &["task-4", "task-3", "task-2", "task-1"][..]),
            (all.clone().with_open(true), &["task-3", "task-2"]),
            (all.clone().with_project(Some("p".into())), &["task-3", "task-1"]),
            (all.clone().with_project(Some("q".into())).with_open(true), &["task-2"]),
            (all.clone().with_project(Some("none".into())), &[]),
            (all.clone().with_limit(2_u32), &["task-4", "task-3"]),
            (all.clone().with_open(true).with_limit(1_u32), &["task-3"]),
            (all.clone().with_before(runs[0].id()), &["task-2", "task-1"]),
            (all.clone().with_before(runs[1].id()), &[]),
            (prefix(""), &["task-4", "task-3", "task-2", "task-1"]),
            (prefix(&id), &["task-2"]),
            (prefix(&id[..13]), &["task-2"]),
            (prefix(&id[..4]), &["task-4", "task-3", "task-2", "task-1"]),
            (prefix(&id[1..]), &[]),
            (prefix("%"), &[]),
            (prefix("_"), &[]),
            (prefix("'"), &[]),
            (request(""), &["task-4", "task-3", "task-2"]),
            (request("a%/"), &["task-4", "task-3", "task-2"]),
            (request("a%/").with_project(Some("q".into())).with_open(true), &["task-2"]),
            (request("a%/3"), &["task-3"]),
            (request("a%/33"), &[]),
            (request("%"), &[]),
            (request("A"), &[]),
        ] {
            assert_eq!(listed(journal, &filter).await, expected, "{filter:?}");
        }
    }
}

/// Without a limit there are 100 rows, with one there are as many.
pub async fn rows_are_limited(writers: &Writers) {
    for number in 1..=101 {
        append(&*writers.first, SampleRun::new(number).step(0, 1)).await;
    }
    for (limit, expected) in [(0, 100), (1, 1), (100, 100), (101, 101), (u32::MAX, 101)] {
        let rows = listed(&*writers.second, &RunFilter::new().with_limit(limit)).await;
        assert_eq!((rows.len(), rows[0].as_str()), (expected, "task-101"), "limit {limit}");
    }
}

/// Heads are those of the runs that exist.
pub async fn heads_leave_out_unknown_runs(writers: &Writers) {
    let runs = [1, 2, 3].map(SampleRun::new);
    append(&*writers.first, runs[0].step(0, 3)).await;
    append(&*writers.first, runs[2].step(0, 1)).await;
    append(&*writers.second, runs[2].step(1, 1)).await;
    let ids = runs.map(|run| run.id());
    for journal in writers.both() {
        let mut heads = journal.heads(&ids).await.expect("the journal reads");
        heads.sort();
        assert_eq!(heads, [(ids[0], Seq(3)), (ids[2], Seq(2))]);
        assert_eq!(journal.heads(&[]).await.expect("the journal reads"), []);
    }
}
