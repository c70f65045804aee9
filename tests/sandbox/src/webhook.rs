//! An admission webhook on loopback that admits, refuses and leaves unanswered what a test picks, in words that a test picks.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Result;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::{Authority, Tls, git_server::configuration, http};

/// Nobody takes longer to say what it asks.
const SLOWEST_CLIENT: Duration = Duration::from_secs(30);

/// Reads an `AdmissionReview`'s request.
type Judge = Box<dyn Fn(&Value) -> Admission + Send + Sync>;

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The object may pass.
    Admit,
    /// It may not, in these words.
    Deny(String),
    /// Nothing: the connection ends, as with a program that is down.
    Silence,
}

/// A webhook. Ended on `Drop`.
pub struct Webhook {
    port: u16,
    authority: Authority,
    stopping: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// Starts one that is reached by its address.
    pub fn start(judge: impl Fn(&Value) -> Admission + Send + Sync + 'static) -> Result<Self> {
        Self::named("127.0.0.1", judge)
    }

    /// Starts one that is reached as the Service `checker` of a namespace.
    pub fn behind_service(
        namespace: &str,
        judge: impl Fn(&Value) -> Admission + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::named(&format!("checker.{namespace}.svc"), judge)
    }

    fn named(name: &str, judge: impl Fn(&Value) -> Admission + Send + Sync + 'static) -> Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let authority = Authority::new("webhook")?;
        let certificate = authority.server(name)?;
        let tls = Tls {
            certificate: &certificate,
            clients: None,
        };
        let tls = Arc::new(configuration(&tls)?);
        let (stopping, judge): (_, Arc<Judge>) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Box::new(judge)));
        let listener = thread::spawn({
            let stopping = Arc::clone(&stopping);
            move || {
                for stream in socket.incoming() {
                    if stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    let (Ok(stream), tls, judge) = (stream, Arc::clone(&tls), Arc::clone(&judge)) else {
                        continue;
                    };
                    // An API server that goes away asks again.
                    thread::spawn(move || answer(stream, tls, &judge).ok());
                }
            }
        });
        Ok(Self {
            port,
            authority,
            stopping,
            listener: Some(listener),
        })
    }

    /// Returns the `clientConfig` that leads here.
    #[must_use]
    pub fn client_config(&self) -> Value {
        json!({
            "url": format!("https://127.0.0.1:{}/", self.port),
            "caBundle": BASE64_STANDARD.encode(self.authority.pem()),
        })
    }

    /// Returns the `clientConfig` that leads here by [`Webhook::service`].
    #[must_use]
    pub fn service_config(&self, namespace: &str) -> Value {
        json!({
            "service": {"namespace": namespace, "name": "checker", "port": self.port},
            "caBundle": BASE64_STANDARD.encode(self.authority.pem()),
        })
    }

    /// Returns the Service `checker` of a namespace. It is another name for the loopback address: no Service can have Endpoints there.
    #[must_use]
    pub fn service(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "checker", "namespace": namespace},
            "spec": {"type": "ExternalName", "externalName": "127.0.0.1", "ports": [{"port": self.port}]},
        })
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        if let Some(listener) = self.listener.take() {
            listener.join().ok();
        }
    }
}

fn answer(stream: TcpStream, tls: Arc<ServerConfig>, judge: &Judge) -> Result<()> {
    stream.set_read_timeout(Some(SLOWEST_CLIENT))?;
    let mut stream = StreamOwned::new(ServerConnection::new(tls)?, stream);
    let Some(request) = http::read(&mut stream)? else {
        return Ok(());
    };
    let review: Value = serde_json::from_slice(&request.body)?;
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    match judge(&review["request"]) {
        Admission::Admit => {}
        Admission::Deny(message) => {
            response["allowed"] = false.into();
            response["status"] = json!({"message": message});
        }
        Admission::Silence => return Ok(()),
    }
    let answer = json!({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response});
    http::answer(
        &mut stream,
        "200 OK",
        &[("Content-Type", "application/json")],
        &answer.to_string(),
    )?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}
