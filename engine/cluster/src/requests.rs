//! Single requests, each with a deadline.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kube::api::{
    DeleteParams, GetParams, ListParams, PatchParams, PostParams, Preconditions, PropagationPolicy, Request,
    ValidationDirective,
};
use kube::client::Body;
use serde_json::Value;
use sluice_model::application::FIELD_MANAGER;
use sluice_model::decision::Propagation;
use sluice_model::plan::Precondition;
use sluice_model::{Object, ObjectRef};

use crate::connect::Cluster;
use crate::error::ClusterError;
use crate::kinds::Kind;
use crate::secrets::is_about_secrets;
use crate::segment;
use crate::watch::Page;

/// Longer than the API server's own limit (60 s), so that its answer wins.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
/// For how long a read may be put off: longer than a new kind takes to be stored, shorter than a person waits.
const PUT_OFF: Duration = Duration::from_secs(20);
/// So that a server which asks for no wait at all is not asked without end.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Objects a page; what `kubectl` asks for.
const PAGE: u32 = 500;

/// A successful answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status: 201 where something was created.
    pub status: u16,
    /// The body.
    pub value: Value,
}

impl Reply {
    /// The object in the answer.
    pub fn object(self) -> Result<Object, ClusterError> {
        let status = self.status;
        Object::new(self.value).map_err(|error| ClusterError::Refused {
            status,
            message: format!("the answer is no object: {error}"),
        })
    }
}

/// How a patch is to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patch {
    /// Take fields over from other managers.
    pub force: bool,
    /// Refuse unknown and duplicate fields.
    pub strict: bool,
    /// Do all but store it.
    pub dry_run: bool,
}

/// A request that could not even be written down, e.g. for an invalid name.
pub(crate) fn unwritable(error: impl std::fmt::Display) -> ClusterError {
    ClusterError::Invalid {
        message: format!("the request cannot be built: {error}").into(),
        fields: Vec::new(),
    }
}

impl Cluster {
    /// Where the objects of a kind are, in one namespace or everywhere.
    pub(crate) fn place(&self, kind: &Kind, namespace: Option<&str>) -> Result<Request, ClusterError> {
        segment::check_namespace(namespace)?;
        Ok(Request::new(kind.path(namespace)))
    }

