//! What a spec may say, and what is said of every mistake.

use serde_json::{Value, json};
use sluice_model::{Coded as _, ExitKind};

use super::*;
use crate::PipelineError;

/// An Application whose spec has something else at some places.
fn application(changes: &[(&str, Value)]) -> Application {
    let mut application = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"name": "app", "namespace": "shop"},
        "spec": {"source": {"repoURL": "file:///nowhere"}, "destination": {}, "syncPolicy": {"retry": {"backoff": {}}},
            "policies": {}, "verification": {"mode": "chain"}},
    });
    for (place, value) in changes {
        let (parent, field) = place.rsplit_once('/').unwrap();
        application["spec"]
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("no {parent}"))[field] = value.clone();
    }
    serde_json::from_value(application).unwrap()
}

fn defaults() -> Defaults {
    Defaults {
        namespace: "elsewhere".to_owned(),
        account: None,
    }
}

/// The fields that are wrong, each with its code.
fn mistakes(changes: &[(&str, Value)]) -> Vec<String> {
    let problems = match Job::resolve(&application(changes), &defaults()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    };
    let line = |problem: &Problem| format!("{} {}", problem.code().id, problem.field);
    problems.iter().map(line).collect()
}

#[test]
fn every_wrong_field_is_named() {
    let digest = |digits: usize| format!("own@sha256:{}", "a".repeat(digits));
    let rule = |field: &str, expression: &str| json!([{"kind": "Pod", field: [expression]}]);
    let wrong: &[(&str, Value, &str)] = &[
        (
            "/source/targetRevision",
            json!(""),
            "K04 spec.source.targetRevision",
        ),
        (
            "/source/targetRevision",
            json!("a..b"),
            "K04 spec.source.targetRevision",
        ),
        (
            "/source/targetRevision",
            json!("main~1"),
            "K04 spec.source.targetRevision",
        ),
        (
            "/source/targetRevision",
            json!("two words"),
            "K04 spec.source.targetRevision",
        ),
        (
            "/source/credentials",
            json!({"name": ""}),
            "K04 spec.source.credentials.name",
        ),
        (
            "/source/credentials",
            json!({"name": "a/b"}),
            "K04 spec.source.credentials.name",
        ),
        (
            "/source/knownHosts",
            json!({"name": "Hosts"}),
            "K04 spec.source.knownHosts.name",
        ),
        (
            "/source/tlsCertificates",
            json!({"name": "-a"}),
            "K04 spec.source.tlsCertificates.name",
        ),
        (
            "/verification/keyrings",
            json!([{}]),
            "K04 spec.verification.keyrings[0]",
        ),
        (
            "/verification/keyrings",
            json!([{"file": "/a"}, {"file": "/a", "secret": {"name": "a"}}]),
            "K04 spec.verification.keyrings[1]",
        ),
        (
            "/verification/keyrings",
            json!([{"file": ""}]),
            "K04 spec.verification.keyrings[0].file",
        ),
        (
            "/verification/keyrings",
            json!([{"configMap": {"name": "a b"}}]),
            "K04 spec.verification.keyrings[0].configMap.name",
        ),
        (
            "/verification/keyrings",
            json!([{"secret": {"name": "a."}}]),
            "K04 spec.verification.keyrings[0].secret.name",
        ),
        (
            "/verification/rulesFrom",
            json!([{"configMap": {"name": "rules"}, "key": "a/b"}]),
            "K04 spec.verification.rulesFrom[0].key",
        ),
        (
            "/verification/rulesFrom",
            json!([{"configMap": {"name": ""}}]),
            "K04 spec.verification.rulesFrom[0].configMap.name",
        ),
        (
            "/verification/startOfTrust",
            json!({}),
            "K04 spec.verification.startOfTrust",
        ),
        (
            "/verification/startOfTrust",
            json!({"commit": "a".repeat(40), "tag": "v1"}),
            "K04 spec.verification.startOfTrust",
        ),
        (
            "/verification/startOfTrust",
            json!({"commit": "a".repeat(39)}),
            "K04 spec.verification.startOfTrust.commit",
        ),
        (
            "/verification/startOfTrust",
            json!({"commit": "A".repeat(40)}),
            "K04 spec.verification.startOfTrust.commit",
        ),
        (
            "/verification/startOfTrust",
            json!({"tag": "v 1"}),
            "K04 spec.verification.startOfTrust.tag",
        ),
        ("/destination/name", json!("prod"), "K03 spec.destination.name"),
        (
            "/destination/namespace",
            json!("a.b"),
            "K04 spec.destination.namespace",
        ),
        (
            "/destination/namespace",
            json!("a".repeat(64)),
            "K04 spec.destination.namespace",
        ),
        (
            "/destination/serviceAccount",
            json!("Not A Name"),
            "K04 spec.destination.serviceAccount",
        ),
        (
            "/destination/serviceAccount",
            json!(""),
            "K04 spec.destination.serviceAccount",
        ),
        (
            "/syncPolicy/healthTimeout",
            json!("soon"),
            "K04 spec.syncPolicy.healthTimeout",
        ),
        (
            "/syncPolicy/healthTimeout",
            json!("10"),
            "K04 spec.syncPolicy.healthTimeout",
        ),
        (
            "/syncPolicy/healthTimeout",
            json!("-5s"),
            "K04 spec.syncPolicy.healthTimeout",
        ),
        (
            "/syncPolicy/retry/backoff/duration",
            json!("5 parsecs"),
            "K04 spec.syncPolicy.retry.backoff.duration",
        ),
        (
            "/syncPolicy/retry/backoff/maxDuration",
            json!(""),
            "K04 spec.syncPolicy.retry.backoff.maxDuration",
        ),
        (
            "/syncPolicy/syncOptions",
            json!(["PruneLast=true", "CreateNamespace"]),
            "K04 spec.syncPolicy.syncOptions[1]",
        ),
        (
            "/syncPolicy/syncOptions",
            json!(["CreateNamespace=yes"]),
            "K04 spec.syncPolicy.syncOptions[0]",
        ),
        (
            "/syncPolicy/syncOptions",
            json!(["createNamespace=true"]),
            "K04 spec.syncPolicy.syncOptions[0]",
        ),
        (
            "/syncPolicy/syncOptions",
            json!(["CreateNamespace = true"]),
            "K04 spec.syncPolicy.syncOptions[0]",
        ),
        (
            "/policies/sync",
            json!([{"plugin": ""}]),
            "K04 spec.policies.sync[0].plugin",
        ),
        (
            "/policies/prune",
            json!([{"plugin": "own@1.2"}]),
            "K04 spec.policies.prune[0].plugin",
        ),
        (
            "/policies/prune",
            json!([{"plugin": digest(63)}]),
            "K04 spec.policies.prune[0].plugin",
        ),
        (
            "/policies/health",
            json!([{"plugin": "own"}, {"plugin": "../own"}]),
            "K04 spec.policies.health[1].plugin",
        ),
        (
            "/ignoreDifferences",
            rule("jsonPointers", "spec"),
            "K04 spec.ignoreDifferences[0].jsonPointers[0]",
        ),
        (
            "/ignoreDifferences",
            rule("jqPathExpressions", ".spec | length"),
            "K04 spec.ignoreDifferences[0].jqPathExpressions[0]",
        ),
        ("/pin", json!({"revision": ""}), "K04 spec.pin.revision"),
        ("/pin", json!({"revision": "a\nb"}), "K04 spec.pin.revision"),
    ];
    for (place, value, expected) in wrong {
        assert_eq!(mistakes(&[(place, value.clone())]), [*expected], "{value}");
    }
}

