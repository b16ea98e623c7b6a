//! Claims and heartbeats of pull workers.

use std::borrow::Cow;

use jiff::Timestamp;
use orch_core::{AttemptClosedReason, Event, Fence, LockName, SubtaskIndex, Token, WorkerName};

use super::attempt::{Attempt, AttemptKind};
use super::command::{Answer, Claim, Claimed, Decided, Refusal, Want};
use super::node::SubtaskState;
use super::start::Blocked;
use super::state::{State, after, millis_between};

/// What is wanted is decided one after the other, so that each want sees what those before it got. What cannot be had is left
/// out; a claim that gets nothing is refused with the first reason, if there is one.
pub(super) fn decide(state: &State, claim: Claim, now: Timestamp) -> Result<Decided, Refusal> {
    if let Some(fences) = claim.request_key.as_ref().and_then(|key| state.claims.get(key)) {
        return again(state, fences);
    }
    let mut ahead = Cow::Borrowed(state);
    let (mut events, mut claimed, mut refusal) = (Vec::new(), Vec::new(), None);
    let mut folded = 0;
    for want in &claim.wants {
        // Copied only once something was got and more is wanted.
        for event in &events[folded..] {
            let seq = ahead.seq.next();
            ahead.to_mut().apply(seq, now, event);
        }
        folded = events.len();
        match one(&ahead, &claim, want, now) {
            Ok(Some((new, got))) => {
                events.extend(new);
                claimed.push(got);
            }
            Ok(None) => {}
            Err(why) => {
                refusal.get_or_insert(why);
            }
        }
    }
    match refusal {
        Some(refusal) if claimed.is_empty() => Err(refusal),
        Some(_) | None => Ok(Decided::answered(events, Answer::Claim(claimed))),
    }
}

/// Gives one subtask to one worker.
fn one(
    state: &State,
    claim: &Claim,
    want: &Want,
    now: Timestamp,
) -> Result<Option<(Vec<Event>, Claimed)>, Refusal> {
    if state.is_ended() {
        return Err(Refusal::Ended { run: state.run });
    }
    if !state.is_active() {
        return Err(Refusal::NotActive { phase: state.phase() });
    }
    let held = held(state, &want.worker, now);
    if held >= want.slots {
        return Err(Refusal::NoSlot { worker: want.worker.clone(), held, slots: want.slots });
    }
    let Some(subtask) = pick(state, claim, want, now)? else { return Ok(None) };
    let freed = state.node(subtask).state.running();
    let reserved = admit(state, subtask, claim, want, freed)?;
    let spec = state.node(subtask).spec.clone();
    let (fence, token) = if let SubtaskState::Offered { fence } = &state.node(subtask).state {
        (*fence, state.attempt(*fence).map_or(want.token, |a| a.token))
    } else {
        (state.next_fence(), want.token)
    };
    let lease = after(now, state.settings.lease_ms);
    let lease_until = spec.deadline.map_or(lease, |deadline| deadline.min(lease));
    let mut events: Vec<Event> = freed
        .iter()
        .map(|old| Event::AttemptClosed {
            subtask,
            fence: *old,
            reason: AttemptClosedReason::Superseded,
        })
        .collect();
    events.push(Event::AttemptStarted {
        subtask,
        fence,
        token,
        worker: want.worker.clone(),
        card: want.card,
        claimed: true,
        until: lease_until,
        reserved_micro_usd: reserved,
        request_key: claim.request_key.clone(),
        route: None,
    });
    let worker = want.worker.clone();
    Ok(Some((events, Claimed { subtask: spec, worker, fence, token, lease_until })))
}

/// Returns what to set aside for an attempt that takes the place of those in `freed`, if it may be made.
fn admit(
    state: &State,
    subtask: SubtaskIndex,
    claim: &Claim,
    want: &Want,
    freed: &[Fence],
) -> Result<Option<u64>, Refusal> {
    let id = || state.node(subtask).spec.id.clone();
    let blocked = |why| Refusal::Blocked { subtask: id(), why };
    if let Some(why) = excludes(state, subtask, &want.worker) {
        return Err(Refusal::NotAdmitted { worker: want.worker.clone(), subtask: id(), why });
    }
    if let Some(lock) = foreign_lock(state, subtask, claim) {
        return Err(blocked(Blocked::Lock(lock)));
    }
    let limit = state.limit();
    let in_flight = state.in_flight - u32::try_from(freed.len()).unwrap_or(0);
    if in_flight >= limit {
        return Err(blocked(Blocked::Full { in_flight, limit }));
    }
    state.may_replace(subtask, freed).map_err(blocked)
}

