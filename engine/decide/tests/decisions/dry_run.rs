//! What comparing is not sure of: when the server is asked, what, and what its answers mean.

use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use sluice_decide::{Answer, Answers, Doubts, DryRun, Refusal, Verdict, ask};
use sluice_model::decision::Strategy;

use super::*;

type Reply = Result<Object, Refusal>;

/// A server of which a case says what it answers, in turn; it remembers what it was asked.
#[derive(Default)]
struct Server {
    replies: Mutex<Vec<Reply>>,
    asked: Mutex<Vec<(&'static str, Value)>>,
}

impl Server {
    fn of(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: Vec<Reply> = replies.into_iter().collect();
        replies.reverse();
        Self {
            replies: Mutex::new(replies),
            ..Self::default()
        }
    }

    fn reply(&self, question: &'static str, body: &Value) -> Reply {
        self.asked.lock().unwrap().push((question, body.clone()));
        let next = self.replies.lock().unwrap().pop();
        next.unwrap_or_else(|| panic!("{question} is asked once too often: {body}"))
    }

    fn questions(&self) -> Vec<&'static str> {
        assert!(
            self.replies.lock().unwrap().is_empty(),
            "less is asked than answered"
        );
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(question, _)| *question).collect()
    }
}

impl DryRun for Server {
    async fn apply(&self, desired: &Object, strict: bool) -> Reply {
        assert!(strict, "unknown fields are refused by default");
        self.reply("apply", desired.value())
    }

    async fn create(&self, object: &Object, _: bool) -> Reply {
        self.reply("create", object.value())
    }

    async fn patch(&self, patch: &Value, _: bool) -> Reply {
        self.reply("patch", patch)
    }
}

/// Nothing here waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn thing(spec: Value) -> Value {
    json!({"apiVersion": "e.com/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "n"}, "spec": spec})
}

fn owns(manager: &str, operation: &str, spec: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "e.com/v1", "fieldsV1": {"f:spec": spec}})
}

/// A thing of ours as the cluster has it, beside what Git wants.
fn compared(git: Value, cluster: Value, record: Value) -> Compared {
    let live = live([live_with(thing(cluster), record)]);
    compare(&live, vec![manifest(thing(git))], &mut Said::default()).remove(0)
}

/// Git changes `a`.
fn changed() -> Compared {
    compared(
        json!({"a": 2}),
        json!({"a": 1}),
        json!([owns("sluice", "Apply", json!({"f:a": {}}))]),
    )
}

/// Git drops `b`.
fn dropping() -> Compared {
    compared(
        json!({"a": 1}),
        json!({"a": 1, "b": 1}),
        json!([owns("sluice", "Apply", json!({"f:a": {}, "f:b": {}}))]),
    )
}

/// What the server makes of the live object.
fn answer(object: &Compared, spec: Value) -> Reply {
    Ok(object.live.as_ref().unwrap().edit(|map| {
        map.insert("spec".to_owned(), spec);
    }))
}

fn refused(change: impl FnOnce(&mut Refusal)) -> Reply {
    let mut refusal = Refusal::default();
    change(&mut refusal);
    Err(refusal)
}

fn later() -> Reply {
    refused(|refusal| refusal.later = true)
}

fn asked(server: &Server, object: &Compared) -> Option<Answer> {
    now(ask(server, object, "applyset-x-v1"))
}

fn pointers(answer: &Answer) -> Vec<&str> {
    match &answer.verdict {
        Verdict::Changes(changes) | Verdict::Settled(changes) => {
            changes.iter().map(|change| change.pointer.as_str()).collect()
        }
        Verdict::Immutable | Verdict::Refused => panic!("{:?}", answer.verdict),
    }
}

#[test]
fn an_apply_says_what_would_change() {
    let object = changed();
    for (spec, expected) in [
        (json!({"a": 2}), vec!["/spec/a"]),
        (json!({"a": 1}), vec![]),
        (json!({"a": 2, "b": 1}), vec!["/spec/a", "/spec/b"]),
    ] {
        let server = Server::of([answer(&object, spec)]);
        let answer = asked(&server, &object).unwrap();
        assert_eq!(pointers(&answer), expected);
        assert_eq!(server.questions(), ["apply"]);
    }
    // It is asked about the object that was looked at, as the application's.
    let server = Server::of([answer(&object, json!({}))]);
    asked(&server, &object);
    let sent = server.asked.lock().unwrap().remove(0).1;
    assert_eq!(sent["metadata"]["uid"], "uid-t");
    assert_eq!(sent["metadata"]["labels"][PART_OF_LABEL], "applyset-x-v1");
    assert_eq!(sent["spec"], json!({"a": 2}));
}

