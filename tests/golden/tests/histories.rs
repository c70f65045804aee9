//! Every history under `histories/`, each against its snapshot.

use sluice_golden::history;

#[test]
fn histories() {
    insta::glob!("../histories", "*.yaml", |path| {
        #[expect(clippy::disallowed_methods, reason = "a path that the test found itself")]
        let text = std::fs::read_to_string(path).unwrap();
        let history: history::History =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(history::run(&history));
        });
    });
}
