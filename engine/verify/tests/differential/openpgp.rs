//! OpenPGP, beside gpg.

use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use sequoia::packet::signature::subpacket::SubpacketTag;
use sequoia::parse::Parse as _;
use sequoia::serialize::Serialize as _;
use sequoia::types::SignatureType;
use sequoia_openpgp as sequoia;
use sluice_model::trust::{SignedObject, Verdict};
use sluice_sandbox::{GnuPg, output};
use sluice_verify::{Keyring, Policy, ValidAt, Verifier, WeakAlgorithm};

use crate::bench::{Bench, commit, tag};
use crate::keys::{Case, edit, last_subkey, openpgp_cases, program, revoke};
use crate::mutations::mutations;

/// A commit and a tag of each case, signed before what was to be revoked was, as it happens in life.
fn signed(home: &GnuPg, cases: &[Case]) -> Vec<[SignedObject; 2]> {
    let bench = Bench::new(&[]);
    let objects = cases.iter().map(|case| {
        let program = program(&bench.folder, home, case.time, case.extra);
        let configure = |command: &mut Command| {
            command
                .arg("-c")
                .arg(format!("gpg.program={}", program.display()));
            command
                .arg("-c")
                .arg(format!("user.signingKey={}!", case.signing));
        };
        [
            commit(&bench, configure),
            tag(&bench, &case.name.replace(' ', "-"), configure),
        ]
    });
    objects.collect()
}

fn known(home: &GnuPg, cases: &[Case]) -> Vec<u8> {
    let known = cases.iter().filter(|case| case.name != "unknown");
    let mut command = home.gpg();
    command.args(["--armor", "--export"]);
    output(command.args(known.map(|case| case.user.as_str())))
        .unwrap()
        .into_bytes()
}

#[test]
fn openpgp_verdicts_are_gits() {
    let home = GnuPg::new().unwrap();
    let cases = openpgp_cases(&home);
    let objects = signed(&home, &cases);
    revoke(&home, &cases);
    let bench = Bench::new(&[("keyring", known(&home, &cases))]);
    let mut all = Vec::new();
    for (case, objects) in cases.iter().zip(&objects) {
        for object in objects {
            let report = bench.ask_us(object);
            assert_eq!(report.verdict, case.expected, "{}: {}", case.name, report.message);
            if case.expected != Verdict::NoKey && case.expected != Verdict::Unsupported {
                let signer = report.signer.unwrap();
                assert_eq!(signer.fingerprint, case.user, "{}", case.name);
            }
            let mut changed = vec![object.bytes.clone()];
            let is_changed = ["ed25519", "subkey", "rsa2048", "nistp256", "expired"].contains(&case.name);
            if is_changed || case.name.starts_with("padding") {
                changed.extend(mutations(&object.bytes));
            }
            let changed = bench.write(object.kind, &changed).into_iter();
            all.extend(changed.map(|object| (case.name.to_owned(), object)));
        }
    }
    let seen = bench.compare_all(&all);
    println!("{} objects {seen:#?}", all.len());
    assert!(all.len() > 1_000, "{}", all.len());
    assert!(
        seen.contains_key("Good Trusted") && seen.contains_key("Bad BadSignature"),
        "{seen:?}"
    );
}

#[test]
fn the_time_that_counts_is_now_or_that_of_the_signature() {
    use Verdict::{ExpiredKey, RevokedKey, Trusted};
    let home = GnuPg::new().unwrap();
    let wanted = [
        "expired",
        "subkey-expired",
        "revoked",
        "subkey-revoked",
        "subkey-retired",
        "ed25519",
    ];
    let mut cases = openpgp_cases(&home);
    cases.retain(|case| wanted.contains(&case.name));
    let objects = signed(&home, &cases);
    // A revocation of the same second is one before.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    revoke(&home, &cases);
    let keyring = Keyring::from_bytes("keyring", &known(&home, &cases));
    let ask = |valid_at, now, object: &SignedObject| {
        let policy = Policy {
            valid_at,
            ..Policy::default()
        };
        Verifier::new(&keyring, &policy, now).object(object).verdict
    };
    let now = Timestamp::now() + SignedDuration::from_secs(10);
    for (case, [commit, _]) in cases.iter().zip(&objects) {
        // What was retired is good for what it signed before; what may have been stolen is not.
        let (at_signing, today) = match case.name {
            "expired" | "subkey-expired" => (Trusted, ExpiredKey),
            "revoked" | "subkey-revoked" => (RevokedKey, RevokedKey),
            "subkey-retired" => (Trusted, RevokedKey),
            _ => (Trusted, Trusted),
        };
        assert_eq!(ask(ValidAt::Signing, now, commit), at_signing, "{}", case.name);
        assert_eq!(ask(ValidAt::Now, now, commit), today, "{}", case.name);
    }
}

