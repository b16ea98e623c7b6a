//! `alma_delegate_task`: a task becomes a run, and what can start is handed out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use orch_core::{
    AggregationStrategy, Budget, ComplexTask, Constraints, DecompositionPlan, EndStatus,
    ExecutionStrategy, RunId, RunPhase, RunSettings, RunStatus, Subtask, WorkerName,
    infer_task_type,
};
use orch_supervisor::SubmitOptions;

use super::{finish, hand_over, progress};
use crate::answer::{Answer, short};
use crate::args::{BudgetArg, Delegate, SubtaskArg, not_blank};
use crate::call_context::{Progress, ProgressSink};
use crate::caller::Caller;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::Wanted;
use crate::mode::{self, Mode};
use crate::names::{self, did_you_mean};
use crate::request::{self, Note, Request};
use orch_core::RunView;

/// What is kept free of an answer for the first lines of the plan.
const PLAN_ROOM: usize = 500;
/// The most agents without a file that are named in the message.
const UNKNOWN: usize = 3;
/// The most bytes of a subtask's description in the plan.
const LINE_BYTES: usize = 90;

/// Delegates a task.
pub(crate) async fn delegate(
    desk: &Desk,
    mut args: Delegate,
    caller: &Caller,
    sink: &ProgressSink,
) -> Result<Answer, ToolError> {
    not_blank("task", &args.task)?;
    args.task = args.task.trim().to_owned();
    names::read_all(&desk.supervisor, &mut args)?;
    let named = named(&args);
    mode::check(desk, args.mode, &named)?;
    let task = task(desk, &args)?;
    let plan = plan(desk, &args.subtasks)?;
    let guests = named.into_iter().filter(|name| desk.worker(name).is_none()).collect();
    let body = request::body(desk, &args)?;
    let note = Note { guests, mode: args.mode, body: Some(body) };
    let settings = note.in_settings(settings(desk, &args)?);
    let request = match &args.request_key {
        Some(key) => Request::Key(request::of_client(key)),
        None => request::of_body(desk, body).await?,
    };
    let (run, again) = match request {
        Request::Open(row) => (row.head.run, true),
        Request::Key(key) => match desk.journal().run_of_request(&settings.project, &key).await? {
            Some(run) => (run, true),
            None => {
                let guests = desk.guests(&note);
                let mut options =
                    SubmitOptions::new().settings(settings).request_key(key).guests(guests);
                options.plan = plan;
                options.origin = caller.origin(&desk.origin);
                (desk.supervisor.submit_with(task, options).await?, false)
            }
        },
    };
    if let Some(key) = &args.request_key
        && desk.note(run).await?.is_none_or(|kept| kept.body != Some(body))
    {
        return Err(ToolError::KeyReused { key: short(key, 60), run });
    }
    desk.note_carried_out(run, args.mode);
    if again {
        // A client that delegates it again wants it done, suspended or not.
        desk.resume(&desk.row(run).await?).await?;
    }
    answer(desk, run, again, sink).await
}

async fn answer(
    desk: &Desk,
    run: RunId,
    again: bool,
    sink: &ProgressSink,
) -> Result<Answer, ToolError> {
    let status = desk.settled(run).await?;
    let (done, total) = (status.counts.finished(), status.counts.total);
    let message = format!("planned as {total} subtasks");
    sink.send(Progress { done: done.into(), total: Some(total.into()), message }).await;
    if !again {
        refuse_without_plan(desk, &status).await?;
    }
    let mut answer = Answer::new(true);
    if desk.mode(run).await? == Mode::Managed && status.status != RunPhase::Ended {
        answer.as_task_too(run);
    }
    answer.set("orchestration_id", run);
    progress(&mut answer, &status);
    let message = if again {
        let age = (desk.now)().as_second() - status.submitted_at.as_second();
        format!(
            "This is the run of the same request from {} s ago. Call alma_orchestration_status with subtask_id to get a prompt again. For another run of the same request pass a new request_key.",
            age.max(0)
        )
    } else {
        format!("Delegated as {} subtasks.{}", status.counts.total, unknown(desk, run).await?)
    };
    answer.set("message", message);
    finish(desk, &mut answer, &status).await?;
    let wanted = Wanted { most: usize::MAX, ..Wanted::default() };
    let status = hand_over(desk, &mut answer, status, wanted, PLAN_ROOM).await?;
    let view = desk.view(run).await?;
    let room = answer.room().saturating_sub(60);
    answer.set_list("plan", lines(desk, &view, &status), room);
    Ok(answer)
}