#[test]
fn what_means_something_is_read() {
    let right: &[(&str, Value)] = &[
        ("/source/targetRevision", json!("HEAD")),
        ("/source/targetRevision", json!("release/1.x")),
        ("/source/targetRevision", json!("refs/pull/7/head")),
        ("/source/targetRevision", json!("0123abc")),
        ("/source/credentials", json!({"name": "git.example.com"})),
        ("/verification/keyrings", json!([])),
        (
            "/verification/rulesFrom",
            json!([{"configMap": {"name": "rules"}}]),
        ),
        ("/destination/namespace", json!("a".repeat(63))),
        ("/destination/serviceAccount", json!("deployer")),
        ("/syncPolicy/healthTimeout", json!("1h30m")),
        ("/syncPolicy/healthTimeout", json!("0s")),
        // Other options are for the policies to read.
        (
            "/syncPolicy/syncOptions",
            json!(["CreateNamespace=false", "whatever", "A=b=c"]),
        ),
        ("/policies/sync", json!([{"plugin": "own"}])),
        (
            "/policies/sync",
            json!([{"plugin": format!("own@sha256:{}", "0".repeat(64))}]),
        ),
        (
            "/ignoreDifferences",
            json!([{"kind": "*", "managedFieldsManagers": ["anything at all"]}]),
        ),
        ("/pin", json!({"revision": "0".repeat(40)})),
    ];
    for (place, value) in right {
        assert_eq!(
            mistakes(&[(place, value.clone())]),
            Vec::<String>::new(),
            "{place}: {value}"
        );
    }
}

