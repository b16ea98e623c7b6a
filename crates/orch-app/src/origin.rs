//! Where runs of this process come from: the attempt that has started it, if it is one of orch, and the trace around it.

use orch_core::{Fence, Origin, ParentAttempt, RunId, is_traceparent};

/// Reads the origin of runs that this process submits from its environment: `TRACEPARENT`, and the variables that a command
/// worker sets. What is not as it should be is left out.
pub fn origin_from_environment() -> Origin {
    origin_from(|name| std::env::var(name).ok())
}

fn origin_from(variable: impl Fn(&str) -> Option<String>) -> Origin {
    let traceparent = variable("TRACEPARENT").filter(|text| is_traceparent(text));
    let origin = Origin::new().with_traceparent(traceparent);
    let Some(parent) = parent(&variable) else { return origin };
    let above = variable("ORCH_RUN_DEPTH").and_then(|depth| depth.parse().ok()).unwrap_or(0_u32);
    origin.with_parent(parent).with_depth(above.saturating_add(1))
}

/// Returns the attempt that the process belongs to.
fn parent(variable: impl Fn(&str) -> Option<String>) -> Option<ParentAttempt> {
    let attempt = variable("ORCH_ATTEMPT")?;
    let (run, fence) = attempt.split_once('/')?;
    let (run, fence): (RunId, u64) = (run.parse().ok()?, fence.parse().ok()?);
    let subtask = variable("ORCH_SUBTASK_ID").filter(|id| !id.is_empty())?;
    Some(ParentAttempt::new(run, subtask, Fence(fence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "01a21078-839d-77b8-a447-f715dfb06bd2";
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Origin) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(origin_from(variable), expected, "{variables:?}");
    }

    #[test]
    fn an_origin_is_what_the_environment_says_as_far_as_it_is_well_formed() {
        let attempt = format!("{RUN}/3");
        let parent = ParentAttempt::new(RUN.parse().unwrap(), "a", Fence(3));
        let nested = Origin::new().with_parent(parent.clone()).with_depth(1_u32);
        check(&[], Origin::new());
        check(&[("TRACEPARENT", TRACE)], Origin::new().with_traceparent(TRACE.to_owned()));
        check(&[("TRACEPARENT", "hello")], Origin::new());
        check(&[("ORCH_ATTEMPT", &attempt), ("ORCH_SUBTASK_ID", "a")], nested.clone());
        check(
            &[("ORCH_ATTEMPT", &attempt), ("ORCH_SUBTASK_ID", "a"), ("ORCH_RUN_DEPTH", "4")],
            Origin::new().with_parent(parent).with_depth(5_u32),
        );
        check(
            &[("ORCH_ATTEMPT", &attempt), ("ORCH_SUBTASK_ID", "a"), ("ORCH_RUN_DEPTH", "x")],
            nested,
        );
        check(&[("ORCH_ATTEMPT", &attempt)], Origin::new());
        check(&[("ORCH_ATTEMPT", "x/3"), ("ORCH_SUBTASK_ID", "a")], Origin::new());
        check(&[("ORCH_RUN_DEPTH", "4")], Origin::new());
    }
}
