//! Ranges mean what they mean to Helm: `ranges.txt` has the answers of Masterminds/semver v3.5.0, one digit for each version of its first line.

use sluice_charts::Constraint;
use sluice_charts::version::Version;

#[test]
fn ranges_are_those_of_helm() {
    let table = include_str!("ranges.txt");
    let mut lines = table.lines();
    let versions = lines.next().unwrap().strip_prefix("# versions: ").unwrap();
    let versions: Vec<&str> = versions.split(' ').collect();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for line in lines {
        let (range, expected) = line.split_once('\t').unwrap();
        let range: String = serde_json::from_str(range).unwrap();
        let answer = match Constraint::read(&range) {
            Err(_) => "error".to_owned(),
            Ok(constraint) => versions
                .iter()
                .map(
                    |version| match constraint.allows(&Version::read(version).unwrap()) {
                        true => '1',
                        false => '0',
                    },
                )
                .collect(),
        };
        asked += 1;
        if answer != expected {
            wrong.push(format!("{range:?}: {answer}, and Helm says {expected}"));
        }
    }
    assert!(asked > 70 && wrong.is_empty(), "{}", wrong.join("\n"));
}