#[test]
fn a_job_has_what_the_spec_means() {
    let keyrings =
        json!([{"configMap": {"name": "keys"}}, {"secret": {"name": "more"}}, {"file": "/etc/keys"}]);
    let job = Job::resolve(
        &application(&[
            ("/verification/keyrings", keyrings),
            ("/verification/startOfTrust", json!({"tag": "v1"})),
            ("/syncPolicy/healthTimeout", json!("1h30m")),
            ("/syncPolicy/retry/limit", json!(3)),
            (
                "/syncPolicy/retry/backoff",
                json!({"duration": "1s", "factor": 0, "maxDuration": "2m"}),
            ),
            ("/syncPolicy/syncOptions", json!(["CreateNamespace=true"])),
            ("/pin", json!({"revision": "v1"})),
            (
                "/ignoreDifferences",
                json!([{"kind": "Pod", "jsonPointers": ["/spec"]}]),
            ),
        ]),
        &defaults(),
    )
    .unwrap();
    assert_eq!(
        job.keyrings,
        [
            KeyringPlace::ConfigMap("keys".to_owned()),
            KeyringPlace::Secret("more".to_owned()),
            KeyringPlace::File(PathBuf::from("/etc/keys")),
        ]
    );
    assert_eq!(
        job.sources[0].start_of_trust,
        Some(TrustStart::Tag("v1".to_owned()))
    );
    assert_eq!(job.health_timeout, Duration::from_secs(5400));
    let (first, longest) = (Duration::from_secs(1), Duration::from_secs(120));
    // What does not grow stays: a factor of nothing would mean no wait at all.
    assert_eq!(
        job.retry,
        Retry {
            limit: 3,
            first,
            factor: 1,
            longest
        }
    );
    assert!(job.creates_namespace);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    assert_eq!(job.rules.pointers(&Object::new(pod).unwrap(), None), ["/spec"]);
    assert_eq!((job.sources[0].wanted(), job.destination()), ("v1", "shop"));
}

#[test]
fn whose_rights_count() {
    let of = |named: Option<&str>, default: Option<&str>| {
        let changes: Vec<_> = named
            .map(|name| ("/destination/serviceAccount", json!(name)))
            .into_iter()
            .collect();
        let defaults = Defaults {
            account: default.map(str::to_owned),
            ..defaults()
        };
        Job::resolve(&application(&changes), &defaults).map(|job| job.account)
    };
    let account = |name: &str| ServiceAccount::named("shop", name);
    assert_eq!(of(None, None), Ok(None));
    assert_eq!(of(None, Some("all")), Ok(account("all")));
    assert_eq!(of(Some("own"), Some("all")), Ok(account("own")));
    // A mistake never falls back to more rights.
    assert_eq!(
        of(Some("Own"), Some("all")).unwrap_err()[0].field,
        "spec.destination.serviceAccount"
    );
    assert_eq!(
        of(None, Some("All")).unwrap_err()[0].field,
        "--default-service-account"
    );
}

