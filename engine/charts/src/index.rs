//! The index of a chart repository: which charts there are, in which versions, and where.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use crate::constraint::Constraint;
use crate::error::ChartError;
use crate::version::{Version, newest};

/// Larger indexes are not read; that of the largest public repository has half as much.
pub const INDEX_BYTES: u64 = 64 << 20;
/// So many versions are named in a message.
const NAMED: usize = 5;

/// An index, as much of it as is needed.
#[derive(Debug, Default)]
pub struct Index {
    charts: BTreeMap<String, Vec<Listed>>,
}

/// A version of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its version.
    pub version: String,
    /// Where its archive is, as the index writes it.
    pub url: String,
    /// SHA-256 of the archive, 64 hexadecimal digits, if the index says it.
    pub digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    api_version: Lenient,
    #[serde(default)]
    entries: Option<BTreeMap<String, Option<Vec<Option<WrittenEntry>>>>>,
}

#[derive(Deserialize)]
struct WrittenEntry {
    #[serde(default)]
    version: Lenient,
    #[serde(default)]
    urls: Option<Vec<Lenient>>,
    #[serde(default)]
    digest: Lenient,
}

/// A text; anything else counts as missing, so that one odd entry keeps nothing else back.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Lenient {
    Text(String),
    Other(IgnoredAny),
    #[default]
    Missing,
}

impl Lenient {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Text(_) | Self::Other(_) | Self::Missing => None,
        }
    }
}

impl Index {
    /// Reads an index. Entries that lack something are left out, as Helm leaves them out.
    ///
    /// # Errors
    /// [`ChartError::Index`] if it is none. `url` is what messages call the repository.
    pub fn read(url: &str, bytes: &[u8]) -> Result<Self, ChartError> {
        let wrong = |reason: String| ChartError::Index {
            url: url.to_owned(),
            reason,
        };
        // The reader's own message may show what it could not read.
        let written: Written = serde_yaml::from_slice(bytes).map_err(|error| {
            let place = error.location().map_or(String::new(), |place| {
                format!(" from line {}, column {} on", place.line(), place.column())
            });
            wrong(format!("it is no YAML of an index{place}"))
        })?;
        if written.api_version.text().is_none() {
            return Err(wrong("it has no `apiVersion`".to_owned()));
        }
        let entries = written.entries.unwrap_or_default().into_iter();
        let charts = entries.map(|(name, listed)| {
            let listed = listed.unwrap_or_default().into_iter().flatten();
            (name, listed.filter_map(WrittenEntry::usable).collect())
        });
        Ok(Self {
            charts: charts.collect(),
        })
    }

    /// Returns the version of a chart that a range means: the one that is written the same, else the newest that it allows.
    ///
    /// # Errors
    /// [`ChartError::UnknownChart`], [`ChartError::UnknownVersion`].
    pub fn find(
        &self,
        url: &str,
        chart: &str,
        wanted: &str,
        constraint: &Constraint,
    ) -> Result<&Listed, ChartError> {
        let listed = self.charts.get(chart).ok_or_else(|| ChartError::UnknownChart {
            chart: chart.to_owned(),
            url: url.to_owned(),
        })?;
        let versions = listed.iter().map(|listed| listed.version.as_str());
        newest(wanted, constraint, versions.clone())
            .and_then(|index| listed.get(index))
            .ok_or_else(|| ChartError::UnknownVersion {
                what: format!("the chart `{chart}` of {url}"),
                wanted: wanted.to_owned(),
                there: newest_of(versions),
            })
    }

    /// Returns the version of a chart whose archive has a digest.
    #[must_use]
    pub fn with_digest(&self, chart: &str, digest: &str) -> Option<&Listed> {
        let listed = self.charts.get(chart)?;
        listed
            .iter()
            .find(|listed| listed.digest.as_deref() == Some(digest))
    }
}