/// The same request gets the same attempts, as long as they are open.
fn again(state: &State, fences: &[Fence]) -> Result<Decided, Refusal> {
    let open = fences.iter().filter_map(|fence| {
        let Attempt { subtask, token, worker, until, .. } = state.attempt(*fence)?;
        Some(Claimed {
            subtask: state.node(*subtask).spec.clone(),
            worker: worker.clone(),
            fence: *fence,
            token: *token,
            lease_until: *until,
        })
    });
    let open: Vec<Claimed> = open.collect();
    match (open.is_empty(), fences.first()) {
        (true, Some(first)) => Err(Refusal::NotOpen { fence: *first }),
        (true, None) | (false, _) => Ok(Decided::answered(Vec::new(), Answer::Claim(open))),
    }
}

/// Attempts with a live lease that the worker holds.
fn held(state: &State, worker: &WorkerName, now: Timestamp) -> u32 {
    let holds = |fence: &Fence| {
        state.attempt(*fence).is_some_and(|a| {
            a.kind == AttemptKind::Claimed && a.worker == *worker && a.until >= now
        })
    };
    u32::try_from(state.open.iter().filter(|fence| holds(fence)).count()).unwrap_or(u32::MAX)
}

/// Picks the subtask: the one that is asked for, or the first that is offered to the worker or has lapsed.
fn pick(
    state: &State,
    claim: &Claim,
    want: &Want,
    now: Timestamp,
) -> Result<Option<SubtaskIndex>, Refusal> {
    if let Some(id) = &want.subtask {
        let index = state.index_of(id).ok_or_else(|| state.no_subtask(id.as_str()))?;
        if !state.is_claimable(index, now) {
            return Err(Refusal::NotReady { subtask: id.clone(), status: state.status_of(index) });
        }
        return Ok(Some(index));
    }
    let for_worker = |fence: &Fence| {
        let attempt = state.attempt(*fence)?;
        let fits = attempt.kind != AttemptKind::Managed && attempt.worker == want.worker;
        let fits = fits && foreign_lock(state, attempt.subtask, claim).is_none();
        (fits && state.is_claimable(attempt.subtask, now))
            .then(|| (state.key(attempt.subtask), attempt.subtask))
    };
    Ok(state.open.iter().filter_map(for_worker).min().map(|(_, index)| index))
}

/// Says which constraint of the subtask does not admit the worker, if one does not.
fn excludes(state: &State, subtask: SubtaskIndex, worker: &WorkerName) -> Option<&'static str> {
    let class = state.class(state.node(subtask).class);
    if let Some(constraints) = &class.constraints {
        if constraints.exclude_workers.contains(worker) {
            return Some("it is excluded");
        }
        if constraints.require_worker.as_ref().is_some_and(|required| required != worker) {
            return Some("another worker is required");
        }
    }
    let group = class.group.as_ref()?;
    let others = state.workers_of_group_but(group, subtask);
    others.contains(worker).then_some("it does another member of the group")
}

/// Returns a lock that the subtask needs and another run holds.
fn foreign_lock(state: &State, subtask: SubtaskIndex, claim: &Claim) -> Option<LockName> {
    state.node(subtask).spec.locks.iter().find(|lock| claim.foreign_locks.contains(lock)).cloned()
}

/// Extends a lease; written down only when less than half of it is left.
pub(super) fn heartbeat(
    state: &State,
    fence: Fence,
    token: Token,
    now: Timestamp,
) -> Result<Decided, Refusal> {
    let attempt =
        state.attempt(fence).filter(|a| a.token == token && a.kind == AttemptKind::Claimed);
    let attempt = attempt.ok_or(Refusal::NotOpen { fence })?;
    if millis_between(now, attempt.until) >= state.settings.lease_ms / 2 {
        return Ok(Decided::answered(Vec::new(), Answer::Lease(attempt.until)));
    }
    let until = after(now, state.settings.lease_ms);
    Ok(Decided::answered(vec![Event::LeaseExtended { fence, until }], Answer::Lease(until)))
}

/// Gives everything that was live at the last event a fresh interval: claims their lease, offers and attempts their time.
pub(super) fn extend_leases(state: &State, now: Timestamp) -> Decided {
    let fresh = |fence: &Fence| {
        let attempt = state.attempt(*fence).filter(|attempt| attempt.until > state.at)?;
        let interval = match attempt.kind {
            AttemptKind::Claimed => state.settings.lease_ms,
            AttemptKind::Offered => state.settings.offer_timeout_ms,
            AttemptKind::Managed => millis_between(attempt.since, attempt.until),
        };
        let until = after(now, interval);
        (attempt.until < until).then_some(Event::LeaseExtended { fence: *fence, until })
    };
    Decided::events(state.open.iter().filter_map(fresh).collect())
}
