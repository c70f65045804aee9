//! What was verified, and on which grounds, so that a commit is verified once.
//!
//! Plain data: the controller keeps it, a ConfigMap for one. An entry says that a commit or tag was
//! found trusted at some moment, by which entry of the keyring, as it was then, and by which policy. It counts as long as
//! these are the same; where a key has changed, only what that key signed is judged again, by the key as it is now and as
//! of the moment when it was verified first: a key that has expired since invalidates nothing, one that was revoked does.
//!
//! Who can write a ledger can make a commit trusted, as with the last trusted revision itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_model::trust::Signer;

use crate::error::VerifyError;
use crate::keyring::Keyring;
use crate::policy::Policy;

/// What [`Ledger::to_json`] may have at most: a ConfigMap has room for 1 MiB, and is more than its data.
const BYTES: usize = 900 << 10;
/// More signers than this have no grounds of their own; only authorities for SSH certificates have that many.
const GROUNDS: usize = 1_500;
const VERSION: u32 = 1;

/// What was verified, and on which grounds.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    written: Written,
    /// Ground and time of each commit.
    entries: HashMap<String, (usize, Timestamp)>,
}

impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    version: u32,
    grounds: Vec<Ground>,
    /// Oldest first.
    runs: Vec<Run>,
    /// How many grounds had to be dropped for want of room: what depended on them is not known any more.
    #[serde(default)]
    dropped: u64,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            version: VERSION,
            grounds: Vec::new(),
            runs: Vec::new(),
            dropped: 0,
        }
    }
}

/// What an entry rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ground {
    /// The entry of the keyring.
    key: String,
    /// The digest of that entry.
    digest: String,
    /// The digest of the policy, as far as it is about signatures.
    policy: String,
    /// Who signed.
    signer: Signer,
    /// How many commits rested on it that had to be dropped for want of room.
    #[serde(default)]
    older: u64,
}

/// Commits that were verified one after the other on one ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    at: Timestamp,
    ground: usize,
    ids: Vec<String>,
}

/// Something that was verified, to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) signer: Signer,
}

/// What a ledger knows of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    pub(crate) at: Timestamp,
    pub(crate) key: &'a str,
    pub(crate) signer: &'a Signer,
    ground: usize,
}

/// What rests on one key of the keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependence {
    /// The fingerprint of the key, as the keyring lists it.
    pub key: String,
    /// Who signed with it.
    pub signer: Signer,
    /// Why what rests on it does not stand any more; none where it does.
    pub broken: Option<Broken>,
    /// How many commits and tags.
    pub commits: u64,
    /// The newest of them that is remembered by name.
    pub newest: Option<String>,
}

/// Why what rests on a key does not stand any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The key was revoked; how and why.
    Revoked(String),
    /// The keyring does not have it any more.
    Vanished,
    /// The key is another version of itself: extended, with another subkey or user ID. What rests on it is judged again.
    Changed,
    /// The policy asks for something else. What rests on it is judged again.
    Policy,
}

impl Ledger {
    /// Reads what [`Ledger::to_json`] wrote.
    ///
    /// # Errors
    /// [`VerifyError::Ledger`]; going on with an empty one costs time and nothing else.
    pub fn from_json(text: &str) -> Result<Self, VerifyError> {
        let unreadable = |detail: String| VerifyError::Ledger { detail };
        let written: Written = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if written.version != VERSION {
            return Err(unreadable(format!("its version is {}", written.version)));
        }
        if written.runs.iter().any(|run| run.ground >= written.grounds.len()) {
            return Err(unreadable("an entry rests on nothing".to_owned()));
        }
        let mut ledger = Self {
            written,
            ..Self::default()
        };
        ledger.index();
        Ok(ledger)
    }

