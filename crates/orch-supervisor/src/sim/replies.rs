//! Who asked, and what they are told: answers must be true, the same for the same request, and come once.

use orch_core::{Digest, RequestKey, RunId, RunPhase, Seq};

use super::clients::{Request, Wish};
use super::processes::Address;
use super::violation::{Check, Law, ensure};
use super::world::{Happening, World, short};
use crate::driver::{ReplyId, Response};
use crate::machine::{Answer, Claimed, Refusal, ReportAnswer};

/// What somebody waits for.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Submit {
        number: usize,
        run: RunId,
    },
    Resume {
        run: RunId,
    },
    Suspend {
        run: RunId,
    },
    Cancel {
        run: RunId,
    },
    /// How a run stands when it has settled, by then at the latest.
    Settled {
        run: RunId,
        until: u64,
    },
    Request(Box<Request>),
}

impl World {
    /// Notes that somebody waits for an answer of a process.
    pub(super) fn expect(&mut self, address: Address, asked: Asked) -> ReplyId {
        let process = &mut self.processes[address.process];
        process.next_reply += 1;
        process.asked.insert(process.next_reply, asked);
        process.next_reply
    }

    /// The process died before it answered: the caller may ask again.
    pub(super) fn never_heard(&mut self, asked: Asked) {
        match asked {
            Asked::Submit { number, .. } => self.soon(100, Happening::Submit(number)),
            Asked::Request(request) => self.ask_again(*request),
            Asked::Cancel { run } => self.cancelled_in_vain(run),
            Asked::Resume { .. } | Asked::Suspend { .. } | Asked::Settled { .. } => {}
        }
    }

    pub(super) fn answered(
        &mut self,
        from: Address,
        reply: ReplyId,
        answer: Result<Response, Refusal>,
    ) -> Check {
        let Some(asked) = self.processes[from.process].asked.remove(&reply) else {
            return Self::violated(
                Law::EverybodyIsAnswered,
                format!("{from} answers {answer:?} to nobody"),
            );
        };
        self.counters.count(if answer.is_ok() { "answers" } else { "refusals" });
        self.note(|| format!("{from} answers {} {answer:?}", brief(&asked)));
        match asked {
            Asked::Submit { number, run } => self.submitted(from, number, run, answer),
            Asked::Resume { .. } => Ok(()),
            Asked::Suspend { run } => self.suspended(run, &answer),
            Asked::Cancel { run } => self.cancel_answered(run, &answer),
            Asked::Settled { run, until } => self.has_settled(run, until, &answer),
            Asked::Request(request) => self.request_answered(*request, answer),
        }
    }

    fn submitted(
        &mut self,
        from: Address,
        number: usize,
        run: RunId,
        answer: Result<Response, Refusal>,
    ) -> Check {
        match answer {
            Ok(Response::Run(given)) => {
                let known = self.books.contains_key(&given);
                ensure(known, Law::CommitFirst, || {
                    format!("{from} says that run {given} exists before it is in the journal")
                })?;
                let first = *self.runs[number].get_or_insert(given);
                let keyed = self.scenario.runs[number].key.is_some();
                ensure(!keyed || first == given, Law::RequestKeysAnswerTheSame, || {
                    format!("one submission made the runs {first} and {given}")
                })?;
                if given != run {
                    self.counters.count("submissions made before");
                } else if keyed && self.dice.percent(15) {
                    self.soon(20, Happening::Submit(number));
                }
                Ok(())
            }
            Ok(answer @ (Response::Answer(_) | Response::Status(_))) => Self::violated(
                Law::EverybodyIsAnswered,
                format!("{from} answers {answer:?} to a submission"),
            ),
            Err(_) => {
                // Without a key nobody knows whether the run exists: it is submitted once more, under another id.
                self.soon(60, Happening::Submit(number));
                Ok(())
            }
        }
    }

    fn suspended(&self, run: RunId, answer: &Result<Response, Refusal>) -> Check {
        let was = self.books.get(&run).is_some_and(|book| book.suspensions > 0);
        ensure(answer.is_err() || was, Law::CommitFirst, || {
            format!("run {run} is said to be suspended, and never was")
        })
    }

    fn cancel_answered(&mut self, run: RunId, answer: &Result<Response, Refusal>) -> Check {
        match answer {
            Ok(Response::Answer(Answer::Cancelling(true))) => {
                let book = self.books.get(&run);
                let cancelled = book.is_some_and(|book| book.cancelled.is_some());
                ensure(cancelled, Law::CommitFirst, || {
                    format!("run {run} is said to be cancelled before that is in the journal")
                })
            }
            Err(Refusal::Retry) => {
                self.cancelled_in_vain(run);
                Ok(())
            }
            _other => Ok(()),
        }
    }

    /// What is said to have settled is durable, and needs neither plan nor output. A run that is not here may be refused.
    fn has_settled(&mut self, run: RunId, until: u64, answer: &Result<Response, Refusal>) -> Check {
        let Ok(Response::Status(status)) = answer else { return Ok(()) };
        let known = self.books.get(&run).map_or(Seq(0), |book| book.seq);
        ensure(status.seq <= known, Law::CommitFirst, || {
            format!("run {run} is shown at event {}, the journal is at {known}", status.seq)
        })?;
        if self.now >= until {
            self.counters.count("waits that ended with their time");
            return Ok(());
        }
        self.counters.count("waits for a run that has settled");
        let goes_on = matches!(
            status.status,
            RunPhase::Submitted | RunPhase::Planning | RunPhase::Aggregating
        );
        ensure(!goes_on, Law::SettledIsTrue, || {
            format!("run {run} is said to have settled, and is {}", status.status)
        })
    }

