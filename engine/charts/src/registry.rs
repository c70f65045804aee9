//! What a registry says, read: manifests, lists of tags, and how it wants to be asked. No I/O.

use serde::Deserialize;

use crate::archive::{ARCHIVE_BYTES, Kind, PROVENANCE_BYTES};

/// Larger manifests are not read; registries have the same bound.
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// The media types of manifests that are asked for.
pub const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const CHART_BEFORE: &str = "application/tar+gzip";
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// Flux's, and those that Argo CD takes.
const FILES: [&str; 4] = [
    "application/vnd.cncf.flux.content.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

/// What a manifest leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// A chart, or manifests.
    pub kind: Kind,
    /// The SHA-256 of the archive, 64 hexadecimal digits.
    pub archive: String,
    /// That of the chart's provenance file, if it has one.
    pub provenance: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    size: u64,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

/// Reads a manifest.
///
/// # Errors
/// Why it is neither of a chart nor of manifests.
pub fn content(manifest: &[u8]) -> Result<Content, String> {
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| format!("it is no manifest: {error}"))?;
    if manifest.manifests.is_some() {
        return Err("it is an index of several manifests".to_owned());
    }
    if manifest.schema_version != 2 {
        return Err("it is a manifest of an old schema".to_owned());
    }
    let is_chart = manifest
        .config
        .as_ref()
        .is_some_and(|config| config.media_type == CHART_CONFIG);
    let of = |kinds: &[&str]| -> Vec<&Descriptor> {
        let layers = manifest.layers.iter();
        layers
            .filter(|layer| kinds.contains(&layer.media_type.as_str()))
            .collect()
    };
    let (kind, layers) = match is_chart {
        true => (Kind::Chart, of(&[CHART, CHART_BEFORE])),
        // A chart that was pushed by something else than Helm.
        false if !of(&[CHART]).is_empty() => (Kind::Chart, of(&[CHART])),
        false if manifest.layers.len() == 1 => (Kind::Files, of(&FILES)),
        false => {
            return Err(format!(
                "it has {} layers, and manifests are in one",
                manifest.layers.len()
            ));
        }
    };
    let [layer] = layers.as_slice() else {
        let kinds: Vec<String> = manifest
            .layers
            .iter()
            .map(|layer| format!("{:?}", layer.media_type.chars().take(100).collect::<String>()))
            .take(5)
            .collect();
        return Err(format!("its layers are of media type {}", kinds.join(", ")));
    };
    if layer.size > ARCHIVE_BYTES {
        return Err(format!("its layer has more than {ARCHIVE_BYTES} bytes"));
    }
    let provenance = match of(&[PROVENANCE]).as_slice() {
        [] => None,
        [one] if kind == Kind::Chart && one.size <= PROVENANCE_BYTES => Some(sha256(&one.digest)?),
        _ => return Err("it has several provenance files, or one that is too large".to_owned()),
    };
    Ok(Content {
        kind,
        archive: sha256(&layer.digest)?,
        provenance,
    })
}

/// Returns the tags of one page of the list.
///
/// # Errors
/// Why it is no list.
pub fn tags(page: &[u8]) -> Result<Vec<String>, String> {
    let tags: Tags =
        serde_json::from_slice(page).map_err(|error| format!("it is no list of tags: {error}"))?;
    Ok(tags.tags.unwrap_or_default())
}

/// Returns the next page of a list, from the header `Link`.
#[must_use]
pub fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (place, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = rest
            .split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then_some(place)
    })
}

/// How a registry wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// By user name and password.
    Basic,
    /// By a token, which is had from there.
    Token {
        /// The URL that gives tokens.
        realm: String,
        /// For whom.
        service: Option<String>,
    },
}

/// Reads the header `WWW-Authenticate`. None if it asks for nothing that is known.
#[must_use]
pub fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |name: &str| {
        let mut rest = rest;
        // Values are quoted and may hold commas.
        while let Some((key, after)) = rest.split_once('=') {
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after
                    .split_once(',')
                    .map_or((after, ""), |(value, next)| (value, next)),
            };
            if key.trim().eq_ignore_ascii_case(name) {
                return Some(value.to_owned());
            }
            rest = next.trim_start().trim_start_matches(',');
        }
        None
    };
    Some(Challenge::Token {
        realm: parameter("realm")?,
        service: parameter("service"),
    })
}

