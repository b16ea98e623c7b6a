//! What the writer can be asked for, and how it answers.

use orch_core::journal::{
    AcquireError, AppendError, AttemptProcess, JournalError, Owner, RunFilter, RunRow,
};
use orch_core::{Epoch, RunId};
use sqlx::Sqlite;
use tokio::sync::oneshot;

use super::append::Appends;
use crate::error::{Failure, failed_to};
use crate::journal::owners::{self, Acquire};
use crate::prepared::Prepared;
use crate::sql::Conn;

/// A message to the writer.
pub(super) enum Request {
    /// Write something.
    Write(Write),
    /// Say how many changes of others were seen so far.
    CountForeign(oneshot::Sender<Result<u64, Failure>>),
    /// List runs.
    List(RunFilter, oneshot::Sender<Result<Vec<RunRow>, JournalError>>),
    /// Finish what was asked for before, close the file, then answer.
    Close(oneshot::Sender<()>),
}

/// Something to write, with the way back.
pub(super) enum Write {
    Append(Box<Prepared>, PendingReply<(), AppendError>),
    Register(Owner, PendingReply<(), JournalError>),
    Acquire(Acquire, PendingReply<Epoch, AcquireError>),
    Release(RunId, Epoch, PendingReply<(), JournalError>),
    Note(AttemptProcess, PendingReply<(), JournalError>),
}

/// The way back to who asked, and the outcome until the transaction is known to be durable.
pub(super) struct PendingReply<T, E> {
    answer: oneshot::Sender<Result<T, E>>,
    outcome: Option<Result<T, E>>,
}

impl<T, E> PendingReply<T, E> {
    pub(super) fn new(answer: oneshot::Sender<Result<T, E>>) -> Self {
        Self { answer, outcome: None }
    }

    /// Answers: with the outcome when it is durable, else with the failure. Who does not wait any more gets no answer.
    fn settle(self, committed: &Result<(), Failure>, failed: impl FnOnce(Failure) -> E) {
        let answer = match committed {
            Ok(()) => self.outcome.expect("all of a committed transaction was carried out"),
            Err(failure) => Err(failed(failure.clone())),
        };
        self.answer.send(answer).ok();
    }
}

impl Write {
    /// Carries out an append within the open transaction and keeps the outcome; leaves other writes alone. A refusal is an
    /// outcome: it writes nothing.
    pub(super) async fn append(
        &mut self,
        conn: &mut Conn<'_, Sqlite>,
        appends: &mut Appends,
    ) -> sqlx::Result<()> {
        if let Self::Append(append, slot) = self {
            slot.outcome = Some(appends.admit(conn, append).await?);
        }
        Ok(())
    }

    /// Carries out what is no append within the open transaction and keeps the outcome.
    pub(super) async fn carry_out(&mut self, conn: &mut Conn<'_, Sqlite>) -> sqlx::Result<()> {
        match self {
            Self::Append(..) => {}
            Self::Register(owner, slot) => {
                slot.outcome = Some(Ok(owners::register(conn, owner).await?));
            }
            Self::Acquire(acquire, slot) => {
                slot.outcome = Some(owners::acquire(conn, acquire).await?);
            }
            Self::Release(run, epoch, slot) => {
                slot.outcome = Some(Ok(owners::release(conn, *run, *epoch).await?));
            }
            Self::Note(note, slot) => {
                slot.outcome = Some(Ok(owners::note_process(conn, note).await?));
            }
        }
        Ok(())
    }

    /// Returns the append that it is.
    pub(super) fn as_append(&self) -> Option<&Prepared> {
        match self {
            Self::Append(append, _) => Some(append),
            Self::Register(..) | Self::Acquire(..) | Self::Release(..) | Self::Note(..) => None,
        }
    }

    /// Answers who asked.
    pub(super) fn settle(self, committed: &Result<(), Failure>) {
        match self {
            Self::Append(append, slot) => slot.settle(committed, |failure| AppendError::Store {
                run: append.run(),
                source: Box::new(failure),
            }),
            Self::Register(owner, slot) => slot
                .settle(committed, |failure| failed_to(format!("register {}", owner.id), failure)),
            Self::Acquire(acquire, slot) => slot.settle(committed, |failure| {
                failed_to(format!("acquire run {}", acquire.run), failure).into()
            }),
            Self::Release(run, _, slot) => {
                slot.settle(committed, |failure| failed_to(format!("release run {run}"), failure));
            }
            Self::Note(note, slot) => slot.settle(committed, |failure| {
                failed_to(format!("note a process of run {}", note.run), failure)
            }),
        }
    }
}
