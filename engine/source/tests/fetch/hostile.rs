//! Servers that are none of Git's, that say nothing, or too much.

use std::time::{Duration, Instant};

use sluice_sandbox::{GitServer, Signature};
use sluice_source::{Access, Cancel, codes};

use crate::fixture::{Fixture, check_error, file_url, limited};
use crate::impostor::{answering, silent};

#[test]
fn a_server_that_is_none_of_gits() {
    let fixture = Fixture::new();
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
        "HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        // Round and round, then away, then to something that is no repository.
        "HTTP/1.1 302 Found\r\nlocation: ?service=git-upload-pack\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ] {
        fixture.refused(&answering(response), &Access::default(), &codes::FETCH);
    }
}

#[test]
fn a_silent_server_costs_no_more_than_the_timeout() {
    let fixture = Fixture::new();
    let start = Instant::now();
    let access = limited(|limits| limits.timeout = Duration::from_millis(400));
    fixture.refused(&silent(), &access, &codes::TIMEOUT);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_fetch_is_cancelled_from_another_thread() {
    let fixture = Fixture::new();
    let cancel = Cancel::default();
    let access = Access {
        cancel: cancel.clone(),
        ..Access::default()
    };
    let fetch = std::thread::spawn(move || fixture.fetch(&silent(), &access));
    cancel.cancel();
    check_error(fetch.join().unwrap(), &codes::CANCELLED);
}

#[test]
fn too_much_is_refused() {
    let fixture = Fixture::new();
    let noise: Vec<u8> = (0..200_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fixture.work.write("noise", noise).unwrap();
    fixture.work.commit("noise", Signature::None).unwrap();
    let server = GitServer::start().unwrap();
    let access = limited(|limits| limits.receive = 100_000);
    for url in [
        server.push(&fixture.work, "app").unwrap(),
        file_url(fixture.work.path()),
    ] {
        fixture.refused(&url, &access, &codes::TOO_LARGE);
    }
}
