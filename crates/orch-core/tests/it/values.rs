//! Ids, digests, trace contexts, usage: small values with rules.

use std::collections::HashMap;

use jiff::Timestamp;
use orch_core::journal::{AcquireError, AppendError, JournalError, Owner, ProcessId};
use orch_core::*;
use proptest::prelude::*;
use serde_json::json;

fn run(number: u128) -> RunId {
    RunId::new(Timestamp::from_millisecond(1_764_000_000_000).unwrap(), number << 64)
}

#[test]
fn string_ids_behave_like_their_text() {
    let id = SubtaskId::new("b");
    assert_eq!(id, "b");
    assert_eq!(id, *"b");
    let (before, after) = (SubtaskId::from("a"), SubtaskId::from("c".to_owned()));
    assert!(before < id && id < after);
    assert_eq!((format!("{id:>3}"), format!("{id:?}")), ("  b".to_owned(), "\"b\"".to_owned()));
    assert_eq!((id.as_str(), id.as_ref()), ("b", "b"));
    let map = HashMap::from([(id.clone(), 1)]);
    assert_eq!(map.get("b"), Some(&1), "found by its text");
    assert_eq!(serde_json::to_value(&id).unwrap(), json!("b"));
    assert_eq!(serde_json::from_value::<SubtaskId>(json!("b")).unwrap(), id);
    assert!(serde_json::from_value::<SubtaskId>(json!(1)).is_err());
}

#[test]
fn numbers_are_shown_and_stored_bare() {
    assert_eq!(
        (Seq(1).next(), Fence::default(), Epoch(7).to_string()),
        (Seq(2), Fence(0), "7".to_owned())
    );
    assert_eq!(serde_json::to_value(Fence(u64::MAX)).unwrap(), json!(u64::MAX));
    assert_eq!(serde_json::from_value::<Seq>(json!(3)).unwrap(), Seq(3));
    assert_eq!(SubtaskIndex(9).get(), 9);
}

#[test]
fn tokens_are_16_hex_digits_and_never_in_logs() {
    let token = Token(0xabc);
    assert_eq!(token.to_string(), "0000000000000abc");
    assert_eq!(serde_json::to_value(token).unwrap(), json!("0000000000000abc"));
    assert_eq!(format!("{token:?}"), "Token(..)");
    for good in [token, Token(0), Token(u64::MAX)] {
        assert_eq!(good.to_string().parse(), Ok(good));
        let json = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<Token>(&json).unwrap(), good);
        assert_eq!(serde_json::from_reader::<_, Token>(json.as_bytes()).unwrap(), good);
    }
    for bad in [
        json!("xyz"),
        json!(""),
        json!("00000000000000abc"),
        json!("abc"),
        json!("+000000000000abc"),
        json!(7),
    ] {
        assert!(serde_json::from_value::<Token>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn run_ids_sort_by_time_and_keep_their_text() {
    let at = |ms: i64| RunId::new(Timestamp::from_millisecond(ms).unwrap(), u128::MAX);
    assert!(at(1) < at(2) && at(2) < at(1_764_000_000_000));
    assert!(at(-5) <= at(0), "times before the epoch count as the epoch");
    let id = run(1);
    let text = id.to_string();
    assert_eq!((text.len(), &text[14..15], format!("{id:?}")), (36, "7", text.clone()));
    assert_eq!(text.parse(), Ok(id));
    assert_eq!(serde_json::to_value(id).unwrap(), json!(text));
    assert_ne!(run(1), run(2));
    assert!("nonsense".parse::<RunId>().is_err());
}

#[test]
fn an_attempt_has_a_trace_context_and_a_stable_key() {
    let info = AttemptInfo::new(run(1), Fence(0x2a), Token(1), &"fetch".into(), 1_000);
    let id = run(1).to_string();
    assert_eq!(info.traceparent, format!("00-{}-000000000000002a-01", id.replace('-', "")));
    assert_eq!(info.traceparent.len(), 55);
    assert_eq!(info.idempotency_key, format!("{id}/fetch"));
    let second = AttemptInfo::new(run(1), Fence(0x2b), Token(2), &"fetch".into(), 1_000)
        .with_number(2_u32)
        .with_guidance("slower".to_owned())
        .with_last_failure(Failure::new(Cause::Timeout, "too slow"))
        .with_max_cost_micro_usd(5_u64);
    assert_eq!(second.idempotency_key, info.idempotency_key);
    assert_ne!(second.traceparent, info.traceparent);
    let traced =
        second.clone().with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert!(traced.traceparent.starts_with("00-0af7"));
    let json = serde_json::to_string(&second).unwrap();
    assert_eq!(serde_json::from_str::<AttemptInfo>(&json).unwrap(), second);
}

#[test]
fn a_context_goes_to_a_process_and_comes_back() {
    let attempt = AttemptInfo::new(run(1), Fence(1), Token(1), &"a".into(), 1_000);
    let data = json!({ "path": "." }).as_object().unwrap().clone();
    let context = WorkerContext::new(Subtask::new("a", "Do a", "t"), attempt)
        .with_parent_context(data.clone())
        .with_memory_slice(MemorySlice::new().with_heuristics(vec!["first".to_owned()]))
        .with_sibling_results(vec![WorkerResult::success("b", "w", json!(1)).into()])
        .with_absent(vec![Absence::new("c", SubtaskPhase::Failed, "broke")])
        .with_stop(StopSignal::new());
    let json = serde_json::to_value(&context).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["subtask", "parent_context", "memory_slice", "sibling_results", "absent", "attempt"]
    );
    let back: WorkerContext = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), json);
    assert_eq!(*back.parent_context, data);
    let shown = format!("{context:?}");
    assert!(
        shown.contains("\"a\"")
            && shown.contains("StopSignal(false)")
            && shown.contains("Token(..)")
    );
    let bare: WorkerContext = serde_json::from_value(json!({
        "subtask": json["subtask"], "parent_context": {}, "attempt": json["attempt"],
    }))
    .unwrap();
    assert!(bare.sibling_results.is_empty() && bare.memory_slice.is_none());
}