#[test]
fn a_weak_algorithm_is_allowed_by_its_name() {
    use WeakAlgorithm::{Dsa, Sha1, ShortRsa};
    let home = GnuPg::new().unwrap();
    let mut cases = openpgp_cases(&home);
    cases.retain(|case| ["sha1", "rsa1024", "dsa"].contains(&case.name));
    let keyring = Keyring::from_bytes("keyring", &known(&home, &cases));
    let bench = Bench::new(&[("keyring", known(&home, &cases))]);
    for (case, objects) in cases.iter().zip(signed(&home, &cases)) {
        let by_name = match case.name {
            "sha1" => Sha1,
            "rsa1024" => ShortRsa,
            _ => Dsa,
        };
        for allowed in WeakAlgorithm::ALL {
            let policy = Policy {
                allow_weak: [allowed].into(),
                ..Policy::default()
            };
            let verifier = Verifier::new(&keyring, &policy, Timestamp::now());
            for object in &objects {
                let report = verifier.object(object);
                let expected = match allowed == by_name {
                    true => Verdict::Trusted,
                    false => Verdict::WeakAlgorithm,
                };
                assert_eq!(report.verdict, expected, "{}: {}", case.name, report.message);
            }
            if allowed == by_name {
                bench.trusts_no_more_than_git(&verifier, &objects[0]);
            }
        }
    }
}

/// A key of an algorithm that can sign, whose owner has said since that it is not for that.
#[test]
fn a_key_is_for_what_its_owner_says() {
    let home = GnuPg::new().unwrap();
    let key = home.generate("Ada <ada@example.org>").unwrap();
    let signing = Bench::new(&[]);
    let object = commit(&signing, |command| {
        command.env("GNUPGHOME", home.path());
        command
            .arg("-c")
            .arg(format!("user.signingKey={}", key.fingerprint));
    });
    let before = Bench::new(&[("keyring", home.export(&key).unwrap().into_bytes())]);
    edit(&home, &key.fingerprint, "change-usage\nS\nQ\nsave\n");
    let after = Bench::new(&[("keyring", home.export(&key).unwrap().into_bytes())]);
    for (bench, expected) in [(before, Verdict::Trusted), (after, Verdict::BadSignature)] {
        let object = bench
            .write(object.kind, std::slice::from_ref(&object.bytes))
            .remove(0);
        let report = bench.ask_us(&object);
        assert_eq!(report.verdict, expected, "{}", report.message);
        bench.compare(&object, "usage").unwrap();
        if expected == Verdict::BadSignature {
            assert!(
                report.message.contains("not meant for signing"),
                "{}",
                report.message
            );
        }
    }
}

/// Anyone can put somebody else's signing key under their own certificate; only that key's own signature over it says
/// that it belongs there.
#[test]
fn a_subkey_needs_a_back_signature() {
    let home = GnuPg::new().unwrap();
    let key = home.generate("Ada <ada@example.org>").unwrap();
    let add = [
        "--passphrase",
        "",
        "--quick-add-key",
        &key.fingerprint,
        "ed25519",
        "sign",
        "never",
    ];
    output(home.gpg().args(add)).unwrap();
    let subkey = last_subkey(&home, &key.fingerprint);
    let armour = home.export(&key).unwrap();
    let mut bytes = Vec::new();
    for packet in sequoia::PacketPile::from_bytes(armour.as_bytes())
        .unwrap()
        .into_children()
    {
        let packet = match packet {
            sequoia::Packet::Signature(mut signature) if signature.typ() == SignatureType::SubkeyBinding => {
                let area = signature.unhashed_area_mut();
                assert!(area.subpacket(SubpacketTag::EmbeddedSignature).is_some());
                area.remove_all(SubpacketTag::EmbeddedSignature);
                sequoia::Packet::from(signature)
            }
            other => other,
        };
        packet.serialize(&mut bytes).unwrap();
    }
    let signing = Bench::new(&[]);
    let object = commit(&signing, |command| {
        command.env("GNUPGHOME", home.path());
        command.arg("-c").arg(format!("user.signingKey={subkey}!"));
    });
    let whole = Bench::new(&[("keyring", armour.into_bytes())]);
    let stripped = Bench::new(&[]);
    let imported = stripped.folder.write("stripped.gpg", &bytes).unwrap();
    output(stripped.gpg().arg("--import").arg(&imported)).unwrap();
    let stripped = stripped.with(Keyring::from_bytes("stripped", &bytes));
    for (bench, expected) in [(whole, Verdict::Trusted), (stripped, Verdict::BadSignature)] {
        let object = bench
            .write(object.kind, std::slice::from_ref(&object.bytes))
            .remove(0);
        let report = bench.ask_us(&object);
        assert_eq!(report.verdict, expected, "{}", report.message);
        bench.compare(&object, "back signature").unwrap();
    }
}
