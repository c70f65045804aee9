//! Files over HTTP, for what else is fetched than Git repositories: indexes and archives of charts, manifests and blobs of registries.
//!
//! Reached as repositories are ([`Access`]): the same credentials, certificates, proxy and clock. Credentials and the client
//! certificate go to the host that was named and to no other, wherever it redirects to; the one exception is the host that a registry
//! names for its tokens, and that has to be asked for by name ([`Who::Named`]).
//!
//! Where to start reading: [`Web::open`], then [`Web::get`].

use std::io::Read as _;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
};
use reqwest::{StatusCode, Url};

use crate::access::{Access, Secret};
use crate::error::SourceError;
use crate::transport::http::{
    REDIRECTS, SILENCE, authorization, chain, connection_trouble, is_loopback, proxy_of, same_origin, shown,
};
use crate::transport::{Cause, Trouble, tls};
use crate::watch::{Ended, Guard, Watch};

const BLOCK: usize = 64 << 10;

/// A server, and what it is reached with, for one fetch: the clock runs from [`Web::open`] on.
pub struct Web {
    /// Shows the client certificate.
    known: Client,
    /// Does not, for other hosts.
    unknown: Client,
    authorization: Option<HeaderValue>,
    origin: Url,
    given: bool,
    seconds: u64,
    watch: Watch,
    trouble: Trouble,
    _guard: Guard,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Get<'a> {
    /// The whole URL.
    pub url: &'a str,
    /// The media types that will do, as of the header `Accept`.
    pub accept: Option<&'a str>,
    /// What is there already.
    pub known: Option<&'a Validators>,
    /// Who asks.
    pub who: Who<'a>,
    /// So many bytes will do, at most.
    pub limit: u64,
    /// What messages call it.
    pub what: &'a str,
}

/// Who asks.
#[derive(Debug, Clone, Copy, Default)]
pub enum Who<'a> {
    /// With the credentials that were given, if the URL is of the host that they are for.
    #[default]
    Own,
    /// With the credentials that were given, though the URL is of another host. Never without encryption, but on loopback.
    Named,
    /// With a token for the host that was named.
    Token(&'a Secret),
    /// With nothing.
    Nobody,
}

/// By what a server knows what it gave before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Last-Modified`.
    pub modified: Option<String>,
}

/// What a server answers.
#[derive(Debug)]
pub enum Answer {
    /// It is here.
    Here {
        /// Byte for byte.
        body: Vec<u8>,
        /// By what the server will know it.
        validators: Validators,
        /// The header `Link`.
        link: Option<String>,
        /// The header `Content-Type`.
        kind: Option<String>,
    },
    /// It is as it was.
    Unchanged,
    /// There is none.
    Missing,
    /// Who asks is not let in. With the header `WWW-Authenticate`, which says what would do.
    Challenge(Option<String>),
}

impl Web {
    /// Gets ready to ask the server of `url`.
    ///
    /// # Errors
    /// [`SourceError::Url`] and [`SourceError::Setting`] if it cannot be reached in this way.
    pub fn open(url: &str, access: &Access) -> Result<Self, SourceError> {
        let (watch, guard) = Watch::start(access);
        let trouble = Trouble::default();
        let refuse = |reason: String| SourceError::Url {
            url: url.to_owned(),
            reason,
        };
        let unusable = |reason: String| SourceError::Setting {
            url: url.to_owned(),
            reason,
        };
        let origin = parsed(url).map_err(refuse)?;
        let authorization = authorization(&access.credentials).map_err(unusable)?;
        let is_open = origin.scheme() == "http";
        if authorization.is_some() && is_open && !is_loopback(&origin) {
            return Err(refuse(
                "credentials are not sent without encryption: use https".to_owned(),
            ));
        }
        let client = |access: &Access| {
            let configuration = tls::configuration(access, trouble.clone()).map_err(unusable)?;
            let grace = watch.left() + Duration::from_secs(1);
            let mut builder = Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(grace.min(Duration::from_secs(30)))
                .timeout(grace.min(SILENCE))
                .tls_backend_preconfigured(configuration);
            match &access.proxy {
                // Another machine's loopback is not ours, and a proxy would read along.
                _ if authorization.is_some() && is_open => builder = builder.no_proxy(),
                Some(proxy) => builder = builder.proxy(proxy_of(proxy).map_err(unusable)?),
                None => {}
            }
            let made = builder.build();
            made.map_err(|error| unusable(format!("no HTTP client can be made of it: {}", chain(&error))))
        };
        let known = client(access)?;
        let unknown = match access.client_identity {
            None => known.clone(),
            Some(_) => client(&Access {
                client_identity: None,
                ..access.clone()
            })?,
        };
        Ok(Self {
            known,
            unknown,
            authorization,
            origin,
            given: access.has_credentials(),
            seconds: access.limits.timeout.as_secs(),
            watch,
            trouble,
            _guard: guard,
        })
    }

