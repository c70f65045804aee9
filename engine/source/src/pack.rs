//! Looks through a pack before anything is made of it.
//!
//! A pack is a program for building objects, written by the server's operator: seventy kilobytes of it can ask for a
//! terabyte. So it is copied to a file first and every entry is inflated on the way, without keeping what comes out, to
//! learn what it claims: how large each object becomes, and how much has to be held at once to build those that are
//! deltas of deltas. Only then gix is let at it, which hashes every object and so proves that the claims are true.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Write as _};

use gix::hash::Kind;
use gix::odb::pack::data::Entry;
use gix::odb::pack::data::entry::Header;
use gix::zlib::{Decompress, FlushDecompress, Status};

/// More than the largest repositories have; each one costs some hundred bytes of memory while it is indexed.
const OBJECTS: u32 = 4_000_000;
/// What may be held at once to build objects, where objects are small.
const MEMORY: u64 = 256 << 20;
const HEADER: usize = 12;
const BLOCK: usize = 32 << 10;

/// What a pack claims.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// How many objects it has.
    pub(crate) objects: u32,
    /// How many bytes have to be held at once to build them, on one thread.
    pub(crate) memory: u64,
}

/// Why a pack is not let in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It asks for too much: what, and the limit.
    TooLarge(String, String),
    /// It is no pack.
    Malformed(&'static str),
    /// It ends early, or the fetch was ended.
    Cut(io::Error),
    /// There is no room for it.
    Disk(io::Error),
}

/// Copies one pack from `input` to `file`, and says what it claims. `size_of` knows the objects that are there already.
pub(crate) fn sift(
    input: &mut dyn BufRead,
    file: &File,
    format: Kind,
    object_limit: u64,
    size_of: &dyn Fn(gix::ObjectId) -> Option<u64>,
) -> Result<Claims, Refusal> {
    let mut tee = Tee {
        input,
        copy: BufWriter::with_capacity(BLOCK, file),
        written: 0,
        failure: None,
    };
    let mut header = [0; HEADER];
    tee.read_exact(&mut header).map_err(Refusal::Cut)?;
    let (_, objects) = gix::odb::pack::data::header::decode(&header)
        .map_err(|_| Refusal::Malformed("it does not begin as a pack does"))?;
    if objects > OBJECTS {
        return Err(Refusal::TooLarge(
            format!("a pack of {objects} objects"),
            format!("{OBJECTS} objects"),
        ));
    }
    let mut sieve = Sieve {
        object_limit,
        nodes: Vec::new(),
        loose: 0,
        inflate: Decompress::new(),
        scratch: vec![0; BLOCK],
    };
    for _ in 0..objects {
        sieve.entry(&mut tee, format, size_of)?;
        tee.check()?;
    }
    let mut trailer = vec![0; format.len_in_bytes()];
    tee.read_exact(&mut trailer).map_err(Refusal::Cut)?;
    tee.check()?;
    tee.copy.flush().map_err(Refusal::Disk)?;
    let memory = sieve.memory();
    let budget = MEMORY.max(object_limit.saturating_mul(3));
    if memory > budget {
        return Err(Refusal::TooLarge(
            "what deltas upon deltas of one object become".to_owned(),
            format!("{budget} bytes at once"),
        ));
    }
    Ok(Claims { objects, memory })
}

/// Passes on what is read, and writes it down.
struct Tee<'a> {
    input: &'a mut dyn BufRead,
    copy: BufWriter<&'a File>,
    written: u64,
    failure: Option<io::Error>,
}

impl Tee<'_> {
    fn check(&mut self) -> Result<(), Refusal> {
        self.failure
            .take()
            .map_or(Ok(()), |error| Err(Refusal::Disk(error)))
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(target.len());
        if let (Some(target), Some(available)) = (target.get_mut(..count), available.get(..count)) {
            target.copy_from_slice(available);
        }
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Tee<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What was seen once is still there, and a failure to write it is told after the entry.
        if let (Ok(buffer), None) = (self.input.fill_buf(), &self.failure) {
            let written = self.copy.write_all(buffer.get(..amount).unwrap_or_default());
            self.failure = written.err();
        }
        self.written += amount as u64;
        self.input.consume(amount);
    }
}

