//! A few seconds' worth of files; `tests/yaml/README.md` has the command for more.

/// Another seed than the command's, so that both together see more.
const SEED: u64 = 20_261_129;
const FILES: usize = 5_000;

#[test]
fn nothing_is_read_otherwise_than_by_kubectl() {
    let report = sluice_yaml_tests::run(SEED, FILES).unwrap();
    let findings: Vec<String> = report
        .findings
        .iter()
        .take(5)
        .map(|(what, file)| format!("{what}\n{file:?}"))
        .collect();
    assert!(findings.is_empty(), "{report}\n{}", findings.join("\n"));
    // The files are worth something: many are read, and many are not.
    assert!(report.same > FILES / 5 && report.refused > FILES / 10, "{report}");
}
