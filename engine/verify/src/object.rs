//! Takes a raw commit or tag apart: what was signed, and with what.
//!
//! What is signed is the object without its signature, byte for byte. Git cuts the signature out in its own way, and
//! wherever that way is loose, two readers can be made to see two different objects with one good signature. So this
//! reading is strict: one header of each kind in the order Git writes them, no NUL before the message, no header that
//! begins like a signature but isn't one, no second signature. What does not fit is malformed, never unsigned.

use jiff::Timestamp;
use sluice_model::trust::{CommitLinks, SignedKind, SignedObject};

/// An object without its signature, and the signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The bytes that were signed.
    pub(crate) payload: Vec<u8>,
    /// The signature as it stands, where there is one.
    pub(crate) signature: Option<Vec<u8>>,
    /// The committer's or tagger's time, which is part of what was signed.
    pub(crate) written_at: Option<Timestamp>,
    /// The committer's or tagger's address, which is part of it too.
    pub(crate) address: Option<String>,
    /// The object a tag names, with its kind; none for commits.
    pub(crate) target: Option<Target>,
}

/// What a tag names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) is_commit: bool,
    /// What the tag calls itself.
    pub(crate) name: String,
}

/// What does not fit.
pub(crate) type Malformed = &'static str;

/// How a signature begins, by the kinds that Git knows.
const BEGINNINGS: [&[u8]; 4] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"-----BEGIN SSH SIGNATURE-----",
];

/// Takes an object apart.
pub(crate) fn parse(object: &SignedObject) -> Result<Parts, Malformed> {
    match object.kind {
        SignedKind::Commit => commit(&object.bytes, object.id.len()),
        SignedKind::Tag => tag(&object.bytes, object.id.len()),
    }
}

/// The tags that a merge commit carries along (`mergetag` headers), byte for byte.
pub(crate) fn merge_tags(commit: &[u8]) -> Vec<Vec<u8>> {
    let (headers, _) = split(commit);
    let headers = Headers::of(headers).into_iter().flatten();
    headers
        .filter(|header| header.name == b"mergetag")
        .map(|header| header.value())
        .collect()
}

fn commit(bytes: &[u8], digits: usize) -> Result<Parts, Malformed> {
    if CommitLinks::read(bytes, digits).is_none() {
        return Err("its tree and parent lines are not those of a commit");
    }
    let (headers, message) = split(bytes);
    let mut payload = Vec::with_capacity(bytes.len());
    let mut signature = None;
    let mut order = Order::default();
    for header in Headers::of(headers)? {
        order.commit(header.name)?;
        match header.name {
            b"gpgsig" | b"gpgsig-sha256" => {
                if (header.name == b"gpgsig-sha256") == (digits == 64) {
                    signature = Some(header.value());
                }
            }
            _ => payload.extend_from_slice(header.bytes),
        }
    }
    order.finish_commit()?;
    payload.extend_from_slice(message);
    Ok(Parts {
        payload,
        signature,
        written_at: written_at(headers, b"committer "),
        address: address(headers, b"committer "),
        target: None,
    })
}

fn tag(bytes: &[u8], digits: usize) -> Result<Parts, Malformed> {
    let (headers, message) = split(bytes);
    let mut names = Vec::new();
    let mut kept = Vec::with_capacity(headers.len());
    let mut id = None;
    let mut is_commit = false;
    let mut name = String::new();
    for header in Headers::of(headers)? {
        names.push(header.name);
        match header.name {
            b"object" => {
                id = header
                    .line(b"object ")
                    .and_then(hex)
                    .filter(|id| id.len() == digits)
            }
            b"type" => is_commit = header.line(b"type ") == Some(b"commit"),
            b"tag" => name = String::from_utf8_lossy(header.line(b"tag ").unwrap_or_default()).into_owned(),
            _ => {}
        }
        // The same tag's signature in the other object format; not part of what this one signs.
        if header.name == b"gpgsig-sha256" && digits == 40 {
            continue;
        }
        kept.extend_from_slice(header.bytes);
    }
    let expected: &[&[&[u8]]] = &[
        &[b"object", b"type", b"tag"],
        &[b"object", b"type", b"tag", b"tagger"],
    ];
    let extra = names
        .iter()
        .position(|name| *name == b"gpgsig-sha256" && digits == 40);
    if let Some(extra) = extra {
        names.remove(extra);
    }
    let Some(id) = id.filter(|_| expected.contains(&names.as_slice())) else {
        return Err("its headers are not those of a tag");
    };
    let start = last_beginning(message);
    let (text, signature) = message.split_at(start.unwrap_or(message.len()));
    kept.extend_from_slice(text);
    Ok(Parts {
        payload: kept,
        signature: start.map(|_| signature.to_vec()),
        written_at: written_at(headers, b"tagger "),
        address: address(headers, b"tagger "),
        target: Some(Target { id, is_commit, name }),
    })
}

