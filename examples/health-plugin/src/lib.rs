//! A health plugin: what a team knows of its own objects that Sluice cannot know.
//!
//! - A `Database` of `example.com` is healthy once it accepts connections, and degraded when its last backup failed.
//! - A Deployment that wants fewer than two replicas is degraded: this team's services must survive the loss of a node. About any
//!   other Deployment it has no opinion, so that Sluice's own judgement holds. The setting `minimumReplicas` changes the number.
//!
//! `cargo xtask plugins` builds it to `target/plugins/examples/health-plugin.wasm`. Copy that file into the folder which
//! `--plugin-dir` names, and it is asked from then on.

use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

/// The plugin, with its settings.
pub struct TeamHealth {
    minimum_replicas: i64,
}

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "minimumReplicas": {"type": "integer", "minimum": 1, "description": "Fewer make a Deployment degraded; 2 by default."}
  }
}"#;

impl HealthCheck for TeamHealth {
    fn describe() -> Descriptor {
        let claims = [
            Claim::new("example.com", "Database"),
            Claim::new("apps", "Deployment"),
        ];
        Descriptor::new(
            "databases must accept connections, Deployments must have two replicas",
            claims,
        )
        .with_settings(SCHEMA)
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = settings.unknown(&["minimumReplicas"]);
        let minimum_replicas = match settings.get("minimumReplicas").map(|number| number.as_i64()) {
            None => 2,
            Some(Some(number)) if number >= 1 => number,
            Some(_) => {
                problems.push(Problem::new(
                    "/minimumReplicas",
                    "must be an integer of at least 1",
                ));
                2
            }
        };
        if problems.is_empty() {
            Ok(Self { minimum_replicas })
        } else {
            Err(problems)
        }
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        // The claims are those of `describe`, in their order.
        match context.claim() {
            0 => database(object),
            _ => self.deployment(object),
        }
    }
}

sluice_plugin::health_check!(TeamHealth);

fn database(object: &Object<'_>) -> Result<Verdict, String> {
    let [phase, backup, connections] = object.fields([
        "/status/phase",
        "/status/conditions/[type=BackedUp]/status",
        "/status/connections",
    ]);
    if backup.text()?.as_deref() == Some("False") {
        return Ok(Verdict::Degraded("the last backup failed".to_owned()));
    }
    Ok(match phase.text()?.as_deref() {
        Some("Running") => Verdict::Healthy(format!("{} connections", connections.integer()?.unwrap_or(0))),
        Some("Paused") => Verdict::Suspended(String::new()),
        Some("Lost") => Verdict::Degraded("its storage is lost".to_owned()),
        _ => Verdict::Progressing("it does not accept connections yet".to_owned()),
    })
}

impl TeamHealth {
    fn deployment(&self, object: &Object<'_>) -> Result<Verdict, String> {
        let [replicas] = object.fields(["/spec/replicas"]);
        // As Kubernetes does: one, where nothing is said.
        let replicas = replicas.integer()?.unwrap_or(1);
        match replicas < self.minimum_replicas {
            true => Ok(Verdict::Degraded(format!(
                "{replicas} of at least {} replicas",
                self.minimum_replicas
            ))),
            false => Ok(Verdict::NoOpinion),
        }
    }
}
