//! HTTP for gix, over reqwest.
//!
//! gix has a client of its own over reqwest, which cannot be interrupted while a server says nothing and which drops
//! redirects as soon as a header is added. This one checks time, cancellation and size between any two blocks, and
//! follows the redirect of the first request as Git does. Credentials go to the host that was named and to no other.
//!
//! Each exchange runs on a thread of its own and hands blocks over a channel, so that the reading side can look at the
//! clock while the network is silent. The thread ends with its request.

use std::any::Any;
use std::io::{self, Cursor, Read as _};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse,
};
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Proxy, StatusCode, Url};

use super::stream::{Block, Body, Headers, Incoming, PostBody};
use super::{Cause, Trouble, tls};
use crate::access::{Access, Credentials, Secret};
use crate::error::SourceError;
use crate::watch::Watch;

/// As many as Git servers behind a renamed host and a renamed repository need, with some room.
pub(crate) const REDIRECTS: usize = 5;
/// A server that says nothing for so long is not there any more.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
const BLOCK: usize = 64 << 10;

/// What gix calls to send requests.
pub(crate) struct HttpClient {
    client: Client,
    authorization: Option<HeaderValue>,
    /// Whether a client certificate is shown to a server that asks for one.
    is_known_as: bool,
    origin: Url,
    redirected: Option<String>,
    watch: Watch,
    trouble: Trouble,
}