/// The headers, and the empty line with all that follows.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}

/// Where the last line starts that a signature can begin with.
fn last_beginning(message: &[u8]) -> Option<usize> {
    let mut found = None;
    let mut at = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)) {
            found = Some(at);
        }
        at += line.len();
    }
    found
}

fn hex(text: &[u8]) -> Option<String> {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.iter()
        .all(is_hex)
        .then(|| String::from_utf8_lossy(text).into_owned())
}

/// One header with the lines that continue it.
struct Header<'a> {
    name: &'a [u8],
    bytes: &'a [u8],
}

impl Header<'_> {
    /// The value, the mark of each continued line taken off.
    fn value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.bytes.len());
        for (number, line) in self.bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let skip = if number == 0 { self.name.len() + 1 } else { 1 };
            value.extend_from_slice(line.get(skip..).unwrap_or_default());
        }
        value
    }

    /// What follows the name, where that is one whole line.
    fn line(&self, name: &[u8]) -> Option<&[u8]> {
        let rest = self.bytes.strip_prefix(name)?.strip_suffix(b"\n")?;
        (!rest.contains(&b'\n')).then_some(rest)
    }
}

struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.contains(&0) {
            return Err("there is a NUL among its headers");
        }
        if !bytes.ends_with(b"\n") {
            return Err("its headers have no end");
        }
        if bytes.starts_with(b" ") {
            return Err("it begins with a continued line");
        }
        Ok(Self { rest: bytes })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for (number, line) in self.rest.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if number > 0 && line.first() != Some(&b' ') {
                break;
            }
            end += line.len();
        }
        let (bytes, rest) = self.rest.split_at(end);
        self.rest = rest;
        let name = bytes
            .split(|byte| matches!(byte, b' ' | b'\n'))
            .next()
            .unwrap_or_default();
        Some(Header { name, bytes })
    }
}

/// The order in which Git writes a commit's headers.
#[derive(Default)]
struct Order {
    authors: usize,
    committers: usize,
    signatures: usize,
    other_signatures: usize,
}

impl Order {
    fn commit(&mut self, name: &[u8]) -> Result<(), Malformed> {
        match name {
            b"tree" | b"parent" => {}
            b"author" if self.committers == 0 => self.authors += 1,
            b"committer" if self.authors == 1 => self.committers += 1,
            b"author" | b"committer" => return Err("its author and committer are out of order"),
            b"gpgsig" => self.signatures += 1,
            b"gpgsig-sha256" => self.other_signatures += 1,
            _ if name.starts_with(b"gpgsig") => {
                return Err("it has a header that looks like a signature and is none");
            }
            _ => {}
        }
        Ok(())
    }

    fn finish_commit(&self) -> Result<(), Malformed> {
        if self.authors != 1 || self.committers != 1 {
            return Err("it does not have one author and one committer");
        }
        if self.signatures > 1 || self.other_signatures > 1 {
            return Err("it has more than one signature");
        }
        Ok(())
    }
}

fn written_at(headers: &[u8], name: &[u8]) -> Option<Timestamp> {
    let seconds = line(headers, name)?.rsplit(|byte| *byte == b' ').nth(1)?;
    Timestamp::from_second(std::str::from_utf8(seconds).ok()?.parse().ok()?).ok()
}

/// What stands between the angle brackets, as Git reads it: the last `<` and `>` of the line.
fn address(headers: &[u8], name: &[u8]) -> Option<String> {
    let line = line(headers, name)?;
    let end = line.iter().rposition(|byte| *byte == b'>')?;
    let start = line.get(..end)?.iter().rposition(|byte| *byte == b'<')?;
    let address = std::str::from_utf8(line.get(start + 1..end)?).ok()?;
    Some(address.to_owned())
}

