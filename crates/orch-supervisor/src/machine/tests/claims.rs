//! Claims, one and many at once.

use orch_core::SubtaskId;
use proptest::prelude::*;

use super::*;

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|got| got.subtask.id.as_str()).collect()
}

/// Offers everything to `anna`.
fn offered(ids: &[&str], settings: RunSettings) -> Scenario {
    let mut run = Scenario::with(settings, ids.iter().map(|id| Subtask::new(*id, *id, "work")));
    ids.iter().for_each(|id| _ = run.start_as(id, AttemptKind::Offered));
    run
}

fn any(slots: u32) -> Want {
    Want::new("anna").slots(slots)
}

fn this(id: &str, worker: &str) -> Want {
    Want::new(worker).subtask(SubtaskId::from(id)).slots(8)
}

#[test]
fn a_claim_respects_constraints_deadlines_and_groups() {
    let excluded = Constraints::new().with_exclude_workers(vec!["anna".into()]);
    let required = Constraints::new().with_require_worker(orch_core::WorkerName::new("bert"));
    let soon = after(start_of_time(), 3_000);
    let mut run = Scenario::with(
        settings(),
        [
            Subtask::new("excluded", "x", "work").with_constraints(excluded),
            Subtask::new("required", "r", "work").with_constraints(required),
            Subtask::new("soon", "s", "work").with_deadline(soon),
            Subtask::new("one", "1", "work").with_group("g".to_owned()),
            Subtask::new("two", "2", "work").with_group("g".to_owned()),
        ],
    );
    for id in ["excluded", "required", "soon", "one", "two"] {
        run.start_as(id, AttemptKind::Offered);
    }
    for (id, why) in [("excluded", "excluded"), ("required", "required"), ("two", "group")] {
        let refused = run.claim(Some(id), None).unwrap_err();
        assert!(
            matches!(&refused, Refusal::NotAdmitted { why: said, .. } if said.contains(why)),
            "{id}: {refused}"
        );
    }
    assert_eq!(run.claim(Some("soon"), None).unwrap().unwrap().lease_until, soon);
}

#[test]
fn a_claim_leaves_alone_what_another_run_has_locked() {
    let locked = Subtask::new("locked", "l", "work").with_locks(["file"]);
    let mut run = Scenario::with(settings(), [locked, Subtask::new("free", "f", "work")]);
    run.start_as("locked", AttemptKind::Offered);
    run.start_as("free", AttemptKind::Offered);
    let claim = |subtask: Option<&str>| {
        Command::Claim(Claim {
            wants: vec![Want::new("anna").subtask(subtask.map(Into::into)).token(Token(9))],
            foreign_locks: vec!["file".into()],
            request_key: None,
        })
    };
    let refused = run.ask(claim(Some("locked"))).unwrap_err();
    assert!(matches!(refused, Refusal::Blocked { why: Blocked::Lock(_), .. }), "{refused}");
    let Answer::Claim(claimed) = run.ask(claim(None)).unwrap().0 else {
        panic!("a claim is answered as one")
    };
    assert_eq!(ids(&claimed), ["free"], "there is one without a lock");
}

#[test]
fn a_batch_gets_what_each_of_its_wants_would_get_after_those_before_it() {
    let mut run = offered(&["a", "b", "c", "d"], settings());
    let (claimed, events) =
        run.claim_all([this("c", "bert"), any(2), any(2), any(2)], None).unwrap();
    assert_eq!(ids(&claimed), ["c", "a", "b"], "anna has no slot for a third");
    assert_eq!(claimed[0].worker, *"bert");
    assert_eq!(events, ["attempt_started"; 3]);
    assert_eq!(run.phase("d"), SubtaskPhase::Offered);
}

#[test]
fn what_a_batch_cannot_have_is_left_out_unless_it_gets_nothing() {
    let mut run = offered(&["a", "b"], settings());
    let twice = [this("a", "anna"), this("a", "bert"), this("b", "bert")];
    assert_eq!(ids(&run.claim_all(twice, None).unwrap().0), ["a", "b"]);
    let refused = run.claim_all([this("b", "anna"), this("x", "anna")], None).unwrap_err();
    assert!(matches!(&refused, Refusal::NotReady { subtask, .. } if *subtask == "b"), "{refused}");
    assert_eq!(run.claim_all([any(8)], None).unwrap().0, [], "nothing to do is no refusal");
    assert_eq!(run.claim_all([], None).unwrap().0, []);
}

