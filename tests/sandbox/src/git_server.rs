//! `git http-backend`, the server side of Git itself, behind HTTP or HTTPS on loopback.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use crate::{
    Authority, Certificate, Folder, http,
    process::output,
    repository::{self, Repository},
};

const SLOWEST_CLIENT: Duration = Duration::from_secs(60);

/// Who is let in, and how.
#[derive(Debug, Clone, Default)]
pub enum Door {
    /// Everybody may read.
    #[default]
    Open,
    /// Whoever knows the user name and the password.
    Basic(String, String),
    /// Whoever has the token.
    Bearer(String),
}

/// What the server shows, and asks for, before the first request.
#[derive(Debug)]
pub struct Tls<'a> {
    /// Who it says it is.
    pub certificate: &'a Certificate,
    /// Whose clients are let in; everybody where missing.
    pub clients: Option<&'a Authority>,
}

/// How the server treats requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Service {
    /// As it should.
    #[default]
    Serving,
    /// Every request is answered 503.
    Unavailable,
    /// Every connection is closed without a word.
    Unreachable,
}

/// A Git server for bare repositories in a folder of its own.
#[derive(Debug)]
pub struct GitServer {
    shared: Arc<Shared>,
    port: u16,
    scheme: &'static str,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    tls: Option<Arc<ServerConfig>>,
    service: Mutex<Service>,
    /// The value of the Authorization header that is asked for.
    authorization: Option<String>,
    requests: AtomicU64,
    stopping: AtomicBool,
}

impl GitServer {
    /// Starts one that anybody may read from.
    pub fn start() -> Result<Self> {
        Self::start_with(Door::Open, None)
    }

    /// Starts one that asks for a user name and a password.
    pub fn start_protected(user: &str, password: &str) -> Result<Self> {
        Self::start_with(Door::Basic(user.to_owned(), password.to_owned()), None)
    }

    /// Starts one with a door, over HTTPS where it has a certificate.
    pub fn start_with(door: Door, tls: Option<&Tls<'_>>) -> Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let authorization = match door {
            Door::Open => None,
            Door::Basic(user, password) => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {pair}"))
            }
            Door::Bearer(token) => Some(format!("Bearer {token}")),
        };
        let tls = tls.map(configuration).transpose()?.map(Arc::new);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            folder: Folder::new("git")?,
            tls,
            service: Mutex::default(),
            authorization,
            requests: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        let listener = thread::spawn({
            let shared = Arc::clone(&shared);
            move || listen(&socket, &shared)
        });
        Ok(Self {
            shared,
            port,
            scheme,
            listener: Some(listener),
        })
    }

    /// Creates an empty repository and returns its URL.
    pub fn create(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        output(
            repository::git()
                .args(["init", "--quiet", "--bare", "--initial-branch=main"])
                .arg(&path),
        )?;
        // Commits are asked for by their id, also ones that no branch names any longer.
        output(repository::git().current_dir(&path).args([
            "config",
            "uploadpack.allowAnySHA1InWant",
            "true",
        ]))?;
        Ok(self.url(name))
    }

    /// Creates a repository if there is none, and moves all branches and tags of the working copy into it.
    pub fn push(&self, repository: &Repository, name: &str) -> Result<String> {
        if !self.path(name).exists() {
            self.create(name)?;
        }
        repository.push(&self.path(name).display().to_string())?;
        Ok(self.url(name))
    }

    /// Returns the URL of a repository, whether it exists or not.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}://127.0.0.1:{}/{name}.git", self.scheme, self.port)
    }

    /// Returns where a repository is on disk.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.shared.folder.path().join(format!("{name}.git"))
    }

    /// Starts or ends an outage.
    pub fn set_service(&self, service: Service) {
        *self.shared.service.lock().unwrap_or_else(PoisonError::into_inner) = service;
    }

    /// Returns how many requests have come in, those in outages included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The listener sees the word when the next connection comes: this one.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        if let Some(listener) = self.listener.take() {
            listener.join().ok();
        }
    }
}

fn listen(socket: &TcpListener, shared: &Arc<Shared>) {
    for stream in socket.incoming() {
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // A client that goes away in the middle is its own concern.
        thread::spawn(move || accept(stream, &shared).ok());
    }
}

pub(crate) fn configuration(tls: &Tls<'_>) -> Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match tls.clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(
        tls.certificate.certificate.as_bytes(),
    )?];
    let key = PrivateKeyDer::from_pem_slice(tls.certificate.key.as_bytes())?;
    Ok(builder.with_single_cert(chain, key)?)
}

fn accept(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let service = *shared.service.lock().unwrap_or_else(PoisonError::into_inner);
    if service == Service::Unreachable {
        return Ok(());
    }
    stream.set_read_timeout(Some(SLOWEST_CLIENT))?;
    match &shared.tls {
        None => serve(&mut stream, shared, service),
        Some(tls) => {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(tls))?, stream);
            serve(&mut stream, shared, service)?;
            stream.conn.send_close_notify();
            stream.flush()?;
            Ok(())
        }
    }
}

fn serve(stream: &mut (impl Read + Write + Send), shared: &Shared, service: Service) -> Result<()> {
    let Some(request) = http::read(stream)? else {
        return Ok(());
    };
    if service == Service::Unavailable {
        return http::answer(stream, "503 Service Unavailable", &[], "down for maintenance\n");
    }
    if shared.authorization.is_some() && request.headers.get("authorization") != shared.authorization.as_ref()
    {
        let challenge = [("WWW-Authenticate", "Basic realm=\"git\"")];
        return http::answer(stream, "401 Unauthorized", &challenge, "who are you?\n");
    }
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", shared.folder.path())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .envs(repository::ISOLATED)
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("git http-backend")?;
    let mut input = backend.stdin.take().context("it has an input")?;
    let output = backend.stdout.take().context("it has an output")?;
    let answered = thread::scope(|scope| {
        // It may refuse without having read everything.
        scope.spawn(|| {
            input.write_all(&request.body).ok();
            drop(input);
        });
        http::answer_with_cgi(stream, output)
    });
    backend.wait()?;
    answered
}