    /// At most 900 KiB, in one order for the same content.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.written).expect("plain data can be written as JSON")
    }

    /// How many commits and tags it remembers by name.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it remembers nothing.
    pub fn is_empty(&self) -> bool {
        self.written.grounds.is_empty()
    }

    /// What rests on which key, and whether it still stands before this keyring and policy: one entry a key, sorted.
    /// What rests on a key that vanished or was revoked has to be judged again before it counts.
    pub fn review(&self, keyring: &Keyring, policy: &Policy, now: Timestamp) -> Vec<Dependence> {
        let policy = policy.signature_digest();
        let mut by_key: BTreeMap<(&str, &str), Dependence> = BTreeMap::new();
        for (number, ground) in self.written.grounds.iter().enumerate() {
            let runs = self.written.runs.iter().filter(|run| run.ground == number);
            let mut commits = ground.older;
            let mut newest = None;
            for run in runs {
                commits += run.ids.len() as u64;
                newest = run.ids.last().cloned().or(newest);
            }
            let found = by_key
                .entry((&ground.key, &ground.signer.fingerprint))
                .or_insert_with(|| Dependence {
                    key: ground.key.clone(),
                    signer: ground.signer.clone(),
                    broken: None,
                    commits: 0,
                    newest: None,
                });
            found.commits += commits;
            found.newest = newest.or_else(|| found.newest.take());
            if commits > 0 && found.broken.is_none() {
                found.broken = ground.broken(keyring, &policy, now);
            }
        }
        by_key.into_values().collect()
    }

    /// Whether something rested on a ground that had to be dropped, so that [`Ledger::review`] is not the whole truth.
    pub fn has_dropped(&self) -> bool {
        self.written.dropped > 0
    }

    /// Forgets what does not stand before this keyring and policy: for when the whole history was verified again, which
    /// puts every commit of it on grounds that do.
    pub fn forget_broken(&mut self, keyring: &Keyring, policy: &Policy, now: Timestamp) {
        let policy = policy.signature_digest();
        let stands: Vec<bool> = self
            .written
            .grounds
            .iter()
            .map(|ground| ground.broken(keyring, &policy, now).is_none())
            .collect();
        self.keep(&stands);
    }

    pub(crate) fn get(&self, id: &str) -> Option<Known<'_>> {
        let (ground, at) = self.entries.get(id)?;
        let known = self.written.grounds.get(*ground)?;
        Some(Known {
            at: *at,
            key: &known.key,
            signer: &known.signer,
            ground: *ground,
        })
    }

    /// For each ground, whether it stands before this keyring and policy as it is.
    pub(crate) fn standing(&self, keyring: &Keyring, policy: &Policy) -> Standing {
        let policy = policy.signature_digest();
        let grounds = self.written.grounds.iter();
        Standing(grounds.map(|ground| ground.is_same(keyring, &policy)).collect())
    }

    /// Remembers, oldest first. What it knew of the same commits is replaced; what is oldest is dropped for want of room.
    pub(crate) fn record(&mut self, entries: Vec<Entry>, keyring: &Keyring, policy: &Policy, at: Timestamp) {
        let policy = policy.signature_digest();
        let mut digests: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut placed = Vec::with_capacity(entries.len());
        for Entry { id, key, signer } in entries {
            let digest = digests
                .entry(key.clone())
                .or_insert_with(|| keyring.entry_digest(&key));
            let Some(digest) = digest.clone() else { continue };
            let ground = self.place(Ground {
                key,
                digest,
                policy: policy.clone(),
                signer,
                older: 0,
            });
            // What is verified again keeps the moment of the first time.
            match self.entries.get(&id) {
                Some((known, _)) if *known == ground => {}
                Some((_, first)) => placed.push((id, ground, *first)),
                None => placed.push((id, ground, at)),
            }
        }
        let moved: HashSet<&str> = placed.iter().map(|(id, ..)| id.as_str()).collect();
        for run in &mut self.written.runs {
            run.ids.retain(|id| !moved.contains(id.as_str()));
        }
        for (id, ground, at) in placed {
            match self.written.runs.last_mut() {
                Some(run) if run.ground == ground && run.at == at => run.ids.push(id),
                Some(_) | None => self.written.runs.push(Run {
                    at,
                    ground,
                    ids: vec![id],
                }),
            }
        }
        self.shrink();
    }

    fn place(&mut self, ground: Ground) -> usize {
        let known = self.written.grounds.iter().position(|known| known.is(&ground));
        known.unwrap_or_else(|| {
            self.written.grounds.push(ground);
            self.written.grounds.len() - 1
        })
    }

    /// Drops what there is no room for, and what nothing rests on.
    fn shrink(&mut self) {
        let grounds: usize = self.written.grounds.iter().map(Ground::bytes).sum();
        let runs = self.written.runs.iter();
        let mut surplus = (grounds + runs.map(Run::bytes).sum::<usize>()).saturating_sub(BYTES);
        for run in &mut self.written.runs {
            let mut count = 0;
            for id in &run.ids {
                if surplus == 0 {
                    break;
                }
                surplus = surplus.saturating_sub(id_bytes(id));
                count += 1;
            }
            run.ids.drain(..count);
            if let Some(ground) = self.written.grounds.get_mut(run.ground) {
                ground.older += count as u64;
            }
        }
        self.written.runs.retain(|run| !run.ids.is_empty());
        let mut stands: Vec<bool> = self
            .written
            .grounds
            .iter()
            .map(|ground| ground.older > 0)
            .collect();
        for run in &self.written.runs {
            if let Some(stands) = stands.get_mut(run.ground) {
                *stands = true;
            }
        }
        let count = stands.iter().filter(|stands| **stands).count();
        let surplus = count.saturating_sub(GROUNDS);
        self.written.dropped += surplus as u64;
        for stands in stands.iter_mut().filter(|stands| **stands).take(surplus) {
            *stands = false;
        }
        self.keep(&stands);
    }

    fn keep(&mut self, stands: &[bool]) {
        let mut numbers = Vec::with_capacity(stands.len());
        let mut next = 0;
        for stands in stands {
            numbers.push(stands.then_some(next));
            next += usize::from(*stands);
        }
        let number = |old: usize| numbers.get(old).copied().flatten();
        let mut at = 0;
        self.written.grounds.retain(|_| {
            at += 1;
            number(at - 1).is_some()
        });
        self.written.runs.retain_mut(|run| match number(run.ground) {
            Some(ground) => {
                run.ground = ground;
                true
            }
            None => false,
        });
        self.index();
    }

    fn index(&mut self) {
        let runs = self.written.runs.iter();
        self.entries = runs
            .flat_map(|run| run.ids.iter().map(|id| (id.clone(), (run.ground, run.at))))
            .collect();
    }
}

