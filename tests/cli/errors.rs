//! `engine/ERRORS.md` lists every code of every crate; this keeps it true.
//!
//! `UPDATE_ERRORS=1 cargo test --release -p sluice --test cli errors` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use sluice_model::{ErrorCode, ExitKind};

/// The crates in the order of the data's way, with what a reader calls them.
fn crates() -> Vec<(&'static str, &'static [&'static ErrorCode])> {
    vec![
        ("Source: Git repositories", sluice_source::codes::ALL),
        ("Source: charts and artifacts", sluice_charts::codes::ALL),
        ("Verify: signatures and trust", sluice_verify::codes::ALL),
        ("Decryption: files encrypted with SOPS", sluice_sops::codes::ALL),
        ("Render: manifests", sluice_render::codes::ALL),
        ("Apply: executing a plan", sluice_apply::codes::ALL),
        ("Observe: watching the cluster", sluice_observe::codes::ALL),
        ("Plugins", sluice_plugin_host::codes::ALL),
        ("Applications", sluice_pipeline::codes::ALL),
        ("Operations", sluice_reconcile::codes::ALL),
        ("Requests of a person", sluice_operations::codes::ALL),
        ("The cluster", sluice_cluster::codes::ALL),
        ("The command line", sluice_cli::codes::ALL),
    ]
}

fn expected() -> String {
    let mut text = String::from(
        "# Error codes\n\nEvery failure has a code that never changes its meaning, and a hint. The exit code is that of `sluice`; in the \
         cluster the\nsame code is the reason of a condition of the Application.\n\nGenerated from the crates by `tests/cli/errors.rs`; do not edit.\n",
    );
    for (title, codes) in crates() {
        let _infallible = write!(
            text,
            "\n## {title}\n\n| code | what it means | what to do | exit |\n|---|---|---|---|\n"
        );
        let mut codes = codes.to_vec();
        codes.sort_by_key(|code| code.id);
        for code in codes {
            let cell = |text: &str| text.replace('|', "\\|");
            let _infallible = writeln!(
                text,
                "| {} | {} | {} | {} |",
                code.id,
                cell(code.summary),
                cell(code.hint),
                code.exit as u8
            );
        }
    }
    text
}

#[test]
fn the_list_of_codes_is_complete() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ERRORS.md");
    if std::env::var_os("UPDATE_ERRORS").is_some() {
        fs_err::write(&path, expected()).unwrap();
    }
    let listed = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        listed == expected(),
        "engine/ERRORS.md is not what the crates say; see the head of this test's file"
    );
}

#[test]
fn a_code_means_one_thing() {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (title, codes) in crates() {
        for code in codes {
            if let Some(other) = seen.insert(code.id, title) {
                panic!("{} is in {title} and in {other}", code.id);
            }
            let (letter, number) = code.id.split_at(1);
            assert!("SVERCLAOPKU".contains(letter) && number.len() == 2, "{}", code.id);
            assert!(number.parse::<u8>().is_ok(), "{}", code.id);
            for text in [code.summary, code.hint] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", code.id);
                let first = text.split_whitespace().next().unwrap();
                let is_name = first.starts_with('`')
                    || first.chars().filter(|letter| letter.is_uppercase()).count() > 1;
                let is_name = is_name || ["Git", "Sluice", "Kubernetes", "Helm"].contains(&first);
                assert!(
                    is_name || first.starts_with(char::is_lowercase),
                    "{}: {text}",
                    code.id
                );
            }
            assert!(code.exit != ExitKind::Success, "{}", code.id);
        }
    }
}