impl Listed {
    /// Returns where the archive is: what is no whole URL is relative to the folder of the index.
    ///
    /// # Errors
    /// [`ChartError::Index`] if that is no URL.
    pub fn place(&self, repository: &str) -> Result<String, ChartError> {
        let wrong = |reason: String| ChartError::Index {
            url: repository.to_owned(),
            reason,
        };
        let mut base = Url::parse(repository).map_err(|error| wrong(error.to_string()))?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let joined = base
            .join(&self.url)
            .map_err(|error| wrong(format!("the URL of version {} is none: {error}", self.version)))?;
        Ok(joined.to_string())
    }
}

impl WrittenEntry {
    fn usable(self) -> Option<Listed> {
        let version = self.version.text()?;
        let url = self.urls?.into_iter().find_map(Lenient::text)?;
        let digest = self.digest.text().map(|digest| {
            let digest = digest.to_ascii_lowercase();
            digest.strip_prefix("sha256:").unwrap_or(&digest).to_owned()
        });
        Some(Listed { version, url, digest })
    }
}

/// The newest of some versions, for messages.
pub(crate) fn newest_of<'v>(versions: impl Iterator<Item = &'v str>) -> Vec<String> {
    let mut read: Vec<(Version, &str)> = versions
        .filter_map(|text| Some((Version::read(text)?, text)))
        .collect();
    read.sort_by(|(a, _), (b, _)| b.compare(a));
    read.iter()
        .take(NAMED)
        .map(|(_, text)| (*text).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "
apiVersion: v1
entries:
  shop:
  - {name: shop, version: 1.1.0, urls: [shop-1.1.0.tgz], digest: ABCD}
  - {name: shop, version: 1.2.0, urls: ['https://cdn.example.com/shop-1.2.0.tgz']}
  - {name: shop, version: 1.3.0}
  - {name: shop, version: 2.0, urls: [x.tgz]}
  - null
  empty: null
generated: '2026-01-01'
";

    #[test]
    fn what_is_there_is_found() {
        let index = Index::read("https://charts.example.com", INDEX.as_bytes()).unwrap();
        let find = |wanted: &str| {
            let constraint = Constraint::read(wanted).unwrap();
            index.find("https://charts.example.com/a", "shop", wanted, &constraint)
        };
        assert_eq!(find("*").unwrap().version, "1.2.0");
        let old = find("~1.1").unwrap();
        assert_eq!(old.digest.as_deref(), Some("abcd"));
        for base in ["https://charts.example.com/a", "https://charts.example.com/a/"] {
            assert_eq!(
                old.place(base).unwrap(),
                "https://charts.example.com/a/shop-1.1.0.tgz"
            );
        }
        assert_eq!(
            find("1.2.0")
                .unwrap()
                .place("https://charts.example.com/a")
                .unwrap(),
            "https://cdn.example.com/shop-1.2.0.tgz"
        );
        assert!(index.with_digest("shop", "abcd").is_some() && index.with_digest("shop", "abc").is_none());
        let error = find("^3").unwrap_err();
        assert!(
            matches!(&error, ChartError::UnknownVersion { there, .. } if there == &["1.2.0", "1.1.0"]),
            "{error}"
        );
        let unknown = index.find("u", "other", "*", &Constraint::default()).unwrap_err();
        assert!(matches!(unknown, ChartError::UnknownChart { .. }));
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for text in [
            "",
            "[]",
            "apiVersion: 1\n",
            "entries: {}",
            "apiVersion: v1\nentries: [",
            "<html></html>",
            "apiVersion: v1\nentries: {a: 1}",
        ] {
            let error = Index::read("https://charts.example.com", text.as_bytes()).unwrap_err();
            assert!(matches!(error, ChartError::Index { .. }), "{text:?}");
        }
    }

    #[test]
    fn aliases_do_not_multiply() {
        let mut text = "apiVersion: v1\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let of = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![of; 10].join(","));
        }
        text += "entries: {shop: [{version: 1.0.0, urls: *a11}]}\n";
        drop(Index::read("u", text.as_bytes()));
    }
}