#[test]
fn all_mistakes_are_said_together() {
    let changes = [
        ("/pin", json!({"revision": ""})),
        ("/syncPolicy/healthTimeout", json!("soon")),
        ("/destination/name", json!("prod")),
        (
            "/ignoreDifferences",
            json!([{"kind": "Pod", "jsonPointers": ["a", "/b", "c"]}]),
        ),
        ("/source/credentials", json!({"name": "a b"})),
    ];
    let problems = Job::resolve(&application(&changes), &defaults()).unwrap_err();
    let error = PipelineError::from(problems);
    assert_eq!(error.code().id, "K04");
    let text = error.to_string();
    let places: Vec<&str> = text
        .lines()
        .map(|line| line.split(" is wrong").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "K04: `spec.pin.revision`",
            "K04: `spec.source.credentials.name`",
            "K03: `spec.destination.name`",
            "K04: `spec.syncPolicy.healthTimeout`",
            "K04: `spec.ignoreDifferences[0].jsonPointers[0]`",
            "K04: `spec.ignoreDifferences[0].jsonPointers[2]`",
        ]
    );
    let hint = error.hint();
    assert!(
        hint.contains("`kubectl explain application.spec.ignoreDifferences.jsonPointers`")
            && hint.contains("in-cluster")
            && hint.matches("jsonPointers").count() == 1,
        "{hint}"
    );
    let each = error.into_coded();
    assert_eq!(each.len(), 6);
    assert!(each.iter().all(|problem| problem.code().exit == ExitKind::Input));
    assert!(
        each[3]
            .to_string()
            .contains("`soon` is no duration such as `5s` or `3m`")
    );
    assert_eq!(
        each[3].hint(),
        "correct it; `kubectl explain application.spec.syncPolicy.healthTimeout` documents the field"
    );
}

/// An Application that is deleted and leaves its objects must not wait for a corrected spec.
#[test]
fn who_only_lets_go_needs_an_account_alone() {
    let broken = [
        ("/syncPolicy/healthTimeout", json!("soon")),
        ("/destination/name", json!("prod")),
        ("/destination/serviceAccount", json!("deployer")),
    ];
    let job = Job::to_let_go(&application(&broken), &defaults()).unwrap();
    assert_eq!(job.account, ServiceAccount::named("shop", "deployer"));
    let nobody = [
        ("/destination/serviceAccount", json!("No Name")),
        broken[0].clone(),
    ];
    let problems = Job::to_let_go(&application(&nobody), &defaults()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].field, "spec.destination.serviceAccount");
}

#[test]
fn what_is_known_of_it_is_taken_along() {
    let mut known = application(&[]);
    known.metadata.namespace = None;
    known.metadata.annotations = Some(
        [(ACCEPTED_HISTORY_ANNOTATION, "0123")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    );
    let status =
        json!({"sync": {"revision": "4567"}, "completed": ["n/j@89"], "verification": {"signer": "ada"}});
    known.status = Some(serde_json::from_value(status).unwrap());
    let job = Job::resolve(&known, &defaults()).unwrap();
    assert_eq!(job.key.to_string(), "elsewhere/app");
    assert_eq!(job.applyset(), applyset::id("elsewhere", "app"));
    assert_eq!(job.accepted.as_deref(), Some("0123"));
    assert_eq!(job.synced.as_deref(), Some("4567"));
    assert_eq!(job.completed, ["n/j@89"]);
    assert_eq!(job.sources[0].verified.signer.as_deref(), Some("ada"));
    // Before the first sync there is no revision.
    known.status = Some(Default::default());
    assert_eq!(Job::resolve(&known, &defaults()).unwrap().synced, None);
}

/// An Application of several sources; each change is to its spec.
fn several(changes: Value) -> Application {
    let mut application = serde_json::to_value(application(&[])).unwrap();
    let spec = application["spec"].as_object_mut().unwrap();
    spec.remove("source");
    let sources = json!([
        {"repoURL": "https://git.example.org/team/shop.git", "path": "deploy/app", "targetRevision": "main"},
        {"repoURL": "git@git.example.org:team/values", "ref": "values", "targetRevision": "v1"},
    ]);
    spec.insert("sources".to_owned(), sources);
    for (field, value) in changes.as_object().unwrap() {
        spec.insert(field.clone(), value.clone());
    }
    serde_json::from_value(application).unwrap()
}

#[test]
fn sources_have_names_that_last() {
    let job = Job::resolve(&several(json!({})), &defaults()).unwrap();
    let names: Vec<&str> = job.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["shop.deploy.app", "values"]);
    assert_eq!(job.sources[1].wanted(), "v1");
    assert!(job.sources[0].spec.is_rendered() && !job.sources[1].spec.is_rendered());
    let pinned = several(json!({"pin": {"revision": "values=v0"}}));
    let job = Job::resolve(&pinned, &defaults()).unwrap();
    let wanted: Vec<&str> = job.sources.iter().map(JobSource::wanted).collect();
    assert_eq!(wanted, ["main", "v0"]);
    assert_eq!(job.asked(None).unwrap(), [None, None]);
    let asked = job.asked(Some("shop.deploy.app=3f2a")).unwrap();
    assert_eq!(asked, [Some("3f2a".to_owned()), None]);
    for text in ["3f2a", "other=3f2a"] {
        assert_eq!(job.asked(Some(text)).unwrap_err().code().id, "K39", "{text}");
    }
}

