//! `sluice plugin test`: golden cases, judged by the component itself.

use std::path::Path;

use serde_json::Value;

use crate::program::{folder, run, text};

/// Those with cases of their own: what is said of them natively is in the same folder, so both say the same.
const STANDARD: &[&str] = &[
    "health-cel",
    "health-kstatus",
    "health-kubernetes",
    "health-lua",
    "prune-blast-radius",
    "prune-standard",
    "sync-argocd",
    "sync-standard",
];

#[test]
fn the_standard_plugins_say_the_same_as_components() {
    let mut cases = 0;
    for plugin in STANDARD {
        let folder = folder().join("../../plugins").join(plugin).join("tests/cases");
        let output = run(&[
            "plugin",
            "test",
            plugin,
            "--cases",
            &folder.display().to_string(),
            "-o",
            "json",
        ]);
        let printed = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{plugin}: {printed}{}",
            text(&output.stderr)
        );
        cases += printed.lines().count();
    }
    assert!(cases > 40, "{cases}");
}

/// A plugin's file, and a folder for its cases.
fn example(place: &Path) -> (String, String) {
    let built = folder().join("../../target/plugins/examples/health-plugin.wasm");
    let case = place.join("cases/first");
    fs_err::create_dir_all(&case).unwrap();
    let input = "apiVersion: example.com/v1\nkind: Database\nmetadata: {name: a}\nstatus: {phase: Ready}\n---\n\
                 apiVersion: example.com/v1\nkind: Database\nmetadata: {name: b}\nstatus: {phase: Broken}\n";
    fs_err::write(case.join("input.yaml"), input).unwrap();
    (
        built.display().to_string(),
        place.join("cases").display().to_string(),
    )
}

#[test]
fn what_is_said_is_written_and_compared() {
    let place = tempfile::tempdir().unwrap();
    let (plugin, cases) = example(place.path());
    let junit = place.path().join("report.xml").display().to_string();
    let test = |more: &[&str]| {
        let output = run(&[&["plugin", "test", &plugin, "--cases", &cases], more].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, printed, _) = test(&[]);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("FAILED  first") && printed.contains("`--update` writes it"),
        "{printed}"
    );
    let (code, printed, _) = test(&["--update"]);
    assert!(code == Some(0) && printed.contains("updated first"), "{printed}");
    let (code, printed, said) = test(&[]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{printed}");

    // Something else is expected of the second.
    let path = place.path().join("cases/first/expected.json");
    let mut expected: Vec<Value> = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(expected.len(), 2);
    expected[1] = "another".into();
    fs_err::write(&path, Value::Array(expected).to_string()).unwrap();
    let (code, printed, _) = test(&["--junit", &junit]);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("- ") && printed.contains("\"another\""),
        "{printed}"
    );
    let report = fs_err::read_to_string(junit).unwrap();
    assert!(
        report.contains("tests=\"1\" failures=\"1\"") && report.contains("&quot;another&quot;"),
        "{report}"
    );
}

#[test]
fn what_is_no_case_is_told_with_its_place() {
    let place = tempfile::tempdir().unwrap();
    let (plugin, cases) = example(place.path());
    let refused = |code: i32, words: &[&str]| {
        let output = run(&["plugin", "test", &plugin, "--cases", &cases]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    let case = place.path().join("cases/first");
    let write = |file: &str, content: &str| fs_err::write(case.join(file), content).unwrap();
    write("settings.json", "[1]");
    refused(3, &["U29", "settings.json"]);
    write("settings.json", "{}");
    write("now", "yesterday");
    refused(3, &["U29", "now"]);
    write("now", "12\n");
    write("input.yaml", "a: b\n");
    refused(3, &["U29", "input.yaml", "document 1"]);
    write("input.yaml", "a: [b\n");
    refused(3, &["U29", "input.yaml"]);
    fs_err::remove_file(case.join("input.yaml")).unwrap();
    refused(3, &["U01", "input.yaml"]);
    fs_err::remove_dir_all(&case).unwrap();
    refused(3, &["U29", "cases"]);
}
