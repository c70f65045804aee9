//! OpenSSH's client: how it is called, and what it says when it fails.
//!
//! Everything that matters stands on its command line, so that no configuration file can say otherwise. Secrets do not: a
//! command line can be read by everybody on the machine. It is asked to be talkative, because it tells the fingerprint of a
//! host key that it does not know to those only.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

use super::process::{last_lines, upload_pack_trouble};
use super::{Cause, Stranger};
use crate::access::{Access, Credentials, KnownHosts};
use crate::address::{Address, Destination};
use crate::error::SourceError;

/// What its talk begins with.
const TALK: [&str; 5] = [
    "debug1:",
    "Authenticated to ",
    "Authenticated using ",
    "Transferred: sent ",
    "Bytes per second: sent ",
];
const SHOWN_KEY: &str = "debug1: Server host key:";

/// What a running `ssh` needs, and what has to be known to understand it.
pub(super) struct Ssh {
    /// As `known_hosts` has it.
    place: String,
    known_hosts: Option<std::path::PathBuf>,
    _files: Vec<NamedTempFile>,
}

/// Whether a line says how `ssh` fares, and not what went wrong.
pub(super) fn is_talk(line: &str) -> bool {
    TALK.iter().any(|talk| line.starts_with(talk))
}

/// `ssh` that runs Git's server on the other side.
pub(super) fn command(
    address: &Address,
    destination: &Destination,
    access: &Access,
) -> Result<(Command, Ssh), SourceError> {
    let unusable = |reason: &str| SourceError::Setting {
        url: address.to_string(),
        reason: reason.to_owned(),
    };
    let temporary = |source: io::Error| SourceError::Cache {
        path: std::env::temp_dir(),
        source: source.into(),
    };
    if access.proxy.is_some() {
        return Err(unusable(
            "a proxy is of no use over SSH: leave it out, or use https",
        ));
    }
    if access.client_identity.is_some() {
        return Err(unusable(
            "a TLS client certificate is of no use over SSH: use an SSH key",
        ));
    }
    let mut command = Command::new("ssh");
    for option in [
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "UpdateHostKeys=no",
        "ForwardAgent=no",
        "PermitLocalCommand=no",
        "ConnectTimeout=30",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
        "SendEnv=GIT_PROTOCOL",
        "LogLevel=DEBUG1",
    ] {
        command.arg("-o").arg(option);
    }
    command.arg("-T").arg("-x");
    let mut files = Vec::new();
    let known_hosts = match &access.known_hosts {
        KnownHosts::User => None,
        KnownHosts::File(file) => {
            // `ssh` would say no more than that it knows no key.
            fs_err::File::open(file)
                .map_err(|error| unusable(&format!("the file of known hosts cannot be read: {error}")))?;
            Some(file.clone())
        }
        KnownHosts::Lines(lines) => {
            let file = private_file("sluice-hosts-", lines).map_err(temporary)?;
            let path = file.path().to_owned();
            files.push(file);
            Some(path)
        }
    };
    if let Some(file) = &known_hosts {
        // `ssh` splits the value at blanks and expands `%` in it.
        let file = file.to_string_lossy().replace('%', "%%");
        command
            .arg("-o")
            .arg(format!("UserKnownHostsFile=\"{file}\""))
            .arg("-o")
            .arg("GlobalKnownHostsFile=/dev/null");
    }
    match &access.credentials {
        Credentials::None => {}
        Credentials::SshKey(key) => {
            let file = private_file("sluice-key-", key.expose()).map_err(temporary)?;
            command.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i"]);
            command.arg(file.path());
            files.push(file);
        }
        Credentials::Basic { .. } | Credentials::Bearer(_) => {
            return Err(unusable(
                "a password or token is of no use over SSH: use an SSH key",
            ));
        }
    }
    if let Some(port) = destination.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &destination.user {
        command.arg("-l").arg(user);
    }
    let path = destination.path.to_string();
    let quoted = path.replace('\'', r"'\''").replace('!', r"'\!'");
    command
        .arg("--")
        .arg(&destination.host)
        .arg(format!("git-upload-pack '{quoted}'"));
    let place = match destination.port {
        None | Some(22) => destination.host.clone(),
        Some(port) => format!("[{}]:{port}", destination.host),
    };
    let ssh = Ssh {
        place,
        known_hosts,
        _files: files,
    };
    Ok((command, ssh))
}

/// A file that only this user may read, as `ssh` demands, and that goes with the fetch.
fn private_file(prefix: &str, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(prefix).tempfile()?;
    file.write_all(content)?;
    if !content.ends_with(b"\n") {
        // Lost when a key goes through a Secret by hand; `ssh` calls the key invalid without it.
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(file)
}

impl Ssh {
    /// What its last words mean, if anything.
    pub(super) fn trouble(&self, stderr: &str) -> Option<Cause> {
        let text = last_lines(stderr);
        let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        if has(&[
            "Host key verification failed",
            "REMOTE HOST IDENTIFICATION HAS CHANGED",
            "No matching host key",
        ]) {
            return Some(Cause::HostKey(Stranger {
                seen: seen(stderr),
                wanted: self.wanted(),
                detail: text,
            }));
        }
        if has(&[
            "Permission denied",
            "Too many authentication failures",
            "Load key",
            "invalid format",
        ]) {
            return Some(Cause::Authentication(text));
        }
        if has(&[
            "Could not resolve",
            "Connection refused",
            "timed out",
            "No route to host",
            "Network is unreachable",
        ]) {
            return Some(Cause::Unreachable(text));
        }
        upload_pack_trouble(stderr).or_else(|| {
            has(&["Connection closed", "Connection reset", "kex_exchange"])
                .then_some(Cause::Unreachable(text))
        })
    }

    /// The fingerprints that are known for the host. `ssh-keygen` reads what `ssh` reads, hashed names too.
    fn wanted(&self) -> Vec<String> {
        let mut command = Command::new("ssh-keygen");
        command.args(["-l", "-F", &self.place]).stdin(Stdio::null());
        if let Some(file) = &self.known_hosts {
            command.arg("-f").arg(file);
        }
        let Ok(output) = command.output() else {
            return Vec::new();
        };
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut words = line.split_whitespace().skip(1);
                Some(format!("{} {}", words.next()?, words.next()?))
            })
            .collect()
    }
}

/// The fingerprint that the host showed.
fn seen(stderr: &str) -> Option<String> {
    let line = stderr.lines().find_map(|line| line.strip_prefix(SHOWN_KEY))?;
    Some(line.trim().replace(char::is_control, " "))
}
