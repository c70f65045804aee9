//! Packs that ask for more than they weigh.

use std::io::{Read as _, Write as _};
use std::process::Command;
use std::time::{Duration, Instant};

use gix::odb::pack::data::entry::Header;
use gix::zlib::Compression;
use gix::zlib::stream::deflate;
use sluice_source::{Access, codes};

use crate::fixture::{Fixture, limited};
use crate::impostor::{Answers, pack_of};

const MEGABYTE: u64 = 1 << 20;

/// A pack as its author wants it: nothing is checked.
struct Pack {
    bytes: Vec<u8>,
    objects: u32,
    claimed: Option<u32>,
}

impl Pack {
    fn new() -> Self {
        Self {
            bytes: b"PACK\0\0\0\x02\0\0\0\0".to_vec(),
            objects: 0,
            claimed: None,
        }
    }

    /// Adds an entry that claims to become `size` bytes; returns where it is.
    fn entry(&mut self, header: &Header, size: u64, compressed: &[u8]) -> u64 {
        let place = self.bytes.len() as u64;
        header.write_to(size, &mut self.bytes).unwrap();
        self.bytes.extend_from_slice(compressed);
        self.objects += 1;
        place
    }

    fn blob(&mut self, content: &[u8]) -> u64 {
        self.entry(&Header::Blob, content.len() as u64, &deflated(content))
    }

    /// Adds a delta that takes all of its base, which is that large, and some bytes more.
    fn delta(&mut self, base: u64, size: u64, more: &[u8]) -> u64 {
        self.delta_of(base, size, size, more)
    }

    /// Adds a delta that takes the start of its base, and some bytes more.
    fn delta_of(&mut self, base: u64, size: u64, taken: u64, more: &[u8]) -> u64 {
        let mut delta = [number(size), number(taken + more.len() as u64)].concat();
        let mut done = 0;
        while done < taken {
            // A copy of at most 0xffffff bytes: four bytes of place, three of size.
            let count = (taken - done).min(0xff_ffff);
            delta.push(0xff);
            delta.extend_from_slice(&u32::try_from(done).unwrap().to_le_bytes());
            delta.extend_from_slice(&u32::try_from(count).unwrap().to_le_bytes()[..3]);
            done += count;
        }
        delta.push(u8::try_from(more.len()).unwrap());
        delta.extend_from_slice(more);
        let distance = self.bytes.len() as u64 - base;
        let header = Header::OfsDelta {
            base_distance: distance,
        };
        self.entry(&header, delta.len() as u64, &deflated(&delta))
    }

    fn finish(mut self) -> Vec<u8> {
        let objects = self.claimed.unwrap_or(self.objects);
        self.bytes[8..12].copy_from_slice(&objects.to_be_bytes());
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&self.bytes);
        self.bytes
            .extend_from_slice(hasher.try_finalize().unwrap().as_slice());
        self.bytes
    }
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut writer = deflate::Write::new(Vec::new(), Compression::BEST);
    writer.write_all(content).unwrap();
    writer.flush().unwrap();
    writer.into_inner()
}

