//! Laws about what is in the journal, checked when an append is carried out.

use std::collections::BTreeMap;

use orch_core::journal::Recorded;
use orch_core::{
    CancelReason, Cause, EndStatus, Event, ExecutionStrategy, Fence, LockName, RequestKey,
    ResultSource, RunId, SubtaskIndex,
};

use super::book::{Book, Kind};
use super::violation::{Check, Law, ensure};

/// Checks an event against what was committed before it.
pub(super) fn check(books: &BTreeMap<RunId, Book>, run: RunId, recorded: &Recorded) -> Check {
    let Some(book) = books.get(&run) else { return Ok(()) };
    nothing_follows_the_end(book, &recorded.event)?;
    match &recorded.event {
        Event::AttemptOffered { subtask, fence, .. } => {
            nothing_starts_after_cancel(book, *fence)?;
            dependencies_first(book, *subtask, *fence)?;
            sequential_never_overlaps(book, *fence)?;
            one_open_attempt(book, *subtask, *fence)
        }
        Event::AttemptStarted { subtask, fence, reserved_micro_usd, .. } => {
            nothing_starts_after_cancel(book, *fence)?;
            dependencies_first(book, *subtask, *fence)?;
            sequential_never_overlaps(book, *fence)?;
            one_open_attempt(book, *subtask, *fence)?;
            caps_are_kept(book, *fence)?;
            budgets_are_kept(book, *fence, *reserved_micro_usd)?;
            locks_are_kept(books, run, *subtask, *fence)
        }
        Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } => {
            one_acceptance(book, *subtask, *fence)
        }
        Event::ResultReceived { fence, .. } => ensure(
            book.attempts.get(fence).is_some_and(|entry| entry.open),
            Law::OneAcceptance,
            || format!("a result of attempt {fence} was received, which is not open"),
        ),
        Event::AttemptFailed { fence, failure, digest, .. } => {
            let unheard =
                digest.is_none() && matches!(failure.cause, Cause::LeaseLost | Cause::Unavailable);
            if unheard { lease_is_over(book, *fence, recorded) } else { Ok(()) }
        }
        Event::RunEnded { status, .. } => {
            ends_as_cancelled(book, *status)?;
            ends_are_true(book, *status)
        }
        Event::RunSubmitted { .. }
        | Event::PlanAdopted { .. }
        | Event::LeaseExtended { .. }
        | Event::AttemptLost { .. }
        | Event::AttemptClosed { .. }
        | Event::RetryScheduled { .. }
        | Event::SubtaskFailed { .. }
        | Event::SubtaskSkipped { .. }
        | Event::InterventionMade { .. }
        | Event::InterventionJudged { .. }
        | Event::ConcurrencyLimitChanged { .. }
        | Event::UsageNoted { .. }
        | Event::RunSuspended { .. }
        | Event::RunResumed { .. }
        | Event::CancelRequested { .. } => Ok(()),
    }
}

/// Checks an append: a request for work takes effect once, in one append.
pub(super) fn check_requests(book: Option<&Book>, events: &[Recorded]) -> Check {
    let key_of = |recorded: &Recorded| {
        let Event::AttemptStarted { request_key, .. } = &recorded.event else { return None };
        request_key.clone()
    };
    let known = |key: &RequestKey| book.is_some_and(|book| book.claims.contains_key(key));
    let again = events.iter().filter_map(key_of).find(known);
    ensure(again.is_none(), Law::RequestKeysAnswerTheSame, || {
        format!("request {again:?} gets work once more")
    })
}

fn nothing_follows_the_end(book: &Book, event: &Event) -> Check {
    ensure(book.ended.is_none(), Law::CancelIsFinal, || {
        format!("{} follows the end of the run", event.name())
    })
}

fn nothing_starts_after_cancel(book: &Book, fence: Fence) -> Check {
    ensure(book.cancelled.is_none(), Law::CancelIsFinal, || {
        format!("attempt {fence} begins though the run is cancelled")
    })
}

fn ends_as_cancelled(book: &Book, status: EndStatus) -> Check {
    let requested = book.cancelled == Some(CancelReason::Requested);
    ensure(!requested || status == EndStatus::Cancelled, Law::CancelIsFinal, || {
        format!("a cancelled run ends as {status}")
    })
}

fn ends_are_true(book: &Book, status: EndStatus) -> Check {
    let wanted = |place: &usize| book.subtasks[*place].required != Some(false);
    let mut places = (0..book.subtasks.len()).filter(wanted);
    let done = |place: usize| {
        u32::try_from(place).is_ok_and(|i| book.accepted.contains_key(&SubtaskIndex(i)))
    };
    let complete = !book.subtasks.is_empty() && places.all(done);
    ensure(complete || status != EndStatus::Completed, Law::EndsAreTrue, || {
        format!(
            "a run with {} of {} done ends as {status}",
            book.accepted.len(),
            book.subtasks.len()
        )
    })
}

