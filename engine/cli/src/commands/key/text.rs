//! Keys as people read them.

use std::io::Write;

use jiff::Timestamp;
use sluice_model::trust::Verdict;
use sluice_verify::{KeyInfo, KeyKind, SubkeyInfo};

use crate::failure::Failure;
use crate::output::{BAD, Cell, GOOD, STRONG, plain, styled};

/// One key in a line of the list.
pub(super) fn row(entry: &KeyInfo) -> Vec<Cell> {
    let best = entry
        .keys
        .iter()
        .find(|key| key.verdict == Verdict::Trusted)
        .or(entry.keys.first());
    let until = best.and_then(|key| key.expires).map(day).unwrap_or_default();
    let verdict = best.map(|key| key.verdict).unwrap_or(Verdict::NoKey);
    let style = if verdict == Verdict::Trusted { GOOD } else { BAD };
    vec![
        (&entry.fingerprint).into(),
        kind(entry.kind).into(),
        entry.names.join(", ").into(),
        until.into(),
        Cell::new(word(verdict), style),
    ]
}

/// Everything about one key.
pub(super) fn describe(out: &mut impl Write, entry: &KeyInfo) -> Result<(), Failure> {
    let title = format!("{} {}", kind(entry.kind), entry.fingerprint);
    writeln!(out, "{}", styled(STRONG, title))?;
    for name in &entry.names {
        writeln!(out, "  {}", plain(name))?;
    }
    for key in &entry.keys {
        describe_key(out, entry, key)?;
    }
    writeln!(out, "  digest {}", entry.digest)?;
    Ok(())
}

fn describe_key(out: &mut impl Write, entry: &KeyInfo, key: &SubkeyInfo) -> Result<(), Failure> {
    let name = match (entry.kind, key.fingerprint == entry.fingerprint) {
        (KeyKind::Openpgp, true) => "primary key".to_owned(),
        (KeyKind::Openpgp, false) => format!("subkey {}", key.fingerprint),
        (KeyKind::Ssh | KeyKind::SshAuthority, _) => "key".to_owned(),
    };
    let mut facts = vec![key.algorithm.clone()];
    if let Some(created) = key.created {
        let word = if entry.kind == KeyKind::Openpgp {
            "made"
        } else {
            "valid from"
        };
        facts.push(format!("{word} {}", day(created)));
    }
    if let Some(expires) = key.expires {
        facts.push(format!("until {}", day(expires)));
    }
    let style = if key.verdict == Verdict::Trusted {
        GOOD
    } else {
        BAD
    };
    let reason = match key.message.as_str() {
        "" => String::new(),
        message => format!(": {}", plain(message)),
    };
    let facts = facts.join(", ");
    writeln!(
        out,
        "  {name}: {facts}; {}{reason}",
        styled(style, word(key.verdict))
    )?;
    Ok(())
}

fn kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Openpgp => "openpgp",
        KeyKind::Ssh => "ssh",
        KeyKind::SshAuthority => "ssh-authority",
    }
}

fn word(verdict: Verdict) -> String {
    let word = serde_json::to_value(verdict).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
