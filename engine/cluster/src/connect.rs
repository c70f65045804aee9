//! Finding a cluster and connecting to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use sluice_model::object::unusable;

use crate::error::{ClusterError, chain};
use crate::kinds::KindCache;
use crate::pace::Pace;
use crate::secrets::Hidden;

/// How long the TCP and TLS handshakes may take: longer than a busy control plane needs, shorter than a person waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the cluster is. Everything missing means: as `kubectl` would find it, then the account of the pod.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// A kubeconfig file; `KUBECONFIG`, then `~/.kube/config` where missing.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; its current one where missing.
    pub context: Option<String>,
}

/// A connection to one cluster. Cheap to clone; clones share the connection and what is known of its kinds.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) server: Arc<str>,
    pub(crate) kinds: Arc<KindCache>,
    pub(crate) pace: Arc<Pace>,
    /// As whom requests are made; none for the account that connected.
    pub(crate) account: Option<HeaderValue>,
    /// Whose values are kept out of what the server says.
    pub(crate) hidden: Arc<Hidden>,
}

/// A ServiceAccount that requests can be made as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The user that the API server knows it as.
    user: HeaderValue,
}

impl ServiceAccount {
    /// The account of that name in a namespace. None where one of the two cannot be a name.
    pub fn named(namespace: &str, name: &str) -> Option<Self> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
                })
        };
        if !is_name(namespace) || !is_name(name) {
            return None;
        }
        // The server adds the groups that every ServiceAccount is in.
        let user = HeaderValue::try_from(format!("system:serviceaccount:{namespace}:{name}")).ok()?;
        Some(Self { user })
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Reads the configuration and makes a client. Sends nothing: a dead server shows with the first request.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ClusterError> {
        let mut config = configuration(options).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // Watches stay open for minutes without a byte; single requests have a deadline of their own.
        config.read_timeout = None;
        // The caller knows whether asking again is safe.
        config.default_retry = false;
        Self::from_config(config)
    }

    /// Makes a client for a configuration that the caller put together.
    pub fn from_config(mut config: Config) -> Result<Self, ClusterError> {
        // As `kubectl` reads it.
        if config.default_namespace.is_empty() {
            "default".clone_into(&mut config.default_namespace);
        }
        if let Some(reason) = unusable(&config.default_namespace) {
            return Err(ClusterError::Configuration {
                detail: format!(
                    "the namespace {:?} of the context {reason}",
                    config.default_namespace
                ),
            });
        }
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| ClusterError::Configuration {
            detail: chain(&error),
        })?;
        Ok(Self {
            client,
            server: server.into(),
            kinds: Arc::default(),
            pace: Arc::default(),
            account: None,
            hidden: Arc::default(),
        })
    }

    /// The same connection, with every request made as a ServiceAccount: what it may not do is refused. Watches and what is
    /// asked of the kinds stay as they are, since they are shared.
    pub fn acting_as(&self, account: &ServiceAccount) -> Self {
        Self {
            account: Some(account.user.clone()),
            ..self.clone()
        }
    }

    /// The same connection, as the account that connected.
    pub fn as_itself(&self) -> Self {
        Self {
            account: None,
            ..self.clone()
        }
    }

    pub(crate) fn sign(&self, headers: &mut http::HeaderMap) {
        if let Some(account) = &self.account {
            headers.insert("impersonate-user", account.clone());
        }
    }

    /// For how long nothing has worked; none while something does.
    pub fn failing_for(&self) -> Option<Duration> {
        self.pace.failing_for()
    }

    /// The client, for typed requests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the API server is.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The namespace of the context or of the pod; `default` where it names none.
    pub fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }
}

async fn configuration(options: &ConnectOptions) -> Result<Config, ClusterError> {
    let choice = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = &options.kubeconfig {
        let file = Kubeconfig::read_from(path).map_err(|error| ClusterError::Configuration {
            detail: format!("{}: {}", path.display(), chain(&error)),
        })?;
        return Config::from_custom_kubeconfig(file, &choice)
            .await
            .map_err(|error| ClusterError::Configuration {
                detail: format!("{}: {}", path.display(), chain(&error)),
            });
    }
    let named = std::env::var_os("KUBECONFIG");
    if options.context.is_some() || named.is_some() {
        // Asked for by name: never fall back to another cluster than the one that was meant.
        let place = match &named {
            Some(paths) => format!("KUBECONFIG={}", paths.to_string_lossy()),
            None => "~/.kube/config".to_owned(),
        };
        return Config::from_kubeconfig(&choice)
            .await
            .map_err(|error| ClusterError::Configuration {
                detail: format!("{place}: {}", chain(&error)),
            });
    }
    match Config::from_kubeconfig(&choice).await {
        Ok(config) => Ok(config),
        Err(outside) => Config::incluster().map_err(|inside| ClusterError::Configuration {
            detail: format!(
                "no kubeconfig ({}) and no account of a pod ({})",
                chain(&outside),
                chain(&inside)
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::Coded as _;

    const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
        clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        contexts: [{name: here, context: {cluster: c, user: u, namespace: shop}}]\nusers: [{name: u, user: {}}]\n";

    async fn connect(text: &str, context: Option<&str>) -> Result<Cluster, ClusterError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        fs_err::write(&path, text).unwrap();
        Cluster::connect(&ConnectOptions {
            kubeconfig: Some(path),
            context: context.map(str::to_owned),
        })
        .await
    }

    #[tokio::test]
    async fn a_kubeconfig_says_where_and_which_namespace() {
        let cluster = connect(KUBECONFIG, None).await.unwrap();
        assert_eq!(
            (cluster.server(), cluster.default_namespace()),
            ("http://127.0.0.1:1/", "shop")
        );
    }

    #[tokio::test]
    async fn the_namespace_of_a_context_is_one_part_of_a_path() {
        let of =
            |namespace: &str| KUBECONFIG.replace("namespace: shop", &format!("namespace: '{namespace}'"));
        for namespace in ["..", "shop/pods", "a%2Fb"] {
            let error = connect(&of(namespace), None).await.unwrap_err();
            assert_eq!(error.code().id, "K10");
            assert!(error.to_string().contains(namespace), "{error}");
        }
        let cluster = connect(&of(""), None).await.unwrap();
        assert_eq!(cluster.default_namespace(), "default");
    }

    #[tokio::test]
    async fn an_unknown_context_or_a_broken_file_is_a_configuration_error() {
        let error = connect(KUBECONFIG, Some("there")).await.unwrap_err();
        assert_eq!(error.code().id, "K10");
        assert!(error.to_string().contains("there"), "{error}");
        assert_eq!(connect(": :", None).await.unwrap_err().code().id, "K10");
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_unreachable() {
        let cluster = connect(KUBECONFIG, None).await.unwrap();
        let error = cluster.kinds().await.unwrap_err();
        assert_eq!(error.code().id, "K11");
        assert!(
            error.is_transient() && error.to_string().contains("127.0.0.1:1"),
            "{error}"
        );
    }
}