/// As sizes stand in the head of a delta.
fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[track_caller]
fn refused(pack: Pack, code: &sluice_model::ErrorCode) -> String {
    let fixture = Fixture::new();
    let url = Answers::main(&"1".repeat(40), pack.finish()).serve();
    let start = Instant::now();
    let said = fixture.refused(&url, &Access::default(), code);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let left: Vec<_> = fs_err::read_dir(fixture.mirror().join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    said
}

#[test]
fn an_honest_pack_is_let_in() {
    let fixture = Fixture::new();
    let (head, pack) = pack_of(&fixture.work);
    let url = Answers::main(&head, pack).serve();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
    // Deltas of deltas too, as long as they stay small.
    let mut pack = Pack::new();
    let mut base = pack.blob(&[b'x'; 1000]);
    for size in 1000..1200 {
        pack.delta(base, size, b"left");
        base = pack.delta(base, size, b"x");
    }
    let fixture = Fixture::new();
    let url = Answers::main(&"1".repeat(40), pack.finish()).serve();
    fixture.fetch(&url, &Access::default()).unwrap();
}

#[test]
fn a_tower_of_deltas() {
    // 90 MB of zeros, then two that take all of it, then two of those: a hundred kilobytes that would fill all memory.
    let mut pack = Pack::new();
    let start = 90 * MEGABYTE;
    let mut base = pack.blob(&vec![0; usize::try_from(start).unwrap()]);
    for size in start..start + 40 {
        pack.delta(base, size, b"left");
        base = pack.delta(base, size, b"x");
    }
    assert!(pack.bytes.len() < 200_000, "{}", pack.bytes.len());
    let said = refused(pack, &codes::TOO_LARGE);
    assert!(said.contains("deltas upon deltas"), "{said}");
}

/// The bound is as exact as the order in which objects are built: of a tower whose other branches come to nothing first,
/// two floors are held at a time. Where that order were another, this would need a gigabyte.
#[test]
fn a_tower_that_is_let_go_of_on_the_way_up() {
    const WITH_LITTLE_MEMORY: &str = "SLUICE_TEST_WITH_LITTLE_MEMORY";
    if std::env::var_os(WITH_LITTLE_MEMORY).is_none() {
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "ulimit -v 800000; exec \"$0\" \"$@\""]);
        limited.arg(std::env::current_exe().unwrap());
        limited.args(["--exact", "packs::a_tower_that_is_let_go_of_on_the_way_up"]);
        // Each thread's own heap would count as a whole.
        limited.env(WITH_LITTLE_MEMORY, "1").env("MALLOC_ARENA_MAX", "1");
        let output = limited.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let mut pack = Pack::new();
    let start = 20 * MEGABYTE;
    let mut base = pack.blob(&vec![0; usize::try_from(start).unwrap()]);
    for size in start..start + 60 {
        let next = pack.delta(base, size, b"x");
        pack.delta_of(base, size, 1, b"left");
        base = next;
    }
    let fixture = Fixture::new();
    let url = Answers::main(&"1".repeat(40), pack.finish()).serve();
    fixture.fetch(&url, &Access::default()).unwrap();
}

#[test]
fn a_delta_that_claims_to_become_huge() {
    for size in [200 * MEGABYTE, 1 << 40, u64::MAX] {
        let mut pack = Pack::new();
        let base = pack.blob(b"base");
        let delta = [number(4), number(size), vec![0x90, 4]].concat();
        let distance = pack.bytes.len() as u64 - base;
        let header = Header::OfsDelta {
            base_distance: distance,
        };
        pack.entry(&header, delta.len() as u64, &deflated(&delta));
        refused(pack, &codes::TOO_LARGE);
    }
}

#[test]
fn an_object_that_claims_to_be_huge() {
    let mut pack = Pack::new();
    pack.entry(&Header::Blob, 1 << 50, &deflated(b"x"));
    refused(pack, &codes::TOO_LARGE);
}

#[test]
fn an_entry_that_is_larger_than_it_says() {
    let mut pack = Pack::new();
    pack.entry(&Header::Blob, 10, &deflated(&vec![0; 1 << 30]));
    let said = refused(pack, &codes::FETCH);
    assert!(said.contains("larger than it says"), "{said}");
}

#[test]
fn an_entry_that_never_ends() {
    // Stored blocks of no bytes, one after the other.
    let mut pack = Pack::new();
    let endless = [vec![0x78, 0x01], [0, 0, 0, 0xff, 0xff].repeat(1 << 20)].concat();
    pack.entry(&Header::Blob, 10, &endless);
    refused(pack, &codes::FETCH);
}

