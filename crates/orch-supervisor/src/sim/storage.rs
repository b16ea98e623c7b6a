//! What processes ask of the journal is carried out, or not, and noted by the laws when it is.

use orch_core::journal::{AcquireError, Append, AppendError, JournalError, Recorded};
use orch_core::{Event, RunId, Seq};

use super::book::Book;
use super::commits;
use super::journal::Fate;
use super::laws::view_equals_state;
use super::processes::Address;
use super::violation::Check;
use super::world::{Happening, World, short};
use crate::driver::Input;

impl World {
    /// Carries out an append, and tells its writer after a while.
    pub(super) fn append(&mut self, from: Address, append: Append, fate: Fate) -> Check {
        let append = self.owned(from, append);
        let run = append.head.run;
        let events = append.events.clone();
        let result = self.journal.append(append, fate);
        let written = match (&result, fate) {
            (Ok(()), _) => true,
            (Err(AppendError::Store { .. }), Fate::Unknown) => true,
            (Err(_), _) => false,
        };
        self.note(|| format!("{from} append to {}: {result:?}", short(run)));
        if written {
            self.counters.count("appends");
            self.committed(from, run, &events)?;
        }
        let input = match result {
            Ok(()) => Input::Appended { run },
            Err(error) => {
                self.counters.count(kind_of(&error, fate));
                Input::AppendFailed { run, error }
            }
        };
        let after = self.latency();
        self.soon(after, Happening::Deliver(from, Box::new(input)));
        Ok(())
    }

    /// Carries out an append of which its writer was told that it failed.
    pub(super) fn belated(&mut self, from: Address, append: Append) -> Check {
        let append = self.owned(from, append);
        let (run, events) = (append.head.run, append.events.clone());
        if self.journal.append(append, Fate::Fine).is_ok() {
            self.counters.count("belated appends that were written");
            self.committed(from, run, &events)?;
        }
        Ok(())
    }

    /// The first append of a run makes its writer the owner.
    fn owned(&mut self, from: Address, append: Append) -> Append {
        if append.expected != Seq(0) {
            return append;
        }
        let owner = self.owner(from);
        self.journal.store_mut().register(&owner);
        append.with_owner(Some(owner.id))
    }

    /// Checks and notes committed events, and lets the other processes hear of them.
    fn committed(&mut self, by: Address, run: RunId, events: &[Recorded]) -> Check {
        commits::check_requests(self.books.get(&run), events)?;
        for recorded in events {
            self.note(|| format!("{by}   {} {:?}", recorded.seq, Brief(&recorded.event)));
            self.counters.count(recorded.event.name());
            commits::check(&self.books, run, recorded)?;
            self.check_writer(by, run, recorded)?;
            self.enter(run, recorded);
            self.books.get(&run).map_or(Ok(()), view_equals_state)?;
            if let Event::RunResumed { .. } = recorded.event {
                let earlier = self.owners.insert(run, (self.now, by));
                if earlier.is_some_and(|(_, other)| other != by) {
                    self.counters.count("takeovers");
                }
            }
        }
        for process in 0..self.processes.len() {
            let other = self.processes[process].address();
            if other != by && self.processes[process].driver.is_some() {
                let after = self.latency();
                self.soon(after, Happening::Look(other));
            }
        }
        Ok(())
    }

    fn enter(&mut self, run: RunId, recorded: &Recorded) {
        match self.books.get_mut(&run) {
            Some(book) => book.note(recorded),
            None => {
                let Event::RunSubmitted { settings, .. } = &recorded.event else {
                    return;
                };
                let fold = crate::machine::submit(run, recorded.event.clone(), recorded.at);
                if let Some(fold) = fold {
                    self.books.insert(run, Book::begin(fold, settings.clone(), recorded));
                }
            }
        }
    }

    pub(super) fn load(&mut self, from: Address, run: RunId, after: Seq) -> Check {
        let fails = self.scenario.chances.load_fails;
        let failed = self.fault(fails);
        self.note(|| {
            format!(
                "{from} load {} after {after}: {}",
                short(run),
                if failed { "fails" } else { "done" }
            )
        });
        let input = if failed {
            self.counters.count("failed loads");
            Input::LoadFailed { run }
        } else {
            Input::Loaded { run, after, events: self.journal.store().load(run, after) }
        };
        let after = self.latency();
        self.soon(after, Happening::Deliver(from, Box::new(input)));
        Ok(())
    }

    pub(super) fn acquire(&mut self, from: Address, run: RunId) -> Check {
        let owner = self.owner(from);
        let (now, fails) = (self.time(), self.scenario.chances.acquire_fails);
        let (failed, before) = (self.fault(fails), self.dice.percent(50));
        let store_failed = |what: &str| {
            AcquireError::Journal(JournalError::Store {
                doing: what.to_owned(),
                source: "the simulated store failed".into(),
            })
        };
        let mut result = if failed && before {
            Err(store_failed("acquire"))
        } else {
            self.journal.store_mut().register(&owner);
            self.journal.store_mut().acquire(run, &owner.id, now, None)
        };
        if let Err(AcquireError::Owned { owner: other, epoch, .. }) = &result
            && self.is_dead(&other.id)
        {
            let dead = Some(*epoch);
            result = self.journal.store_mut().acquire(run, &owner.id, now, dead);
        }
        self.note(|| format!("{from} acquire {}: {result:?}", short(run)));
        if result.is_ok() {
            self.counters.count("acquired runs");
        }
        if failed && !before && result.is_ok() {
            self.counters.count("acquired runs of which nobody heard");
            result = Err(store_failed("tell about an acquired run"));
        }
        let input = match result {
            Ok(epoch) => Input::Acquired { run, epoch },
            Err(error) => Input::NotAcquired { run, error },
        };
        let after = self.latency();
        self.soon(after, Happening::Deliver(from, Box::new(input)));
        Ok(())
    }
}

fn kind_of(error: &AppendError, fate: Fate) -> &'static str {
    match error {
        AppendError::Conflict { .. } => "appends in conflict",
        AppendError::Fenced { .. } => "appends of a lost owner",
        AppendError::LockHeld { .. } => "appends without their locks",
        AppendError::RequestTaken { .. } => "requests made before",
        AppendError::Store { .. } if fate == Fate::Unknown => "appends of unknown outcome",
        AppendError::Store { .. } | _ => "lost appends",
    }
}

/// An event in a few words.
struct Brief<'a>(&'a Event);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Event::RunSubmitted { settings, .. } = self.0 {
            return write!(f, "RunSubmitted {settings:?}");
        }
        if let Event::PlanAdopted { add, .. } = self.0 {
            for s in &add.subtasks {
                write!(
                    f,
                    "\n      {} {} {:?} tolerates {:?} locks {:?} gates {:?} {:?}",
                    s.id, s.task_type, s.dependencies, s.tolerates, s.locks, s.gates, s.constraints
                )?;
            }
            return Ok(());
        }
        let text = format!("{:?}", self.0);
        let end = text.char_indices().nth(300).map_or(text.len(), |(i, _)| i);
        f.write_str(&text[..end])
    }
}