/// Returns the token in an answer.
#[must_use]
pub fn token(answer: &[u8]) -> Option<String> {
    let read: Token = serde_json::from_slice(answer).ok()?;
    read.token.or(read.access_token).filter(|token| !token.is_empty())
}

/// The digits of `sha256:…`.
pub(crate) fn sha256(digest: &str) -> Result<String, String> {
    let digits = digest.strip_prefix("sha256:").filter(|digits| is_sha256(digits));
    digits
        .map(str::to_owned)
        .ok_or_else(|| "a digest in it is no SHA-256".to_owned())
}

/// True for 64 hexadecimal digits in lower case.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(config: &str, layers: &[(&str, char)]) -> String {
        let layers: Vec<_> = layers
            .iter()
            .map(|(kind, digit)| {
                serde_json::json!({"mediaType": kind, "digest": format!("sha256:{}", digit.to_string().repeat(64)), "size": 1})
            })
            .collect();
        serde_json::json!({"schemaVersion": 2, "config": {"mediaType": config}, "layers": layers}).to_string()
    }

    #[test]
    fn manifests_that_are_pushed() {
        let image = "application/vnd.oci.image.config.v1+json";
        let flux = "application/vnd.cncf.flux.config.v1+json";
        for (config, layers, expected) in [
            (CHART_CONFIG, vec![(CHART, 'a')], Some((Kind::Chart, None))),
            (
                CHART_CONFIG,
                vec![(PROVENANCE, 'b'), (CHART, 'a')],
                Some((Kind::Chart, Some('b'))),
            ),
            (CHART_CONFIG, vec![(CHART, 'a'), (CHART, 'b')], None),
            (
                CHART_CONFIG,
                vec![(CHART, 'a'), (PROVENANCE, 'b'), (PROVENANCE, 'c')],
                None,
            ),
            (CHART_CONFIG, vec![], None),
            (flux, vec![(FILES[0], 'a')], Some((Kind::Files, None))),
            (image, vec![(FILES[1], 'a')], Some((Kind::Files, None))),
            (image, vec![(FILES[1], 'a'), (FILES[1], 'b')], None),
            (
                "x",
                vec![("application/vnd.dev.cosign.simplesigning.v1+json", 'a')],
                None,
            ),
        ] {
            let found = content(manifest(config, &layers).as_bytes()).ok();
            let expected = expected.map(|(kind, provenance)| Content {
                kind,
                archive: "a".repeat(64),
                provenance: provenance.map(|digit: char| digit.to_string().repeat(64)),
            });
            assert_eq!(found, expected, "{config} {layers:?}");
        }
        for text in [
            "",
            "{}",
            "[]",
            r#"{"schemaVersion":2,"manifests":[]}"#,
            r#"{"schemaVersion":1}"#,
        ] {
            assert!(content(text.as_bytes()).is_err(), "{text}");
        }
        let other = manifest(CHART_CONFIG, &[(CHART, 'A')]);
        assert!(content(other.as_bytes()).is_err());
    }

    #[test]
    fn challenges() {
        let header =
            r#"Bearer realm="https://auth.example.com/token?a=b,c",service="registry.example.com",scope="x""#;
        assert_eq!(
            challenge(header),
            Some(Challenge::Token {
                realm: "https://auth.example.com/token?a=b,c".to_owned(),
                service: Some("registry.example.com".to_owned()),
            })
        );
        assert_eq!(challenge("Basic realm=\"x\""), Some(Challenge::Basic));
        for header in [
            "",
            "Bearer",
            "Negotiate",
            "Bearer realm=\"",
            "Bearer service=\"x\"",
        ] {
            assert_eq!(challenge(header), None, "{header}");
        }
        assert_eq!(token(br#"{"access_token":"t"}"#).as_deref(), Some("t"));
        assert!(token(b"{}").is_none() && token(b"x").is_none());
    }

    #[test]
    fn pages() {
        assert_eq!(
            next_page(r#"</v2/a/tags/list?last=b&n=2>; rel="next""#),
            Some("/v2/a/tags/list?last=b&n=2")
        );
        assert_eq!(next_page(r#"<a>; rel="prev", <b>; rel="next""#), Some("b"));
        assert_eq!(next_page("nonsense"), None);
        assert_eq!(
            tags(br#"{"name":"a","tags":null}"#).unwrap(),
            Vec::<String>::new()
        );
    }
}
