//! The threaded form: a part is asked on threads that it may block, with a time limit.
//!
//! A question is a future. Each of its polls runs on a thread of tokio's blocking pool; between polls the question holds no
//! thread. So a part that waits costs nothing, and one that blocks costs a thread.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use orch_core::{Cause, Failure};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep_until, timeout_at};

use super::inline::panic_message;
use crate::shell::monotonic;

/// How many threads a part may cost. A part that did not give back so many of them in time is not asked any more.
const MAX_LOST_THREADS: u32 = 4;
/// How long a thread must be blocked at least to count as lost.
const MIN_BLOCKED: Duration = Duration::from_secs(1);
/// The most threads that a part occupies at once.
const MAX_THREADS: usize = 16;

/// Why a part has no answer; reads on after the part's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("panicked: {0}")]
    Panicked(String),
    #[error("did not answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("is not asked any more: it has blocked {MAX_LOST_THREADS} threads for too long")]
    NotAsked,
    #[error("was not asked: the runtime is shutting down")]
    ShuttingDown,
}

/// The guard of one part. Clones share its threads.
#[derive(Clone)]
pub(crate) struct Guard {
    who: &'static str,
    /// Closed when the part is not asked any more.
    threads: Arc<Semaphore>,
    lost: Arc<AtomicU32>,
}

type Question<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What came of a poll.
enum Polled<T> {
    Answered(T),
    Pending(Question<T>),
    Panicked(String),
}

impl Guard {
    /// Makes the guard of a part. `who` names it in messages, for example "router".
    pub(crate) fn new(who: &'static str) -> Self {
        Self { who, threads: Arc::new(Semaphore::new(MAX_THREADS)), lost: Arc::default() }
    }

    /// Asks the part. The time limit begins when a thread is free for the question. When the caller is dropped, the question is
    /// dropped too, as soon as its thread is back.
    pub(crate) async fn ask<T, F>(
        &self,
        limit: Duration,
        question: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T, NoAnswer>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (mut send, receive) = oneshot::channel();
        let (guard, question) = (self.clone(), Box::pin(async move { question().await }));
        // In a task of its own: a thread counts as lost by the time limit, whether the caller waits so long or not.
        tokio::spawn(async move {
            let answer = guard.drive(limit, question, &mut send).await;
            // When nobody waits any more, nobody misses the answer.
            if let Some(answer) = answer {
                let _ = send.send(answer);
            }
        });
        receive.await.unwrap_or(Err(NoAnswer::ShuttingDown))
    }

    /// Returns the failure of a question that this part did not answer.
    pub(crate) fn failure(&self, why: &NoAnswer) -> Failure {
        Failure::new(Cause::Policy, format!("the {} {why}", self.who))
    }

    /// Polls a question until it is answered; `None` when the caller does not wait any more.
    async fn drive<T: Send + 'static>(
        &self,
        limit: Duration,
        mut question: Question<T>,
        caller: &mut oneshot::Sender<Result<T, NoAnswer>>,
    ) -> Option<Result<T, NoAnswer>> {
        let woken = Arc::new(Woken(Notify::new()));
        let mut until = None;
        loop {
            let permit = tokio::select! {
                permit = self.threads.clone().acquire_owned() => permit,
                () = caller.closed() => return None,
            };
            let Ok(permit) = permit else { return Some(Err(NoAnswer::NotAsked)) };
            let deadline = *until.get_or_insert_with(|| monotonic() + limit);
            let waker = Waker::from(woken.clone());
            let mut polled = spawn_blocking(move || poll(question, &waker, permit));
            question = match timeout_at(deadline, &mut polled).await {
                Ok(Ok(Polled::Answered(answer))) => return Some(Ok(answer)),
                Ok(Ok(Polled::Panicked(message))) => {
                    return Some(Err(NoAnswer::Panicked(message)));
                }
                Ok(Ok(Polled::Pending(question))) => question,
                Ok(Err(_)) => return Some(Err(NoAnswer::ShuttingDown)),
                Err(_) => {
                    self.watch(limit, polled);
                    return Some(Err(NoAnswer::TimedOut(limit)));
                }
            };
            tokio::select! {
                () = woken.0.notified() => {}
                () = sleep_until(deadline) => return Some(Err(NoAnswer::TimedOut(limit))),
                () = caller.closed() => return None,
            }
        }
    }

    /// Counts the thread as lost. A question that had little time says little of the part: its thread has a second more.
    fn watch<T: Send + 'static>(&self, limit: Duration, polled: JoinHandle<Polled<T>>) {
        if limit >= MIN_BLOCKED {
            return self.lose_thread();
        }
        let guard = self.clone();
        tokio::spawn(async move {
            if timeout_at(monotonic() + MIN_BLOCKED, polled).await.is_err() {
                guard.lose_thread();
            }
        });
    }

    fn lose_thread(&self) {
        let lost = self.lost.fetch_add(1, Ordering::SeqCst) + 1;
        let who = self.who;
        tracing::warn!(
            "the {who} blocks a thread for too long, which is given up ({lost} of {MAX_LOST_THREADS})"
        );
        if lost == MAX_LOST_THREADS {
            tracing::error!("the {who} is not asked any more until this process starts anew");
            self.threads.close();
        }
    }
}

/// Polls once, on a thread that may be blocked. A thread that is given up keeps its permit until it returns.
fn poll<T>(mut question: Question<T>, waker: &Waker, _permit: OwnedSemaphorePermit) -> Polled<T> {
    let mut context = Context::from_waker(waker);
    match catch_unwind(AssertUnwindSafe(|| question.as_mut().poll(&mut context))) {
        Ok(Poll::Ready(answer)) => Polled::Answered(answer),
        Ok(Poll::Pending) => Polled::Pending(question),
        Err(panic) => Polled::Panicked(panic_message(&*panic).to_owned()),
    }
}

/// Keeps a wake-up that comes while the question is being polled.
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_that_had_little_time_shut_no_part_off() {
        let guard = Guard::new("memory");
        for _ in 0..MAX_LOST_THREADS {
            let (release, blocked) = std::sync::mpsc::channel::<()>();
            let question = move || async move { blocked.recv().unwrap_or_default() };
            let answer = guard.ask(Duration::from_millis(1), question).await;
            assert!(matches!(answer, Err(NoAnswer::TimedOut(_))), "its thread is blocked");
            drop(release);
        }
        let answer = guard.ask(Duration::from_secs(60), || async { 7 }).await;
        assert!(matches!(answer, Ok(7)));
    }
}