#[test]
fn packs_that_are_none() {
    let cut = |length: usize| {
        let mut pack = Pack::new();
        pack.blob(b"content");
        pack.bytes.truncate(length);
        pack
    };
    let mut nonsense = Pack::new();
    nonsense.bytes[..4].copy_from_slice(b"JUNK");
    let mut dangling = Pack::new();
    dangling.entry(&Header::OfsDelta { base_distance: 7 }, 2, &deflated(&[1, 1]));
    let mut short = Pack::new();
    short.entry(&Header::Blob, 100, &deflated(b"x"));
    let mut garbage = Pack::new();
    garbage.entry(&Header::Blob, 100, b"no zlib stream at all, whatever follows");
    let mut headless = Pack::new();
    let base = headless.blob(b"base");
    let base_distance = headless.bytes.len() as u64 - base;
    headless.entry(&Header::OfsDelta { base_distance }, 1, &deflated(&[0x80]));
    for pack in [cut(13), cut(16), nonsense, dangling, short, garbage, headless] {
        refused(pack, &codes::FETCH);
    }
    let fixture = Fixture::new();
    let mut wrong_sum = pack_of(&fixture.work).1;
    *wrong_sum.last_mut().unwrap() ^= 1;
    let url = Answers::main(&fixture.first, wrong_sum).serve();
    fixture.refused(&url, &Access::default(), &codes::FETCH);
}

#[test]
fn more_objects_than_anybody_has() {
    let mut pack = Pack::new();
    pack.blob(b"x");
    pack.claimed = Some(u32::MAX);
    refused(pack, &codes::TOO_LARGE);
}

#[test]
fn the_limit_of_an_object_is_a_setting() {
    let fixture = Fixture::new();
    fixture.work.write("large", vec![b'x'; 3000]).unwrap();
    fixture
        .work
        .commit("large", sluice_sandbox::Signature::None)
        .unwrap();
    let url = crate::fixture::file_url(fixture.work.path());
    let said = fixture.refused(&url, &limited(|limits| limits.object = 2999), &codes::TOO_LARGE);
    assert!(said.contains("2999 bytes"), "{said}");
    fixture
        .fetch(&url, &limited(|limits| limits.object = 3000))
        .unwrap();
}

#[test]
fn a_pack_without_what_it_is_asked_for() {
    // The server says that it is all there; whoever reads finds out.
    let fixture = Fixture::new();
    let mut pack = Pack::new();
    pack.blob(b"something else");
    let url = Answers::main(&fixture.first, pack.finish()).serve();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    crate::fixture::check_error(fetched.resolve("main"), &codes::OBJECT);
}

#[test]
fn progress_without_end() {
    let fixture = Fixture::new();
    let mut answers = Answers::main(&fixture.first, Vec::new());
    answers.before_pack = |stream| loop {
        crate::impostor::line(stream, &[b"\x02".as_slice(), &[b'.'; 60_000]].concat())?;
    };
    let url = answers.serve();
    fixture.refused(
        &url,
        &limited(|limits| limits.receive = 40 * MEGABYTE),
        &codes::TOO_LARGE,
    );
}

#[test]
fn references_without_end() {
    let fixture = Fixture::new();
    let mut answers = Answers::main(&fixture.first, Vec::new());
    answers.list_goes_on = |stream| {
        let mut number = 0_u64;
        loop {
            number += 1;
            let text = format!("{} refs/heads/{number}-{}\n", "1".repeat(40), "x".repeat(900));
            crate::impostor::line(stream, text.as_bytes())?;
        }
    };
    let said = fixture.refused(&answers.serve(), &Access::default(), &codes::TOO_LARGE);
    assert!(said.contains("the list of branches and tags"), "{said}");
}

#[test]
fn many_references_are_fine() {
    let fixture = Fixture::new();
    let (head, pack) = pack_of(&fixture.work);
    let mut answers = Answers::main(&head, pack);
    answers
        .references
        .extend((0..50_000).map(|number| format!("{head} refs/tags/v{number}")));
    let fetched = fixture.fetch(&answers.serve(), &Access::default()).unwrap();
    assert_eq!(fetched.resolve("v49999").unwrap().commit, fixture.first);
}

#[test]
fn a_server_that_trickles() {
    let fixture = Fixture::new();
    let url = crate::impostor::impostor(|_, stream| {
        let text = "HTTP/1.1 200 OK\r\nx-endless: "
            .chars()
            .chain(std::iter::repeat('a'));
        for character in text {
            if stream.write_all(&[character as u8]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(stream.read(&mut [0]));
    });
    let start = Instant::now();
    let access = limited(|limits| limits.timeout = Duration::from_millis(600));
    fixture.refused(&url, &access, &codes::TIMEOUT);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
