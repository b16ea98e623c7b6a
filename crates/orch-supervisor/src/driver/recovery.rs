//! Loading, taking over, losing: everything after which a state is folded anew from the journal.

use std::collections::BTreeSet;

use jiff::Timestamp;
use orch_core::journal::{AcquireError, AppendError, Recorded, RunHead};
use orch_core::{Epoch, Event, Fence, RunId, Seq};

use super::Driver;
use super::io::{Left, Output, ReplyId, Response};
use super::run::{Queued, Run, Work};
use crate::machine::{Answer, Refusal, State, after, submit};

/// How long to wait before a lock that another run holds is asked for again, in milliseconds.
const FOREIGN_LOCK_MS: u64 = 250;

impl Driver {
    /// Somebody wants this process to go on with a run.
    pub(super) fn resume(&mut self, run: RunId, reply: ReplyId) {
        if self.shutting_down.is_some() {
            self.refuse(Some(reply), Refusal::ShuttingDown);
            return;
        }
        let entry = self.runs.get_or_unloaded(run);
        entry.stay_up();
        if entry.is_owned() && entry.state.as_ref().is_some_and(|state| !state.is_suspended()) {
            let answer = Ok(Response::Answer(Answer::Done));
            self.outputs.push(Output::Reply { reply, answer });
            return;
        }
        if let Some(earlier) = entry.resuming.replace(reply) {
            self.refuse(Some(earlier), Refusal::Retry);
        }
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.wants_ownership = true;
        if !entry.acquiring && entry.turn.is_none() {
            entry.acquiring = true;
            self.outputs.push(Output::Acquire { run });
        }
    }

    /// The run is ours. One that was just submitted goes on as it is; any other is loaded anew, as somebody else may have
    /// written to it.
    pub(super) fn acquired(&mut self, run: RunId, epoch: Epoch) {
        let Some(entry) = self.runs.get_mut(&run) else {
            // Nobody waits for it any more.
            self.outputs.push(Output::Release { run, epoch });
            return;
        };
        entry.acquiring = false;
        entry.epoch = Some(epoch);
        // Nobody has owned the run before, nor since, as far as is known: there are no attempts but those that this process
        // is going to start. An answer that comes late may be that of an ownership which has ended meanwhile.
        let is_first = epoch == Epoch(0).next();
        let is_untouched = entry.state.as_ref().is_some_and(|state| state.seq() == Seq(0).next());
        entry.begun = is_first && entry.resuming.is_none() && is_untouched;
        if std::mem::take(&mut entry.takes_down) {
            entry.inbox.push_back(Queued::own(Work::TakeDown(epoch)));
        }
        if let Some(reason) = self.shutting_down.clone() {
            // It came too late: what is owned is suspended and given up again.
            entry.inbox.push_back(Queued::own(Work::Suspend(reason)));
        }
        if entry.begun {
            self.reconcile(run);
            self.dirty.insert(run);
            return;
        }
        let reply = entry.resuming.take();
        entry.inbox.push_front(Queued::new(Work::Resume(epoch), None, reply));
        self.reload(run);
    }