#[test]
fn digests_do_not_depend_on_the_order_of_keys() {
    let text = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    let digest = |json: &str| Digest::of_json(&text(json)).unwrap();
    assert_eq!(
        digest(r#"{"a":1,"b":[2,{"c":3,"d":4}]}"#),
        digest(r#"{ "b": [2, {"d":4,"c":3}], "a": 1 }"#)
    );
    assert_eq!(digest("1.0"), digest("1"));
    assert_ne!(digest("[1,2]"), digest("[2,1]"));
    assert_ne!(digest(r#"{"a":null}"#), digest("{}"));
    assert_eq!(
        digest(r#"{"b":1,"a":"\u00e4"}"#),
        Digest::of_bytes("{\"a\":\"\u{e4}\",\"b\":1}".as_bytes())
    );
    // The canonical form alone would take these for the same double.
    for (a, b) in [
        ("9007199254740993", "9007199254740992"),
        ("[{\"id\":18446744073709551615}]", "[{\"id\":18446744073709551614}]"),
        ("-9223372036854775808", "-9223372036854775807"),
        ("9007199254740993", "\"9007199254740993\""),
    ] {
        assert_ne!(digest(a), digest(b));
        assert_eq!(digest(a), digest(a));
    }
    assert!(Digest::of_json(&f64::NAN).is_ok(), "JSON has no such number and writes null");
    let odd = HashMap::from([(vec![1], 2)]);
    assert!(Digest::of_json(&odd).is_err(), "keys that are no text");
}

#[test]
fn digests_are_64_hex_digits() {
    let empty = Digest::of_bytes(b"");
    let text = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    assert_eq!((empty.to_string().as_str(), empty.as_bytes()[0]), (text, 0xaf));
    assert_eq!(text.parse::<Digest>().unwrap(), empty);
    assert_eq!(format!("{empty:?}"), "Digest(af1349b9f5f9)");
    let json = serde_json::to_string(&empty).unwrap();
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), empty);
    assert!(serde_json::from_value::<Digest>(json!("af")).is_err());
}

#[test]
fn usage_is_rounded_and_unknown_stays_unknown() {
    let cost = |usd: f64| Usage::default().with_cost_usd(usd).cost_micro_usd();
    for (usd, micro) in [
        (0.0, Some(0)),
        (1.0, Some(1_000_000)),
        (0.000_000_4, Some(0)),
        (0.000_000_5, Some(1)),
        (0.1 + 0.2, Some(300_000)),
        (1e30, Some(u64::MAX)),
        (-0.000_000_1, None),
        (-1.0, None),
        (f64::NAN, None),
        (f64::INFINITY, None),
    ] {
        assert_eq!(cost(usd), micro, "{usd}");
    }
    assert_eq!((Usage::default().cost_micro_usd(), Usage::default().tokens()), (None, None));
    assert_eq!(Usage::default().with_input_tokens(3_u64).tokens(), Some(3));
    assert_eq!(Usage::default().with_output_tokens(4_u64).tokens(), Some(4));
    let all = Usage::default().with_input_tokens(u64::MAX).with_output_tokens(1_u64);
    assert_eq!(all.tokens(), Some(u64::MAX));
}

#[test]
fn well_known_metadata_is_read() {
    let with = |metadata: serde_json::Value| {
        WorkerResult::success("a", "w", json!(null))
            .with_metadata(metadata.as_object().unwrap().clone())
    };
    let result = with(json!({
        "usage": { "input_tokens": 5, "cost_usd": 0.5, "other": true },
        "artifacts": [{ "name": "report", "uri": "r.md", "media_type": "text/markdown" }],
        "evidence": { "stderr": "oh" },
        "more": 1,
    }));
    let usage = Usage::default().with_input_tokens(5_u64).with_cost_usd(0.5);
    assert_eq!(result.usage().unwrap(), Some(usage));
    let artifact = Artifact::new("report", "r.md").with_media_type("text/markdown".to_owned());
    assert_eq!(result.artifacts().unwrap(), [artifact]);
    assert_eq!(result.evidence().unwrap().unwrap()["stderr"], "oh");
    let none = with(json!({}));
    assert_eq!(
        (none.usage().unwrap(), none.artifacts().unwrap(), none.evidence().unwrap()),
        (None, vec![], None)
    );
    let error = with(json!({ "usage": { "input_tokens": -1 } })).usage().unwrap_err();
    assert_eq!(
        (error.key, error.to_string().as_str()),
        ("usage", "metadata.usage does not have its well-known shape")
    );
    assert!(with(json!({ "artifacts": {} })).artifacts().is_err());
    assert!(with(json!({ "evidence": [] })).evidence().is_err());
}

#[test]
fn decisions_carry_their_intervention_only_when_they_retry() {
    let help = || Intervention::new(InterventionType::BreakLoop, "a loop", "another way");
    let pause = std::time::Duration::from_secs(1);
    let FailureDecision::Retry { worker, intervention, after, reason, .. } =
        FailureDecision::retry_on("w".into(), pause, "again").with_intervention(help())
    else {
        panic!("no retry");
    };
    assert_eq!(
        (worker, intervention, after, reason.as_str()),
        (Some("w".into()), Some(help()), pause, "again")
    );
    assert!(matches!(
        FailureDecision::retry(pause, "again"),
        FailureDecision::Retry { worker: None, intervention: None, .. }
    ));
    let end = FailureDecision::give_up("enough");
    assert_eq!(end.clone().with_intervention(help()), end);
}

#[test]
fn errors_say_what_happened() {
    let owner = Owner::new("o", "orch run", ProcessId::new(7, 0, ""), Timestamp::UNIX_EPOCH);
    let r = run(1);
    let store = || JournalError::Store { doing: "load it".to_owned(), source: "disk full".into() };
    let blob = BlobRef { hash: Digest::of_bytes(b""), size: 0 };
    for (message, expected) in [
        (
            AppendError::Conflict { run: r, expected: Seq(1), actual: Seq(2) }.to_string(),
            format!("run {r} is at event 2, not 1"),
        ),
        (
            AppendError::Fenced { run: r, epoch: Epoch(1), actual: Epoch(2) }.to_string(),
            format!("run {r} belongs to the owner with epoch 2, not to 1"),
        ),
        (
            AppendError::LockHeld { run: r, lock: "l".into(), holder: r }.to_string(),
            format!("lock `l` is held by run {r}"),
        ),
        (
            AppendError::RequestTaken { run: r, key: "k".into(), existing: r }.to_string(),
            format!("request `k` was answered before, by run {r}"),
        ),
        (
            AppendError::Store { run: r, source: "disk full".into() }.to_string(),
            format!("cannot write the journal of run {r}"),
        ),
        (AcquireError::NotFound(r).to_string(), format!("there is no run {r}")),
        (AcquireError::Unregistered("o".into()).to_string(), "owner o is not registered".to_owned()),
        (
            AcquireError::Owned { run: r, owner: Box::new(owner), epoch: Epoch(1) }.to_string(),
            format!("run {r} is owned by orch run (process 7)"),
        ),
        (AcquireError::from(store()).to_string(), "cannot load it".to_owned()),
        (
            JournalError::Corrupt { what: "event 7".to_owned(), reason: "odd".to_owned() }.to_string(),
            "event 7 cannot be read: odd".to_owned(),
        ),
        (JournalError::NoBlob(blob).to_string(), format!("there is no blob {}", blob.hash)),
        (
            AggregateError::Unsupported { strategy: AggregationStrategy::Vote, available: vec!["merge"] }.to_string(),
            "aggregation strategy `vote` is not available here; available: merge".to_owned(),
        ),
        (
            DecomposeError::Invalid(vec![PlanIssue::Empty, PlanIssue::NoWorkers]).to_string(),
            "the plan is not valid: the plan has no subtasks; give it at least one; there are no workers; register at least one"
                .to_owned(),
        ),
        (
            DecomposeError::NoWorker { task_type: "t".to_owned(), workers: vec!["a".to_owned(), "b".to_owned()] }.to_string(),
            "no worker fits task type `t`; workers: a, b".to_owned(),
        ),
    ] {
        assert_eq!(message, expected);
    }
    let source = std::error::Error::source(&store()).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("disk full"));
}

proptest! {
    #[test]
    fn tokens_and_run_ids_come_back(token in any::<u64>(), entropy in any::<u128>(), ms in 0_i64..=253_402_207_200_000) {
        prop_assert_eq!(Token(token).to_string().parse(), Ok(Token(token)));
        let id = RunId::new(Timestamp::from_millisecond(ms).unwrap(), entropy);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