impl HttpClient {
    pub(crate) fn new(
        address: &str,
        access: &Access,
        watch: Watch,
        trouble: Trouble,
    ) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::Url {
            url: address.to_owned(),
            reason,
        };
        let unusable = |reason: String| SourceError::Setting {
            url: address.to_owned(),
            reason,
        };
        let origin = Url::parse(address).map_err(|error| refuse(error.to_string()))?;
        let authorization = authorization(&access.credentials).map_err(unusable)?;
        let is_open = origin.scheme() == "http";
        if authorization.is_some() && is_open && !is_loopback(&origin) {
            return Err(refuse(
                "credentials are not sent without encryption: use https".to_owned(),
            ));
        }
        let configuration = tls::configuration(access, trouble.clone()).map_err(unusable)?;
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Both later than the watch's own end, so that a timeout is told as one.
            .connect_timeout((watch.left() + Duration::from_secs(1)).min(Duration::from_secs(30)))
            .timeout((watch.left() + Duration::from_secs(1)).min(SILENCE))
            .tls_backend_preconfigured(configuration);
        match &access.proxy {
            // Another machine's loopback is not ours, and a proxy would read along.
            _ if authorization.is_some() && is_open => builder = builder.no_proxy(),
            Some(proxy) => builder = builder.proxy(proxy_of(proxy).map_err(unusable)?),
            None => {}
        }
        let client = builder
            .build()
            .map_err(|error| unusable(format!("no HTTP client can be made of it: {}", chain(&error))))?;
        Ok(Self {
            client,
            authorization,
            is_known_as: access.client_identity.is_some(),
            origin,
            redirected: None,
            watch,
            trouble,
        })
    }

    fn headers(&self, url: &Url, lines: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line
                .as_ref()
                .split_once(':')
                .ok_or_else(|| io::Error::other("header without a colon"))?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(io::Error::other)?;
            headers.insert(
                name,
                HeaderValue::from_str(value.trim()).map_err(io::Error::other)?,
            );
        }
        if let Some(authorization) = &self.authorization
            && same_origin(&self.origin, url)
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(headers)
    }

    /// Sends one request on a thread of its own. `body` is what to wait for before it is sent.
    fn send(&self, url: Url, headers: HeaderMap, body: Option<Receiver<Vec<u8>>>) -> Incoming {
        let (sender, receiver) = sync_channel(4);
        let client = self.client.clone();
        let trouble = self.trouble.clone();
        std::thread::spawn(move || exchange(&client, url, headers, body, &sender, &trouble));
        Incoming {
            receiver,
            watch: self.watch.clone(),
        }
    }

    fn get_following(
        &mut self,
        url: &str,
        base_url: &str,
        lines: &[String],
    ) -> io::Result<(Vec<u8>, Incoming)> {
        let tail = url.strip_prefix(base_url).unwrap_or_default().to_owned();
        let mut current = Url::parse(url).map_err(io::Error::other)?;
        for _ in 0..=REDIRECTS {
            let incoming = self.send(current.clone(), self.headers(&current, lines)?, None);
            match incoming.next()? {
                Some(Block::Headers(headers)) => return Ok((headers, incoming)),
                Some(Block::Redirect(location)) => {
                    let next = current.join(&location).map_err(io::Error::other)?;
                    current = self.accept_redirect(&current, next, &tail)?;
                }
                Some(Block::Body(_)) | None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Err(self.refuse_redirect("too many redirects".to_owned()))
    }

    fn accept_redirect(&mut self, from: &Url, to: Url, tail: &str) -> io::Result<Url> {
        let secure = to.scheme() == "https" || (to.scheme() == "http" && from.scheme() == "http");
        if !secure || !to.username().is_empty() || to.password().is_some() {
            return Err(self.refuse_redirect(format!("it redirects to {}, which is not safe", shown(&to))));
        }
        let Some(base) = to.as_str().strip_suffix(tail) else {
            return Err(
                self.refuse_redirect(format!("it redirects to {}, which is no repository", shown(&to)))
            );
        };
        if (self.authorization.is_some() || self.is_known_as) && !same_origin(&self.origin, &to) {
            let message = format!(
                "it redirects to {}; credentials are for the host that was named only",
                shown(&to)
            );
            return Err(self.refuse_redirect(message));
        }
        self.redirected = Some(base.to_owned());
        Ok(to)
    }

    fn refuse_redirect(&self, message: String) -> io::Error {
        self.trouble.note(Cause::Other(message.clone()));
        io::Error::other(message)
    }
}

impl Http for HttpClient {
    type Headers = Headers;
    type ResponseBody = Body;
    type PostBody = PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<GetResponse<Headers, Body>, gix::Error> {
        let lines: Vec<String> = headers.into_iter().map(|line| line.as_ref().to_owned()).collect();
        let (headers, incoming) = self
            .get_following(url, base_url, &lines)
            .map_err(gix::Error::from_error)?;
        let incoming = Arc::new(Mutex::new(incoming));
        Ok(GetResponse {
            headers: Headers {
                incoming: Arc::clone(&incoming),
                buffer: Some(Cursor::new(headers)),
            },
            body: Body {
                incoming,
                buffer: Cursor::default(),
            },
        })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> Result<PostResponse<Headers, Body, PostBody>, gix::Error> {
        let url = Url::parse(url).map_err(gix::Error::from_error)?;
        let headers = self.headers(&url, headers).map_err(gix::Error::from_error)?;
        let (sender, receiver) = channel();
        let incoming = Arc::new(Mutex::new(self.send(url, headers, Some(receiver))));
        Ok(PostResponse {
            post_body: PostBody {
                buffer: Vec::new(),
                sender,
            },
            headers: Headers {
                incoming: Arc::clone(&incoming),
                buffer: None,
            },
            body: Body {
                incoming,
                buffer: Cursor::default(),
            },
        })
    }

    fn configure(&mut self, _config: &dyn Any) -> Result<(), gix::Error> {
        // Everything was set when this was made; Git's configuration has no say.
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.redirected.clone()
    }
}

fn exchange(
    client: &Client,
    url: Url,
    headers: HeaderMap,
    body: Option<Receiver<Vec<u8>>>,
    sender: &SyncSender<io::Result<Block>>,
    trouble: &Trouble,
) {
    let request = match body {
        None => client.get(url),
        Some(body) => match body.recv() {
            Ok(body) => client.post(url).body(body),
            // The receiver is gone.
            Err(_) => return,
        },
    };
    let answer = request.headers(headers).send().map_err(|error| {
        trouble.note(connection_trouble(chain(&error)));
        io::Error::other(error)
    });
    let mut response = match answer.and_then(|response| judge(response, trouble)) {
        Ok(Judged::Answer(response)) => response,
        Ok(Judged::Redirect(location)) => {
            drop(sender.send(Ok(Block::Redirect(location))));
            return;
        }
        Err(error) => {
            drop(sender.send(Err(error)));
            return;
        }
    };
    let mut lines = Vec::new();
    for (name, value) in response.headers() {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    if sender.send(Ok(Block::Headers(lines))).is_err() {
        return;
    }
    let mut buffer = vec![0; BLOCK];
    loop {
        let block = match response.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(Block::Body(buffer.get(..count).unwrap_or_default().to_vec())),
            Err(error) => {
                // TLS 1.3 servers judge a client certificate after the handshake.
                trouble.note(connection_trouble(format!(
                    "the connection broke: {}",
                    chain(&error)
                )));
                Err(error)
            }
        };
        let last = block.is_err();
        if sender.send(block).is_err() || last {
            return;
        }
    }
}

enum Judged {
    Answer(Response),
    Redirect(String),
}

fn judge(response: Response, trouble: &Trouble) -> io::Result<Judged> {
    let status = response.status();
    if status.is_success() {
        return Ok(Judged::Answer(response));
    }
    if status.is_redirection()
        && let Some(location) = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
    {
        return Ok(Judged::Redirect(location.to_owned()));
    }
    let message = format!("the server answers with status {status}");
    trouble.note(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Cause::Authentication(message.clone())
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Cause::UnknownRepository(message.clone()),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Cause::Unreachable(message.clone())
        }
        _ => Cause::Other(message.clone()),
    });
    Err(io::Error::other(message))
}

