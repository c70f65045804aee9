//! The cluster, as commands use it: Applications by name, requests as annotations, and waiting for what comes of them.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::ListParams;
use kube::core::Request;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use sluice_cluster::{Cluster, ConnectOptions, Home, Kind, Target};
use sluice_model::application::{Application, OperationPhase};
use sluice_model::object::{GroupKind, ObjectRef};

use crate::failure::{CliError, Failure, Standing};
use crate::global::Global;
use crate::output::plain;

/// The field manager of what a person asks for; the engine has its own.
const FIELD_MANAGER: &str = "sluice-cli";

/// Runs what waits for a cluster. Only commands that do so start a runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(future)
}

/// The Application of that name in the cluster that is meant: for commands that only look at it.
pub(crate) fn application(name: &str, global: &Global) -> Result<Application, Failure> {
    block_on(async { Connection::open(global).await?.application(name).await })
}

/// Which cluster the global options mean.
pub(crate) fn options(global: &Global) -> ConnectOptions {
    ConnectOptions {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
    }
}

/// A cluster and the namespace that is meant.
pub(crate) struct Connection {
    /// Where the Applications are.
    pub(crate) home: Home,
    /// `-n`, or that of the context.
    pub(crate) namespace: String,
}

impl Connection {
    /// Returns where the objects are: in the cluster of the Applications, as long as `spec.destination.name` names no other.
    pub(crate) fn target(&self) -> Target {
        Target::new(Cluster::clone(&self.home))
    }

    /// Reads the configuration. Sends nothing yet.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let cluster = Cluster::connect(&options(global)).await.map_err(Failure::of)?;
        let namespace = global
            .namespace
            .clone()
            .unwrap_or_else(|| cluster.default_namespace().to_owned());
        Ok(Self {
            home: Home::new(cluster),
            namespace,
        })
    }

    /// The Application of that name.
    pub(crate) async fn application(&self, name: &str) -> Result<Application, Failure> {
        match self.find(name).await? {
            Some(application) => Ok(application),
            None => Err(self.missing(name).await),
        }
    }

    /// The Application of that name, if there is one.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Application>, Failure> {
        let found = self.home.get(&Kind::applications(), &self.reference(name)).await;
        found
            .map_err(Failure::of)?
            .map(|object| Self::read(object.into_value()))
            .transpose()
    }

    /// The Applications of the namespace, or all of them.
    pub(crate) async fn applications(&self, everywhere: bool) -> Result<Vec<Application>, Failure> {
        let namespace = (!everywhere).then_some(self.namespace.as_str());
        // A list without parameters can always be written down.
        let request = Request::new(Kind::applications().path(namespace))
            .list(&ListParams::default())
            .expect("a plain list request");
        let reply = match self.home.call(request).await {
            Ok(reply) => reply,
            Err(error) if error.is_not_found() => return Err(CliError::NotInstalled.into()),
            Err(error) => return Err(Failure::of(error)),
        };
        let items = reply
            .value
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        items.into_iter().map(Self::read).collect()
    }

    /// Sets annotations of an Application, as a request to the controller.
    pub(crate) async fn annotate(&self, name: &str, annotations: Value) -> Result<(), Failure> {
        self.patch(name, json!({"metadata": {"annotations": annotations}}))
            .await
    }

    /// Changes an Application by a JSON merge patch.
    pub(crate) async fn patch(&self, name: &str, patch: Value) -> Result<(), Failure> {
        let sent = self
            .home
            .merge_patch(
                &Kind::applications(),
                &self.reference(name),
                None,
                FIELD_MANAGER,
                &patch,
            )
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(self.missing(name).await),
            Err(error) => Err(Failure::of(error)),
        }
    }

    /// Who the API server takes us for; none where it does not say.
    pub(crate) async fn whoami(&self) -> Option<String> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let request = Request::new("/apis/authentication.k8s.io/v1/selfsubjectreviews")
            .create(&kube::api::PostParams::default(), review.to_string().into_bytes())
            .ok()?;
        let reply = self.home.call(request).await.ok()?;
        reply
            .value
            .pointer("/status/userInfo/username")?
            .as_str()
            .map(str::to_owned)
    }

    /// Who asks, for the history.
    pub(crate) async fn requester(&self) -> String {
        self.whoami().await.unwrap_or_else(|| "unknown".to_owned())
    }

    /// Follows an operation to its end, by the id of its request.
    pub(crate) async fn follow_operation(
        &self,
        name: &str,
        id: &str,
        timeout: Duration,
    ) -> Result<(Application, Ended), Failure> {
        let title = self.title(name);
        self.follow(name, "synced", timeout, |application| {
            let application = application.ok_or_else(|| gone(&title))?;
            let Some(ended) = Ended::of(application, id) else {
                return Ok(None);
            };
            match ended.phase {
                OperationPhase::Running => Ok(None),
                OperationPhase::Succeeded => Ok(Some((application.clone(), ended))),
                OperationPhase::Failed | OperationPhase::Terminated | OperationPhase::Superseded => {
                    Err(CliError::OperationFailed {
                        application: title.clone(),
                        status: Standing(ended.message),
                    }
                    .into())
                }
            }
        })
        .await
    }

    /// Looks at the Application whenever it changes, until `judge` has an answer. `judge` is handed none where there is
    /// no such Application.
    pub(crate) async fn follow<T>(
        &self,
        name: &str,
        wanted: &str,
        timeout: Duration,
        mut judge: impl FnMut(Option<&Application>) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let api: Api<Application> = Api::namespaced(self.home.client().clone(), &self.namespace);
        let mut standing = String::new();
        let mut progress = Progress::new();
        let followed = async {
            // A watch that breaks is begun again by itself, after a growing wait.
            let mut states = watcher::watch_object(api, name).default_backoff().boxed();
            while let Some(state) = states.next().await {
                let state = match state {
                    Ok(state) => state,
                    Err(error) => {
                        tracing::debug!(%error, "the watch broke");
                        continue;
                    }
                };
                standing = state
                    .as_ref()
                    .map_or_else(|| "it does not exist".to_owned(), describe);
                progress.tell(name, &standing);
                if let Some(answer) = judge(state.as_ref())? {
                    return Ok(Some(answer));
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(timeout, followed).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Err(failure)) => Err(failure),
            // The stream of a watch never ends by itself.
            Ok(Ok(None)) | Err(_) => Err(CliError::Timeout {
                application: self.title(name),
                wanted: wanted.to_owned(),
                after: format!("{timeout:?}"),
                now: Standing(if standing.is_empty() {
                    "the cluster told nothing of it".to_owned()
                } else {
                    standing
                }),
            }
            .into()),
        }
    }

    /// `Application shop/guestbook`.
    pub(crate) fn title(&self, name: &str) -> String {
        format!("Application {}/{name}", self.namespace)
    }

    /// Names one.
    pub(crate) fn reference(&self, name: &str) -> ObjectRef {
        let kind = Kind::applications();
        ObjectRef {
            group: kind.group,
            version: kind.version,
            kind: kind.kind,
            namespace: Some(self.namespace.clone()),
            name: name.to_owned(),
        }
    }

    fn read(value: Value) -> Result<Application, Failure> {
        let name = value
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        Ok(serde_json::from_value(value)
            .map_err(|source| CliError::UnreadableApplication { name, source })?)
    }

    /// What it means that an Application was not found: that it does not exist, or that no cluster here knows its kind.
    async fn missing(&self, name: &str) -> Failure {
        match self.home.kinds().await {
            Ok(kinds)
                if kinds
                    .versions(&GroupKind::new("sluice.dev", "Application"))
                    .is_empty() =>
            {
                CliError::NotInstalled.into()
            }
            Ok(_) | Err(_) => CliError::NoApplication {
                name: name.to_owned(),
                namespace: self.namespace.clone(),
            }
            .into(),
        }
    }
}

