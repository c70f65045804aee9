//! Who works, if several instances run: the one that holds the Lease `sluice-controller`.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use sluice_cluster::Home;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The Lease's name.
const NAME: &str = "sluice-controller";
/// How long a lease holds, how often it is renewed, and when its holder must stop working: Kubernetes' own figures for its
/// controllers, 15, 10 and 2 s, with the renewal more often.
const DURATION: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(3);
const GIVE_UP: Duration = Duration::from_secs(10);

/// One instance's claim.
pub(crate) struct Lease {
    api: Api<LeaseObject>,
    identity: String,
}

impl Lease {
    pub(crate) fn new(home: &Home, namespace: &str, identity: String) -> Self {
        Self {
            api: Api::namespaced(home.client().clone(), namespace),
            identity,
        }
    }

    /// Waits until the lease is ours. The token that comes back is cancelled when it is lost or `ending` is; the task beside it
    /// gives the lease back then. None where the process ends before.
    pub(crate) async fn hold(
        self,
        ending: &CancellationToken,
    ) -> Option<(CancellationToken, JoinHandle<()>)> {
        loop {
            match self.claim().await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the lease could not be read or written"),
            }
            tokio::select! {
                () = ending.cancelled() => return None,
                () = tokio::time::sleep(RENEW) => {}
            }
        }
        tracing::info!(identity = self.identity, "holds the lease");
        let lost = ending.child_token();
        let token = lost.clone();
        let renewal = tokio::spawn(async move {
            let mut renewed = tokio::time::Instant::now();
            while !token.is_cancelled() {
                tokio::select! {
                    () = token.cancelled() => break,
                    () = tokio::time::sleep(RENEW) => {}
                }
                match tokio::time::timeout(RENEW, self.claim()).await {
                    Ok(Ok(true)) => renewed = tokio::time::Instant::now(),
                    Ok(Ok(false)) => token.cancel(),
                    Ok(Err(_)) | Err(_) if renewed.elapsed() < GIVE_UP => {}
                    Ok(Err(_)) | Err(_) => token.cancel(),
                }
            }
            if let Err(error) = self.release().await {
                tracing::debug!(%error, "the lease could not be given back");
            }
        });
        Some((lost, renewal))
    }

    /// True where the lease is ours from now on.
    async fn claim(&self) -> Result<bool, kube::Error> {
        let now = jiff::Timestamp::now();
        let Some(mut lease) = self.api.get_opt(NAME).await? else {
            let lease = LeaseObject {
                metadata: ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(now, 0)),
            };
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let held_by_other = spec
            .holder_identity
            .as_ref()
            .is_some_and(|holder| !holder.is_empty() && *holder != self.identity);
        let expires = spec.renew_time.as_ref().map(|renewed| {
            renewed.0
                + jiff::SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or_default().into())
        });
        if held_by_other && expires.is_some_and(|expires| expires > now) {
            return Ok(false);
        }
        let transitions = spec.lease_transitions.unwrap_or_default() + i32::from(held_by_other);
        let acquired = spec.acquire_time.filter(|_| !held_by_other);
        let mut renewed = self.spec(now, transitions);
        renewed.acquire_time = acquired.or(renewed.acquire_time);
        lease.spec = Some(renewed);
        won(self.api.replace(NAME, &PostParams::default(), &lease).await)
    }

    fn spec(&self, now: jiff::Timestamp, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// Lets the next one begin at once.
    async fn release(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.api.get_opt(NAME).await? else {
            return Ok(());
        };
        let ours = lease
            .spec
            .as_ref()
            .is_some_and(|spec| spec.holder_identity.as_deref() == Some(self.identity.as_str()));
        if ours && let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
            self.api.replace(NAME, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }
}

/// A conflict means that another instance was faster.
fn won(result: Result<LeaseObject, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