#[test]
fn what_is_wrong_with_several_sources_is_named() {
    let one = json!({"repoURL": "https://git.example.org/shop", "path": "a"});
    let start = json!({"mode": "chain", "startOfTrust": {"tag": "v1"}});
    let with = |field: &str, value: Value| {
        let mut one = one.clone();
        one[field] = value;
        json!({"sources": [one]})
    };
    for (changes, field) in [
        (json!({"sources": []}), "spec.source"),
        (json!({"source": one}), "spec.sources"),
        (json!({"sources": vec![&one; 2]}), "spec.sources[1].name"),
        (with("name", json!("a/b")), "spec.sources[0].name"),
        (with("ref", json!("a/b")), "spec.sources[0].ref"),
        (
            with("helm", json!({"valueFiles": ["$values/a.yaml"]})),
            "spec.sources[0].helm",
        ),
        (
            with("targetRevision", json!("a b")),
            "spec.sources[0].targetRevision",
        ),
        (
            with("startOfTrust", json!({"commit": "3f2a"})),
            "spec.sources[0].startOfTrust.commit",
        ),
        (json!({"verification": start}), "spec.verification.startOfTrust"),
        (json!({"pin": {"revision": "main"}}), "spec.pin.revision"),
        (json!({"pin": {"revision": "other=main"}}), "spec.pin.revision"),
    ] {
        let problems = Job::resolve(&several(changes.clone()), &defaults()).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.field == field),
            "{changes}: {problems:?}"
        );
    }
    let many: Vec<Value> = (0..21)
        .map(|number| json!({"repoURL": "https://git.example.org/shop", "name": format!("s{number}")}))
        .collect();
    assert!(Job::resolve(&several(json!({"sources": many})), &defaults()).is_err());
    for field in ["name", "ref"] {
        assert_eq!(
            mistakes(&[(&format!("/source/{field}"), json!("a"))]),
            [format!("K04 spec.source.{field}")]
        );
    }
}

#[test]
fn each_source_goes_on_from_its_own_status() {
    let mut application = several(json!({}));
    let state = |commit: &str| json!({"trustedRevision": commit});
    application.status = serde_json::from_value(json!({
        "verification": state("alone"),
        "sources": [
            {"name": "values", "verification": state("v")},
            {"name": "gone", "verification": state("g")},
        ],
    }))
    .unwrap();
    let job = Job::resolve(&application, &defaults()).unwrap();
    let trusted = |state: &VerificationState| state.trusted_revision.clone().unwrap_or_default();
    let known: Vec<String> = job
        .sources
        .iter()
        .map(|source| trusted(&source.verified))
        .collect();
    assert_eq!(known, ["", "v"]);
    let orphans: Vec<String> = job.orphans.iter().map(trusted).collect();
    assert_eq!(orphans, ["alone", "g"]);
}

#[test]
fn values_files_are_of_sources_that_there_are() {
    let sources = |file: &str| {
        json!({"sources": [
            {"repoURL": "https://git.example.org/shop", "path": "a", "helm": {"valueFiles": [file]}},
            {"repoURL": "https://git.example.org/values", "ref": "values"},
        ]})
    };
    for (file, is_right) in [
        ("$values/a.yaml", true),
        ("$ARGOCD_APP_NAME/a.yaml", true),
        ("${ARGOCD_APP_NAME}.yaml", true),
        ("$value/a.yaml", false),
        ("$/a.yaml", false),
    ] {
        assert_eq!(
            Job::resolve(&several(sources(file)), &defaults()).is_ok(),
            is_right,
            "{file}"
        );
    }
    for (field, value) in [
        ("repoURL", "https://git.example.org/<+env.name>"),
        ("targetRevision", "<+env.name>"),
        ("chart", "<+env.name>"),
    ] {
        assert_eq!(
            mistakes(&[(&format!("/source/{field}"), json!(value))]),
            [format!("K04 spec.source.{field}")]
        );
    }
}