    fn request_answered(&mut self, request: Request, answer: Result<Response, Refusal>) -> Check {
        match &answer {
            Ok(Response::Answer(Answer::Claim(claimed))) => {
                self.are_of_the_request(&request, claimed)?;
                if claimed.len() > 1 {
                    self.counters.count("claims of several at once");
                }
                for got in claimed {
                    self.claim_is_committed(&request, got)?;
                    self.claimed(request.run, got);
                }
            }
            Ok(Response::Answer(Answer::Report(report))) => {
                let (first, again) = unwrapped(report);
                self.counters.count(match (&first, again) {
                    (_, true) => "duplicate reports",
                    (ReportAnswer::Accepted, _) => "accepted reports",
                    (ReportAnswer::Received, _) => "received reports",
                    (ReportAnswer::Stale, _) => "stale reports",
                    (ReportAnswer::Rejected { .. }, _) => "rejected reports",
                    (ReportAnswer::Duplicate { .. }, false) => "duplicate reports",
                });
                self.report_is_committed(&request, &first)?;
                self.same_as_before(&request, first)?;
            }
            Ok(Response::Answer(Answer::Lease(until))) => {
                let Wish::Heartbeat(fence) = &request.wish else { return Ok(()) };
                let book = self.books.get(&request.run);
                let kept = book.and_then(|b| b.fold.attempt(*fence)).map(|attempt| attempt.until);
                // One that a later command of the same turn has ended has no lease any more.
                ensure(kept.is_none_or(|kept| kept >= *until), Law::CommitFirst, || {
                    format!(
                        "attempt {fence} is said to have time until {until}, the journal says {kept:?}"
                    )
                })?;
            }
            Ok(Response::Answer(Answer::Done | Answer::Cancelling(_)))
            | Ok(Response::Run(_) | Response::Status(_)) => {}
            Err(Refusal::Retry) => {
                self.ask_again(request);
                return Ok(());
            }
            Err(_) => {}
        }
        if request.key.is_some() && self.dice.percent(20) {
            self.counters.count("requests made twice");
            self.ask_again(request);
        }
        Ok(())
    }

    /// What a claim with a key is told are attempts that a claim with this key has got. That those are of one append is
    /// looked at there.
    fn are_of_the_request(&self, request: &Request, claimed: &[Claimed]) -> Check {
        let Some(key) = &request.key else { return Ok(()) };
        let known = self.books.get(&request.run).and_then(|book| book.claims.get(key));
        let stranger =
            claimed.iter().find(|got| known.is_none_or(|known| !known.contains(&got.fence)));
        ensure(stranger.is_none(), Law::RequestKeysAnswerTheSame, || {
            format!("request {key} got {known:?}, and is answered {stranger:?}")
        })
    }

    fn claim_is_committed(&self, request: &Request, claimed: &Claimed) -> Check {
        let book = self.books.get(&request.run);
        let entry = book.and_then(|book| book.attempts.get(&claimed.fence));
        let true_answer =
            entry.is_some_and(|e| e.token == claimed.token && e.kind == super::book::Kind::Claimed);
        ensure(true_answer, Law::CommitFirst, || {
            format!("attempt {} is said to be claimed before that is in the journal", claimed.fence)
        })
    }

    fn report_is_committed(&self, request: &Request, answer: &ReportAnswer) -> Check {
        let stored = matches!(answer, ReportAnswer::Accepted | ReportAnswer::Received);
        let Wish::Report(digest) = &request.wish else { return Ok(()) };
        let known = |digest: &Digest| {
            let book = self.books.get(&request.run);
            book.is_some_and(|book| book.digests.iter().any(|(_, d)| d == digest))
        };
        ensure(!stored || known(digest), Law::CommitFirst, || {
            format!("a report is answered {answer:?} before it is in the journal")
        })
    }

    fn same_as_before(&mut self, request: &Request, told: ReportAnswer) -> Check {
        let Some(key) = &request.key else { return Ok(()) };
        let first = self.told.entry(key.clone()).or_insert_with(|| told.clone());
        ensure(*first == told, Law::RequestKeysAnswerTheSame, || {
            format!("request {key} is answered {first:?}, then {told:?}")
        })
    }

    /// Nobody waits for ever for a process that lives.
    pub(super) fn check_everybody_is_answered(&self) -> Check {
        for process in self.processes.iter().filter(|process| process.driver.is_some()) {
            let waiting: Vec<&Asked> = process.asked.values().collect();
            ensure(waiting.is_empty(), Law::EverybodyIsAnswered, || {
                format!("{} never answers {waiting:?}", process.address())
            })?;
        }
        Ok(())
    }
}

/// Takes the first answer out of one that says that it was given before.
fn unwrapped(answer: &ReportAnswer) -> (ReportAnswer, bool) {
    match answer {
        ReportAnswer::Duplicate { first } => (unwrapped(first).0, true),
        ReportAnswer::Accepted
        | ReportAnswer::Received
        | ReportAnswer::Stale
        | ReportAnswer::Rejected { .. } => (answer.clone(), false),
    }
}

fn brief(asked: &Asked) -> String {
    match asked {
        Asked::Submit { run, .. } => format!("submit {}", short(*run)),
        Asked::Resume { run } => format!("resume {}", short(*run)),
        Asked::Suspend { run } => format!("suspend {}", short(*run)),
        Asked::Cancel { run } => format!("cancel {}", short(*run)),
        Asked::Settled { run, until } => format!("settled {} by {until}", short(*run)),
        Asked::Request(request) => format!("{:?} {:?}", request.wish, request.key),
    }
}

/// The key of a request that is made for the first time.
pub(super) fn key_of(number: u64) -> RequestKey {
    RequestKey::new(format!("request-{number}"))
}