    /// Asks for a file, and reads it to its end.
    ///
    /// # Errors
    /// Every variant of [`SourceError`] that speaks of reaching a remote; [`SourceError::TooLarge`] if it has more bytes than are
    /// allowed. What it means that there is none, or that credentials are refused, is the caller's to say ([`Answer`]).
    pub fn get(&self, get: &Get<'_>) -> Result<Answer, SourceError> {
        let mut current = self.parsed(get.url)?;
        let who = get.who;
        if matches!(who, Who::Named) && current.scheme() != "https" && !is_loopback(&current) {
            return Err(self.failed(
                get,
                Cause::Other("credentials are not sent without encryption".to_owned()),
            ));
        }
        for hop in 0..=REDIRECTS {
            self.watch
                .check()
                .map_err(|ended| self.failed(get, Cause::Other(format!("{ended:?}"))))?;
            let headers = self.headers(get, &current, who, hop == 0);
            let client = match same_origin(&self.origin, &current) {
                true => &self.known,
                false => &self.unknown,
            };
            let sent = client.get(current.clone()).headers(headers).send();
            let response =
                sent.map_err(|error| self.failed(get, connection_trouble(chain(&error.without_url()))))?;
            match self.judge(get, response)? {
                Judged::Answer(answer) => return Ok(answer),
                Judged::Redirect(location) => {
                    let next = current
                        .join(&location)
                        .map_err(|error| self.failed(get, Cause::Other(error.to_string())))?;
                    let is_secure =
                        next.scheme() == "https" || (next.scheme(), current.scheme()) == ("http", "http");
                    if !is_secure || !next.username().is_empty() || next.password().is_some() {
                        let message = format!("it redirects to {}, which is not safe", shown(&next));
                        return Err(self.failed(get, Cause::Other(message)));
                    }
                    current = next;
                }
            }
        }
        Err(self.failed(get, Cause::Other("too many redirects".to_owned())))
    }

    /// Returns what it means that a server does not let in who asks.
    pub fn refused(&self, url: &str) -> SourceError {
        SourceError::Authentication {
            url: without_query(url),
            given: self.given,
            source: "the server answers with status 401 or 403".into(),
        }
    }

    /// Returns what it means that something is not there that has to be.
    pub fn missing(&self, url: &str) -> SourceError {
        SourceError::UnknownRepository {
            url: without_query(url),
            source: "the server answers with status 404".into(),
        }
    }

