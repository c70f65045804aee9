//! Charts from chart repositories and registries, and manifests that a registry has as an artifact.
//!
//! Beside Git repositories (`source`, whose way of reaching a server this uses) the other place that manifests come from. [`Place`] says
//! where a chart or an artifact is; [`Charts::fetch`] finds out which version a range means now, and returns the archive, of which
//! [`Fetched::tree`] reads the files. An archive is known by the SHA-256 of its bytes: that is its revision. It is kept on disk by it, and
//! looked at again by it whenever it is read.
//!
//! What a server says is never believed further than it can be checked: the digest of an index or a manifest holds for the archive, the
//! archive's own `Chart.yaml` has to be of the chart and version that were asked for, and everything has bounds. Who published it is not
//! decided here but by `verify`, from the provenance file that is handed on as it came.
//!
//! All calls block; callers own threads, time and retries. Where to start reading: [`Charts`].
#![forbid(unsafe_code)]

pub mod archive;
mod charts;
mod constraint;
mod error;
pub mod index;
mod place;
pub mod registry;
mod repository;
mod store;
pub mod version;

pub use archive::{Archive, Kind};
pub use charts::{Charts, Fetched, readable};
pub use constraint::Constraint;
pub use error::{ChartError, codes};
pub use place::Place;
