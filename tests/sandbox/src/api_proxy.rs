//! An API server that misbehaves on demand: a proxy on loopback that refuses, delays or cuts off what a test picks.
//!
//! `kubectl proxy` does the talking to the real one, with its credentials; this stands before it and looks at each request.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::http::{self, Request};
use crate::wait::wait_for_port;
use crate::{ControlPlane, Folder, Process, free_port};

/// A request on its way to the API server.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// `GET`, `PATCH`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What follows the `?`.
    pub query: String,
    /// The account that is acted as; empty for none.
    pub impersonated: String,
    /// Which write this is since the judge was set, from 1; 0 for what writes nothing.
    pub write: u32,
}

impl ApiRequest {
    /// True for a request that stores something: no read and no dry-run.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD") && !self.query.contains("dryRun=")
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes through.
    Forward,
    /// It goes through after a while.
    Delay(Duration),
    /// 429, to be asked again after so many seconds.
    Busy(u32),
    /// The connection is cut before the server has seen it.
    CutBefore,
    /// The server does it, and the connection is cut instead of an answer.
    CutAfter,
    /// What was answered the last time: by a server that has not heard of the newest yet. For discovery alone.
    Outdated,
}

type Judge = Box<dyn Fn(&ApiRequest) -> Verdict + Send + Sync>;

/// A proxy before an API server. Ended on `Drop`.
pub struct ApiProxy {
    kubeconfig: PathBuf,
    state: Arc<State>,
    port: u16,
    _upstream: Process,
    _folder: Folder,
}

struct State {
    judge: Mutex<Arc<Judge>>,
    writes: AtomicU32,
    seen: Mutex<Vec<ApiRequest>>,
    /// The last answers about which kinds there are, by path.
    discovered: Mutex<BTreeMap<String, Vec<u8>>>,
    ending: AtomicBool,
    upstream: u16,
}

impl std::fmt::Debug for ApiProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiProxy")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl ApiProxy {
    /// Starts one that lets everything through.
    pub fn start(plane: &ControlPlane) -> Result<Self> {
        let folder = Folder::new("api-proxy")?;
        let upstream = free_port()?;
        let mut command: Command = plane.kubectl_command();
        command.args(["proxy", "--port", &upstream.to_string()]);
        let mut process = Process::start("kubectl proxy", &mut command, &folder.path().join("log"))?;
        wait_for_port("kubectl proxy", upstream, || process.check())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let kubeconfig = folder.write(
            "kubeconfig",
            format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: proxy\nclusters: [{{name: proxy, cluster: {{server: \
                 'http://127.0.0.1:{port}'}}}}]\ncontexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]\nusers: \
                 [{{name: proxy, user: {{}}}}]\n"
            ),
        )?;
        let state = Arc::new(State {
            judge: Mutex::new(Arc::new(Box::new(|_| Verdict::Forward))),
            writes: AtomicU32::new(0),
            seen: Mutex::default(),
            discovered: Mutex::default(),
            ending: AtomicBool::new(false),
            upstream,
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ending.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), state) = (stream, Arc::clone(&shared)) else {
                    continue;
                };
                // Whoever was cut off has gone; there is nobody to tell.
                thread::spawn(move || state.serve(&stream).ok());
            }
        });
        Ok(Self {
            kubeconfig,
            state,
            port,
            _upstream: process,
            _folder: folder,
        })
    }

    /// Returns a kubeconfig that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Has `judge` decide about every request from now on, and counts writes from 1 again.
    pub fn set_judge(&self, judge: impl Fn(&ApiRequest) -> Verdict + Send + Sync + 'static) {
        let mut current = self.state.judge.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(Box::new(judge));
        self.state.writes.store(0, Ordering::Relaxed);
        self.state
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Returns every request since the judge was set.
    #[must_use]
    pub fn seen(&self) -> Vec<ApiRequest> {
        self.state
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.state.ending.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

impl State {
    fn serve(&self, mut stream: &TcpStream) -> Result<()> {
        let Some(request) = http::read(&mut stream)? else {
            return Ok(());
        };
        let mut seen = ApiRequest {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            impersonated: request
                .headers
                .get("impersonate-user")
                .cloned()
                .unwrap_or_default(),
            write: 0,
        };
        if seen.is_write() {
            seen.write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        }
        let judge = Arc::clone(&self.judge.lock().unwrap_or_else(PoisonError::into_inner));
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen.clone());
        match judge(&seen) {
            Verdict::Forward => self.forward(&request, Some(stream)),
            Verdict::Delay(time) => {
                thread::sleep(time);
                self.forward(&request, Some(stream))
            }
            Verdict::Busy(seconds) => {
                let seconds = seconds.to_string();
                let headers = [("Retry-After", seconds.as_str())];
                http::answer(
                    &mut stream,
                    "429 Too Many Requests",
                    &headers,
                    "Too many requests, please try again later.",
                )
            }
            Verdict::CutBefore => Ok(stream.shutdown(Shutdown::Both)?),
            Verdict::CutAfter => {
                self.forward(&request, None)?;
                Ok(stream.shutdown(Shutdown::Both)?)
            }
            Verdict::Outdated => {
                let answer = self.discovered().get(&request.path).cloned();
                let answer = answer.with_context(|| format!("nobody has asked for {} yet", request.path))?;
                Ok(stream.write_all(&answer)?)
            }
        }
    }

    fn discovered(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a request on, and the answer back as it comes: a watch has no end.
    fn forward(&self, request: &Request, answer_to: Option<&TcpStream>) -> Result<()> {
        let mut upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream))?;
        let target = match request.query.is_empty() {
            true => request.path.clone(),
            false => format!("{}?{}", request.path, request.query),
        };
        let mut head = format!("{} {target} HTTP/1.1\r\n", request.method);
        for (name, value) in &request.headers {
            if !matches!(
                name.as_str(),
                "host" | "connection" | "content-length" | "transfer-encoding" | "expect"
            ) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!(
            "host: 127.0.0.1:{}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.upstream,
            request.body.len()
        ));
        upstream.write_all(head.as_bytes())?;
        upstream.write_all(&request.body)?;
        let is_discovery = matches!(request.path.as_str(), "/api" | "/apis");
        let (mut buffer, mut whole) = ([0; 16 << 10], Vec::new());
        loop {
            let length = upstream.read(&mut buffer).context("the answer breaks off")?;
            let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else {
                if is_discovery {
                    self.discovered().insert(request.path.clone(), whole);
                }
                return Ok(());
            };
            if is_discovery {
                whole.extend_from_slice(part);
            }
            if let Some(mut stream) = answer_to {
                stream.write_all(part)?;
            }
        }
    }
}