    /// The object, or none where there is none. The namespace of the reference must be settled.
    pub async fn get(&self, kind: &Kind, reference: &ObjectRef) -> Result<Option<Object>, ClusterError> {
        let request = self
            .place(kind, reference.namespace.as_deref())?
            .get(&segment::of_name(&reference.name)?, &GetParams::default())
            .map_err(unwritable)?;
        match self.call(request).await {
            Ok(reply) => reply.object().map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of the objects of a kind, in one namespace or everywhere, that match a label selector.
    pub async fn page(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
        continue_token: Option<&str>,
    ) -> Result<Page, ClusterError> {
        let mut parameters = ListParams::default().labels(selector).limit(PAGE);
        if let Some(token) = continue_token {
            parameters = parameters.continue_token(token);
        }
        let request = self
            .place(kind, namespace)?
            .list(&parameters)
            .map_err(unwritable)?;
        Ok(Page::new(kind, self.call(request).await?.value))
    }

    /// All objects of a kind, in one namespace or everywhere, that match a label selector.
    pub async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Object>, ClusterError> {
        let mut objects = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(kind, namespace, selector, token.as_deref()).await?;
            objects.extend(page.objects);
            match page.continue_token {
                Some(next) => token = Some(next),
                None => return Ok(objects),
            }
        }
    }

    /// The names of the objects of a kind in one namespace (or of the cluster), and nothing else of them.
    pub async fn names(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
    ) -> Result<BTreeSet<String>, ClusterError> {
        let mut names = BTreeSet::new();
        let mut parameters = ListParams::default().limit(PAGE);
        loop {
            let request = self
                .place(kind, namespace)?
                .list_metadata(&parameters)
                .map_err(unwritable)?;
            let page = Page::new(kind, self.call(request).await?.value);
            names.extend(page.objects.iter().map(|object| object.name().to_owned()));
            match page.continue_token {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(names),
            }
        }
    }

    /// Server-side apply with the engine's field manager.
    pub async fn apply(&self, kind: &Kind, object: &Object, how: Patch) -> Result<Reply, ClusterError> {
        let parameters = PatchParams {
            dry_run: how.dry_run,
            force: how.force,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(validation(how.strict)),
        };
        let request = self
            .place(kind, object.namespace())?
            .patch(
                &segment::of_name(object.name())?,
                &parameters,
                &kube::api::Patch::Apply(object.value()),
            )
            .map_err(unwritable)?;
        self.call(request).await
    }

    /// A JSON merge patch, optionally of a subresource. `manager` is recorded as the owner of what changes.
    pub async fn merge_patch(
        &self,
        kind: &Kind,
        reference: &ObjectRef,
        subresource: Option<&str>,
        manager: &str,
        patch: &Value,
    ) -> Result<Reply, ClusterError> {
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        let patch = kube::api::Patch::Merge(patch);
        let path = self.place(kind, reference.namespace.as_deref())?;
        let name = segment::of_name(&reference.name)?;
        let request = match subresource {
            Some(subresource) => {
                path.patch_subresource(&segment::encoded(subresource), &name, &parameters, &patch)
            }
            None => path.patch(&name, &parameters, &patch),
        };
        self.call(request.map_err(unwritable)?).await
    }

    /// Whether the server would take a JSON merge patch, and what it would make of it. Nothing is stored.
    pub async fn try_patch(
        &self,
        kind: &Kind,
        reference: &ObjectRef,
        patch: &Value,
        strict: bool,
    ) -> Result<Reply, ClusterError> {
        let parameters = PatchParams {
            dry_run: true,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(validation(strict)),
            ..PatchParams::default()
        };
        let request = Request::new(kind.path(reference.namespace.as_deref()))
            .patch(&reference.name, &parameters, &kube::api::Patch::Merge(patch))
            .map_err(unwritable)?;
        self.call(request).await
    }

    /// Writes a record of field managers, if the object is still at `version`.
    pub async fn write_managers(
        &self,
        kind: &Kind,
        reference: &ObjectRef,
        version: &str,
        record: &Value,
    ) -> Result<Reply, ClusterError> {
        // With the version in it the server refuses where the object has moved on.
        let patch = serde_json::json!({"metadata": {"resourceVersion": version, "managedFields": record}});
        self.merge_patch(kind, reference, None, FIELD_MANAGER, &patch)
            .await
    }

    /// Creates an object; the server makes up a name where only `generateName` is given.
    pub async fn create(&self, kind: &Kind, object: &Object, how: Patch) -> Result<Reply, ClusterError> {
        let parameters = PostParams {
            dry_run: how.dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        let body = object.value().to_string().into_bytes();
        let mut request = self
            .place(kind, object.namespace())?
            .create(&parameters, body)
            .map_err(unwritable)?;
        validate_by_query(&mut request, how.strict)?;
        self.call(request).await
    }

    /// Replaces an object. `metadata.resourceVersion`, where given, must be that of the live one.
    pub async fn replace(&self, kind: &Kind, object: &Object, how: Patch) -> Result<Reply, ClusterError> {
        let parameters = PostParams {
            dry_run: how.dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        let body = object.value().to_string().into_bytes();
        let mut request = self
            .place(kind, object.namespace())?
            .replace(&segment::of_name(object.name())?, &parameters, body)
            .map_err(unwritable)?;
        validate_by_query(&mut request, how.strict)?;
        self.call(request).await
    }

    /// Deletes an object, if it is still the one that is meant.
    pub async fn delete(
        &self,
        kind: &Kind,
        reference: &ObjectRef,
        propagation: Propagation,
        precondition: Option<&Precondition>,
        dry_run: bool,
    ) -> Result<Reply, ClusterError> {
        let parameters = DeleteParams {
            dry_run,
            propagation_policy: Some(match propagation {
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: precondition.map(|precondition| Preconditions {
                uid: Some(precondition.uid.clone()),
                resource_version: precondition.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        let request = self
            .place(kind, reference.namespace.as_deref())?
            .delete(&segment::of_name(&reference.name)?, &parameters)
            .map_err(unwritable)?;
        self.call(request).await
    }

    /// Sends a request and reads the answer, at the pace that the server keeps up with. A read that the server puts off, as it
    /// does for a moment with every new kind, is sent again when it asks for that.
    pub async fn call(&self, mut request: HttpRequest) -> Result<Reply, ClusterError> {
        tracing::trace!(method = %request.method(), uri = %request.uri(), "request");
        self.sign(request.headers_mut());
        if request.method() != http::Method::GET {
            return self.send(request).await;
        }
        let started = Instant::now();
        loop {
            let error = match self.send(request.clone()).await {
                Err(error) => error,
                answer => return answer,
            };
            match error.retry_after() {
                Some(wait) if started.elapsed() + wait < PUT_OFF => {
                    tracing::debug!(%error, "asking again");
                    tokio::time::sleep(wait.max(SHORTEST_WAIT)).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<Reply, ClusterError> {
        let permit = self.pace.permit().await;
        let answer = self.exchange(request).await;
        permit.done(answer.as_ref().err());
        answer
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Reply, ClusterError> {
        let secret = is_about_secrets(request.uri().path()).then(|| request.body().clone());
        let exchange = async {
            let response = self.client.send(request.map(Body::from)).await?;
            let status = response.status().as_u16();
            let retry_after = response
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.parse().ok());
            let body = response.into_body().collect_bytes().await?;
            Ok((status, retry_after.map(Duration::from_secs), body))
        };
        let (status, retry_after, body) = match tokio::time::timeout(REQUEST_TIMEOUT, exchange).await {
            Ok(answer) => answer.map_err(|error| ClusterError::from_kube(&self.server, error))?,
            Err(_) => {
                let detail = format!("no answer within {} s", REQUEST_TIMEOUT.as_secs());
                return Err(ClusterError::Unreachable {
                    server: self.server.to_string(),
                    detail,
                });
            }
        };
        if !(200..300).contains(&status) {
            let error = ClusterError::from_answer(status, retry_after, &String::from_utf8_lossy(&body));
            return Err(self.told(error, secret.as_deref()));
        }
        let value = serde_json::from_slice(&body).map_err(|error| ClusterError::Refused {
            status,
            message: format!("the answer is no JSON: {error}"),
        })?;
        Ok(Reply { status, value })
    }
}

/// What `kube` builds and a client sends.
type HttpRequest = http::Request<Vec<u8>>;

fn validation(strict: bool) -> ValidationDirective {
    match strict {
        true => ValidationDirective::Strict,
        false => ValidationDirective::Ignore,
    }
}

/// Creating and replacing know field validation too, only their parameters do not.
fn validate_by_query(request: &mut HttpRequest, strict: bool) -> Result<(), ClusterError> {
    let directive = if strict { "Strict" } else { "Ignore" };
    let joint = if request.uri().query().is_none_or(|query| query.ends_with('?')) {
        ""
    } else {
        "&"
    };
    let text = request.uri().to_string();
    let question = if text.contains('?') { "" } else { "?" };
    *request.uri_mut() = format!("{text}{question}{joint}fieldValidation={directive}")
        .parse()
        .map_err(unwritable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_validation_joins_the_query() {
        let check = |uri: &str, expected: &str| {
            let mut request = http::Request::get(uri).body(Vec::new()).unwrap();
            validate_by_query(&mut request, true).unwrap();
            assert_eq!(request.uri().to_string(), expected);
        };
        check(
            "/api/v1/pods?&dryRun=All",
            "/api/v1/pods?&dryRun=All&fieldValidation=Strict",
        );
        check("/api/v1/pods", "/api/v1/pods?fieldValidation=Strict");
    }
}