/// Says which agents were named that no file describes.
async fn unknown(desk: &Desk, run: RunId) -> Result<String, ToolError> {
    let guests = desk.note(run).await?.map(|note| note.guests).unwrap_or_default();
    let sentence = |guest: &WorkerName| {
        let hint = did_you_mean(&desk.supervisor, guest.as_str()).unwrap_or_default();
        format!(" `{guest}` has no agent file{hint}.").replace("?.", "?")
    };
    let mut said: String = guests.iter().take(UNKNOWN).map(sentence).collect();
    if let Some(more) = guests.len().checked_sub(UNKNOWN).filter(|more| *more > 0) {
        said.push_str(&format!(" {more} more have none."));
    }
    Ok(said)
}

/// A plan that cannot be carried out is the caller's to correct.
async fn refuse_without_plan(desk: &Desk, status: &RunStatus) -> Result<(), ToolError> {
    let is_empty = status.counts.total == 0;
    if status.status == RunPhase::Ended && status.end_status == Some(EndStatus::Failed) && is_empty
    {
        let result = desk.supervisor.result(status.run_id).await?;
        let errors = result.map(|result| result.errors.join("; ")).unwrap_or_default();
        let hint = match desk.mode(status.run_id).await? {
            Mode::Managed => {
                " Mode `managed` uses only workers that this server runs: give one of them in orch.yaml the task_type, or pass mode `mixed`."
            }
            Mode::External | Mode::Mixed => "",
        };
        return Err(ToolError::NoPlan { why: short(&errors, 2_000), hint });
    }
    Ok(())
}

/// One line a subtask: id, what it waits for, who does it as far as that is known, what it is.
fn lines(desk: &Desk, view: &RunView, status: &RunStatus) -> Vec<String> {
    let line = |(node, subtask): (&orch_core::SubtaskView, &orch_core::SubtaskStatus)| {
        let after: Vec<&str> = node.spec.dependencies.iter().map(|id| id.as_str()).collect();
        let after = match after.as_slice() {
            [] => String::new(),
            ids => format!(" after {}", short(&ids.join(", "), LINE_BYTES)),
        };
        let who = subtask.open.last().map(|open| &open.worker).or(subtask.worker.as_ref());
        let required = || node.spec.constraints.as_ref()?.require_worker.as_ref();
        let who = who.or_else(required).map_or_else(String::new, |who| {
            if desk.worker(who).is_none() {
                let hint = did_you_mean(&desk.supervisor, who.as_str()).unwrap_or_default();
                format!(" [{who}: no such agent file{hint}]")
            } else if *who == desk.general && required() != Some(who) {
                format!(" [{who}: no agent fits it better]")
            } else {
                format!(" [{who}]")
            }
        });
        format!("{}{after}{who}: {}", node.spec.id, short(&node.spec.description, LINE_BYTES))
    };
    view.subtasks.iter().zip(&status.subtasks).map(line).collect()
}

/// The workers that the arguments name.
fn named(args: &Delegate) -> Vec<WorkerName> {
    let constraints = args.constraints.iter();
    let constrained = constraints.flat_map(|c| c.require_worker.iter().chain(&c.prefer));
    let of_subtasks = args.subtasks.iter().filter_map(|subtask| subtask.worker.as_ref());
    let all: BTreeSet<&WorkerName> =
        args.workers.iter().chain(constrained).chain(of_subtasks).collect();
    all.into_iter().cloned().collect()
}

fn task(desk: &Desk, args: &Delegate) -> Result<ComplexTask, ToolError> {
    let required = args.constraints.as_ref().and_then(|all| all.require_worker.as_ref());
    let kind = task_type(desk, args.task_type.as_deref(), &args.task, required);
    let deadline = args.deadline.as_deref().map(|text| deadline(text, (desk.now)())).transpose()?;
    Ok(ComplexTask::new("mcp", args.task.trim(), kind)
        .with_context(args.context.clone())
        .with_constraints(constraints(desk, args))
        .with_deadline(deadline))
}

/// Of the workers that are known only those that the client lists may do it, and its general agent when none of them fits.
/// Of all of them only those of the mode may.
fn constraints(desk: &Desk, args: &Delegate) -> Option<Constraints> {
    let mut all = args.constraints.clone().unwrap_or_default();
    all.kind = args.mode.kind().or(all.kind);
    if args.workers.is_empty() {
        return Some(all);
    }
    let named = named(args);
    let others = desk.worker_names();
    all.exclude_workers
        .extend(others.into_iter().filter(|name| !named.contains(name) && *name != desk.general));
    Some(all)
}

