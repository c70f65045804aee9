//! Servers that only pretend: they say what a test has them say.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use sluice_sandbox::Repository;

/// Hands every request, its body included, to `serve` on a thread of its own; returns the URL of a repository.
pub(crate) fn impostor(serve: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/r.git", listener.local_addr().unwrap());
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), serve) = (stream, Arc::clone(&serve)) else {
                continue;
            };
            std::thread::spawn(move || {
                if let Some(request) = request(&mut stream) {
                    serve(&request, &mut stream);
                }
            });
        }
    });
    url
}

fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    bytes.extend(body);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Answers every request in the same way.
pub(crate) fn answering(response: &'static str) -> String {
    impostor(move |_, stream| drop(stream.write_all(response.as_bytes())))
}

/// Says nothing, ever.
pub(crate) fn silent() -> String {
    impostor(|_, stream| drop(stream.read_to_end(&mut Vec::new())))
}

/// What a Git server answers, in version 2 of the protocol.
pub(crate) struct Answers {
    /// `ID NAME` of each reference.
    pub(crate) references: Vec<String>,
    /// Written after the list, or instead of the end of it.
    pub(crate) list_goes_on: fn(&mut TcpStream) -> std::io::Result<()>,
    /// The pack, as it is.
    pub(crate) pack: Vec<u8>,
    /// Written before the pack.
    pub(crate) before_pack: fn(&mut TcpStream) -> std::io::Result<()>,
}

impl Answers {
    /// A branch `main` at `id`, and a pack.
    pub(crate) fn main(id: &str, pack: Vec<u8>) -> Self {
        Self {
            references: vec![format!("{id} refs/heads/main")],
            list_goes_on: |stream| stream.write_all(b"0000"),
            pack,
            before_pack: |_| Ok(()),
        }
    }

    /// Starts the server.
    pub(crate) fn serve(self) -> String {
        impostor(move |request, stream| {
            // Whoever has heard enough goes.
            drop(self.answer(request, stream));
        })
    }

    fn answer(&self, request: &str, stream: &mut TcpStream) -> std::io::Result<()> {
        let kind = if request.starts_with("GET") {
            "advertisement"
        } else {
            "result"
        };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-{kind}\r\nconnection: close\r\n\r\n"
        )?;
        if request.starts_with("GET") {
            for text in [
                "# service=git-upload-pack\n",
                "",
                "version 2\n",
                "ls-refs\n",
                "fetch\n",
                "",
            ] {
                line(stream, text.as_bytes())?;
            }
            return Ok(());
        }
        if request.contains("command=ls-refs") {
            for reference in &self.references {
                line(stream, format!("{reference}\n").as_bytes())?;
            }
            return (self.list_goes_on)(stream);
        }
        line(stream, b"packfile\n")?;
        (self.before_pack)(stream)?;
        for piece in self.pack.chunks(60_000) {
            line(stream, &[b"\x01", piece].concat())?;
        }
        line(stream, b"")
    }
}

/// One line of the protocol; a flush where it is empty.
pub(crate) fn line(stream: &mut TcpStream, content: &[u8]) -> std::io::Result<()> {
    if content.is_empty() {
        return stream.write_all(b"0000");
    }
    stream.write_all(format!("{:04x}", content.len() + 4).as_bytes())?;
    stream.write_all(content)
}

/// The id and the pack of a repository's `main`.
pub(crate) fn pack_of(work: &Repository) -> (String, Vec<u8>) {
    let mut command = work.git_command();
    command.args(["pack-objects", "--all", "--stdout", "--quiet"]);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    assert!(output.status.success());
    (work.head().unwrap(), output.stdout)
}
