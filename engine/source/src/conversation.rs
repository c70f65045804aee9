//! One conversation with a remote: what it has, and the pack of what is missing.
//!
//! The steps are those of gix's own fetch, without its last one: gix would write references one by one, with the rules
//! of a working copy (no forced update of what is checked out, no pruning). The mirror writes them itself, all at once.

use gix::hash::Kind;
use gix::negotiate::{Algorithm, Graph, Negotiator};
use gix::odb::pack;
use gix::progress::Discard;
use gix::protocol::fetch::{self, Arguments, Negotiate, RefMap, Response, Shallow, Tags, negotiate, refmap};
use gix::protocol::transport::Service;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::{Handshake, SendFlushOnDrop};
use gix::refspec::parse::Operation;

use crate::offer::Offer;
use crate::watch::Watch;

/// What is wanted of a remote. The right side only says where the mirror keeps it.
const WANTED: [&str; 3] = ["HEAD", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
/// No single object of a repository of manifests is larger; what a hostile delta claims to become is refused first.
const OBJECT_BYTES: usize = 512 << 20;

/// How a conversation went.
pub(crate) enum Conversation {
    /// All that the remote offers is there.
    Fetched(Offer),
    /// The remote names objects in another way than this repository.
    OtherFormat(Kind),
}

/// Asks the remote what it has and receives what is missing. No reference is written.
pub(crate) fn converse<T: Transport>(
    repository: &gix::Repository,
    transport: T,
    watch: &Watch,
) -> Result<Conversation, gix::Error> {
    // Says goodbye however this ends, so that a server's process does not wait.
    let mut transport = SendFlushOnDrop::new(transport, false);
    // Credentials were given to the transport; nobody is to be asked for others.
    let authenticate = |_| Ok(None);
    let mut handshake = gix::protocol::handshake(
        &mut transport.inner,
        Service::UploadPack,
        authenticate,
        Vec::new(),
        &mut Discard,
    )?;
    let context = refmap::init::Context {
        fetch_refspecs: wanted()?,
        extra_refspecs: Vec::new(),
    };
    let ref_map = handshake
        .prepare_lsrefs_or_extract_refmap(user_agent(), true, context)?
        .fetch_blocking(Discard, &mut transport.inner, false)?;
    if ref_map.object_hash != repository.object_hash() {
        return Ok(Conversation::OtherFormat(ref_map.object_hash));
    }
    let offer = Offer::read(&ref_map.remote_refs);
    receive(repository, &mut handshake, &mut transport.inner, &ref_map, watch)?;
    Ok(Conversation::Fetched(offer))
}

fn wanted() -> Result<Vec<gix::refspec::RefSpec>, gix::Error> {
    let parse = |spec: &str| gix::refspec::parse(spec.into(), Operation::Fetch).map(|spec| spec.to_owned());
    WANTED.into_iter().map(parse).collect()
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
    watch: &Watch,
) -> Result<(), gix::Error> {
    let quiet = {
        let mut quiet = repository.clone();
        // Most of what is asked for is not there; looking for new packs each time would be slow.
        quiet.objects.refresh_never();
        quiet
    };
    let mut graph = quiet.revision_graph(None);
    let mut negotiation = Negotiation {
        repository: &quiet,
        graph: &mut graph,
        ref_map,
        negotiator: Algorithm::Consecutive.into_negotiator(),
    };
    let write =
        |reader: &mut dyn std::io::BufRead, progress: &mut dyn gix::DynNestedProgress, interrupt: &_| {
            let options = pack::bundle::write::Options {
                thread_limit: None,
                index_version: pack::index::Version::V2,
                iteration_mode: pack::data::input::Mode::Verify,
                alloc_limit_bytes: Some(OBJECT_BYTES),
                compression: gix::zlib::Compression::BEST_SPEED,
            };
            let folder = repository.objects.store_ref().path().join("pack");
            let lookup = repository.clone().objects;
            let format = repository.object_hash();
            let written = pack::Bundle::write_to_directory(
                reader,
                Some(&folder),
                progress,
                interrupt,
                Some(lookup),
                format,
                options,
            )?;
            if let Some(keep) = written.keep_path {
                // Meant to hold off `git gc`, which nobody runs here.
                fs_err::remove_file(keep).map_err(gix::Error::from_error)?;
            }
            Ok(true)
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
        watch.interrupt(),
        context,
        options,
    )?;
    Ok(())
}

/// What both sides have in common.
struct Negotiation<'a, 'b, 'c> {
    repository: &'a gix::Repository,
    graph: &'a mut Graph<'b, 'c>,
    ref_map: &'a RefMap,
    negotiator: Box<dyn Negotiator>,
}

impl Negotiate for Negotiation<'_, '_, '_> {
    fn mark_complete_and_common_ref(&mut self) -> Result<negotiate::Action, gix::Error> {
        let no_alternates = || Ok(std::iter::empty::<(gix::RefStore, gix::OdbHandle)>());
        negotiate::mark_complete_and_common_ref(
            &self.repository.objects,
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
            &self.repository.objects,
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
