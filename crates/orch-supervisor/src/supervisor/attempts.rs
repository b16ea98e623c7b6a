//! What pull workers do with attempts: claim, keep alive, report.

use std::sync::Arc;

use orch_core::{
    Digest, Fence, MemorySlice, ProjectId, RequestKey, RunId, Subtask, SubtaskId, Token, Worker,
    WorkerName,
};

use super::{Supervisor, one_worker};
use crate::error::SupervisorError;
use crate::guard::SLICE_LIMIT;
use crate::machine::{Answer, Claim, Claimed, Command, Refusal, Report, ReportAnswer, Want};
use crate::request::{SubtaskReport, result_may_be_stored};
use crate::shell::{Reported, recall, reported, run_entropy};

impl Supervisor {
    /// Claims work for a pull worker: one subtask by name, or any that was offered to it. `None` when there is none now.
    ///
    /// # Errors
    /// When the claim is refused or the journal fails.
    pub async fn claim(
        &self,
        run: RunId,
        worker: impl Into<WorkerName>,
        subtask: Option<SubtaskId>,
        slots: u32,
        request_key: Option<RequestKey>,
    ) -> Result<Option<Claimed>, SupervisorError> {
        let want = Want::new(worker).subtask(subtask).slots(slots);
        Ok(self.claim_all(run, [want], request_key).await?.pop())
    }

    /// Claims work for pull workers, several subtasks at once: one write to the journal. What cannot be had is left out.
    ///
    /// # Errors
    /// When the supervisor may not give work to one of the workers; when nothing was got and one of the wants is refused, with the
    /// first reason; or when the journal fails.
    pub async fn claim_all(
        &self,
        run: RunId,
        wants: impl IntoIterator<Item = Want>,
        request_key: Option<RequestKey>,
    ) -> Result<Vec<Claimed>, SupervisorError> {
        let wants: Vec<Want> = wants.into_iter().collect();
        for want in &wants {
            self.inner.delegation.check(&want.worker)?;
        }
        let drawn = |want: Want| want.token(Token(run_entropy() as u64));
        let wants: Vec<Want> = wants.into_iter().map(drawn).collect();
        let by = self.acting_as(one_worker(&wants));
        let claim = Claim { wants, foreign_locks: Vec::new(), request_key };
        let answer = self.command_by(by, run, Command::Claim(claim)).await?;
        if let Answer::Claim(claimed) = answer { Ok(claimed) } else { Ok(Vec::new()) }
    }

    /// Returns what memory tells `worker` before it does a subtask, in at most as many tokens as it wants: for a program that hands
    /// claimed work to it. `None` when it wants to be told nothing, when there is no memory, or when that cannot be read, which is logged.
    pub async fn recall(
        &self,
        project: &ProjectId,
        worker: &dyn Worker,
        subtask: &Subtask,
    ) -> Option<MemorySlice> {
        let subtask = Arc::new(subtask.clone());
        recall(self.inner.memory.as_ref()?, SLICE_LIMIT, project, worker, &subtask).await
    }

    /// Says that a claimed attempt is still being worked on; returns when its lease now ends.
    ///
    /// # Errors
    /// When the attempt is not open any more or the journal fails.
    pub async fn heartbeat(
        &self,
        run: RunId,
        fence: Fence,
        token: Token,
    ) -> Result<jiff::Timestamp, SupervisorError> {
        let answer = self.command(run, Command::Heartbeat { fence, token }).await?;
        if let Answer::Lease(until) = answer {
            Ok(until)
        } else {
            Err(Refusal::NotOpen { fence }.into())
        }
    }

    /// Reports on a subtask that is done outside the engine.
    ///
    /// # Errors
    /// When the report is refused or the journal fails; [`Refusal::Retry`] asks to report again.
    pub async fn report(
        &self,
        run: RunId,
        report: SubtaskReport,
    ) -> Result<ReportAnswer, SupervisorError> {
        let mut result = report.result;
        result_may_be_stored(&result)?;
        result.subtask_id = report.subtask.clone();
        let by = self.acting_as(Some(&result.worker_name).filter(|name| !name.as_str().is_empty()));
        let usage = result.usage().ok().flatten();
        let Reported { digest, body, blob } = reported(result);
        let digest = match &report.failure {
            Some(failure) => Digest::of_json(&(failure, digest)).unwrap_or(digest),
            None => digest,
        };
        let report = Report {
            subtask: Some(report.subtask),
            attempt: report.attempt,
            digest,
            body,
            blob,
            failure: report.failure,
            usage,
            request_key: report.request_key,
        };
        let answer = self.command_by(by, run, Command::Report(report)).await?;
        if let Answer::Report(answer) = answer { Ok(answer) } else { Ok(ReportAnswer::Received) }
    }
}