    pub(super) fn not_acquired(&mut self, run: RunId, error: AcquireError, now: Timestamp) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.acquiring = false;
        if std::mem::take(&mut entry.takes_down) && entry.resuming.is_none() {
            return self.not_taken_down(run);
        }
        let refusal = match error {
            AcquireError::Owned { owner, .. } => {
                Refusal::Owned { owner: format!("{} (process {})", owner.name, owner.process.pid) }
            }
            AcquireError::NotFound(run) => Refusal::NoRun { run },
            AcquireError::Unregistered(_) | AcquireError::Journal(_) | _ => Refusal::Retry,
        };
        let reply = entry.resuming.take();
        if entry.is_owned() && matches!(refusal, Refusal::Owned { .. }) {
            self.lose_ownership(run);
        }
        let Some(entry) = self.runs.get_mut(&run) else { return };
        match reply {
            Some(reply) => {
                entry.wants_ownership = false;
                // Who owns it all the same, from before, goes on with it.
                let is_owned = entry.is_owned();
                self.refuse(Some(reply), refusal);
                if !is_owned {
                    self.outputs.push(Output::Left { run, why: Left::OwnerChanged });
                }
                self.reconcile_or_forget(run);
            }
            // A run that was submitted here: try again, unless somebody else has taken it meanwhile.
            None if refusal == Refusal::Retry => {
                let at = self.next_try(run, now);
                if let Some(entry) = self.runs.get_mut(&run) {
                    entry.retry_at = at;
                }
            }
            None => {
                entry.wants_ownership = false;
                self.outputs.push(Output::Left { run, why: Left::OwnerChanged });
                self.reconcile_or_forget(run);
            }
        }
    }

    pub(super) fn reconcile_or_forget(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        if entry.state.is_some() {
            self.reconcile(run);
        } else if entry.is_idle() {
            self.runs.remove(&run);
        } else if !entry.inbox.is_empty() {
            // Commands came while the run was to be acquired, which would have loaded it.
            self.reload(run);
        }
    }

    /// Drops the state and asks for the events again.
    pub(super) fn reload(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.state = None;
        entry.load_at = None;
        entry.loading = true;
        self.outputs.push(Output::Load { run, after: Seq(0) });
        self.show_durable(run);
        // While it is being loaded it keeps no place before others.
        self.pool.wait(run, false, &BTreeSet::new());
    }

    /// The append in flight was not, or perhaps not, written: nothing of the turn has happened.
    pub(super) fn append_failed(&mut self, run: RunId, error: AppendError, now: Timestamp) {
        let Some(turn) = self.runs.get_mut(&run).and_then(|entry| entry.turn.take()) else {
            return;
        };
        self.give_back_taken(run);
        let Some(entry) = self.runs.get_mut(&run) else { return };
        match error {
            AppendError::RequestTaken { existing, .. } => {
                self.runs.remove(&run);
                for queued in turn.decided {
                    if let (Work::Submit(_), Some(reply)) = (&queued.work, queued.reply) {
                        self.outputs
                            .push(Output::Reply { reply, answer: Ok(Response::Run(existing)) });
                    }
                }
                return;
            }
            // It was this process's own acquisition that ended the epoch of the append.
            AppendError::Fenced { actual, .. }
                if entry.acquiring || entry.epoch == Some(actual) =>
            {
                requeue(entry, turn.decided);
            }
            AppendError::Fenced { .. } => {
                entry.wants_ownership = false;
                requeue(entry, turn.decided);
                self.lose_ownership(run);
            }
            AppendError::LockHeld { lock, holder, .. } => {
                entry.foreign_locks.insert(lock.clone(), after(now, FOREIGN_LOCK_MS));
                requeue(entry, turn.decided);
                if holder != run {
                    self.outputs.push(Output::CheckOwner { run: holder, lock });
                }
            }
            AppendError::Conflict { .. } => requeue(entry, turn.decided),
            AppendError::Store { .. } | _ => {
                // Nobody knows whether it was written: callers may ask again; the engine's own work is decided anew.
                let (callers, own): (Vec<_>, Vec<_>) = turn
                    .decided
                    .into_iter()
                    .partition(|queued| queued.reply.is_some() && !is_resume(queued));
                requeue(entry, own);
                for queued in callers {
                    self.refuse(queued.reply, Refusal::Retry);
                }
                self.reload_later(run, now);
                return;
            }
        }
        self.reload(run);
    }

    /// Drops the state; the events are asked for again after a pause, as the store has just refused something.
    fn reload_later(&mut self, run: RunId, now: Timestamp) {
        let at = self.next_try(run, now);
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.state = None;
        entry.loading = false;
        entry.load_at = at;
        self.show_durable(run);
        // While it waits it keeps no place before others.
        self.pool.wait(run, false, &BTreeSet::new());
    }

    /// Returns when a store that has refused something is to be tried again. A process that is to end tries soon, as it
    /// will not be there for long.
    fn next_try(&mut self, run: RunId, now: Timestamp) -> Option<Timestamp> {
        let is_ending = self.shutting_down.is_some();
        let pauses = &mut self.runs.get_mut(&run)?.pauses;
        let pause = if is_ending { pauses.shortest() } else { pauses.next() };
        Some(now.checked_add(pause).unwrap_or(Timestamp::MAX))
    }

    /// Somebody else owns the run: what was started for it here must end.
    fn lose_ownership(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let running: Vec<Fence> =
            entry.running.keys().copied().filter(|f| !entry.stopping.contains(f)).collect();
        for fence in running {
            entry.stopping.insert(fence);
            self.outputs.push(Output::Stop { run, fence, grace_ms: 0 });
        }
        self.leave(run, Left::OwnerChanged);
    }

    pub(super) fn load_failed(&mut self, run: RunId, now: Timestamp) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if entry.state.is_some() {
            return;
        }
        entry.loading = false;
        let (callers, own): (Vec<_>, Vec<_>) = std::mem::take(&mut entry.inbox)
            .into_iter()
            .partition(|queued| queued.reply.is_some() && !is_resume(queued));
        entry.inbox.extend(own);
        let is_needed = entry.is_owned() || entry.wants_ownership || !entry.inbox.is_empty();
        for queued in callers {
            self.refuse(queued.reply, Refusal::Retry);
        }
        if is_needed {
            self.reload_later(run, now);
        }
        if self.runs.get(&run).is_some_and(Run::is_idle) {
            self.runs.remove(&run);
        }
    }

    /// Events have come: a whole run, or what others have added.
    pub(super) fn loaded(&mut self, run: RunId, after: Seq, events: Vec<Recorded>, now: Timestamp) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        entry.loading &= after != Seq(0);
        match (&mut entry.state, after) {
            // Whether it includes the append in flight is not known; when that is over, the run is loaded again.
            (None, _) if entry.turn.is_some() => return,
            (None, Seq(0)) => {
                let last = events.last().map_or(Seq(0), |last| last.seq);
                let is_known = entry.is_owned() && events.is_empty();
                if is_known || entry.published.is_some_and(|known| last < known) {
                    // Loaded before an append that has been confirmed since.
                    return self.reload(run);
                }
                let state = match fold(run, &events) {
                    Ok(state) => state,
                    Err(Unfit::Nothing) => return self.no_run(run),
                    Err(Unfit::Damaged(reason)) => return self.unreadable(run, &reason),
                };
                entry.head = head_of(run, &events);
                let known = *entry.published.get_or_insert(state.seq());
                entry.state = Some(state);
                self.publish_after(run, known, &events);
            }
            (Some(state), after) if after == state.seq() && entry.turn.is_none() => {
                if let Err(reason) = extend(state, &events) {
                    return self.unreadable(run, &reason);
                }
                self.publish_after(run, after, &events);
            }
            // What was asked for has become pointless meanwhile: the next look at the heads asks again.
            _ => return,
        }
        self.after_load(run, &events, now);
    }

    /// Tells subscribers what has happened since they were last told of something.
    fn publish_after(&mut self, run: RunId, known: Seq, events: &[Recorded]) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let news: Vec<Recorded> = events.iter().filter(|r| r.seq > known).cloned().collect();
        if let (Some(last), Some(head)) = (news.last(), entry.head.clone()) {
            entry.published = Some(last.seq);
            self.outputs.push(Output::Publish { head, events: news.into() });
        }
    }

    fn after_load(&mut self, run: RunId, events: &[Recorded], now: Timestamp) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if let Some(state) = &mut entry.state {
            state.advance(now.max(state.at()));
        }
        let resumed = last_epoch(events);
        entry.begun |= entry.is_owned() && resumed == entry.epoch;
        if resumed > entry.epoch && entry.is_owned() {
            self.lose_ownership(run);
        }
        self.reconcile_all_attempts(run);
        self.reconcile(run);
        self.dirty.insert(run);
    }

    /// Nothing can be done with a run whose events cannot be read: the callers who wait are told, and it is given up.
    pub(super) fn unreadable(&mut self, run: RunId, reason: &str) {
        tracing::error!(%run, reason, "a run cannot be read");
        self.leave(run, Left::Unreadable(reason.to_owned()));
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let queued = std::mem::take(&mut entry.inbox).into_iter().filter_map(|queued| queued.reply);
        let waiting: Vec<ReplyId> = queued
            .chain(entry.resuming.take())
            .chain(std::mem::take(&mut entry.statuses))
            .collect();
        let stop: Vec<Fence> =
            entry.running.keys().copied().filter(|fence| !entry.stopping.contains(fence)).collect();
        entry.stopping.extend(stop.iter().copied());
        entry.state = None;
        for fence in stop {
            self.outputs.push(Output::Stop { run, fence, grace_ms: 0 });
        }
        for reply in waiting {
            self.refuse(Some(reply), Refusal::Unreadable { run, reason: reason.to_owned() });
        }
        if self.runs.get(&run).is_some_and(Run::is_idle) {
            self.runs.remove(&run);
        }
    }

    fn no_run(&mut self, run: RunId) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        // A submission whose append failed has no events yet: it is decided again.
        if entry.inbox.iter().any(|queued| matches!(queued.work, Work::Submit(_))) {
            self.dirty.insert(run);
            return;
        }
        let is_acquiring = entry.acquiring;
        for queued in std::mem::take(&mut entry.inbox) {
            self.refuse(queued.reply, Refusal::NoRun { run });
        }
        if is_acquiring {
            // An append of unknown outcome may have landed since the load; the acquisition tells.
            return;
        }
        self.runs.remove(&run);
    }

    /// Others may have written: what is behind is caught up, at the latest when the append in flight is over.
    pub(super) fn heads(&mut self, heads: Vec<(RunId, Seq)>) {
        for (run, seq) in heads {
            let Some(entry) = self.runs.get_mut(&run) else { continue };
            entry.behind = entry.behind.max(seq);
            self.catch_up(run);
        }
    }

    /// Loads what others are known to have written, unless an append is in flight that would learn of it.
    pub(super) fn catch_up(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        if let Some(state) = &entry.state
            && state.seq() < entry.behind
            && entry.turn.is_none()
        {
            self.outputs.push(Output::Load { run, after: state.seq() });
        }
    }

    pub(super) fn reaped(&mut self, run: RunId, fences: Vec<Fence>) {
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.reaping.retain(|fence| !fences.contains(fence));
        }
        self.enqueue(run, Work::Dead(fences));
    }

    pub(super) fn reap_failed(&mut self, run: RunId, now: Timestamp) {
        let at = self.next_try(run, now);
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.reaping.clear();
            entry.retry_at = at;
        }
    }
}

