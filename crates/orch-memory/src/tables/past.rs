//! Examples: the newest of each project, agent and type.

use std::collections::BTreeMap;

use jiff::Timestamp;
use orch_core::learned::PastStep;
use orch_core::{RunId, WorkerName};

use super::rows;
use crate::MemoryError;
use crate::learned::{Ended, Evidence, Example, Scope};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// The most runs of a project and type that are kept: few enough to look at each when a run begins.
const RUNS: i64 = 256;
/// The most subtasks of a worker and type that are kept.
const STEPS: i64 = 20;

/// Inserts a run and its subtasks within the transaction of the caller. The newest are kept, by the time of their end and then by
/// their ids, so that what is kept does not depend on the order of insertion.
pub(super) async fn insert<D: Dialect>(
    conn: &mut Conn<'_, D>,
    evidence: &Evidence,
    ended: &Ended,
) -> Result<(), MemoryError> {
    let run = evidence.run.to_string();
    if let Some((past, grades)) = &ended.run {
        let scope =
            Scope { project: &evidence.project, agent: None, task_type: &evidence.task_type };
        let row = Row {
            run: &run,
            step: "",
            scope,
            ended_at: past.outcome.timestamp,
            success: past.outcome.overall_success,
            text: &past.outcome.task_description,
            body: rows::encode(past)?,
            grades: rows::encode(grades)?,
        };
        row.insert(conn).await?;
        prune(conn, &scope, RUNS).await?;
    }
    for ((worker, task_type), steps) in by_cell(&ended.steps) {
        let scope = Scope { project: &evidence.project, agent: Some(worker), task_type };
        for (ended_at, step) in steps {
            let row = Row {
                run: &run,
                step: step.id.as_str(),
                scope,
                ended_at,
                success: step.success,
                text: &step.description,
                body: String::new(),
                grades: String::new(),
            };
            row.insert(conn).await?;
        }
        prune(conn, &scope, STEPS).await?;
    }
    Ok(())
}

/// The steps that have a chance to be kept.
fn by_cell(steps: &[PastStep]) -> BTreeMap<(&WorkerName, &str), Vec<(Timestamp, &PastStep)>> {
    let mut cells: BTreeMap<_, Vec<(Timestamp, &PastStep)>> = BTreeMap::new();
    for step in steps {
        if let (Some(worker), Some(ended_at)) = (&step.worker, step.ended_at) {
            cells.entry((worker, step.task_type.as_str())).or_default().push((ended_at, step));
        }
    }
    for steps in cells.values_mut() {
        steps.sort_by(|(at, a), (bt, b)| (bt, &b.id).cmp(&(at, &a.id)));
        steps.truncate(STEPS.unsigned_abs() as usize);
    }
    cells
}

struct Row<'a> {
    run: &'a str,
    step: &'a str,
    scope: Scope<'a>,
    ended_at: Timestamp,
    success: bool,
    text: &'a str,
    body: String,
    grades: String,
}

impl Row<'_> {
    async fn insert<D: Dialect>(self, conn: &mut Conn<'_, D>) -> Result<(), MemoryError> {
        sql("INSERT INTO orch_past \
             (run, step, project, agent, task_type, ended_at, success, text, body, grades) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (run, step) DO NOTHING")
        .bind(self.run)
        .bind(self.step)
        .bind(self.scope.project.as_str())
        .bind(self.scope.agent_name())
        .bind(self.scope.task_type)
        .bind(self.ended_at.as_microsecond())
        .bind(i64::from(self.success))
        .bind(self.text)
        .bind(self.body)
        .bind(self.grades)
        .execute(conn)
        .await
        .map_err(failed_to("keep an example"))?;
        Ok(())
    }
}

/// Inserts an example of an export within the transaction of the caller.
pub(super) async fn insert_example<D: Dialect>(
    conn: &mut Conn<'_, D>,
    example: &Example,
) -> Result<(), MemoryError> {
    let agent = WorkerName::new(example.agent.as_str());
    let (scope, run) = (
        Scope {
            project: &example.project,
            agent: (!example.agent.is_empty()).then_some(&agent),
            task_type: &example.task_type,
        },
        example.run.to_string(),
    );
    let ended_at = ended_at(&run, example.ended_at)?;
    let row = Row {
        run: &run,
        step: &example.step,
        scope,
        ended_at,
        success: example.success,
        text: &example.text,
        body: example.past.as_ref().map(rows::encode).transpose()?.unwrap_or_default(),
        grades: example.grades.as_ref().map(rows::encode).transpose()?.unwrap_or_default(),
    };
    row.insert(conn).await?;
    prune(conn, &scope, if example.agent.is_empty() { RUNS } else { STEPS }).await
}

/// Deletes all but the newest `keep` of a scope.
async fn prune<D: Dialect>(
    conn: &mut Conn<'_, D>,
    scope: &Scope<'_>,
    keep: i64,
) -> Result<(), MemoryError> {
    sql("DELETE FROM orch_past WHERE project = $1 AND agent = $2 AND task_type = $3 \
         AND (ended_at, run, step) <= (SELECT ended_at, run, step FROM orch_past \
         WHERE project = $1 AND agent = $2 AND task_type = $3 \
         ORDER BY ended_at DESC, run DESC, step DESC LIMIT 1 OFFSET $4)")
    .bind(scope.project.as_str())
    .bind(scope.agent_name())
    .bind(scope.task_type)
    .bind(keep)
    .execute(conn)
    .await
    .map_err(failed_to("let old examples go"))?;
    Ok(())
}

/// When a run or subtask ended, as it stands in a row.
pub(super) fn ended_at(run: &str, micros: i64) -> Result<Timestamp, MemoryError> {
    Timestamp::from_microsecond(micros).map_err(|error| MemoryError::Corrupt {
        what: format!("the end of run {run}"),
        source: error.into(),
    })
}

/// The id of a run as it stands in a row.
pub(super) fn run_id(run: &str) -> Result<RunId, MemoryError> {
    run.parse().map_err(|error: <RunId as std::str::FromStr>::Err| MemoryError::Corrupt {
        what: format!("the run `{run}` of an example"),
        source: error.into(),
    })
}