/// How an operation is going, or ended.
pub(crate) struct Ended {
    phase: OperationPhase,
    /// What was done, or what went wrong.
    pub(crate) message: String,
    /// The commit.
    pub(crate) revision: String,
}

impl Ended {
    /// From the operation in the status, or from the history where a newer one took its place there.
    fn of(application: &Application, id: &str) -> Option<Self> {
        let status = application.status.as_ref()?;
        let current = status
            .operation
            .as_ref()
            .filter(|operation| operation.initiator.id() == id);
        let current = current.map(|operation| Self {
            phase: operation.phase(),
            message: operation.message(),
            revision: operation.revision.clone(),
        });
        current.or_else(|| {
            let entry = status.history.iter().find(|entry| entry.operation == id)?;
            Some(Self {
                phase: entry.result,
                message: entry.summary.clone(),
                revision: entry.revision.clone(),
            })
        })
    }
}

/// The failure of an Application that went away while it was looked at.
pub(crate) fn gone(title: &str) -> Failure {
    CliError::Gone {
        application: title.to_owned(),
    }
    .into()
}

/// How an Application stands, in a line.
pub(crate) fn describe(application: &Application) -> String {
    let Some(status) = &application.status else {
        return "no controller has looked at it yet".to_owned();
    };
    let mut text = format!("{:?}, {:?}", status.sync.status, status.health.status);
    let mut add = |part: &str, message: &str| {
        if !message.is_empty() {
            text.push_str(&format!("; {part}{message}"));
        }
    };
    add("", &status.health.message);
    if let Some(operation) = &status.operation {
        let phase = format!("{:?}", operation.phase());
        add(
            "operation ",
            &match operation.message() {
                message if message.is_empty() => phase,
                message => format!("{phase}: {message}"),
            },
        );
    }
    for condition in status
        .conditions
        .iter()
        .filter(|condition| condition.status == "False")
    {
        add(
            "",
            &format!("{} is False: {}", condition.r#type, condition.message),
        );
    }
    text
}

/// True where the controller has seen the spec as it is and nothing that was asked of it is open.
pub(crate) fn is_settled(application: &Application) -> bool {
    use sluice_model::application::{OPERATION_ANNOTATION, REFRESH_ANNOTATION, TERMINATE_ANNOTATION};
    let observed = application
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    let open = |annotation: &str| application.annotations().contains_key(annotation);
    let requests = [OPERATION_ANNOTATION, REFRESH_ANNOTATION, TERMINATE_ANNOTATION];
    observed == application.metadata.generation && !requests.into_iter().any(open)
}

/// Tells a person at a terminal what is going on while something takes long.
pub(crate) struct Progress {
    is_seen: bool,
    last: String,
}

impl Progress {
    /// Silent where stderr is no terminal.
    pub(crate) fn new() -> Self {
        Self {
            is_seen: io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    /// Writes a line if it says something new.
    pub(crate) fn tell(&mut self, subject: &str, line: &str) {
        if self.is_seen && line != self.last {
            anstream::eprintln!("{subject}: {}", plain(line));
            line.clone_into(&mut self.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::codes;

    #[test]
    fn an_application_of_another_version_is_named() {
        let newer = serde_json::json!({"metadata": {"name": "web"}, "spec": {"source": {"chart": "web"}}});
        let failure = Connection::read(newer).unwrap_err();
        assert_eq!(failure.codes(), [codes::UNREADABLE_APPLICATION.id]);
    }
}
