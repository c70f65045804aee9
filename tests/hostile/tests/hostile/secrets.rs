//! What a plugin is handed of a Secret is all that it can tell, in an answer, in an error, in its log and while it crashes.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sluice_hostile::build;
use sluice_sandbox::{some_secrets, values_of};

use crate::{guest, host_with, now, object};

/// All that is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        attributes.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Ways for a plugin to end that has the text at the address that stands at 300, of the length that stands at 304.
const ENDS: &[(&str, &str)] = &[
    (
        "an answer",
        "(call $healthy (local.get $assessment) (i32.load (i32.const 300)) (i32.load (i32.const 304)))",
    ),
    (
        "an error",
        "(i32.store (i32.const 200) (i32.const 1)) (i32.store (i32.const 204) (i32.load (i32.const 300)))
         (i32.store (i32.const 208) (i32.load (i32.const 304))) (return (i32.const 200))",
    ),
    ("a crash", "unreachable"),
];

#[test]
fn a_plugin_cannot_tell_a_value() {
    let secrets = some_secrets(48);
    assert!(secrets.iter().any(|secret| values_of(secret).len() > 3));
    for (what, end) in ENDS {
        // It is asked about Secrets.
        let prelude = guest("prelude")
            .replace("\"ConfigMap\"", "\"Secret\"")
            .replace("(i32.const 64) (i32.const 9)", "(i32.const 64) (i32.const 6)");
        let text = guest("tells")
            .replace(";; prelude", &prelude)
            .replace(";; ends", end);
        for secret in &secrets {
            // A plugin that has failed rests, so each has a host of its own where it fails.
            let mut marked = secret.clone();
            marked["metadata"]["annotations"] = json!({
                "marked": "seen",
                "kubectl.kubernetes.io/last-applied-configuration": secret.to_string(),
            });
            let (host, _folder) = host_with("tells", &build(&text, "health-check"));
            assert_eq!(host.rejected(), []);
            let log = Log::default();
            let answer =
                tracing::subscriber::with_default(log.clone(), || host.health(&[], &[object(marked)], now()));
            let told = format!("{:?} {:?}", answer.value, answer.problems);
            let logged = log.0.lock().unwrap().clone();
            assert!(logged.contains("seen"), "{what}: {logged}");
            assert_eq!(told.contains("seen"), *what != "a crash", "{what}: {told}");
            for value in values_of(secret) {
                assert!(!told.contains(&value), "{what} tells `{value}`: {told}");
                assert!(
                    !logged.contains(&value),
                    "{what}: the log has `{value}`: {logged}"
                );
            }
        }
    }
}
