//! `sluice install`: the manifests that run Sluice in a cluster, with no more rights than were asked for.
//!
//! The manifests are files with comments, because an operator who applies them should be able to read why each right is there;
//! what is filled in is checked first, so that no value can add a line of its own.

use std::io::Write;

use clap::Args;

use crate::failure::Failure;
use crate::global::{Global, name};

pub(crate) const HELP: &str = "\
Examples:
  sluice crds | kubectl apply --server-side -f -
  sluice install --manage-namespace shop | kubectl apply --server-side -f -
  sluice install --namespace gitops --image registry.example.com/sluice:0.1.0 --manage-cluster

What Sluice may do is for you to say; without any of these it sees Applications and tells about
them, and a sync fails
with K13, which names the right that is missing:

  --manage-namespace NS        the built-in role `admin` in that namespace; it is then bound to the namespaces that are
                               named, looks nowhere else, and refuses what belongs into none (K09)
  --application-namespace NS   Applications live there: their keyrings and credentials may be read, and ledgers of what was
                               verified kept
  --impersonate NS             it may act as the ServiceAccounts of that namespace, for Applications there that name one
                               (`spec.destination.serviceAccount`)
  --manage-cluster             the built-in role `cluster-admin`: for Namespaces, CRDs, ClusterRoles and every namespace

Exit codes: 0; 2 for a value that is no name or no image.";

const BASE: &str = include_str!("install/base.yaml");
const REFERENCES: &str = include_str!("install/application-namespace.yaml");
const IMPERSONATE: &str = include_str!("install/impersonate.yaml");
const NAMESPACE_ROLE: &str = include_str!("install/manage-namespace.yaml");
const CLUSTER_ROLE: &str = include_str!("install/manage-cluster.yaml");

/// The options of `sluice install`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Image of the controller
    #[arg(long, value_name = "IMAGE", default_value = concat!("sluice:", env!("CARGO_PKG_VERSION")), value_parser = image)]
    image: String,
    /// Namespace whose objects it may create, change and delete; may be given many times
    #[arg(long, value_name = "NAMESPACE", value_parser = name)]
    manage_namespace: Vec<String>,
    /// Namespace with Applications that name keyrings or credentials; may be given many times
    #[arg(long, value_name = "NAMESPACE", value_parser = name)]
    application_namespace: Vec<String>,
    /// Namespace whose ServiceAccounts it may act as; may be given many times
    #[arg(long, value_name = "NAMESPACE", value_parser = name)]
    impersonate: Vec<String>,
    /// ServiceAccount that an Application acts as which names none; needs --impersonate or --manage-cluster
    #[arg(long, value_name = "NAME", value_parser = name)]
    default_service_account: Option<String>,
    /// Let it create, change and delete everything, in the whole cluster
    #[arg(long, conflicts_with = "manage_namespace")]
    manage_cluster: bool,
}

/// Prints the manifests.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    out.write_all(manifests(&arguments, global.namespace.as_deref().unwrap_or("sluice-system")).as_bytes())?;
    Ok(())
}

fn manifests(arguments: &Arguments, namespace: &str) -> String {
    let namespaces = arguments.manage_namespace.iter();
    let bound: String = namespaces
        .map(|namespace| format!("--manage-namespace={namespace}"))
        .chain(
            arguments
                .default_service_account
                .iter()
                .map(|account| format!("--default-service-account={account}")),
        )
        .map(|flag| format!("            - {flag}\n"))
        .collect();
    let fill = |text: &str| {
        text.replace("{bound}\n", &bound)
            .replace("{namespace}", namespace)
            .replace("{image}", &arguments.image)
            .replace("{version}", env!("CARGO_PKG_VERSION"))
    };
    let mut text = fill(BASE);
    for namespace in &arguments.application_namespace {
        text.push_str(&fill(REFERENCES).replace("{managed}", namespace));
    }
    for namespace in &arguments.impersonate {
        text.push_str(&fill(IMPERSONATE).replace("{managed}", namespace));
    }
    for managed in &arguments.manage_namespace {
        text.push_str(&fill(NAMESPACE_ROLE).replace("{managed}", managed));
    }
    if arguments.manage_cluster {
        text.push_str(&fill(CLUSTER_ROLE));
    }
    text
}

/// What can be an image's name: it must not be able to end the line it is written into.
fn image(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"./:@_-".contains(&byte);
    match !text.is_empty()
        && text.bytes().all(allowed)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
    {
        true => Ok(text.to_owned()),
        false => Err("an image is letters, digits and ./:@_-".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_add_a_line_of_its_own() {
        assert!(name("shop").is_ok() && image("registry.example.com:5000/a/b@sha256:00").is_ok());
        for bad in ["", "a\nb", "A", "-a", "a-", "a b", &"a".repeat(64)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a\n  b: c", "a b", "{namespace}", "-a", "a#b"] {
            assert!(image(bad).is_err(), "{bad:?}");
        }
    }
}
