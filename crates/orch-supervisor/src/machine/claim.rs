//! Claims and heartbeats of pull workers.

use jiff::Timestamp;
use orch_core::{AttemptClosedReason, Event, Fence, LockName, SubtaskIndex, Token, WorkerName};

use super::attempt::{Attempt, AttemptKind};
use super::command::{Answer, Claim, Claimed, Decided, Refusal};
use super::node::SubtaskState;
use super::state::{State, after, millis_between};

pub(super) fn decide(state: &State, claim: Claim, now: Timestamp) -> Result<Decided, Refusal> {
    if let Some(fence) = claim.request_key.as_ref().and_then(|key| state.claims.get(key)) {
        return again(state, *fence);
    }
    if state.is_ended() {
        return Err(Refusal::Ended { run: state.run });
    }
    if !state.is_active() {
        return Err(Refusal::NotActive { phase: state.phase() });
    }
    let held = held(state, &claim.worker, now);
    if held >= claim.slots {
        return Err(Refusal::NoSlot { worker: claim.worker, held, slots: claim.slots });
    }
    let Some(subtask) = pick(state, &claim, now)? else {
        return Ok(Decided::answered(Vec::new(), Answer::Claim(None)));
    };
    let id = || state.node(subtask).spec.id.clone();
    if let Some(why) = excludes(state, subtask, &claim.worker) {
        return Err(Refusal::NotAdmitted { worker: claim.worker, subtask: id(), why });
    }
    if let Some(lock) = foreign_lock(state, subtask, &claim) {
        return Err(Refusal::Blocked { subtask: id(), why: super::Blocked::Lock(lock) });
    }
    let limit = state.limit();
    let freed = lapsed(state, subtask);
    let in_flight = state.in_flight - u32::try_from(freed.len()).unwrap_or(0);
    if in_flight >= limit {
        let why = super::Blocked::Full { in_flight, limit };
        return Err(Refusal::Blocked { subtask: id(), why });
    }
    let reserved = state
        .may_replace(subtask, &freed)
        .map_err(|why| Refusal::Blocked { subtask: id(), why })?;
    let (fence, token) = if let SubtaskState::Offered { fence } = &state.node(subtask).state {
        (*fence, state.attempt(*fence).map_or(claim.token, |a| a.token))
    } else {
        (state.next_fence(), claim.token)
    };
    let lease = after(now, state.settings.lease_ms);
    let lease_until =
        state.node(subtask).spec.deadline.map_or(lease, |deadline| deadline.min(lease));
    let mut events: Vec<Event> = freed
        .into_iter()
        .map(|old| Event::AttemptClosed {
            subtask,
            fence: old,
            reason: AttemptClosedReason::Superseded,
        })
        .collect();
    events.push(Event::AttemptStarted {
        subtask,
        fence,
        token,
        worker: claim.worker,
        claimed: true,
        until: lease_until,
        reserved_micro_usd: reserved,
        request_key: claim.request_key,
        route: None,
    });
    Ok(Decided::answered(
        events,
        Answer::Claim(Some(Claimed { subtask, fence, token, lease_until })),
    ))
}

/// The same request gets the same attempt, as long as that is open.
fn again(state: &State, fence: Fence) -> Result<Decided, Refusal> {
    let attempt = state.attempt(fence).ok_or(Refusal::NotOpen { fence })?;
    let Attempt { subtask, token, until, .. } = attempt;
    let claimed = Claimed { subtask: *subtask, fence, token: *token, lease_until: *until };
    Ok(Decided::answered(Vec::new(), Answer::Claim(Some(claimed))))
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
fn pick(state: &State, claim: &Claim, now: Timestamp) -> Result<Option<SubtaskIndex>, Refusal> {
    if let Some(id) = &claim.subtask {
        let index = state.index_of(id).ok_or_else(|| state.no_subtask(id.as_str()))?;
        if !state.is_claimable(index, now) {
            return Err(Refusal::NotReady { subtask: id.clone(), status: state.status_of(index) });
        }
        return Ok(Some(index));
    }
    let for_worker = |fence: &Fence| {
        let attempt = state.attempt(*fence)?;
        let fits = attempt.kind != AttemptKind::Managed && attempt.worker == claim.worker;
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

fn lapsed(state: &State, subtask: SubtaskIndex) -> Vec<Fence> {
    state.node(subtask).state.running().to_vec()
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
