//! `alma_claim_subtask`: work for an agent that has none.

use super::{finish, hand_over, progress};
use crate::answer::Answer;
use crate::args::Claim;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::hand_out::Wanted;
use crate::names;

/// Claims a subtask.
pub(crate) async fn claim(desk: &Desk, args: Claim) -> Result<Answer, ToolError> {
    if args.slots == Some(0) {
        return Err(ToolError::Arguments("`slots` must be at least 1.".to_owned()));
    }
    let worker = args.worker.as_ref().map(|name| names::read(&desk.supervisor, "worker", name));
    let worker = worker.transpose()?;
    let row = desk.find(&args.orchestration_id).await?;
    desk.carry_on(&row).await?;
    let run = row.head.run;
    if let Some(id) = &args.subtask_id {
        super::report::find(&*desk.view(run).await?, run, id.as_str())?;
    }
    let status = desk.attended(run).await?;
    let mut answer = Answer::new(true);
    answer.set("orchestration_id", run);
    progress(&mut answer, &status);
    finish(desk, &mut answer, &status).await?;
    let wanted = Wanted {
        subtask: args.subtask_id.as_ref(),
        worker: worker.as_ref(),
        most: 1,
        slots: args.slots.or(args.worker.is_some().then_some(1)),
        request_key: args.request_key,
    };
    hand_over(desk, &mut answer, status, wanted, 0).await?;
    Ok(answer)
}