fn deadline(text: &str, now: Timestamp) -> Result<Timestamp, ToolError> {
    let span = || jiff::fmt::friendly::SpanParser::new().parse_unsigned_duration(text.trim()).ok();
    let at = text.trim().parse().ok().or_else(|| now.checked_add(span()?).ok());
    at.filter(|at| *at > now).ok_or_else(|| {
        ToolError::Arguments(format!(
            "`deadline` is `{}`; give a time to come such as 2030-01-31T12:00:00Z, or a span such as 30m.",
            short(text, 60)
        ))
    })
}

fn plan(desk: &Desk, subtasks: &[SubtaskArg]) -> Result<Option<DecompositionPlan>, ToolError> {
    if subtasks.is_empty() {
        return Ok(None);
    }
    let plan = DecompositionPlan::new(subtasks.iter().map(|arg| subtask(desk, arg)));
    let issues = plan.validate_shape();
    if issues.is_empty() {
        return Ok(Some(plan));
    }
    let listed: Vec<String> = issues.iter().take(10).map(ToString::to_string).collect();
    Err(ToolError::Arguments(short(&format!("Wrong subtasks: {}.", listed.join("; ")), 2_000)))
}

fn subtask(desk: &Desk, arg: &SubtaskArg) -> Subtask {
    let constraints =
        arg.worker.clone().map(|worker| Constraints::new().with_require_worker(worker));
    let kind = task_type(desk, Some(&arg.task_type), &arg.description, arg.worker.as_ref());
    Subtask::new(arg.id.clone(), arg.description.clone(), kind)
        .with_dependencies(arg.dependencies.iter().cloned())
        .with_context(arg.context.clone())
        .with_priority(arg.priority.unwrap_or(Subtask::DEFAULT_PRIORITY))
        .with_required(arg.required)
        .with_constraints(constraints)
}

/// Returns the type of a task or subtask: the one that is given; else one that the worker named for it has, as words are only
/// a guess; else the one that its words suggest, which is left to the plan when it comes with one.
fn task_type(
    desk: &Desk,
    given: Option<&str>,
    description: &str,
    worker: Option<&WorkerName>,
) -> String {
    if let Some(given) = given.filter(|given| !given.trim().is_empty()) {
        return given.to_owned();
    }
    let guess = infer_task_type(description);
    let worker = worker.and_then(|name| desk.worker(name));
    let types = worker.iter().flat_map(|worker| worker.capabilities()).flat_map(|c| &c.task_types);
    let types: Vec<&String> = types.collect();
    match types.first() {
        Some(first) if !types.iter().any(|known| *known == guess || *known == "*") => {
            (*first).clone()
        }
        Some(_) | None => given.map_or_else(|| guess.to_owned(), str::to_owned),
    }
}

/// The client starts its agents side by side, so a run of this server is parallel unless it says otherwise.
fn settings(desk: &Desk, args: &Delegate) -> Result<RunSettings, ToolError> {
    let mut settings = desk.settings.clone();
    settings.strategy = args.strategy.unwrap_or(ExecutionStrategy::Parallel);
    if let Some(strategy) = args.aggregation {
        match strategy {
            AggregationStrategy::Concatenate
            | AggregationStrategy::Merge
            | AggregationStrategy::Auto => {}
            AggregationStrategy::Vote
            | AggregationStrategy::Reduce
            | AggregationStrategy::Custom => {
                return Err(ToolError::Arguments(format!(
                    "aggregation `{strategy}` is not available; pass `merge`, `concatenate` or `auto`."
                )));
            }
        }
        settings.aggregation.strategy = strategy;
    }
    if let Some(budget) = &args.budget {
        settings.budget = budget_of(settings.budget, budget)?;
    }
    Ok(settings)
}

fn budget_of(mut budget: Budget, args: &BudgetArg) -> Result<Budget, ToolError> {
    if let Some(usd) = args.max_cost_usd {
        let cost = orch_core::Usage::default().with_cost_usd(usd).cost_micro_usd();
        budget.max_cost_micro_usd = Some(cost.ok_or_else(|| {
            ToolError::Arguments("`budget.max_cost_usd` must be a number from 0 up.".to_owned())
        })?);
    }
    budget.max_tokens = args.max_tokens.or(budget.max_tokens);
    Ok(budget)
}