/// What is known of the entries so far.
struct Sieve {
    object_limit: u64,
    nodes: Vec<Node>,
    /// The sizes of all objects whose base is named by its id and comes in the same pack. Servers that were asked for
    /// offsets, as ours are, send none; so they are all taken to build upon each other.
    loose: u64,
    inflate: Decompress,
    scratch: Vec<u8>,
}

/// One entry.
struct Node {
    offset: u64,
    /// What it becomes.
    size: u64,
    base: Base,
    /// Whether it is the first in the pack that builds upon its base.
    is_first: bool,
    has_children: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    None,
    /// In this pack, by its place in the list.
    Here(usize),
    /// In the mirror, of this size.
    There(u64),
    /// Somewhere in this pack.
    Unknown,
}

impl Sieve {
    fn entry(
        &mut self,
        tee: &mut Tee<'_>,
        format: Kind,
        size_of: &dyn Fn(gix::ObjectId) -> Option<u64>,
    ) -> Result<(), Refusal> {
        let offset = tee.written;
        let entry = Entry::from_read(tee, offset, format.len_in_bytes()).map_err(Refusal::Cut)?;
        self.bounded(entry.decompressed_size)?;
        let start = self.inflate(tee, entry.decompressed_size)?;
        let (size, base) = match entry.header {
            Header::Commit | Header::Tree | Header::Blob | Header::Tag => {
                (entry.decompressed_size, Base::None)
            }
            Header::OfsDelta { base_distance } => {
                let at = offset
                    .checked_sub(base_distance)
                    .and_then(|base| self.nodes.binary_search_by_key(&base, |node| node.offset).ok());
                let at = at.ok_or(Refusal::Malformed("a delta is of nothing"))?;
                (result_size(&start)?, Base::Here(at))
            }
            Header::RefDelta { base_id } => {
                let base = size_of(base_id).map_or(Base::Unknown, Base::There);
                (result_size(&start)?, base)
            }
        };
        self.bounded(size)?;
        let (mut is_loose, mut is_first) = (base == Base::Unknown, true);
        if let Base::Here(at) = base
            && let Some(base) = self.nodes.get_mut(at)
        {
            is_loose = base.base == Base::Unknown;
            is_first = !std::mem::replace(&mut base.has_children, true);
        }
        if is_loose {
            self.loose = self.loose.saturating_add(size);
        }
        self.nodes.push(Node {
            offset,
            size,
            base: if is_loose { Base::Unknown } else { base },
            is_first,
            has_children: false,
        });
        Ok(())
    }

    fn bounded(&self, size: u64) -> Result<(), Refusal> {
        if size > self.object_limit {
            return Err(Refusal::TooLarge(
                format!("an object of {size} bytes"),
                format!("{} bytes", self.object_limit),
            ));
        }
        Ok(())
    }