fn line<'a>(headers: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    headers
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const PERSON: &str = "Ada <ada@example.org> 1700000000 +0100";

    fn check(kind: SignedKind, digits: usize, text: &str) -> Result<Parts, Malformed> {
        parse(&SignedObject {
            id: "a".repeat(digits),
            kind,
            bytes: text.as_bytes().to_vec(),
        })
    }

    fn commit(extra: &str, message: &str) -> String {
        format!("tree {ID}\nparent {ID}\nauthor {PERSON}\ncommitter {PERSON}\n{extra}{message}")
    }

    #[test]
    fn a_signature_is_cut_out_wherever_it_stands() {
        let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\r\n -----END PGP SIGNATURE-----\n";
        for (before, after) in [
            ("", ""),
            ("encoding latin1\n", ""),
            ("", "encoding x\nmergetag object x\n  y\n"),
        ] {
            let text = commit(&format!("{before}{signature}{after}"), "\nhello\n\0gpgsig no\n");
            let parts = check(SignedKind::Commit, 40, &text).unwrap();
            let expected = commit(&format!("{before}{after}"), "\nhello\n\0gpgsig no\n");
            assert_eq!(String::from_utf8(parts.payload).unwrap(), expected);
            let value = "-----BEGIN PGP SIGNATURE-----\n\nabc\r\n-----END PGP SIGNATURE-----\n";
            assert_eq!(String::from_utf8(parts.signature.unwrap()).unwrap(), value);
            assert_eq!(parts.written_at.unwrap().as_second(), 1_700_000_000);
        }
    }

    #[test]
    fn each_object_format_has_its_own_signature() {
        let both = commit("gpgsig one\n x\ngpgsig-sha256 two\n y\n", "\nm\n");
        let parts = check(SignedKind::Commit, 40, &both).unwrap();
        assert_eq!(parts.signature.unwrap(), b"one\nx\n");
        assert_eq!(String::from_utf8(parts.payload).unwrap(), commit("", "\nm\n"));
        let long = both.replace(ID, &"b".repeat(64));
        assert_eq!(
            check(SignedKind::Commit, 64, &long).unwrap().signature.unwrap(),
            b"two\ny\n"
        );
        let other = commit("gpgsig-sha256 two\n", "\nm\n");
        assert_eq!(check(SignedKind::Commit, 40, &other).unwrap().signature, None);
    }

    #[test]
    fn what_is_loose_is_malformed() {
        for text in [
            commit("gpgsig a\ngpgsig b\n", "\n"),
            commit("gpgsig a\nx y\ngpgsig b\n", "\n"),
            commit("gpgsig2 a\n", "\n"),
            commit("gpgsig\0 a\n", "\n"),
            commit("author x\n", "\n"),
            commit("committer x\n", "\n"),
            commit(&format!("parent {ID}\n"), "\n"),
            commit("", "").trim_end().to_owned(),
            format!("tree {ID}\nauthor {PERSON}\n\n"),
            format!("tree {ID}\ncommitter {PERSON}\nauthor {PERSON}\n\n"),
            format!(" tree {ID}\n\n"),
            String::new(),
            "\n\n".to_owned(),
        ] {
            assert!(check(SignedKind::Commit, 40, &text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tag_is_signed_at_its_end() {
        let head = format!("object {ID}\ntype commit\ntag v1\ntagger {PERSON}\n");
        let signature = "-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n";
        let parts = check(SignedKind::Tag, 40, &format!("{head}\nhello\n{signature}")).unwrap();
        assert_eq!(
            String::from_utf8(parts.payload).unwrap(),
            format!("{head}\nhello\n")
        );
        assert_eq!(parts.signature.unwrap(), signature.as_bytes());
        assert_eq!(
            parts.target,
            Some(Target {
                id: ID.into(),
                is_commit: true,
                name: "v1".into()
            })
        );
        // The last one counts, as with Git: what is before it was signed.
        let parts = check(
            SignedKind::Tag,
            40,
            &format!("{head}\n{signature}hello\n{signature}"),
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(parts.payload).unwrap(),
            format!("{head}\n{signature}hello\n")
        );
        let other = format!("{head}gpgsig-sha256 x\n y\n\nhello\n{signature}");
        let parts = check(SignedKind::Tag, 40, &other).unwrap();
        assert_eq!(
            String::from_utf8(parts.payload).unwrap(),
            format!("{head}\nhello\n")
        );
        assert_eq!(
            check(SignedKind::Tag, 40, &format!("{head}\nhello\n"))
                .unwrap()
                .signature,
            None
        );
        for text in [
            format!("type commit\nobject {ID}\ntag v1\n\n"),
            format!("object {ID}\nobject {ID}\ntype commit\ntag v1\n\n"),
            format!("object {ID}\ntype commit\ntag v1\nx y\n\n"),
            format!("object {ID}\n y\ntype commit\ntag v1\n\n"),
        ] {
            assert!(check(SignedKind::Tag, 40, &text).is_err(), "{text:?}");
        }
    }
}
