//! Files of a folder over HTTP or HTTPS on loopback, as chart repositories are served.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::git_server::{Door, Tls, configuration};
use crate::{Folder, http};

const SLOWEST_CLIENT: Duration = Duration::from_secs(60);

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// The path that was asked for.
    pub path: String,
    /// Whether it came with a header `Authorization`.
    pub has_authorization: bool,
    /// The status that was answered.
    pub status: u16,
}

/// A server for the files in a folder of its own.
#[derive(Debug)]
pub struct FileServer {
    shared: Arc<Shared>,
    port: u16,
    scheme: &'static str,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    tls: Option<Arc<ServerConfig>>,
    authorization: Option<String>,
    redirects: Mutex<BTreeMap<String, String>>,
    requests: Mutex<Vec<FileRequest>>,
    stopping: AtomicBool,
}

impl FileServer {
    /// Starts one that anybody may read from.
    pub fn start() -> Result<Self> {
        Self::start_with(Door::Open, None)
    }

    /// Starts one with a door, over HTTPS where it has a certificate.
    pub fn start_with(door: Door, tls: Option<&Tls<'_>>) -> Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let authorization = match door {
            Door::Open => None,
            Door::Basic(user, password) => Some(format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{user}:{password}"))
            )),
            Door::Bearer(token) => Some(format!("Bearer {token}")),
        };
        let tls = tls.map(configuration).transpose()?.map(Arc::new);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            folder: Folder::new("files")?,
            tls,
            authorization,
            redirects: Mutex::default(),
            requests: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let listener = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in socket.incoming() {
                    if shared.stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let shared = Arc::clone(&shared);
                    // A client that goes away in the middle is its own concern.
                    thread::spawn(move || accept(stream, &shared).ok());
                }
            }
        });
        Ok(Self {
            shared,
            port,
            scheme,
            listener: Some(listener),
        })
    }

    /// Returns the URL of the folder, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Returns the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        self.shared.folder.write(name, content)
    }

    /// Answers a path, `/a`, by sending the client elsewhere.
    pub fn redirect(&self, path: &str, to: &str) {
        let mut redirects = self
            .shared
            .redirects
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        redirects.insert(path.to_owned(), to.to_owned());
    }

    /// Returns all requests since the last call.
    #[must_use]
    pub fn take_requests(&self) -> Vec<FileRequest> {
        std::mem::take(
            &mut self
                .shared
                .requests
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The listener sees the word when the next connection comes: this one.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        if let Some(listener) = self.listener.take() {
            listener.join().ok();
        }
    }
}

fn accept(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_read_timeout(Some(SLOWEST_CLIENT))?;
    match &shared.tls {
        None => serve(&mut stream, shared),
        Some(tls) => {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(tls))?, stream);
            serve(&mut stream, shared)?;
            stream.conn.send_close_notify();
            stream.flush()?;
            Ok(())
        }
    }
}

fn serve(stream: &mut (impl Read + Write), shared: &Shared) -> Result<()> {
    let Some(request) = http::read(stream)? else {
        return Ok(());
    };
    let authorization = request.headers.get("authorization");
    let note = |status: u16| {
        let mut requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(FileRequest {
            path: request.path.clone(),
            has_authorization: authorization.is_some(),
            status,
        });
    };
    if shared.authorization.is_some() && authorization != shared.authorization.as_ref() {
        note(401);
        let challenge = [("WWW-Authenticate", "Basic realm=\"files\"")];
        return http::answer(stream, "401 Unauthorized", &challenge, "who are you?\n");
    }
    let redirects = shared.redirects.lock().unwrap_or_else(PoisonError::into_inner);
    let to = redirects.get(&request.path).cloned();
    drop(redirects);
    if let Some(to) = to {
        note(302);
        return http::answer(stream, "302 Found", &[("Location", &to)], "elsewhere\n");
    }
    let inside = request.path.trim_start_matches('/');
    let content = match inside.split('/').any(|part| part == "..") {
        true => None,
        false => fs_err::read(shared.folder.path().join(inside)).ok(),
    };
    let Some(content) = content else {
        note(404);
        return http::answer(stream, "404 Not Found", &[], "there is none\n");
    };
    let etag = format!("\"{}\"", hex::encode(Sha256::digest(&content)));
    if request.headers.get("if-none-match") == Some(&etag) {
        note(304);
        write!(
            stream,
            "HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\nConnection: close\r\n\r\n"
        )?;
        return Ok(());
    }
    note(200);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    )?;
    stream.write_all(&content)?;
    Ok(())
}
