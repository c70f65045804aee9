//! One conversation with a remote: what it has, and the pack of what is missing.
//!
//! The steps are those of gix's own fetch, without its last one: gix would write references one by one, with the rules
//! of a working copy (no forced update of what is checked out, no pruning). The mirror writes them itself, all at once.

use std::io::{self, BufRead, Seek as _};
use std::sync::atomic::AtomicBool;

use gix::hash::Kind;
use gix::negotiate::{Algorithm, Graph, Negotiator};
use gix::odb::pack;
use gix::progress::Discard;
use gix::protocol::fetch::{self, Arguments, Negotiate, RefMap, Response, Shallow, Tags, negotiate, refmap};
use gix::protocol::transport::Service;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::{Handshake, SendFlushOnDrop};
use gix::refspec::parse::Operation;

use crate::lenient::Lenient;
use crate::offer::Offer;
use crate::pack::{self as sieve, Refusal};
use crate::transport::{Cause, Trouble};
use crate::watch::Watch;

/// What is wanted of a remote. The right side only says where the mirror keeps it.
const WANTED: [&str; 3] = ["HEAD", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
/// A second bound on what gix allocates at once, its tables included; the first is [`sieve::sift`].
const ALLOCATION_BYTES: usize = 512 << 20;
/// Where more than this has to be held at once to build objects, they are built on one thread.
const MUCH_MEMORY: u64 = 64 << 20;

/// How a conversation went.
pub(crate) enum Conversation {
    /// All that the remote offers is there.
    Fetched(Offer),
    /// The remote names objects in another way than this repository.
    OtherFormat(Kind),
}

/// What a conversation may cost, and where what goes wrong is noted.
pub(crate) struct Bounds<'a> {
    pub(crate) watch: &'a Watch,
    pub(crate) trouble: &'a Trouble,
    pub(crate) object_limit: u64,
    /// Full names of references, and ids of commits, that are wanted beside branches and tags.
    pub(crate) also: &'a [String],
    /// What the remote offers and does not give.
    pub(crate) without: Vec<gix::ObjectId>,
}

/// Asks the remote what it has and receives what is missing. No reference is written.
pub(crate) fn converse<T: Transport>(
    repository: &gix::Repository,
    transport: T,
    bounds: &Bounds<'_>,
) -> Result<Conversation, gix::Error> {
    // Says goodbye however this ends, so that a server's process does not wait.
    let mut transport = SendFlushOnDrop::new(transport, false);
    // Credentials were given to the transport; no prompt is to ask for others.
    let authenticate = |_| Ok(None);
    let mut handshake = gix::protocol::handshake(
        &mut transport.inner,
        Service::UploadPack,
        authenticate,
        Vec::new(),
        &mut Discard,
    )?;
    let context = refmap::init::Context {
        fetch_refspecs: wanted(bounds.also)?,
        extra_refspecs: Vec::new(),
    };
    let mut ref_map = handshake
        .prepare_lsrefs_or_extract_refmap(user_agent(), true, context)?
        .fetch_blocking(Discard, &mut transport.inner, false)?;
    if ref_map.object_hash != repository.object_hash() {
        return Ok(Conversation::OtherFormat(ref_map.object_hash));
    }
    let is_had = |id: Option<&gix::oid>| id.is_none_or(|id| bounds.without.iter().all(|other| *other != id));
    ref_map.mappings.retain(|mapping| is_had(mapping.remote.as_id()));
    ref_map
        .remote_refs
        .retain(|reference| is_had(reference.unpack().1));
    let offer = Offer::read(&ref_map.remote_refs, bounds.also);
    bounds.watch.expect_pack();
    receive(repository, &mut handshake, &mut transport.inner, &ref_map, bounds)?;
    Ok(Conversation::Fetched(offer))
}

fn wanted(also: &[String]) -> Result<Vec<gix::refspec::RefSpec>, gix::Error> {
    let parse = |spec: &str| gix::refspec::parse(spec.into(), Operation::Fetch).map(|spec| spec.to_owned());
    let also = also.iter().map(|name| match name.starts_with("refs/") {
        true => format!("+{name}:{name}"),
        false => name.clone(),
    });
    let also: Vec<String> = also.collect();
    WANTED
        .into_iter()
        .chain(also.iter().map(String::as_str))
        .map(parse)
        .collect()
}

fn user_agent() -> (&'static str, Option<String>) {
    (
        "agent",
        Some(concat!("sluice/", env!("CARGO_PKG_VERSION")).to_owned()),
    )
}

