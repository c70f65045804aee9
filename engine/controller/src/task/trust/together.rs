//! What is said of several sources, as one Application says it.

use sluice_model::application::SourceState;
use sluice_report::conditions::{self, Finding};

use crate::task::assess::Draft;

/// The conditions that are about sources.
const OF_SOURCES: [&str; 3] = [
    conditions::SOURCE_READY,
    conditions::KEYS_READY,
    conditions::VERIFIED,
];

/// Puts what was found of each source into the Application's draft. `all_newest` is true if every source was judged, and is at its
/// newest: only then is anything forgotten of sources that are gone, since one that is called otherwise now may go on from it.
pub(super) fn put(draft: &mut Draft, parts: Vec<(String, Draft)>, all_newest: bool) {
    for about in OF_SOURCES {
        let said: Vec<(&str, Finding)> = parts
            .iter()
            .filter_map(|(name, part)| {
                let condition = conditions::get(&part.status.conditions, about)?;
                Some((name.as_str(), Finding::of(condition)))
            })
            .collect();
        match worst(&said) {
            Some(finding) => draft.find(about, finding),
            None if about == conditions::KEYS_READY => {
                conditions::remove(&mut draft.status.conditions, about);
            }
            // What was said before stands.
            None => {}
        }
    }
    let mut states = Vec::new();
    for (name, part) in parts {
        draft.failed |= part.failed;
        let told = part.happenings.into_iter();
        draft
            .happenings
            .extend(told.map(|(what, message)| (what, format!("source {name}: {message}"))));
        states.push(SourceState {
            name,
            verification: part.status.verification,
        });
    }
    if all_newest {
        draft.status.verification = None;
    } else {
        let is_new = |old: &SourceState| states.iter().all(|state| state.name != old.name);
        let gone: Vec<SourceState> = draft.status.sources.drain(..).filter(is_new).collect();
        states.extend(gone);
    }
    draft.status.sources = states;
}

/// All that is not well, or, if all is well, all of it.
fn worst(said: &[(&str, Finding)]) -> Option<Finding> {
    let bad: Vec<&(&str, Finding)> = ["False", "Unknown"]
        .iter()
        .flat_map(|status| said.iter().filter(move |(_, finding)| finding.status == *status))
        .collect();
    let told: Vec<&(&str, Finding)> = match bad.is_empty() {
        true => said.iter().collect(),
        false => bad,
    };
    let (_, first) = told.first()?;
    let messages = told
        .iter()
        .map(|(name, finding)| format!("source {name}: {}", finding.message));
    Some(Finding {
        status: first.status,
        reason: first.reason.clone(),
        message: messages.collect::<Vec<_>>().join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_speaks_for_all() {
        let well = Finding::yes("Trusted", "3f2a is signed");
        let refused = Finding::no("V03", "it is not signed");
        assert_eq!(worst(&[]), None);
        let all = worst(&[("shop", well.clone()), ("values", well.clone())]).unwrap();
        assert_eq!((all.status, all.reason.as_str()), ("True", "Trusted"));
        assert_eq!(
            all.message,
            "source shop: 3f2a is signed\nsource values: 3f2a is signed"
        );
        let one = worst(&[("shop", well), ("values", refused.clone())]).unwrap();
        assert_eq!((one.status, one.reason.as_str()), ("False", "V03"));
        assert_eq!(one.message, "source values: it is not signed");
        assert_eq!(
            worst(&[("", refused)]).map(|finding| finding.status),
            Some("False")
        );
    }
}
