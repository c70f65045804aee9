//! Lists by the page and watches by the event, as plain JSON.

use futures::{Stream, StreamExt as _};
use kube::api::{ListParams, Request, WatchEvent, WatchParams};
use serde_json::Value;
use sluice_model::{Object, ObjectRef};

use crate::connect::Cluster;
use crate::error::ClusterError;
use crate::kinds::Kind;
use crate::requests::unwritable;
use crate::secrets::is_about_secrets;
use crate::segment;

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Object>,
    /// The version to watch from.
    pub resource_version: String,
    /// Where the next page begins; none on the last.
    pub continue_token: Option<String>,
}

impl Page {
    /// Objects in a list carry neither `apiVersion` nor `kind`; they get them back here.
    pub(crate) fn new(kind: &Kind, mut list: Value) -> Self {
        let metadata = |field: &str| {
            list.pointer(&format!("/metadata/{field}"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let resource_version = metadata("resourceVersion");
        let continue_token = Some(metadata("continue")).filter(|token| !token.is_empty());
        let items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let api_version = kind.api_version();
        let objects = items
            .into_iter()
            .filter_map(|mut item| {
                let map = item.as_object_mut()?;
                map.insert("apiVersion".to_owned(), api_version.clone().into());
                map.insert("kind".to_owned(), kind.kind.clone().into());
                Object::new(item).ok()
            })
            .collect();
        Self {
            objects,
            resource_version,
            continue_token,
        }
    }
}

/// What a watch tells.
#[derive(Debug)]
pub enum Change {
    /// The object is new or has changed.
    Applied(Object),
    /// The object is gone; this was its last state.
    Deleted(Object),
    /// Nothing changed, and this is the version up to which that holds.
    Bookmark(String),
}

/// The field selector for one object.
fn by_name(reference: &ObjectRef) -> String {
    format!("metadata.name={}", segment::selected(&reference.name))
}

impl Cluster {
    /// Watches the objects of a kind, in one namespace or everywhere, that match a label selector, from `resource_version` on. The server ends it after
    /// `seconds`; it is then continued from the last version that was seen. A version that is too old ends in
    /// [`ClusterError::Refused`] with status 410: list again.
    pub async fn watch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
        resource_version: &str,
        seconds: u32,
    ) -> Result<impl Stream<Item = Result<Change, ClusterError>> + Send + use<>, ClusterError> {
        let parameters = WatchParams::default().labels(selector).timeout(seconds);
        self.watch_path(self.place(kind, namespace)?, &parameters, resource_version)
            .await
    }

    /// One object by its name, with the version to watch it from. Needs the rights to list and watch that name only.
    pub async fn list_one(
        &self,
        kind: &Kind,
        reference: &ObjectRef,
    ) -> Result<(Option<Object>, String), ClusterError> {
        let parameters = ListParams::default().fields(&by_name(reference));
        let request = self
            .place(kind, reference.namespace.as_deref())?
            .list(&parameters)
            .map_err(unwritable)?;
        let page = Page::new(kind, self.call(request).await?.value);
        Ok((page.objects.into_iter().next(), page.resource_version))
    }

    /// As [`Cluster::watch`], for one object by its name.
    pub async fn watch_one(
        &self,
        kind: &Kind,
        reference: &ObjectRef,
        resource_version: &str,
        seconds: u32,
    ) -> Result<impl Stream<Item = Result<Change, ClusterError>> + Send + use<>, ClusterError> {
        let parameters = WatchParams::default()
            .fields(&by_name(reference))
            .timeout(seconds);
        let place = self.place(kind, reference.namespace.as_deref())?;
        self.watch_path(place, &parameters, resource_version).await
    }

    async fn watch_path(
        &self,
        place: Request,
        parameters: &WatchParams,
        resource_version: &str,
    ) -> Result<impl Stream<Item = Result<Change, ClusterError>> + Send + use<>, ClusterError> {
        let secret: Option<&[u8]> = is_about_secrets(&place.url_path).then_some(&[]);
        let request = place.watch(parameters, resource_version).map_err(unwritable)?;
        let cluster = self.clone();
        let failed = move |error| cluster.told(ClusterError::from_kube(&cluster.server, error), secret);
        let cluster = self.clone();
        let events = self
            .client
            .request_events::<Value>(request)
            .await
            .map_err(failed.clone())?;
        Ok(events.filter_map(move |event| {
            let item = match event {
                Ok(WatchEvent::Added(value) | WatchEvent::Modified(value)) => {
                    Object::new(value).ok().map(|object| Ok(Change::Applied(object)))
                }
                Ok(WatchEvent::Deleted(value)) => {
                    Object::new(value).ok().map(|object| Ok(Change::Deleted(object)))
                }
                Ok(WatchEvent::Bookmark(bookmark)) => {
                    Some(Ok(Change::Bookmark(bookmark.metadata.resource_version)))
                }
                Ok(WatchEvent::Error(status)) => {
                    let error = ClusterError::from_status(status.code, None, &status);
                    Some(Err(cluster.told(error, secret)))
                }
                Err(error) => Some(Err(failed(error))),
            };
            futures::future::ready(item)
        }))
    }
}