    /// Inflates one entry, which must become what it says; its first bytes.
    fn inflate(&mut self, tee: &mut Tee<'_>, declared: u64) -> Result<Vec<u8>, Refusal> {
        /// Room for two sizes, the head of a delta.
        const START: usize = 20;
        self.inflate.reset();
        let mut start = Vec::with_capacity(START);
        loop {
            let (consumed, produced, status);
            {
                let input = tee.fill_buf().map_err(Refusal::Cut)?;
                if input.is_empty() {
                    return Err(Refusal::Cut(io::ErrorKind::UnexpectedEof.into()));
                }
                let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
                status = self
                    .inflate
                    .decompress(input, &mut self.scratch, FlushDecompress::None)
                    .map_err(|_| Refusal::Malformed("an entry is no zlib stream"))?;
                consumed = self.inflate.total_in() - before_in;
                produced = self.inflate.total_out() - before_out;
            }
            tee.consume(usize::try_from(consumed).unwrap_or(usize::MAX));
            let produced = usize::try_from(produced).unwrap_or(usize::MAX);
            let missing = START.saturating_sub(start.len()).min(produced);
            start.extend_from_slice(self.scratch.get(..missing).unwrap_or_default());
            let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
            // No compression makes things twice as large; without end is what this would come to.
            if made > declared || read > declared.saturating_mul(2).saturating_add(4096) {
                return Err(Refusal::Malformed("an entry is larger than it says"));
            }
            match status {
                Status::StreamEnd if made == declared => return Ok(start),
                Status::StreamEnd => return Err(Refusal::Malformed("an entry is smaller than it says")),
                Status::Ok | Status::BufError if consumed == 0 && produced == 0 => {
                    return Err(Refusal::Malformed("an entry does not go on"));
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// How much is held at once: an object is kept until all that build upon it are made, and they are made one branch
    /// after the other, the last of the pack first; so while a branch is gone down, its base stays but for the first one.
    /// Histories as Git packs them take four times their largest file or so, however many versions of it there are.
    fn memory(&self) -> u64 {
        let mut kept: Vec<u64> = Vec::with_capacity(self.nodes.len());
        let mut most = 0_u64;
        for node in &self.nodes {
            let (above, base): (u64, u64) = match node.base {
                Base::Here(at) => (
                    kept.get(at).copied().unwrap_or(0),
                    self.nodes.get(at).map_or(0, |base| base.size),
                ),
                Base::There(size) => (0, size),
                Base::None | Base::Unknown => (0, 0),
            };
            let is_let_go = node.is_first && matches!(node.base, Base::Here(_));
            most = most.max(above.saturating_add(base).saturating_add(node.size));
            kept.push(above.saturating_add(if is_let_go { 0 } else { base }));
        }
        most.saturating_add(self.loose)
    }
}

/// The second size in the head of a delta: what it makes of its base.
fn result_size(delta: &[u8]) -> Result<u64, Refusal> {
    let mut bytes = delta.iter();
    let mut size = || {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.next()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    };
    size()
        .and_then(|_| size())
        .ok_or(Refusal::Malformed("a delta has no head"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without an order that anybody would see.
    fn scattered(number: usize) -> usize {
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    /// Many versions of one large file, as Git itself packs them: chains of fifty, with branches everywhere.
    #[test]
    fn a_long_history_of_a_large_file_takes_little() {
        let work = sluice_sandbox::Repository::new().unwrap();
        let mut lines: Vec<String> = (0..5_000)
            .map(|line| format!("key{line}: {:x}\n", scattered(line)))
            .collect();
        for version in 0..80 {
            for change in version * 20..version * 20 + 20 {
                let at = scattered(change) % lines.len();
                lines[at] = format!("key{at}: {:x} of version {version}\n", scattered(change * 7));
            }
            work.write("large.yaml", lines.concat()).unwrap();
            work.commit("version", sluice_sandbox::Signature::None).unwrap();
        }
        work.git(&["repack", "-a", "-d", "-f", "--quiet", "--depth=50", "--window=10"])
            .unwrap();
        let folder = fs_err::read_dir(work.path().join(".git/objects/pack")).unwrap();
        let is_pack = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "pack");
        let pack = folder.map(|entry| entry.unwrap().path()).find(is_pack).unwrap();
        let bytes = fs_err::read(pack).unwrap();
        let copy = tempfile::tempfile().unwrap();
        let claims = sift(&mut bytes.as_slice(), &copy, Kind::Sha1, u64::MAX, &|_| None).unwrap();
        let largest = lines.concat().len() as u64;
        assert_eq!(claims.objects, 240);
        assert!(claims.memory > largest, "{claims:?}");
        assert!(claims.memory < 5 * largest, "{claims:?} of {largest}");
    }
}
