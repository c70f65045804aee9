//! A proxy on loopback, for plain requests and for tunnels.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// A running proxy.
#[derive(Debug)]
pub struct ProxyServer {
    shared: Arc<Shared>,
    port: u16,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    authorization: Option<String>,
    heads: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

impl ProxyServer {
    /// Starts one that anybody may use.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// Starts one that asks for a user name and a password.
    pub fn start_protected(user: &str, password: &str) -> Result<Self> {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self::start_with(Some(format!("Basic {pair}")))
    }

    fn start_with(authorization: Option<String>) -> Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let shared = Arc::new(Shared {
            authorization,
            heads: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let listener = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in socket.incoming() {
                    if shared.stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else {
                        continue;
                    };
                    // Whoever goes away in the middle is their own concern.
                    thread::spawn(move || serve(stream, &shared).ok());
                }
            }
        });
        Ok(Self {
            shared,
            port,
            listener: Some(listener),
        })
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the head of every request so far, headers included.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.shared
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ProxyServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The listener sees the word when the next connection comes: this one.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        if let Some(listener) = self.listener.take() {
            listener.join().ok();
        }
    }
}

fn serve(mut client: TcpStream, shared: &Shared) -> Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "the head has no end");
        ensure!(head.len() < 64 << 10, "the head is too long");
    }
    shared
        .heads
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(head.clone());
    let is_let_in = shared.authorization.as_ref().is_none_or(|wanted| {
        let given = head.lines().find_map(|line| {
            line.split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
        });
        given.is_some_and(|(_, value)| value.trim() == wanted)
    });
    if !is_let_in {
        client.write_all(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n\
              Content-Length: 0\r\nConnection: close\r\n\r\n",
        )?;
        return Ok(());
    }
    let (line, rest) = head.split_once("\r\n").context("a first line")?;
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut server = if method == "CONNECT" {
        let server = TcpStream::connect(target)?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        server
    } else {
        let below = target.strip_prefix("http://").context("an absolute http URL")?;
        let (host, path) = below.split_once('/').context("a path")?;
        let mut server = TcpStream::connect(host)?;
        write!(server, "{method} /{path} HTTP/1.1\r\n{rest}")?;
        server
    };
    let mut answers = server.try_clone()?;
    let mut back = client.try_clone()?;
    let other = thread::spawn(move || {
        pass(&mut answers, &mut back);
        back.shutdown(Shutdown::Write).ok();
    });
    pass(&mut reader, &mut server);
    server.shutdown(Shutdown::Write).ok();
    other.join().ok();
    Ok(())
}

/// Until either side is done.
fn pass(from: &mut impl Read, to: &mut impl Write) {
    std::io::copy(from, to).ok();
}