/// What it means that a connection did not come about, or broke. A certificate that was refused has been noted before.
pub(crate) fn connection_trouble(text: String) -> Cause {
    // hyper's errors come up through three crates; their text is the only thing that reaches this far.
    if text.contains("proxy authorization required") {
        return Cause::Authentication(format!("the proxy wants other credentials: {text}"));
    }
    // TLS alerts by which a server says what it thinks of a client certificate.
    let about_us = [
        "CertificateRequired",
        "BadCertificate",
        "CertificateUnknown",
        "UnknownCA",
        "AccessDenied",
    ];
    if about_us.iter().any(|alert| text.contains(alert)) {
        return Cause::Authentication(format!("the server refuses the client certificate: {text}"));
    }
    Cause::Unreachable(text)
}

/// The proxy, whose password must not get into an error.
pub(crate) fn proxy_of(proxy: &Secret) -> Result<Proxy, String> {
    let unusable = |what: &str| format!("the proxy cannot be used: {what}");
    let text = std::str::from_utf8(proxy.expose()).map_err(|_| unusable("it is not text"))?;
    let url = Url::parse(text.trim()).map_err(|_| unusable("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().unwrap_or_default().is_empty() {
        return Err(unusable("it is neither http://HOST:PORT nor https://HOST:PORT"));
    }
    Proxy::all(url).map_err(|_| unusable("it is no proxy's URL"))
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

pub(crate) fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, String> {
    let text = match credentials {
        Credentials::None => return Ok(None),
        Credentials::SshKey(_) => return Err("an SSH key is of no use over HTTP".to_owned()),
        Credentials::Basic { username, password } => {
            let mut pair = username.clone().into_bytes();
            pair.push(b':');
            pair.extend_from_slice(password.expose());
            let mut text = b"Basic ".to_vec();
            text.extend_from_slice(
                base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair).as_bytes(),
            );
            text
        }
        Credentials::Bearer(token) => [b"Bearer ", token.expose()].concat(),
    };
    let mut value =
        HeaderValue::from_bytes(&text).map_err(|_| "the credentials hold control characters".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}
