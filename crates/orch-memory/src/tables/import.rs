//! The rows of an export in, within the transaction of the caller.

use orch_core::{RunId, Seq};

use super::stats::Sums;
use super::{feedback, past, read, rulings, stats};
use crate::learned::{Cell, Example, Record};
use crate::sql::{Conn, Dialect};
use crate::{Imported, MemoryError};

/// How many watermarks are read at a time.
const PAGE: usize = 500;

/// Adds records. Which runs are known is found out here, where nobody can learn from one meanwhile.
pub(super) async fn import<D: Dialect>(
    conn: &mut Conn<'_, D>,
    records: Vec<Record>,
) -> Result<Imported, MemoryError> {
    let folded: Vec<(RunId, Seq)> = records.iter().filter_map(Record::folded).collect();
    let (mut imported, of) = (Imported::default(), folded.len());
    let (mut all, mut any) = (0, 0);
    for page in folded.chunks(PAGE) {
        let runs: Vec<RunId> = page.iter().map(|(run, _)| *run).collect();
        let watermarks = read::watermarks(conn, &runs).await?;
        any += watermarks.len();
        all += page.iter().filter(|(run, seq)| watermarks.get(run) >= Some(seq)).count();
    }
    let is_known = match (all == of, any) {
        (true, _) => true,
        (false, 0) => false,
        (false, known) => return Err(MemoryError::Overlap { known, of }),
    };
    *(if is_known { &mut imported.runs_known } else { &mut imported.runs }) = of as u64;
    let mut sums = Sums::default();
    for record in records {
        match record {
            Record::Ruling { project, ruling } => {
                match rulings::find(conn, &project, ruling.heuristic.id()).await? {
                    None => {
                        rulings::write(conn, &project, &ruling).await?;
                        imported.rulings += 1;
                    }
                    Some(here) => imported.rulings_kept += u64::from(here != *ruling),
                }
            }
            Record::Past(example) if is_known => opinion(conn, &example, &mut imported).await?,
            Record::Past(example) => past::insert_example(conn, &example).await?,
            Record::Folded { run, seq } if !is_known => stats::advance(conn, run, seq).await?,
            Record::Worker { project, task_type, worker, stats } if !is_known => {
                sums.add_worker(project, Cell { task_type, worker }, &stats);
            }
            Record::Task { project, task_type, stats } if !is_known => {
                sums.add_task(project, task_type, &stats);
            }
            Record::OrchMemory { .. }
            | Record::Folded { .. }
            | Record::Worker { .. }
            | Record::Task { .. }
            | Record::End { .. } => {}
        }
    }
    sums.write(conn).await?;
    Ok(imported)
}

/// Grades a run that is known as the export does, unless it has a grade here, or is no example any more.
async fn opinion<D: Dialect>(
    conn: &mut Conn<'_, D>,
    example: &Example,
    imported: &mut Imported,
) -> Result<(), MemoryError> {
    let Some(there) = example.past.as_ref().and_then(|past| past.feedback.as_ref()) else {
        return Ok(());
    };
    let here = feedback::load(conn, example.run).await?.map(|(past, _)| past.feedback);
    match here {
        Some(None) => {
            feedback::grade(conn, example.run, there.score, &there.note).await?;
            imported.feedback += 1;
        }
        Some(Some(here)) if here == *there => {}
        Some(Some(_)) | None => imported.feedback_kept += 1,
    }
    Ok(())
}
