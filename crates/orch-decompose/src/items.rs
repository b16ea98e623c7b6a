//! `domain_based`: one subtask per item of a list in the task's context, and one that joins them.

use orch_core::{ComplexTask, JsonMap, PlanSource, Subtask, SubtaskId};
use serde_json::Value;

use crate::draft::{Draft, NotApplicable};
use crate::eligible_workers::{EligibleWorkers, type_of};
use crate::ids::Ids;
use crate::profiles::CapabilityProfiles;

/// Where a list is looked for when no key is configured, in this order.
pub(crate) const USUAL_KEYS: [&str; 3] = ["items", "domains", "files"];

/// The key under which a subtask finds its item.
const ITEM: &str = Subtask::ITEM;

/// Types of work that join results, most specific first.
const JOIN_TYPES: [&str; 8] =
    ["join", "merge", "aggregate", "synthesis", "summary", "summarize", "summarise", "report"];

/// How sure the strategy is: a list under a configured key is meant to be split, one under a usual key most likely is.
const CONFIGURED: f64 = 0.9;
const USUAL: f64 = 0.7;

/// The most characters of an item that a description shows.
const MAX_LABEL: usize = 80;

/// Drafts a plan of the list under `key`, or of the longest-looking one under the usual keys when there is no `key`: a subtask per item,
/// however many there are. A list of none makes the join alone, or nothing at all.
///
/// The subtasks have the type of the task or, when nobody handles that, the type of the profile that its description matches
/// best. The join is there when some worker lists one of [`JOIN_TYPES`] among its types (`*` is not enough: that a worker
/// takes anything does not say that it joins), and leaves the joining to the aggregation otherwise.
pub(crate) fn draft(
    task: &ComplexTask,
    eligible: EligibleWorkers<'_>,
    profiles: &CapabilityProfiles<'_>,
    key: Option<&str>,
    max: usize,
) -> Result<Draft, NotApplicable> {
    let (found, items) = list(task, key)?;
    if items.len() > max {
        let what = format!("the list `{found}`");
        return Err(NotApplicable::TooMany { what, count: items.len(), max });
    }
    let (model, quality) = model(task, eligible, profiles)?;
    let mut ids = Ids::default();
    let mut subtasks: Vec<Subtask> = items
        .iter()
        .enumerate()
        .map(|(place, item)| of_item(&model, ids.like(&label(item)), item, place + 1, items.len()))
        .collect();
    if let Some(unserved) = subtasks.iter().find(|subtask| !eligible.serves(subtask)) {
        return Err(NotApplicable::Unserved { task_type: unserved.task_type.clone() });
    }
    let (join, note) = join(task, eligible, &mut ids, &subtasks, max);
    subtasks.extend(join);
    Ok(Draft {
        subtasks,
        source: PlanSource::DomainBased,
        confidence: quality * if key.is_some() { CONFIGURED } else { USUAL },
        notes: [about(found, items.len())].into_iter().chain(note).collect(),
    })
}

fn about(key: &str, count: usize) -> String {
    match count {
        0 => format!("the list `{key}` is empty, so there is nothing to do for it"),
        _ => format!("one subtask per item of `{key}`"),
    }
}

/// Returns the list and its key. A list of several goes before a list of one, and that before an empty one; then the order of the keys
/// counts.
fn list<'a>(
    task: &'a ComplexTask,
    key: Option<&'a str>,
) -> Result<(&'a str, &'a [Value]), NotApplicable> {
    let keys: Vec<&str> = key.map_or_else(|| USUAL_KEYS.to_vec(), |key| vec![key]);
    let lists = keys.iter().filter_map(|key| Some((*key, task.context.get(*key)?.as_array()?)));
    // Of equal ones the last is taken, so they come last first.
    let found = lists.rev().max_by_key(|(_, items)| items.len().min(2));
    found.map(|(key, items)| (key, items.as_slice())).ok_or_else(|| NotApplicable::NoItems {
        keys: keys.iter().map(|key| format!("`{key}`")).collect(),
    })
}

/// Returns a subtask that every item's resembles, and how sure its type is, 0 to 1.
fn model(
    task: &ComplexTask,
    eligible: EligibleWorkers<'_>,
    profiles: &CapabilityProfiles<'_>,
) -> Result<(Subtask, f64), NotApplicable> {
    let own = Subtask::new("model", &*task.description, type_of(task));
    if eligible.serves(&own) {
        return Ok((own, 1.0));
    }
    let Some(found) = profiles.best(&task.description) else {
        return Err(NotApplicable::Unserved { task_type: own.task_type });
    };
    let model = Subtask::new("model", &*task.description, found.task_type);
    Ok((model.with_constraints(found.constraints), found.quality))
}

fn of_item(model: &Subtask, id: SubtaskId, item: &Value, number: usize, count: usize) -> Subtask {
    let description =
        format!("{} ({ITEM} {number} of {count}: {})", model.description, label(item));
    Subtask::new(id, description, &*model.task_type)
        .with_constraints(model.constraints.clone())
        .with_context(JsonMap::from_iter([(ITEM.to_owned(), item.clone())]))
}

/// Returns what to call an item: its text, or a name within it.
fn label(item: &Value) -> String {
    let name = |map: &JsonMap| {
        ["name", "id", "path", "title"]
            .iter()
            .find_map(|key| map.get(*key)?.as_str().map(str::to_owned))
    };
    let label = match item {
        Value::String(text) => text.clone(),
        Value::Object(map) => name(map).unwrap_or_else(|| item.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => item.to_string(),
    };
    if label.chars().count() <= MAX_LABEL {
        return label;
    }
    label.chars().take(MAX_LABEL).chain(['…']).collect()
}

/// Returns the subtask that joins `parts`, if somebody can do it, and a note that says so: none about the results of nothing.
fn join(
    task: &ComplexTask,
    eligible: EligibleWorkers<'_>,
    ids: &mut Ids,
    parts: &[Subtask],
    max: usize,
) -> (Option<Subtask>, Option<String>) {
    let listed = |kind: &str| {
        let mut capabilities = eligible.admitted().flat_map(|worker| worker.capabilities());
        capabilities.any(|capability| capability.task_types.iter().any(|listed| listed == kind))
    };
    let results = match parts.len() {
        1 => "result of 1 subtask".to_owned(),
        count => format!("results of {count} subtasks"),
    };
    let description = format!("Join the {results}: {}", task.description);
    let id = ids.like("join");
    let of_kind = |kind: &str| {
        Subtask::new(id.clone(), &*description, kind)
            .with_dependencies(parts.iter().map(|part| part.id.clone()))
    };
    let served = JOIN_TYPES.into_iter().filter(|kind| listed(kind)).map(of_kind);
    match served.into_iter().find(|join| eligible.serves(join)) {
        Some(_) if parts.len() >= max => {
            let why = format!("it would be one more than the {max} subtasks that are allowed");
            (None, Some(format!("no join: {why}")))
        }
        Some(join) if parts.is_empty() => {
            let note = format!("`{}` joins the results, of which there are none", join.id);
            (Some(join), Some(note))
        }
        Some(join) => {
            let note = format!("`{}` waits for all of them and joins their results", join.id);
            (Some(join), Some(note))
        }
        None if parts.is_empty() => (None, None),
        None => {
            let note = format!("no join: no worker lists a type of {}", JOIN_TYPES.join(", "));
            (None, Some(note))
        }
    }
}