/// Which grounds stand as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Vec<bool>);

impl Standing {
    pub(crate) fn stands(&self, known: &Known<'_>) -> bool {
        self.0.get(known.ground).copied().unwrap_or_default()
    }
}

impl Ground {
    fn is_same(&self, keyring: &Keyring, policy: &str) -> bool {
        self.policy == policy && keyring.entry_digest(&self.key).as_deref() == Some(&self.digest)
    }

    fn broken(&self, keyring: &Keyring, policy: &str, now: Timestamp) -> Option<Broken> {
        if let Some(revocation) = keyring.revocation(&self.key, now) {
            return Some(Broken::Revoked(revocation));
        }
        match keyring.entry_digest(&self.key) {
            None => Some(Broken::Vanished),
            Some(digest) if digest != self.digest => Some(Broken::Changed),
            Some(_) => (self.policy != policy).then_some(Broken::Policy),
        }
    }

    fn is(&self, other: &Ground) -> bool {
        (&self.key, &self.digest, &self.policy, &self.signer)
            == (&other.key, &other.digest, &other.policy, &other.signer)
    }

    /// About as many as it has as JSON.
    fn bytes(&self) -> usize {
        let user_id = self.signer.user_id.as_ref().map_or(4, String::len);
        160 + self.key.len()
            + self.digest.len()
            + self.policy.len()
            + self.signer.fingerprint.len()
            + 2 * user_id
    }
}

impl Run {
    fn bytes(&self) -> usize {
        80 + self.ids.iter().map(|id| id_bytes(id)).sum::<usize>()
    }
}

/// Quotes and a comma.
fn id_bytes(id: &str) -> usize {
    id.len() + 3
}
