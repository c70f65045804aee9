//! Where a chart or an artifact is: `repoURL` and `chart` of a source, read.

use std::fmt;

use url::Url;

use crate::error::ChartError;

/// Where a chart or an artifact is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A chart repository, which has an `index.yaml`.
    Repository {
        /// The folder of the index, without credentials.
        url: String,
        /// The chart's name.
        chart: String,
    },
    /// A registry.
    Registry {
        /// `https://HOST[:PORT]`; `http://` on loopback, where nothing was given to judge a certificate by.
        base: String,
        /// The repository's name there.
        name: String,
    },
}

impl Place {
    /// Reads `repoURL` and `chart`: a chart of a repository, `oci://HOST/PATH` with or without the chart, or, as with Argo CD, `HOST/PATH`
    /// with one.
    ///
    /// # Errors
    /// [`ChartError::Place`].
    pub fn read(url: &str, chart: Option<&str>) -> Result<Self, ChartError> {
        let refuse = |reason: &str| ChartError::Place {
            url: url.rsplit('@').next().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
        };
        if url
            .chars()
            .any(|character| character.is_control() || character.is_whitespace())
        {
            return Err(refuse("it holds spaces or control characters"));
        }
        let chart = chart.filter(|chart| !chart.is_empty());
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !is_web && (url.starts_with("oci://") || !url.contains("://")) {
            let rest = url.strip_prefix("oci://").unwrap_or(url);
            return Self::registry(rest, chart).map_err(refuse);
        }
        let parsed = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        if !is_web {
            return Err(refuse("its scheme is not one of https, http and oci"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refuse(
                "it holds credentials, which would be shown in logs and status",
            ));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse("it has a query, which belongs to no folder"));
        }
        let chart = chart.ok_or_else(|| refuse("`chart` names no chart of it"))?;
        if !is_chart_name(chart) {
            return Err(refuse("`chart` is no name of a chart"));
        }
        Ok(Self::Repository {
            url: url.to_owned(),
            chart: chart.to_owned(),
        })
    }

    fn registry(rest: &str, chart: Option<&str>) -> Result<Self, &'static str> {
        let rest = rest.trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let name = match (path, chart) {
            ("", Some(chart)) => chart.to_owned(),
            (path, Some(chart)) => format!("{path}/{chart}"),
            (path, None) => path.to_owned(),
        };
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        if !is_host || Url::parse(&format!("https://{host}/")).is_err() {
            return Err("it names no host");
        }
        if name.is_empty() {
            return Err("it names no chart or artifact: `oci://HOST/PATH`");
        }
        if name.len() > 255 || !name.split('/').all(is_repository_part) {
            return Err(
                "its path is no name of a repository: lower-case letters, digits, and `.`, `_`, `-` between them; a version goes into `targetRevision`",
            );
        }
        // What Docker's registry is called, and where it is.
        let host = match host {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        Ok(Self::Registry {
            base: format!("{scheme}://{host}"),
            name,
        })
    }

    /// Returns the same with TLS on loopback too, for who was given something to judge a certificate by.
    #[must_use]
    pub fn with_tls(self) -> Self {
        match self {
            Self::Registry { base, name } => Self::Registry {
                base: base.replacen("http://", "https://", 1),
                name,
            },
            other => other,
        }
    }

    /// Returns what it is reached by, as an HTTP URL: what credentials are for.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Repository { url, .. } => url.clone(),
            Self::Registry { base, name } => format!("{base}/{name}"),
        }
    }

    /// Returns what the chart or artifact is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Repository { chart, .. } => chart,
            Self::Registry { name, .. } => name.rsplit('/').next().unwrap_or(name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { url, chart } => write!(formatter, "the chart `{chart}` of {url}"),
            Self::Registry { base, name } => {
                let host = base.split_once("://").map_or(base.as_str(), |(_, host)| host);
                write!(formatter, "oci://{host}/{name}")
            }
        }
    }
}

fn is_chart_name(text: &str) -> bool {
    text.len() <= 250
        && !text.starts_with(['.', '-'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// As the distribution specification has it.
fn is_repository_part(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(|byte| is_letter(*byte)))
        && bytes.iter().all(|byte| is_letter(*byte) || b"._-".contains(byte))
        && !part.contains("..")
}

fn is_loopback(host: &str) -> bool {
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_people_write() {
        for (url, chart, expected, name) in [
            (
                "https://charts.example.com/a",
                Some("shop"),
                "https://charts.example.com/a",
                "shop",
            ),
            (
                "oci://ghcr.io/org/charts/shop",
                None,
                "https://ghcr.io/org/charts/shop",
                "shop",
            ),
            (
                "oci://ghcr.io/org/charts",
                Some("shop"),
                "https://ghcr.io/org/charts/shop",
                "shop",
            ),
            (
                "registry-1.docker.io/charts",
                Some("shop"),
                "https://registry-1.docker.io/charts/shop",
                "shop",
            ),
            (
                "oci://docker.io/org/shop/",
                None,
                "https://registry-1.docker.io/org/shop",
                "shop",
            ),
            (
                "oci://127.0.0.1:5000/shop",
                None,
                "http://127.0.0.1:5000/shop",
                "shop",
            ),
            (
                "oci://localhost:5000/shop",
                Some(""),
                "http://localhost:5000/shop",
                "shop",
            ),
        ] {
            let place = Place::read(url, chart).unwrap();
            assert_eq!((place.url().as_str(), place.name()), (expected, name));
        }
        let place = Place::read("oci://localhost:5000/shop", None).unwrap();
        assert_eq!(place.clone().with_tls().url(), "https://localhost:5000/shop");
        assert_eq!(place.to_string(), "oci://localhost:5000/shop");
    }

    #[test]
    fn places_that_are_refused() {
        for (url, chart) in [
            ("https://charts.example.com", None),
            ("https://user:secret@charts.example.com", Some("a")),
            ("https://secret@charts.example.com", Some("a")),
            ("https://charts.example.com?token=x", Some("a")),
            ("https://charts.example.com", Some("../a")),
            ("https://charts.example.com", Some("a/b")),
            ("ftp://charts.example.com", Some("a")),
            ("oci://", None),
            ("oci://ghcr.io", None),
            ("oci://ghcr.io/Org/Shop", None),
            ("oci://ghcr.io/org/shop:1.0", None),
            ("oci://ghcr.io/org/../shop", None),
            ("oci://user:secret@ghcr.io/org/shop", None),
            ("oci://ghcr.io/org/a b", None),
        ] {
            let error = Place::read(url, chart).unwrap_err();
            assert!(
                matches!(error, ChartError::Place { .. }) && !error.to_string().contains("secret"),
                "{url}: {error}"
            );
        }
    }
}
