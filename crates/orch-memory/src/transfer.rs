//! Moving memory elsewhere, as JSON lines: a first that names the format, one for each row, a last that counts them.

use std::io::{BufRead, Write};

use serde::Serialize;

use crate::learned::{Record, VERSION};
use crate::{LearnedMemory, MemoryError};

/// What an import has brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// Runs that were learned from.
    pub runs: u64,
    /// Runs that were known before: their outcomes were not added again.
    pub runs_known: u64,
    /// Decisions about rules about which nothing had been decided.
    pub rulings: u64,
    /// Decisions that were left out, as another had been made.
    pub rulings_kept: u64,
    /// Opinions of runs that were known before, and of which nobody had said anything.
    pub feedback: u64,
    /// Opinions of runs that were left out, as there was another, or the run is no example any more.
    pub feedback_kept: u64,
}

impl LearnedMemory {
    /// Writes everything, of all projects, as JSON lines; returns how many.
    ///
    /// # Errors
    /// When the store fails or `out` does. What was written then lacks its last line, and is refused by [`import`](Self::import).
    pub async fn export(&self, out: &mut (dyn Write + Send)) -> Result<u64, MemoryError> {
        let mut lines = 0;
        let mut write = |record: &Record| {
            let doing = "write the export";
            let failed = |source| MemoryError::Store { doing, source };
            serde_json::to_writer(&mut *out, record).map_err(|error| failed(error.into()))?;
            lines += 1;
            out.write_all(b"\n").map_err(|error| failed(error.into()))?;
            Ok(lines)
        };
        write(&Record::OrchMemory { version: VERSION })?;
        let mut before = 1;
        self.store
            .export(&mut |record| {
                before = write(record)?;
                Ok(())
            })
            .await?;
        write(&Record::End { lines: before })
    }

    /// Adds an export, in one transaction. When all its runs are known already, only decisions about rules and opinions of runs
    /// are taken from it; what was said here stays. So the same export can be imported again.
    ///
    /// # Errors
    /// When it is none or not whole, when some of its runs are known and some are not (their sums cannot be told apart), or when
    /// the store fails; nothing was changed then.
    pub async fn import(&self, lines: &mut (dyn BufRead + Send)) -> Result<Imported, MemoryError> {
        self.store.import(read(lines)?).await
    }
}

/// Reads an export: all of its records, with the last.
fn read(lines: &mut (dyn BufRead + Send)) -> Result<Vec<Record>, MemoryError> {
    let mut records = Vec::new();
    let mut end = None;
    for (number, line) in (1..).zip(lines.lines()) {
        let corrupt =
            |source| MemoryError::Corrupt { what: format!("line {number} of the import"), source };
        let line = line.map_err(|error| corrupt(error.into()))?;
        let record: Record = serde_json::from_str(&line).map_err(|error| corrupt(error.into()))?;
        let is_head = matches!(record, Record::OrchMemory { version } if version == VERSION);
        if number == 1 && !is_head {
            let expected = format!("it should say that it is an export of version {VERSION}");
            return Err(corrupt(expected.into()));
        }
        if end.is_some() {
            return Err(corrupt("it comes after the last line of an export".into()));
        }
        if !record.is_possible() {
            return Err(corrupt("no outcomes have such sums".into()));
        }
        if let Record::End { lines } = record {
            end = Some(lines);
        }
        records.push(record);
    }
    let found = records.len() as u64;
    match end {
        None => Err(MemoryError::Cut { found }),
        Some(said) if said + 1 != found => Err(MemoryError::Miscounted { found: found - 1, said }),
        // Whether it was imported before could not be told.
        Some(_)
            if records.iter().any(Record::is_learned)
                && !records.iter().any(|record| record.folded().is_some()) =>
        {
            let source = "it does not say from which runs it has learned".into();
            Err(MemoryError::Corrupt { what: "the import".to_owned(), source })
        }
        Some(_) => Ok(records),
    }
}
