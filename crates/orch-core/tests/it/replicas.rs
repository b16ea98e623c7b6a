//! Replicas become subtasks, and whatever hung on the one hangs on all.

use orch_core::{DecompositionPlan, PlanSource, Subtask};

fn shown(plan: &DecompositionPlan) -> Vec<String> {
    let list = |ids: &[orch_core::SubtaskId]| {
        ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(",")
    };
    plan.subtasks
        .iter()
        .map(|s| {
            let group = s.group.as_deref().unwrap_or("-");
            format!(
                "{} [{}] [{}] {group} x{}",
                s.id,
                list(&s.dependencies),
                list(&s.tolerates),
                s.replicas
            )
        })
        .collect()
}

#[test]
fn replicas_are_expanded_in_place() {
    let plan = DecompositionPlan::new([
        Subtask::new("start", "", ""),
        Subtask::new("ask", "Is it so?", "review")
            .with_dependencies(["start"])
            .with_replicas(3_u32),
        Subtask::new("check", "", "")
            .with_dependencies(["ask"])
            .with_replicas(2_u32)
            .with_group("mine".to_owned()),
        Subtask::new("vote", "", "")
            .with_dependencies(["start", "ask", "check"])
            .with_tolerates(["ask"]),
        Subtask::new("alone", "", "").with_dependencies(["start"]),
    ])
    .with_source(PlanSource::Planner)
    .with_confidence(0.5);
    let expanded = plan.expand_replicas();
    assert_eq!(
        shown(&expanded),
        [
            "start [] [] - x1",
            "ask#1 [start] [] ask x1",
            "ask#2 [start] [] ask x1",
            "ask#3 [start] [] ask x1",
            "check#1 [ask#1,ask#2,ask#3] [] mine x1",
            "check#2 [ask#1,ask#2,ask#3] [] mine x1",
            "vote [start,ask#1,ask#2,ask#3,check#1,check#2] [ask#1,ask#2,ask#3] - x1",
            "alone [start] [] - x1",
        ]
    );
    assert_eq!((expanded.source, expanded.confidence), (PlanSource::Planner, 0.5));
    assert_eq!(expanded.subtasks[2].description, "Is it so?");
    assert_eq!(expanded.validate_shape(), []);
    assert_eq!(expanded.expand_replicas(), expanded);
}

#[test]
fn subtasks_without_replicas_are_shared_not_copied() {
    let plan = DecompositionPlan::new([
        Subtask::new("a", "", ""),
        Subtask::new("b", "", "").with_replicas(2_u32),
    ]);
    let expanded = plan.expand_replicas();
    assert!(std::sync::Arc::ptr_eq(&plan.subtasks[0], &expanded.subtasks[0]));
    let plain = DecompositionPlan::new([Subtask::new("a", "", "").with_replicas(0_u32)]);
    assert_eq!(plain.expand_replicas(), plain);
}
