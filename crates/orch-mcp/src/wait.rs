//! Waiting for a run: until its end, or until the caller has something to do, with progress on the way.

use std::pin::pin;
use std::time::Duration;

use orch_core::journal::{RunRow, RunSummary};
use orch_core::{Counts, RunId, RunPhase, RunStatus};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::call_context::{CallContext, Progress, ProgressSink};
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::has_work;
use crate::mode::Mode;

/// How long a call waits at most: clients give up after 60 s without a word, some sooner.
const MAX_WAIT: Duration = Duration::from_secs(25);
/// The same for a client that hears of progress meanwhile.
const MAX_WAIT_WITH_PROGRESS: Duration = Duration::from_secs(100);
/// How long there is between two notifications at least.
const TICK_INTERVAL: Duration = Duration::from_millis(250);
/// After how many ticks without news there is a notification all the same, so that the client goes on waiting.
const MAX_QUIET_TICKS: u32 = 40;
/// How often a waiting call sees to it that the run still has an owner that lives.
const OWNER_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How much of the way to the next finished subtask a notification goes while none has finished: the protocol wants every
/// one to be further than the last.
const PROGRESS_EPSILON: f64 = 0.01;

/// Waits until a run is over, suspended, or has something for the caller; at most `seconds`, and no longer than a call may.
pub(crate) async fn wait(
    desk: &Desk,
    run: RunId,
    call: CallContext,
    seconds: u64,
) -> Result<RunStatus, ToolError> {
    let CallContext { sink, gone, .. } = call;
    let longest = if sink.is_wanted() { MAX_WAIT_WITH_PROGRESS } else { MAX_WAIT };
    tokio::select! {
        biased;
        result = until_it_matters(desk, run, &sink) => result?,
        () = sleep(Duration::from_secs(seconds).min(longest)) => {}
        () = gone => {}
    }
    desk.settled(run).await
}

async fn until_it_matters(desk: &Desk, run: RunId, sink: &ProgressSink) -> Result<(), ToolError> {
    let mode = desk.mode(run).await?;
    let mut state = ProgressState::default();
    let mut ticks = interval(TICK_INTERVAL);
    let mut looks = interval(OWNER_CHECK_INTERVAL);
    for interval in [&mut ticks, &mut looks] {
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        let row = desk.row(run).await?;
        if matters(desk, &row, mode).await? {
            if let Some(last) = state.news(&row.summary) {
                sink.send(last).await;
            }
            return Ok(());
        }
        let mut changed = pin!(desk.supervisor.changed(run, row.seq));
        loop {
            tokio::select! {
                changed = &mut changed => {
                    changed?;
                    break;
                }
                // The process that carries it out may have died since the call began.
                _ = looks.tick() => desk.carry_on(&row).await?,
                _ = ticks.tick(), if sink.is_wanted() => {
                    if let Some(progress) = state.tick(&row.summary) {
                        sink.send(progress).await;
                    }
                }
            }
        }
    }
}

/// Tells whether the caller can do something about how a run stands.
async fn matters(desk: &Desk, row: &RunRow, mode: Mode) -> Result<bool, ToolError> {
    Ok(match row.summary.phase {
        RunPhase::Ended | RunPhase::Suspended => true,
        RunPhase::Submitted | RunPhase::Planning | RunPhase::Cancelling | RunPhase::Aggregating => {
            false
        }
        RunPhase::Active => match mode {
            Mode::Managed => false,
            Mode::External | Mode::Mixed => {
                has_work(desk, &desk.supervisor.status(row.head.run).await?)
            }
        },
    })
}

/// What the client was told last.
#[derive(Debug, Default)]
struct ProgressState {
    last: Option<(RunPhase, Counts)>,
    done: f64,
    quiet: u32,
}

impl ProgressState {
    /// Says what a tick is used for: news, or a sign of life.
    fn tick(&mut self, summary: &RunSummary) -> Option<Progress> {
        self.quiet += 1;
        let is_due = self.quiet >= MAX_QUIET_TICKS;
        self.news(summary).or_else(|| is_due.then(|| self.say(summary)).flatten())
    }

    fn news(&mut self, summary: &RunSummary) -> Option<Progress> {
        if self.last == Some((summary.phase, summary.counts)) { None } else { self.say(summary) }
    }

    /// Finished subtasks, and a little more for what else there is to say; nothing once all are finished and it was said.
    fn say(&mut self, summary: &RunSummary) -> Option<Progress> {
        let (counts, is_first) = (summary.counts, self.last.is_none());
        (self.last, self.quiet) = (Some((summary.phase, counts)), 0);
        let finished = f64::from(counts.finished());
        if is_first || finished > self.done {
            self.done = finished;
        } else if counts.finished() < counts.total || counts.total == 0 {
            self.done += PROGRESS_EPSILON * (finished + 1.0 - self.done);
        } else {
            return None;
        }
        let total = (counts.total > 0).then(|| f64::from(counts.total));
        Some(Progress { done: self.done, total, message: message(summary) })
    }
}

/// Says how a run stands in a line.
pub(crate) fn message(summary: &RunSummary) -> String {
    let counts = summary.counts;
    let mut text = format!("{}: {} of {} done", summary.phase, counts.done, counts.total);
    for (count, word) in [(counts.running, "running"), (counts.failed, "failed")] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(done: u32, running: u32) -> RunSummary {
        let mut counts = Counts::default();
        (counts.total, counts.done, counts.running) = (9, done, running);
        RunSummary::new(RunPhase::Active, None, counts)
    }

    #[test]
    fn progress_comes_with_news_or_as_a_sign_of_life() {
        let mut state = ProgressState::default();
        let first = state.tick(&summary(0, 1)).unwrap();
        assert_eq!((first.done, first.total), (0.0, Some(9.0)));
        assert_eq!(first.message, "active: 0 of 9 done, 1 running");
        let quiet = (1..MAX_QUIET_TICKS).filter_map(|_| state.tick(&summary(0, 1))).count();
        assert_eq!(quiet, 0);
        assert_eq!(state.tick(&summary(0, 1)).unwrap().done, PROGRESS_EPSILON, "a sign of life");
        let mut done = |finished, running| state.tick(&summary(finished, running)).map(|p| p.done);
        assert!(done(0, 2).unwrap() > PROGRESS_EPSILON);
        assert_eq!(done(1, 2), Some(1.0));
        assert_eq!(done(1, 2), None);
        assert_eq!(done(9, 0), Some(9.0));
        assert_eq!(state.news(&RunSummary::new(RunPhase::Ended, None, summary(9, 0).counts)), None);
        let planning = RunSummary::new(RunPhase::Planning, None, Counts::default());
        assert_eq!(ProgressState::default().tick(&planning).unwrap().total, None);
    }

    proptest::proptest! {
        #[test]
        fn progress_grows_with_every_notification_up_to_the_total(
            steps in proptest::collection::vec((0_u32..3, 0_u32..3), 1..500)
        ) {
            let (mut state, mut finished, mut before) = (ProgressState::default(), 0, -1.0);
            for (more, running) in steps {
                finished = (finished + more).min(9);
                if let Some(progress) = state.tick(&summary(finished, running)) {
                    proptest::prop_assert!(progress.done > before, "{before} {progress:?}");
                    proptest::prop_assert!(progress.done < f64::from(finished) + 1.0);
                    proptest::prop_assert!(progress.done <= 9.0);
                    before = progress.done;
                }
            }
        }
    }
}