    /// Returns whether a URL is of the host that was named.
    pub fn is_own(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| same_origin(&self.origin, &url))
    }

    fn parsed(&self, url: &str) -> Result<Url, SourceError> {
        parsed(url).map_err(|reason| SourceError::Url {
            url: without_query(url),
            reason,
        })
    }

    fn headers(&self, get: &Get<'_>, url: &Url, who: Who<'_>, is_first: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: Option<&str>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        };
        set(ACCEPT, get.accept);
        set(IF_NONE_MATCH, get.known.and_then(|known| known.etag.as_deref()));
        set(
            IF_MODIFIED_SINCE,
            get.known.and_then(|known| known.modified.as_deref()),
        );
        let is_own = same_origin(&self.origin, url);
        let authorization = match who {
            Who::Own if is_own => self.authorization.clone(),
            Who::Named if is_first => self.authorization.clone(),
            Who::Token(token) if is_own => {
                let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.expose()].concat()).ok();
                if let Some(value) = &mut value {
                    value.set_sensitive(true);
                }
                value
            }
            Who::Own | Who::Named | Who::Token(_) | Who::Nobody => None,
        };
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        headers
    }

    fn judge(&self, get: &Get<'_>, response: Response) -> Result<Judged, SourceError> {
        let status = response.status();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let failed = |cause| Err(self.failed(get, cause));
        let said = || format!("the server answers with status {status}");
        match status {
            StatusCode::NOT_MODIFIED if get.known.is_some() => Ok(Judged::Answer(Answer::Unchanged)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Judged::Answer(Answer::Missing)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Ok(Judged::Answer(Answer::Challenge(header("www-authenticate"))))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => failed(Cause::Authentication(said())),
            _ if status.is_redirection() => match header(LOCATION.as_str()) {
                Some(location) => Ok(Judged::Redirect(location)),
                None => failed(Cause::Other(said())),
            },
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                failed(Cause::Unreachable(said()))
            }
            StatusCode::OK => {
                let validators = Validators {
                    etag: header("etag"),
                    modified: header("last-modified"),
                };
                let (link, kind) = (header("link"), header("content-type"));
                let body = self.body(get, response)?;
                Ok(Judged::Answer(Answer::Here {
                    body,
                    validators,
                    link,
                    kind,
                }))
            }
            _ => failed(Cause::Other(said())),
        }
    }

    fn body(&self, get: &Get<'_>, mut response: Response) -> Result<Vec<u8>, SourceError> {
        let mut body = Vec::new();
        let mut buffer = vec![0; BLOCK];
        loop {
            let read = response.read(&mut buffer);
            if let Err(ended) = self.watch.check() {
                return Err(self.failed(get, Cause::Other(format!("{ended:?}"))));
            }
            match read {
                Ok(0) => return Ok(body),
                Ok(count) => body.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) => {
                    let message = format!("the connection broke: {}", chain(&error));
                    return Err(self.failed(get, connection_trouble(message)));
                }
            }
            if body.len() as u64 > get.limit {
                return Err(SourceError::TooLarge {
                    what: format!("{} of {}", get.what, without_query(get.url)),
                    limit: format!("{} bytes", get.limit),
                });
            }
        }
    }

    fn failed(&self, get: &Get<'_>, cause: Cause) -> SourceError {
        let url = without_query(get.url);
        match self.watch.check().err().or(self.watch.ended()) {
            Some(Ended::Timeout) => {
                return SourceError::Timeout {
                    url,
                    seconds: self.seconds,
                };
            }
            Some(Ended::Cancelled) => return SourceError::Cancelled { url },
            Some(Ended::TooMuch | Ended::TooManyReferences) | None => {}
        }
        // A certificate that was refused has been noted before.
        match self.trouble.take().unwrap_or(cause) {
            Cause::Certificate(stranger) => SourceError::Certificate {
                url,
                seen: stranger.seen,
                wanted: stranger.wanted,
                source: stranger.detail.into(),
            },
            Cause::Authentication(said) => SourceError::Authentication {
                url,
                given: self.given,
                source: said.into(),
            },
            Cause::Unreachable(said) => SourceError::Unreachable {
                url,
                source: said.into(),
            },
            Cause::UnknownRepository(said) => SourceError::UnknownRepository {
                url,
                source: said.into(),
            },
            Cause::TooLarge(what, limit) => SourceError::TooLarge { what, limit },
            Cause::HostKey(stranger) => SourceError::Fetch {
                url,
                source: stranger.detail.into(),
            },
            Cause::Disk(error) => SourceError::Fetch {
                url,
                source: error.into(),
            },
            Cause::Other(said) => SourceError::Fetch {
                url,
                source: said.into(),
            },
        }
    }
}

enum Judged {
    Answer(Answer),
    Redirect(String),
}

/// A URL that may be asked for; what is wrong with it otherwise.
fn parsed(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| error.to_string())?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err("its scheme is neither https nor http".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("it holds credentials, which would be shown in logs and status".to_owned());
    }
    Ok(parsed)
}

/// What of a URL may be shown: a query may be a pass.
fn without_query(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "what is no URL".to_owned(), |url| shown(&url))
}
