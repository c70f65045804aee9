//! Real surroundings for the cluster tests, the source tests and the demo, on loopback and in temporary folders.
//!
//! | what | is |
//! |---|---|
//! | [`ControlPlane`] | a whole Kubernetes, `tests/controlplane`, with kwok playing the node |
//! | [`ApiProxy`] | a proxy before its API server, which refuses, delays or cuts off |
//! | [`Webhook`] | an admission webhook, which refuses in the words of a test |
//! | [`GitServer`] | `git http-backend` behind a small HTTP or HTTPS server, with credentials and outages |
//! | [`FileServer`] | files over HTTP or HTTPS, as chart repositories are served |
//! | [`Registry`] | the CNCF's registry, `tests/registry` |
//! | [`Authority`], [`ProxyServer`] | certificates made for the occasion, and a proxy |
//! | [`GitDaemon`], [`SshServer`] | `git daemon` and `sshd`, for the sources that go through them |
//! | [`helm()`], [`package_chart`], [`index_charts`] | Helm's command line, built from its module |
//! | [`GnuPg`] | a gpg home with keys made for the occasion |
//! | [`Repository`] | a working copy: write, commit (signed by whom you like), push |
//! | [`any_secret`] | random Secrets, and the values that no face may show |
//! | [`bundle`] | manifests that others publish, `tests/bundles` |
//! | [`Process`], [`Folder`] | what all of these are made of: a child and a folder that do not outlive this process |
//!
//! Everything ends on `Drop`, and also when this process is killed: see [`janitor`] for how. Nothing reads the user's
//! Git, gpg or Kubernetes configuration.
//!
//! Errors are `anyhow`, because a test or the demo can only print them.
#![forbid(unsafe_code)]

mod api_proxy;
mod authority;
mod binaries;
mod bundles;
mod control_plane;
mod file_server;
mod folder;
mod git_daemon;
mod git_server;
mod gnupg;
mod helm;
mod http;
pub mod janitor;
mod process;
mod proxy_server;
mod registry;
mod repository;
mod secrets;
mod ssh_server;
mod wait;
mod webhook;

pub use api_proxy::{ApiProxy, ApiRequest, Verdict};
pub use authority::{Authority, Certificate};
pub use binaries::{
    cache_folder, control_plane_binary, control_plane_source, flux_controller, flux_controller_source,
    registry_binary, renderer_program, yaml_decoder_binary,
};
pub use bundles::{bundle, download_bundles};
pub use control_plane::ControlPlane;
pub use file_server::{FileRequest, FileServer};
pub use folder::Folder;
pub use git_daemon::GitDaemon;
pub use git_server::{Door, GitServer, Service, Tls};
pub use gnupg::{GnuPg, Key};
pub use helm::{helm, index_charts, package_chart};
pub use process::{Process, cargo, output};
pub use proxy_server::ProxyServer;
pub use registry::Registry;
pub use repository::{Commit, Repository, Signature};
pub use secrets::{any_secret, some_secrets, values_of};
pub use ssh_server::SshServer;
pub use wait::{free_port, wait_for};
pub use webhook::{Admission, Webhook};