#[test]
fn a_refusal_has_a_meaning() {
    let verdict = |reply: Reply| asked(&Server::of([reply]), &changed()).map(|answer| answer.verdict);
    assert_eq!(verdict(later()), None, "it is asked again");
    assert_eq!(
        verdict(refused(|refusal| refusal.immutable = true)),
        Some(Verdict::Immutable)
    );
    assert_eq!(verdict(refused(|_| {})), Some(Verdict::Refused));
    let invalid = refused(|refusal| refusal.invalid = Some(vec!["spec.a".to_owned()]));
    assert_eq!(verdict(invalid), Some(Verdict::Refused));
}

#[test]
fn nothing_is_asked_about_what_is_not_there() {
    let object = Compared {
        live: None,
        ..changed()
    };
    assert_eq!(asked(&Server::default(), &object), None);
}

#[test]
fn what_the_server_keeps_stays_unless_it_is_a_default() {
    let object = dropping();
    let stays = |anew: Reply| {
        let server = Server::of([answer(&object, json!({"a": 1, "b": 1})), anew]);
        let answer = asked(&server, &object);
        assert_eq!(server.questions(), ["apply", "create"]);
        let made = server.asked.lock().unwrap().remove(1).1;
        assert_eq!(made["metadata"].get("name"), None, "never under its own name");
        assert_eq!(made["metadata"]["generateName"], "sluice-trial-");
        answer.map(|answer| {
            assert!(answer.drops);
            answer.stays
        })
    };
    assert_eq!(
        stays(answer(&object, json!({"a": 1}))),
        Some(vec!["/spec/b".to_owned()])
    );
    assert_eq!(stays(answer(&object, json!({"a": 1, "b": 1}))), Some(Vec::new()));
    assert_eq!(stays(refused(|_| {})), Some(Vec::new()), "it cannot be known");
    assert_eq!(stays(later()), None);
    // What really goes is no question.
    let server = Server::of([answer(&object, json!({"a": 1}))]);
    let gone = asked(&server, &object).unwrap();
    assert!(gone.drops && gone.stays.is_empty());
    assert_eq!(server.questions(), ["apply"]);
}

/// `volumeName: ""` of a claim that is bound by now.
#[test]
fn an_empty_value_that_a_controller_filled_in_is_left_out() {
    let object = compared(
        json!({"a": 2, "name": ""}),
        json!({"a": 1, "name": "bound"}),
        json!([
            owns("sluice", "Apply", json!({"f:a": {}})),
            owns("binder", "Update", json!({"f:name": {}})),
        ]),
    );
    let immutable = || refused(|refusal| refusal.immutable = true);
    let server = Server::of([immutable(), answer(&object, json!({"a": 2, "name": "bound"}))]);
    let answer = asked(&server, &object).unwrap();
    assert_eq!(answer.unsent, ["/spec/name"]);
    assert_eq!(pointers(&answer), ["/spec/a"]);
    let sent = server.asked.lock().unwrap().remove(1).1;
    assert_eq!(sent["spec"], json!({"a": 2}));
    // Where that is not why, the refusal stands.
    let server = Server::of([immutable(), immutable()]);
    assert_eq!(
        asked(&server, &object).map(|answer| answer.verdict),
        Some(Verdict::Immutable)
    );
}

#[test]
fn what_an_earlier_deployer_had_is_tried_without() {
    let members = live_with(
        thing(json!({"a": 1, "old": 1})),
        json!([owns(
            "kubectl-client-side-apply",
            "Update",
            json!({"f:a": {}, "f:old": {}})
        )]),
    );
    let object = compare(
        &live([members]),
        vec![manifest(thing(json!({"a": 1})))],
        &mut Said::default(),
    )
    .remove(0);
    let server = Server::of([answer(&object, json!({"a": 1}))]);
    let settled = asked(&server, &object).unwrap();
    assert_eq!(server.questions(), ["patch"]);
    assert_eq!(pointers(&settled), ["/spec/old"]);
    // A default comes back.
    let server = Server::of([answer(&object, json!({"a": 1, "old": 1}))]);
    assert!(pointers(&asked(&server, &object).unwrap()).is_empty());
}