fn dependencies_first(book: &Book, subtask: SubtaskIndex, fence: Fence) -> Check {
    let missing = book.dependencies[subtask.get()].iter().find(|(on, tolerated)| {
        !(book.accepted.contains_key(on) || (*tolerated && book.is_over(*on)))
    });
    ensure(missing.is_none(), Law::DependenciesFirst, || {
        format!("attempt {fence} of subtask {subtask} begins before {missing:?} is accepted")
    })
}

fn sequential_never_overlaps(book: &Book, fence: Fence) -> Check {
    let sequential = book.settings.strategy == ExecutionStrategy::Sequential;
    let other = book.open_attempts().find(|(open, _)| *open != fence);
    ensure(!sequential || other.is_none(), Law::SequentialNeverOverlaps, || {
        format!("attempt {fence} begins while {other:?} is open")
    })
}

/// Claims that lapsed are closed by the append that starts another, so at every event there is one.
fn one_open_attempt(book: &Book, subtask: SubtaskIndex, fence: Fence) -> Check {
    let other = book.open_attempts().find(|(open, e)| *open != fence && e.subtask == subtask);
    ensure(other.is_none(), Law::NoOverlap, || {
        format!("attempt {fence} of subtask {subtask} begins while {other:?} is open")
    })
}

fn caps_are_kept(book: &Book, fence: Fence) -> Check {
    let cap = match book.settings.strategy {
        ExecutionStrategy::Sequential => 1,
        ExecutionStrategy::Parallel => book.settings.max_parallel,
        ExecutionStrategy::Adaptive => book.concurrency_limit.min(book.settings.max_parallel),
    };
    let in_flight = book.in_flight();
    ensure(in_flight < cap as usize, Law::CapsAreKept, || {
        format!("attempt {fence} begins though {in_flight} are in flight and {cap} may be")
    })
}

fn budgets_are_kept(book: &Book, fence: Fence, reserved: Option<u64>) -> Check {
    let budget = &book.settings.budget;
    let tokens = book.money.tokens;
    ensure(budget.max_tokens.is_none_or(|most| tokens < most), Law::BudgetsAreKept, || {
        format!("attempt {fence} begins though {tokens} tokens are used")
    })?;
    let Some(most) = budget.max_cost_micro_usd else { return Ok(()) };
    let most = most.saturating_sub(budget.aggregation_reserve_micro_usd);
    let in_flight = || book.open_attempts().filter(|(_, e)| e.kind != Kind::Offered);
    let set_aside: u64 = in_flight().filter_map(|(_, entry)| entry.reserved).sum();
    let spent = book.money.spent + set_aside;
    let unpriced = in_flight().filter(|(_, entry)| entry.reserved.is_none()).count();
    let covered = match reserved {
        Some(cost) => spent + cost <= most,
        None => spent < most && unpriced == 0,
    };
    ensure(covered, Law::BudgetsAreKept, || {
        format!(
            "attempt {fence} begins with {reserved:?} set aside though {spent} of {most} are gone and {unpriced} of unknown cost run"
        )
    })
}

fn locks_are_kept(
    books: &BTreeMap<RunId, Book>,
    run: RunId,
    subtask: SubtaskIndex,
    fence: Fence,
) -> Check {
    let wanted = &books[&run].subtasks[subtask.get()].locks;
    for (other_run, book) in books {
        for (other, entry) in book.open_attempts() {
            let same = *other_run == run && other == fence;
            if same || entry.kind == Kind::Offered {
                continue;
            }
            let held = &book.subtasks[entry.subtask.get()].locks;
            let both: Option<&LockName> = wanted.iter().find(|lock| held.contains(lock));
            ensure(both.is_none(), Law::LocksAreKept, || {
                format!(
                    "attempt {fence} takes {both:?}, which attempt {other} of run {other_run} holds"
                )
            })?;
        }
    }
    Ok(())
}

fn one_acceptance(book: &Book, subtask: SubtaskIndex, fence: Fence) -> Check {
    let first = book.accepted.get(&subtask);
    ensure(first.is_none(), Law::OneAcceptance, || {
        format!("subtask {subtask} is accepted of attempt {first:?} and of {fence}")
    })?;
    ensure(!book.failed.contains(&subtask), Law::OneAcceptance, || {
        format!("subtask {subtask} is accepted after it had failed")
    })?;
    ensure(book.received.contains_key(&fence), Law::OneAcceptance, || {
        format!("attempt {fence} is accepted without a result")
    })
}

fn lease_is_over(book: &Book, fence: Fence, recorded: &Recorded) -> Check {
    let Some(entry) = book.attempts.get(&fence) else { return Ok(()) };
    ensure(
        entry.kind == Kind::Managed || entry.until <= recorded.at,
        Law::LeasesOutliveSilence,
        || format!("attempt {fence} is given up at {} before {}", recorded.at, entry.until),
    )
}