fn receive<T: Transport>(
    repository: &gix::Repository,
    handshake: &mut Handshake,
    transport: &mut T,
    ref_map: &RefMap,
    bounds: &Bounds<'_>,
) -> Result<(), gix::Error> {
    let quiet = {
        let mut quiet = repository.clone();
        // Most of what is asked for is not there; looking for new packs each time would be slow.
        quiet.objects.refresh_never();
        quiet
    };
    let objects = Lenient(quiet.objects.clone());
    let mut graph = Graph::new(objects.clone(), None);
    let mut negotiation = Negotiation {
        repository: &quiet,
        objects: &objects,
        graph: &mut graph,
        ref_map,
        negotiator: Algorithm::Consecutive.into_negotiator(),
    };
    let write =
        |reader: &mut dyn std::io::BufRead, _: &mut dyn gix::DynNestedProgress, interrupt: &AtomicBool| {
            store(&quiet, reader, interrupt, bounds).map(|()| true)
        };
    let context = fetch::Context {
        handshake,
        transport,
        user_agent: user_agent(),
        trace_packetlines: false,
    };
    let options = fetch::Options {
        shallow_file: repository.shallow_file()?,
        shallow: &Shallow::NoChange,
        tags: Tags::None,
        reject_shallow_remote: true,
    };
    gix::protocol::fetch(
        &mut negotiation,
        write,
        Discard,
        bounds.watch.interrupt(),
        context,
        options,
    )?;
    Ok(())
}

/// Looks through a pack, indexes it with every object's hash computed, and adds it to the repository.
pub(crate) fn store(
    repository: &gix::Repository,
    reader: &mut dyn BufRead,
    interrupt: &AtomicBool,
    bounds: &Bounds<'_>,
) -> Result<(), gix::Error> {
    let refused = |refusal| {
        let cause = match refusal {
            // Why it ends is known where it was read.
            Refusal::Cut(error) => return gix::Error::from_error(error),
            Refusal::TooLarge(what, limit) => Cause::TooLarge(what, limit),
            Refusal::Malformed(what) => Cause::Other(format!("the pack is malformed: {what}")),
            Refusal::Disk(error) => Cause::Disk(error),
        };
        bounds.trouble.note(cause);
        gix::Error::from_error(io::Error::other("the pack is refused"))
    };
    let folder = repository.objects.store_ref().path().join("pack");
    let format = repository.object_hash();
    let size_of = |id| repository.find_header(id).ok().map(|header| header.size());
    // Beside the packs, so that it is swept with them where this process is killed.
    let mut file = tempfile::tempfile_in(&folder).map_err(|error| refused(Refusal::Disk(error)))?;
    let claims = sieve::sift(reader, &file, format, bounds.object_limit, &size_of).map_err(refused)?;
    if claims.objects == 0 {
        return Ok(());
    }
    file.rewind().map_err(|error| refused(Refusal::Disk(error)))?;
    let options = pack::bundle::write::Options {
        thread_limit: (claims.memory > MUCH_MEMORY).then_some(1),
        index_version: pack::index::Version::V2,
        iteration_mode: pack::data::input::Mode::Verify,
        alloc_limit_bytes: Some(ALLOCATION_BYTES),
        compression: gix::zlib::Compression::BEST_SPEED,
    };
    let lookup = repository.clone().objects;
    let mut reader = io::BufReader::with_capacity(64 << 10, file);
    let written = pack::Bundle::write_to_directory(
        &mut reader,
        Some(&folder),
        &mut Discard,
        interrupt,
        Some(lookup),
        format,
        options,
    )
    .inspect_err(|error| {
        let disk = error.iter_errors().find_map(|error| {
            let error = error.downcast_ref::<io::Error>()?;
            is_of_disk(error).then(|| io::Error::new(error.kind(), error.to_string()))
        });
        if let Some(disk) = disk {
            bounds.trouble.note(Cause::Disk(disk));
        }
    })?;
    if let Some(keep) = written.keep_path {
        // Meant to hold off `git gc`, which is not run here.
        fs_err::remove_file(keep).map_err(gix::Error::from_error)?;
    }
    Ok(())
}

/// Whether an error says that there is no room for what is to be written, or that it may not be.
fn is_of_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::PermissionDenied
    )
}

/// What both sides have in common.
struct Negotiation<'a, 'b, 'c> {
    repository: &'a gix::Repository,
    objects: &'a Lenient,
    graph: &'a mut Graph<'b, 'c>,
    ref_map: &'a RefMap,
    negotiator: Box<dyn Negotiator>,
}

impl Negotiate for Negotiation<'_, '_, '_> {
    fn mark_complete_and_common_ref(&mut self) -> Result<negotiate::Action, gix::Error> {
        let no_alternates = || Ok(std::iter::empty::<(gix::RefStore, gix::OdbHandle)>());
        negotiate::mark_complete_and_common_ref(
            self.objects,
            &self.repository.refs,
            no_alternates,
            &mut *self.negotiator,
            &mut *self.graph,
            self.ref_map,
            &Shallow::NoChange,
            negotiate::make_refmapping_ignore_predicate(Tags::None, self.ref_map),
        )
    }

    fn add_wants(&mut self, arguments: &mut Arguments, known: &[bool]) -> bool {
        negotiate::add_wants(
            self.objects,
            arguments,
            self.ref_map,
            known,
            &Shallow::NoChange,
            negotiate::make_refmapping_ignore_predicate(Tags::None, self.ref_map),
        )
    }

    fn one_round(
        &mut self,
        state: &mut negotiate::one_round::State,
        arguments: &mut Arguments,
        previous: Option<&Response>,
    ) -> Result<(negotiate::Round, bool), gix::Error> {
        negotiate::one_round(
            &mut *self.negotiator,
            &mut *self.graph,
            state,
            arguments,
            previous,
        )
    }
}