/// Returns the epoch of the last owner that resumed the run in these events.
pub(super) fn last_epoch(events: &[Recorded]) -> Option<Epoch> {
    events.iter().rev().find_map(|recorded| {
        if let Event::RunResumed { epoch } = recorded.event { Some(epoch) } else { None }
    })
}

fn is_resume(queued: &Queued) -> bool {
    matches!(queued.work, Work::Resume(_))
}

/// Puts what was decided in vain back in front of what has come since.
fn requeue(entry: &mut Run, decided: Vec<Queued>) {
    for queued in decided.into_iter().rev() {
        entry.inbox.push_front(queued);
    }
}

/// Why events are no run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There are none.
    Nothing,
    /// They do not fit together.
    Damaged(String),
}

/// Folds a whole run.
pub(crate) fn fold(run: RunId, events: &[Recorded]) -> Result<State, Unfit> {
    let (first, rest) = events.split_first().ok_or(Unfit::Nothing)?;
    let state = submit(run, first.event.clone(), first.at);
    let mut state =
        state.ok_or_else(|| Unfit::Damaged(format!("it begins with {}", first.event.name())))?;
    extend(&mut state, rest).map_err(Unfit::Damaged)?;
    Ok(state)
}

/// Folds further events into a state.
fn extend(state: &mut State, events: &[Recorded]) -> Result<(), String> {
    for recorded in events {
        state.fits(recorded)?;
        state.apply(recorded.seq, recorded.at, &recorded.event);
    }
    Ok(())
}

fn head_of(run: RunId, events: &[Recorded]) -> Option<std::sync::Arc<RunHead>> {
    let first = events.first()?;
    let Event::RunSubmitted { task, settings, .. } = &first.event else { return None };
    // The request key is only needed for the first append, which has been made.
    Some(std::sync::Arc::new(RunHead::new(run, settings.project.clone(), task, first.at)))
}
