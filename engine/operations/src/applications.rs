//! The Applications of a cluster: found by name, listed, and changed as a request to the controller.

use kube::api::{ListParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};
use sluice_cluster::{Home, Kind};
use sluice_model::Application;
use sluice_model::object::{GroupKind, ObjectRef};
use sluice_model::plan::ApplicationKey;

use crate::error::OperationError;

/// The Applications of a cluster, as a person may act on them. Cheap to clone.
#[derive(Clone)]
pub struct Operations {
    pub(crate) home: Home,
    face: &'static str,
    person: Option<String>,
}

impl Operations {
    /// Returns the operations on the Applications of `home`, with the rights of its connection. `face` is what the requests come
    /// through, in one word: `cli` writes as field manager `sluice-cli`.
    pub fn new(home: Home, face: &'static str) -> Self {
        Self {
            home,
            face,
            person: None,
        }
    }

    /// Says who asks, for the history. Otherwise it is the user that the API server takes the connection for.
    #[must_use]
    pub fn by(self, person: String) -> Self {
        Self {
            person: Some(person),
            ..self
        }
    }

    /// Returns an Application.
    ///
    /// # Errors
    /// [`OperationError::NoApplication`] if there is none of that name; [`OperationError::NotInstalled`] if the cluster does not know
    /// the kind; [`OperationError::Unreadable`] if it is of another version of Sluice.
    pub async fn get(&self, key: &ApplicationKey) -> Result<Application, OperationError> {
        match self.find(key).await? {
            Some(application) => Ok(application),
            None => Err(self.missing(key).await),
        }
    }

    /// Returns an Application if there is one of that name.
    ///
    /// # Errors
    /// [`OperationError::Unreadable`] if it is of another version of Sluice.
    pub async fn find(&self, key: &ApplicationKey) -> Result<Option<Application>, OperationError> {
        let found = self.home.get(&Kind::applications(), &reference(key)).await?;
        found.map(|object| read(object.into_value())).transpose()
    }

    /// Returns the Applications of a namespace, or of all if it is missing, by namespace and name.
    ///
    /// # Errors
    /// [`OperationError::NotInstalled`] if the cluster does not know the kind; [`OperationError::Unreadable`] for the first one that is
    /// of another version of Sluice.
    pub async fn list(&self, namespace: Option<&str>) -> Result<Vec<Application>, OperationError> {
        // A list without parameters can always be written down.
        let request = Request::new(Kind::applications().path(namespace))
            .list(&ListParams::default())
            .expect("a plain list request");
        let reply = match self.home.call(request).await {
            Ok(reply) => reply,
            Err(error) if error.is_not_found() => return Err(OperationError::NotInstalled),
            Err(error) => return Err(error.into()),
        };
        let items = reply.value.get("items").and_then(Value::as_array);
        items.cloned().unwrap_or_default().into_iter().map(read).collect()
    }

    /// Sets annotations of an Application, as a request to the controller.
    pub(crate) async fn annotate(
        &self,
        key: &ApplicationKey,
        annotations: Value,
    ) -> Result<(), OperationError> {
        self.patch(key, json!({"metadata": {"annotations": annotations}}))
            .await
    }

    /// Changes an Application by a JSON merge patch.
    pub(crate) async fn patch(&self, key: &ApplicationKey, patch: Value) -> Result<(), OperationError> {
        let manager = format!("sluice-{}", self.face);
        let sent = self
            .home
            .merge_patch(&Kind::applications(), &reference(key), None, &manager, &patch)
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(self.missing(key).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns who asks, for the history.
    pub(crate) async fn requester(&self) -> String {
        match &self.person {
            Some(person) => person.clone(),
            None => self.whoami().await.unwrap_or_else(|| "unknown".to_owned()),
        }
    }

    /// Returns an id that tells a request from any other: the time to the nanosecond, and the process.
    pub(crate) fn request_id(&self) -> String {
        let now = jiff::Timestamp::now().as_nanosecond();
        format!("{}-{now}-{}", self.face, std::process::id())
    }

    /// Who the API server takes us for; none if it does not say.
    async fn whoami(&self) -> Option<String> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let request = Request::new("/apis/authentication.k8s.io/v1/selfsubjectreviews")
            .create(&PostParams::default(), review.to_string().into_bytes())
            .ok()?;
        let reply = self.home.call(request).await.ok()?;
        let name = reply.value.pointer("/status/userInfo/username")?;
        name.as_str().map(str::to_owned)
    }

    /// What it means that an Application was not found: that it does not exist, or that no cluster here knows its kind.
    async fn missing(&self, key: &ApplicationKey) -> OperationError {
        let kind = GroupKind::new("sluice.dev", "Application");
        match self.home.kinds().await {
            Ok(kinds) if kinds.versions(&kind).is_empty() => OperationError::NotInstalled,
            Ok(_) | Err(_) => OperationError::NoApplication {
                application: key.clone(),
            },
        }
    }
}

/// Returns a reference to an Application.
pub(crate) fn reference(key: &ApplicationKey) -> ObjectRef {
    let kind = Kind::applications();
    ObjectRef {
        group: kind.group,
        version: kind.version,
        kind: kind.kind,
        namespace: Some(key.namespace.clone()),
        name: key.name.clone(),
    }
}

fn read(value: Value) -> Result<Application, OperationError> {
    let name = value.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.unwrap_or_default().to_owned();
    serde_json::from_value(value).map_err(|source| OperationError::Unreadable { name, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;
    use sluice_model::Coded as _;

    #[test]
    fn an_application_of_another_version_is_named() {
        let newer = json!({"metadata": {"name": "web"}, "spec": {"source": {"chart": "web"}}});
        let error = read(newer).unwrap_err();
        assert_eq!(error.code().id, codes::UNREADABLE_APPLICATION.id);
        assert!(error.to_string().contains("`web`"));
    }
}
