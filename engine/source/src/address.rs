//! Repository URLs: what they mean, how they are shown, and where their mirror lies.

use std::fmt;
use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice as _};
use gix::hash::Kind;
use gix::url::Scheme;

use crate::error::SourceError;

/// A repository URL that can be fetched from.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// As it was written; holds no credentials.
    pub(crate) text: String,
    /// As gix reads it.
    pub(crate) url: gix::Url,
    /// How to get there.
    pub(crate) route: Route,
}

/// How to get to a repository.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// `http://` or `https://`.
    Http,
    /// `ssh://` or `user@host:path`.
    Ssh(Destination),
    /// `file://` or an absolute path.
    File { path: PathBuf },
}

/// Where `ssh` is to go.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) path: BString,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, SourceError> {
        let refuse = |reason: &str| SourceError::Url {
            url: redacted(text),
            reason: reason.to_owned(),
        };
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err(refuse("it holds spaces or control characters"));
        }
        let url = gix::url::parse(text.as_bytes().as_bstr()).map_err(|error| refuse(&error.to_string()))?;
        if url.password().is_some() {
            return Err(refuse(
                "it holds a password, which would be shown in logs and status",
            ));
        }
        let host = url.host().unwrap_or_default().to_owned();
        let user = url.user().map(str::to_owned);
        let route = match &url.scheme {
            Scheme::Http | Scheme::Https if user.is_some() => {
                return Err(refuse("it holds a user name, which belongs into the credentials"));
            }
            Scheme::Http | Scheme::Https if host.is_empty() => return Err(refuse("it names no host")),
            Scheme::Http | Scheme::Https => Route::Http,
            Scheme::Ssh => {
                // `ssh` would take these for options and run what they say.
                let option_like = |part: &str| part.is_empty() || part.starts_with('-');
                if option_like(&host)
                    || user.as_deref().is_some_and(option_like)
                    || url.path.starts_with(b"-")
                {
                    return Err(refuse("a part of it is empty or begins with a dash"));
                }
                Route::Ssh(Destination {
                    user,
                    host,
                    port: url.port,
                    path: url.path.clone(),
                })
            }
            Scheme::File => {
                let path = PathBuf::from(url.path.to_str().map_err(|_| refuse("its path is not UTF-8"))?);
                if !path.is_absolute() {
                    return Err(refuse("its path is not absolute"));
                }
                Route::File { path }
            }
            _ => return Err(refuse("its scheme is not one of https, http, ssh and file")),
        };
        Ok(Self {
            text: text.to_owned(),
            url,
            route,
        })
    }

    /// The name of the mirror's folder. A digest, so that no URL can choose a path.
    pub(crate) fn mirror_name(&self) -> Result<String, SourceError> {
        let mut hasher = gix::hash::hasher(Kind::Sha256);
        hasher.update(self.text.as_bytes());
        hasher
            .try_finalize()
            .map(|digest| digest.to_string())
            .map_err(|error| SourceError::Url {
                url: self.text.clone(),
                reason: error.to_string(),
            })
    }
}

/// Whether credentials for everything below `prefix` are for `url` too: the same scheme, host, port and user, and a path
/// that is the prefix's or below it. Names that merely begin alike are not, nor is what leads out of it again.
#[must_use]
pub fn is_below(url: &str, prefix: &str) -> bool {
    let parts = |text: &str| {
        let address = Address::parse(text).ok()?;
        let path = address.url.path.to_str().ok()?.to_owned();
        // A server may read an escape as what it stands for, and dots as a way up.
        let plain = !path.contains(['%', '\\']) && !path.split('/').any(|part| part == "..");
        let host = address.url.host().unwrap_or_default().to_ascii_lowercase();
        let place = (
            address.url.scheme.clone(),
            host,
            address.url.port_or_default(),
            address.url.user().map(str::to_owned),
        );
        plain.then_some((place, path))
    };
    let (Some((place, path)), Some((wanted, below))) = (parts(url), parts(prefix)) else {
        return false;
    };
    let below = below.trim_matches('/');
    let rest = path.trim_start_matches('/').strip_prefix(below);
    place == wanted
        && rest.is_some_and(|rest| {
            below.is_empty() || rest.is_empty() || rest.starts_with('/') || rest == ".git" || rest == ".git/"
        })
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The URL without what stands between `//` and `@`, for messages about URLs that were refused.
fn redacted(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => text.to_owned(),
    }
    .replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_people_write() {
        for text in [
            "https://example.com/org/repo.git",
            "http://127.0.0.1:8080/repo",
            "ssh://git@example.com:2222/org/repo",
            "git@example.com:org/repo.git",
            "file:///srv/repo.git",
            "/srv/repo.git",
        ] {
            Address::parse(text).unwrap();
        }
    }

    #[test]
    fn urls_that_are_refused() {
        for text in [
            "https://user:secret@example.com/repo",
            "https://secret@example.com/repo",
            "ssh://git:secret@example.com/repo",
            "ssh://-oProxyCommand=secret/repo",
            "-oProxyCommand=x@example.com:repo",
            "ext::sh -c secret",
            "git://example.com/repo",
            "repo",
            "",
            "https:///repo",
            "https://example.com/a\nb",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(matches!(error, SourceError::Url { .. }), "{text}: {error}");
            assert!(
                text.contains("ProxyCommand")
                    || text.contains("ext::")
                    || !error.to_string().contains("secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn prefixes_end_where_names_end() {
        for (url, prefix, expected) in [
            (
                "https://example.com/team/app.git",
                "https://example.com/team",
                true,
            ),
            (
                "https://example.com/team/app.git",
                "https://example.com/team/",
                true,
            ),
            ("https://EXAMPLE.com/team/app.git", "https://example.com/", true),
            (
                "https://example.com:443/team/app",
                "https://example.com/team",
                true,
            ),
            (
                "https://example.com/team/app.git",
                "https://example.com/team/app",
                true,
            ),
            (
                "https://example.com/team-b/app.git",
                "https://example.com/team",
                false,
            ),
            (
                "https://example.com/team/../b/app.git",
                "https://example.com/team",
                false,
            ),
            (
                "https://example.com/team/%2e%2e/b",
                "https://example.com/team",
                false,
            ),
            ("https://example.com.evil/team/app", "https://example.com/", false),
            ("http://example.com/team/app", "https://example.com/team", false),
            (
                "https://example.com:8443/team/app",
                "https://example.com/team",
                false,
            ),
            ("git@example.com:team/app.git", "git@example.com:team", true),
            ("git@example.com:team/app.git", "ssh://git@example.com/team", true),
            ("git@example.com:team/../app.git", "git@example.com:team", false),
            ("root@example.com:team/app.git", "git@example.com:team", false),
            ("not a url", "https://example.com", false),
        ] {
            assert_eq!(is_below(url, prefix), expected, "{url} below {prefix}");
        }
    }

    #[test]
    fn mirrors_have_plain_names() {
        let name = Address::parse("https://example.com/../x")
            .unwrap()
            .mirror_name()
            .unwrap();
        assert_eq!(name.len(), 64);
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
