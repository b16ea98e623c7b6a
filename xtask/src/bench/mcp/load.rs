//! What the bench asks of a server, and what it remembers of the answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::server::Server;

/// A client that delegates, claims and reports.
#[derive(Default)]
pub(super) struct Client {
    /// Runs in the order in which they were delegated.
    pub(super) runs: Vec<String>,
    /// What was handed out and not reported yet.
    in_hand: VecDeque<HandedOut>,
    /// How many reports of each run were accepted.
    accepted: BTreeMap<String, u64>,
    delegated: usize,
}

/// A subtask in hand.
struct HandedOut {
    run: String,
    subtask: String,
    attempt: String,
}

impl Client {
    /// Delegates a plan of `subtasks` subtasks in layers of 5, each with one dependency in the layer before.
    pub(super) fn delegate(
        &mut self,
        server: &mut Server,
        subtasks: usize,
    ) -> anyhow::Result<(String, Duration)> {
        self.delegated += 1;
        let number = self.delegated;
        let plan: Vec<Value> = (0..subtasks).map(|place| {
            let after: Vec<String> = place.checked_sub(5).map(|on| format!("s{on}")).into_iter().collect();
            json!({
                "id": format!("s{place}"),
                "description": format!("Look through module {place} of the project, list what depends on it, and propose how to split it"),
                "task_type": "review",
                "dependencies": after,
            })
        }).collect();
        let arguments = json!({ "task": format!("Review the project, part {number}"), "task_type": "review", "subtasks": plan });
        let (answer, time) = server.tool("alma_delegate_task", &arguments)?;
        let run = text(&answer, "orchestration_id")?;
        ensure!(answer["counts"]["total"] == subtasks, "delegated in part: {answer}");
        self.take(&run, &answer)?;
        Ok((run, time))
    }

    /// Claims a subtask of a run, as the client's general agent.
    pub(super) fn claim(&mut self, server: &mut Server, run: &str) -> anyhow::Result<Duration> {
        let arguments =
            json!({ "orchestration_id": run, "worker": "general-purpose", "slots": 64 });
        let (answer, time) = server.tool("alma_claim_subtask", &arguments)?;
        self.take(run, &answer)?;
        Ok(time)
    }

    /// Reports on what has been in hand longest; `None` when nothing is.
    pub(super) fn report(&mut self, server: &mut Server) -> anyhow::Result<Option<Duration>> {
        let Some(HandedOut { run, subtask, attempt }) = self.in_hand.pop_front() else {
            return Ok(None);
        };
        let result = format!("{subtask} depends on nothing that would be in the way of a split.");
        let arguments = json!({ "orchestration_id": run, "subtask_id": subtask, "attempt": attempt, "result": result });
        let (answer, time) = server.tool("alma_report_subtask", &arguments)?;
        ensure!(answer["answer"] == "accepted", "{run} {subtask}: {answer}");
        *self.accepted.entry(run.clone()).or_default() += 1;
        self.take(&run, &answer)?;
        Ok(Some(time))
    }

    /// Forgets what is in hand of a run.
    pub(super) fn drop_run(&mut self, run: &str) {
        self.in_hand.retain(|handed| handed.run != run);
    }

    /// Returns how many reports were accepted, and how many of those the server does not know of.
    pub(super) fn lost(&self, server: &mut Server) -> anyhow::Result<(u64, u64)> {
        let (mut accepted, mut lost) = (0, 0);
        for (run, count) in &self.accepted {
            let (answer, _) = status(server, run)?;
            let done = answer["counts"]["done"].as_u64().unwrap_or(0);
            accepted += count;
            lost += count.abs_diff(done);
        }
        Ok((accepted, lost))
    }

    fn take(&mut self, run: &str, answer: &Value) -> anyhow::Result<()> {
        for handed in answer["ready"].as_array().into_iter().flatten() {
            self.in_hand.push_back(HandedOut {
                run: run.to_owned(),
                subtask: text(handed, "subtask_id")?,
                attempt: text(handed, "attempt")?,
            });
        }
        Ok(())
    }
}

/// Asks how a run stands.
pub(super) fn status(server: &mut Server, run: &str) -> anyhow::Result<(Value, Duration)> {
    server.tool("alma_orchestration_status", &json!({ "orchestration_id": run }))
}

/// Cancels a run.
pub(super) fn cancel(server: &mut Server, run: &str) -> anyhow::Result<Duration> {
    let arguments = json!({ "orchestration_id": run });
    Ok(server.tool("alma_cancel_orchestration", &arguments)?.1)
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let text = value[field].as_str().with_context(|| format!("no {field} in {value}"))?;
    Ok(text.to_owned())
}