#[test]
fn what_stands_beside_the_change_is_claimed_or_named() {
    let beside = |holder: Option<(&str, &str)>| {
        let mut record = vec![owns("sluice", "Apply", json!({"f:union": {"f:type": {}}}))];
        record.extend(
            holder.map(|(manager, operation)| owns(manager, operation, json!({"f:union": {"f:old": {}}}))),
        );
        compared(
            json!({"union": {"type": "new"}}),
            json!({"union": {"type": "old", "old": 1}}),
            record.into(),
        )
    };
    let invalid = || refused(|refusal| refusal.invalid = Some(vec!["spec.union.old".to_owned()]));
    // Nobody's: it gives way.
    let object = beside(None);
    let server = Server::of([invalid(), answer(&object, json!({"union": {"type": "new"}}))]);
    let settled = asked(&server, &object).unwrap();
    assert_eq!(server.questions(), ["apply", "patch"]);
    assert_eq!(
        Value::Object(settled.claim.clone()),
        json!({"f:spec": {"f:union": {"f:old": {}}}})
    );
    assert!(pointers(&settled).contains(&"/spec/union/old"));
    // The server does not answer the trial: that is asked again.
    assert_eq!(asked(&Server::of([invalid(), later()]), &object), None);
    // Another applier's: people have to decide.
    let object = beside(Some(("other", "Apply")));
    let held = asked(&Server::of([invalid()]), &object).unwrap();
    assert_eq!(held.verdict, Verdict::Refused);
    let reason = held.beside.unwrap();
    assert!(
        reason.contains("`/spec/union/old`") && reason.contains("other"),
        "{reason}"
    );
}

#[test]
fn our_entry_at_an_old_version_is_written_anew() {
    let object = changed();
    let old = refused(|refusal| {
        refusal.invalid = Some(Vec::new());
        refusal.recorded_version = true;
    });
    let server = Server::of([old, answer(&object, json!({"a": 2}))]);
    let settled = asked(&server, &object).unwrap();
    assert_eq!(server.questions(), ["apply", "patch"]);
    assert_eq!(pointers(&settled), ["/spec/a"]);
}

/// The names of the objects that are to be asked about.
fn open(objects: &[Compared], synced: bool, before: &Answers) -> Vec<String> {
    let doubts = Doubts::of(objects, synced, before);
    let open = doubts.open().iter();
    open.map(|doubt| objects[doubt.index].desired.name().to_owned())
        .collect()
}

#[test]
fn what_is_asked() {
    let none = Answers::new();
    let is_open =
        |object: &Compared, synced: bool| !open(std::slice::from_ref(object), synced, &none).is_empty();
    let with = |strategy: Strategy| Compared {
        decision: SyncDecision {
            strategy,
            ..SyncDecision::default()
        },
        ..changed()
    };
    // What Git has just changed needs no explanation; once that was synced, it does.
    assert!(!is_open(&changed(), false));
    assert!(is_open(&changed(), true));
    // A change that may need a new object.
    assert!(is_open(&with(Strategy::Recreate), false));
    // What is not applied is not asked.
    assert!(!is_open(&with(Strategy::Replace), true));
    assert!(!is_open(&with(Strategy::CreateOnly), true));
    // What was dropped may be a default.
    assert!(is_open(&dropping(), false));
    // A hook is no part of the application.
    let hook = Compared {
        decision: SyncDecision {
            hook: true,
            ..SyncDecision::default()
        },
        ..dropping()
    };
    assert!(!is_open(&hook, true));
    // Without an identity nothing can be remembered.
    let nameless = Compared {
        live: Some(dropping().live.unwrap().edit(|map| {
            map["metadata"].as_object_mut().unwrap().remove("uid");
        })),
        ..dropping()
    };
    assert!(!is_open(&nameless, true));
}

#[test]
fn what_was_answered_is_not_asked_again() {
    let mut objects = vec![dropping()];
    let mut doubts = Doubts::of(&objects, true, &Answers::new());
    let doubt = doubts.open()[0].clone();
    doubts.answer(
        doubt,
        Answer {
            stays: vec!["/spec/b".to_owned()],
            drops: true,
            ..Verdict::Changes(Vec::new()).into()
        },
    );
    let known = doubts.settle(&mut objects);
    assert_eq!(known.len(), 1);
    // What stays is what is sent, so that applying changes nothing.
    assert_eq!(objects[0].desired.value()["spec"]["b"], 1);
    assert_eq!(open(&[dropping()], true, &known), Vec::<String>::new());
    // Another wish, or another state, is another question.
    let wish = compared(
        json!({"a": 3}),
        json!({"a": 1, "b": 1}),
        json!([owns("sluice", "Apply", json!({"f:a": {}, "f:b": {}}))]),
    );
    let state = compared(
        json!({"a": 1}),
        json!({"a": 1, "b": 2}),
        json!([owns("sluice", "Apply", json!({"f:a": {}, "f:b": {}}))]),
    );
    for other in [wish, state] {
        assert_eq!(open(&[other], true, &known), ["t"]);
    }
    // What was answered before settles without a question.
    let mut again = vec![dropping()];
    let doubts = Doubts::of(&again, true, &known);
    assert_eq!(doubts.settle(&mut again), known);
    assert_eq!(again[0].desired.value()["spec"]["b"], 1);
}
