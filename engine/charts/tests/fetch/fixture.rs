//! Charts that Helm makes, and where they are asked for.

use std::path::{Path, PathBuf};

use sluice_charts::{ChartError, Charts, Fetched, Place};
use sluice_model::{Coded, ErrorCode};
use sluice_sandbox::{Folder, GnuPg, Key, index_charts, package_chart};
use sluice_source::Access;

/// Who signs a chart.
pub(crate) type Signing<'a> = (&'a GnuPg, &'a Key);

/// Packages a chart of one ConfigMap into a folder, and returns its archive.
pub(crate) fn package(into: &Path, name: &str, version: &str, signing: Option<Signing<'_>>) -> PathBuf {
    let work = Folder::new("chart").unwrap();
    let chart = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let template = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  version: '{version}'\n"
    );
    work.write(&format!("{name}/Chart.yaml"), chart).unwrap();
    work.write(&format!("{name}/templates/map.yaml"), template)
        .unwrap();
    package_chart(&work.path().join(name), into, signing).unwrap();
    into.join(format!("{name}-{version}.tgz"))
}

/// Makes the index of a folder anew.
pub(crate) fn index(folder: &Path) {
    index_charts(folder).unwrap();
}

/// A cache, and who asks.
pub(crate) struct Asking {
    pub(crate) folder: Folder,
    pub(crate) charts: Charts,
    pub(crate) access: Access,
}

impl Asking {
    pub(crate) fn new() -> Self {
        Self::with(Access::default())
    }

    pub(crate) fn with(access: Access) -> Self {
        let folder = Folder::new("cache").unwrap();
        Self {
            charts: Charts::new(folder.path().join("charts")),
            folder,
            access,
        }
    }

    pub(crate) fn try_fetch(
        &self,
        url: &str,
        chart: Option<&str>,
        wanted: &str,
    ) -> Result<Fetched, ChartError> {
        let place = Place::read(url, chart)?;
        self.charts.fetch(&place, wanted, &self.access, "", true)
    }

    pub(crate) fn fetch(&self, url: &str, chart: Option<&str>, wanted: &str) -> Fetched {
        self.try_fetch(url, chart, wanted).unwrap()
    }

    #[track_caller]
    pub(crate) fn check(&self, url: &str, chart: Option<&str>, wanted: &str, code: &ErrorCode) -> String {
        let error = self.try_fetch(url, chart, wanted).unwrap_err();
        assert_eq!(error.code().id, code.id, "{error}");
        sluice_model::error::one_line(&error)
    }
}