#[test]
fn the_same_request_gets_the_same_attempts_as_long_as_they_are_open() {
    let mut run = offered(&["a", "b", "c"], settings());
    let (first, _) = run.claim_all([any(8), any(8)], Some("k")).unwrap();
    assert_eq!(ids(&first), ["a", "b"]);
    // Whatever is asked for now: the key says which request it is.
    let (again, events) = run.claim_all([any(8), any(8), any(8)], Some("k")).unwrap();
    assert_eq!((&again, events), (&first, Vec::new()));
    let report = Report {
        attempt: Some((first[0].fence, first[0].token)),
        ..Scenario::report_of(first[0].fence, "fine", None)
    };
    run.ask(Command::Report(report.clone())).unwrap();
    assert_eq!(run.claim_all([any(8)], Some("k")).unwrap().0, first[1..]);
    let attempt = Some((first[1].fence, first[1].token));
    run.ask(Command::Report(Report { attempt, ..report })).unwrap();
    let over = run.claim_all([any(8)], Some("k")).unwrap_err();
    assert_eq!(over, Refusal::NotOpen { fence: first[0].fence });
    assert_eq!(run.phase("c"), SubtaskPhase::Offered);
}

#[test]
fn a_batch_keeps_within_limits_locks_groups_and_budget() {
    let budget = Budget::default().with_max_cost_micro_usd(2_500_000_u64);
    let cap = |usd| Constraints::new().with_max_cost_usd(usd);
    let subtasks = [
        Subtask::new("lock 1", "l", "work").with_locks(["file"]).with_constraints(cap(1.0)),
        Subtask::new("lock 2", "l", "work").with_locks(["file"]).with_constraints(cap(0.0)),
        Subtask::new("group 1", "g", "work").with_group("g".to_owned()).with_constraints(cap(1.0)),
        Subtask::new("group 2", "g", "work").with_group("g".to_owned()).with_constraints(cap(0.0)),
        Subtask::new("dear", "d", "work").with_constraints(cap(1.0)),
        Subtask::new("free", "f", "work").with_constraints(cap(0.0)),
        Subtask::new("too many", "t", "work").with_constraints(cap(0.0)),
    ];
    let ids_of = subtasks.each_ref().map(|subtask| subtask.id.clone());
    let settings = settings().with_budget(budget).with_max_parallel(3_u32);
    let mut run = Scenario::with(settings, subtasks);
    for (id, worker) in ids_of.iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
        let start = Start {
            subtask: run.index(id.as_str()),
            worker: worker.into(),
            kind: AttemptKind::Offered,
            token: Token(1),
            timeout_ms: 60_000,
            card: orch_core::Digest::of_bytes(b"card"),
            route: None,
        };
        run.ask(Command::Start(start)).unwrap();
    }
    let wants = ids_of.iter().map(|id| this(id.as_str(), "anna"));
    let (claimed, _) = run.claim_all(wants, None).unwrap();
    assert_eq!(ids(&claimed), ["lock 1", "group 1", "free"]);
}

#[test]
fn a_batch_takes_over_what_has_lapsed() {
    let mut run = offered(&["a", "b"], settings());
    let (lost, _) = run.claim_all([any(8), any(8)], None).unwrap();
    run.pass(10_001);
    let (taken, events) = run.claim_all([any(8), any(8)], None).unwrap();
    assert_eq!(ids(&taken), ids(&lost));
    assert_eq!(events, ["attempt_closed", "attempt_started", "attempt_closed", "attempt_started"]);
    assert!(taken.iter().all(|now| lost.iter().all(|then| now.fence > then.fence)));
}

fn wants() -> impl Strategy<Value = Vec<Want>> {
    let subtask = proptest::option::of(0..6_usize);
    let want = (0..3_usize, subtask, 0..4_u32).prop_map(|(worker, subtask, slots)| {
        Want::new(["anna", "bert", "carl"][worker])
            .subtask(subtask.map(|place| SubtaskId::from(["a", "b", "c", "d", "e", "x"][place])))
            .slots(slots)
    });
    proptest::collection::vec(want, 0..8)
}

proptest! {
    /// A batch is what its wants are one by one, in one write.
    #[test]
    fn a_batch_is_its_claims_one_after_the_other(wants in wants(), most in 1..6_u32, lapsed: bool) {
        let mut whole = offered(&["a", "b", "c", "d", "e"], settings().with_max_parallel(most));
        if lapsed {
            _ = whole.claim_all([any(8), any(8)], None);
            whole.pass(10_001);
        }
        let mut parts = Scenario { state: whole.state.clone(), now: whole.now };
        let mut one_by_one = Vec::new();
        let mut first_refusal = None;
        for (want, token) in wants.iter().zip(whole.state.fence_of_next().0..) {
            let wants = vec![want.clone().token(Token(token))];
            let claim = Claim { wants, foreign_locks: Vec::new(), request_key: None };
            match parts.ask(Command::Claim(claim)) {
                Ok((Answer::Claim(claimed), _)) => one_by_one.extend(claimed),
                Ok((other, _)) => panic!("{other:?}"),
                Err(refusal) => _ = first_refusal.get_or_insert(refusal),
            }
        }
        match (whole.claim_all(wants, None), first_refusal) {
            (Ok((claimed, _)), _) => prop_assert_eq!(claimed, one_by_one),
            (Err(refusal), first) => {
                prop_assert_eq!(Some(refusal), first);
                prop_assert!(one_by_one.is_empty());
            }
        }
        // The numbers of events differ in nothing.
        prop_assert_eq!(whole.state, parts.state);
    }
}
