//! What a sink is still to be told.

use std::collections::{BTreeMap, VecDeque};

use orch_core::{Event, ProjectId, RunId, Seq};
use orch_supervisor::Lifecycle;

/// What is to be told of a run.
#[derive(Debug, PartialEq)]
pub(super) struct Due {
    pub(super) run: RunId,
    pub(super) project: ProjectId,
    /// The first event; for who knows the run already, all after the last one told.
    pub(super) first: Seq,
    pub(super) last: Seq,
    /// Whether nothing can follow.
    pub(super) is_over: bool,
}

/// The runs of which something is to be told. It keeps no events, they are in the journal.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    due: BTreeMap<RunId, Due>,
    /// The same runs, the one that has waited longest first.
    order: VecDeque<RunId>,
}

impl Waiting {
    /// Notes that something has happened.
    pub(super) fn note(&mut self, news: &Lifecycle) {
        let (Some(first), Some(last)) = (news.events.first(), news.events.last()) else { return };
        let run = news.head.run;
        let due = self.due.entry(run).or_insert_with(|| {
            self.order.push_back(run);
            let project = news.head.project.clone();
            Due { run, project, first: first.seq, last: last.seq, is_over: false }
        });
        due.last = last.seq;
        due.is_over = matches!(last.event, Event::RunEnded { .. });
    }

    /// Takes out what is to be told next.
    pub(super) fn next(&mut self) -> Option<Due> {
        self.due.remove(&self.order.pop_front()?)
    }
}
