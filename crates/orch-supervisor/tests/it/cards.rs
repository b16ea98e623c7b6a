//! Cards: an attempt says which worker made it, down to its prompt.

use async_trait::async_trait;
use orch_core::{
    Digest, Event, RunId, Seq, Worker, WorkerCapability, WorkerCard, WorkerContext, WorkerError,
    WorkerKind, WorkerName, WorkerResult,
};
use orch_supervisor::{Supervisor, Want};

use crate::support::{plan, submit, virtual_time};

/// A worker with a prompt.
struct Writer {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
    kind: WorkerKind,
    prompt: &'static str,
}

fn writer(kind: WorkerKind, prompt: &'static str) -> Writer {
    let capabilities = vec![WorkerCapability::new("work", ["work"])];
    Writer { name: "writer".into(), capabilities, kind, prompt }
}

#[async_trait]
impl Worker for Writer {
    fn name(&self) -> &WorkerName {
        &self.name
    }
    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }
    fn kind(&self) -> WorkerKind {
        self.kind
    }
    fn content(&self) -> Option<Digest> {
        Some(Digest::of_bytes(self.prompt.as_bytes()))
    }
    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        Ok(WorkerResult::success(context.subtask.id.clone(), self.name.clone(), self.prompt.into()))
    }
}

/// The cards of all attempts of a run, in order.
async fn cards(supervisor: &Supervisor, run: RunId) -> Vec<(&'static str, Option<Digest>)> {
    let events = supervisor.journal().load(run, Seq(0)).await.unwrap();
    let card = |event: &Event| {
        let (Event::AttemptOffered { card, .. } | Event::AttemptStarted { card, .. }) = event
        else {
            return None;
        };
        Some(*card)
    };
    events.iter().filter_map(|e| Some((e.event.name(), card(&e.event)?))).collect()
}

#[tokio::test(start_paused = true)]
async fn another_prompt_is_another_card() {
    let supervisor = virtual_time().worker(writer(WorkerKind::Managed, "Be brief.")).build();
    let mut seen = Vec::new();
    for prompt in ["Be brief.", "Be thorough.", "Be brief."] {
        let worker = writer(WorkerKind::Managed, prompt);
        let expected = WorkerCard::from_worker(&worker).digest();
        supervisor.replace_worker(worker).unwrap();
        let run = submit(&supervisor, plan("a")).await;
        supervisor.wait(run).await.unwrap();
        assert_eq!(cards(&supervisor, run).await, [("attempt_started", Some(expected))]);
        seen.push(expected);
    }
    assert_eq!(seen[0], seen[2]);
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test(start_paused = true)]
async fn an_offer_and_its_claim_have_the_card_of_their_worker() {
    let supervisor = virtual_time().worker(writer(WorkerKind::Pull, "Be brief.")).build();
    let run = submit(&supervisor, plan("a; b")).await;
    supervisor.settled(run, std::time::Duration::from_secs(5)).await.unwrap();
    let claimed = supervisor.claim_all(run, [Want::new("writer")], None).await.unwrap();
    assert_eq!(claimed.len(), 1);
    // A worker that this process does not know may claim, too; of it there is no card.
    let stranger = Want::new("stranger").subtask(Some("b".into()));
    assert_eq!(supervisor.claim_all(run, [stranger], None).await.unwrap().len(), 1);
    let card = Some(WorkerCard::from_worker(&writer(WorkerKind::Pull, "Be brief.")).digest());
    assert_eq!(
        cards(&supervisor, run).await,
        [
            ("attempt_offered", card),
            ("attempt_offered", card),
            ("attempt_started", card),
            ("attempt_started", None),
        ]
    );
}
