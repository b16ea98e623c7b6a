//! Names of workers in the arguments of a call: one rule for all of them.

use std::collections::BTreeSet;

use orch_core::{WorkerName, nearest};
use orch_supervisor::Supervisor;
use orch_workers::AgentFile;

use crate::answer::short;
use crate::args::Delegate;
use crate::error::ToolError;

/// The most names of workers that one call may have.
const MAX_NAMES: usize = 64;

/// Reads the name of a worker: that of a registered one as it is, any other by the rule for agent files. White space around
/// it and capitals do not count.
pub(crate) fn read(
    supervisor: &Supervisor,
    field: &str,
    said: &WorkerName,
) -> Result<WorkerName, ToolError> {
    let name = said.as_str().trim();
    let exact = WorkerName::new(name);
    if supervisor.worker(&exact).is_some() {
        return Ok(exact);
    }
    let lower = name.to_ascii_lowercase();
    if AgentFile::is_name(&lower) {
        return Ok(WorkerName::new(lower));
    }
    let hint = did_you_mean(supervisor, name).unwrap_or_default();
    Err(ToolError::Arguments(format!(
        "`{field}` is `{}`, which is not a valid agent name{hint}: it has 1 to 128 lowercase letters, digits and hyphens.",
        short(name, 60)
    )))
}

/// Reads all names of workers in a delegation, in place.
pub(crate) fn read_all(supervisor: &Supervisor, args: &mut Delegate) -> Result<(), ToolError> {
    let all = fields(args);
    let distinct: BTreeSet<&WorkerName> = all.iter().map(|(_, name)| &**name).collect();
    if distinct.len() > MAX_NAMES {
        return Err(ToolError::Arguments(format!(
            "The call names {} workers; name at most {MAX_NAMES}, or leave `workers` out to choose among all.",
            distinct.len()
        )));
    }
    for (field, name) in fields(args) {
        *name = read(supervisor, &field, name)?;
    }
    Ok(())
}

/// Every name of a worker, and where it stands.
fn fields(args: &mut Delegate) -> Vec<(String, &mut WorkerName)> {
    fn list<'a>(
        field: &str,
        names: &'a mut [WorkerName],
    ) -> impl Iterator<Item = (String, &'a mut WorkerName)> {
        names.iter_mut().enumerate().map(move |(i, name)| (format!("{field}[{i}]"), name))
    }
    let mut all: Vec<_> = list("workers", &mut args.workers).collect();
    if let Some(constraints) = &mut args.constraints {
        let required = constraints.require_worker.iter_mut();
        all.extend(required.map(|name| ("constraints.require_worker".to_owned(), name)));
        all.extend(list("constraints.prefer", &mut constraints.prefer));
        all.extend(list("constraints.exclude_workers", &mut constraints.exclude_workers));
    }
    for (i, subtask) in args.subtasks.iter_mut().enumerate() {
        all.extend(subtask.worker.iter_mut().map(|name| (format!("subtasks[{i}].worker"), name)));
    }
    all
}

/// Returns `; did you mean ..?` for the registered worker whose name is nearest.
pub(crate) fn did_you_mean(supervisor: &Supervisor, name: &str) -> Option<String> {
    let workers = supervisor.workers();
    let names = || workers.iter().map(|worker| worker.name().as_str());
    // `code-reviewer` is far from `reviewer` by letters, and means it.
    let shares_word =
        |known: &&str| known.split('-').any(|word| name.split('-').any(|w| w == word));
    let near = nearest(name, names()).or_else(|| names().find(shares_word))?;
    Some(format!("; did you mean `{near}`?"))
}
