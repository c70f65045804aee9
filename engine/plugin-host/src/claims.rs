//! Which objects a plugin speaks about, and how specific that is.

use serde::Serialize;
use sluice_model::GroupKind;

/// A pattern over group and kind, as a plugin's descriptor gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Claim {
    /// A group, `*`, or `*.example.com`.
    pub group: String,
    /// A kind, or `*`.
    pub kind: String,
}

/// `Deployment.apps`, `Pod`, `*.*.example.com`.
impl std::fmt::Display for Claim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.group.as_str() {
            "" => formatter.write_str(&self.kind),
            group => write!(formatter, "{}.{group}", self.kind),
        }
    }
}

/// How closely a claim fits; later is more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    AnyGroupAnyKind,
    BelowGroupAnyKind,
    ExactGroupAnyKind,
    AnyGroupExactKind,
    BelowGroupExactKind,
    Exact,
    /// A script of the operator's for this kind.
    Script,
}

impl Claim {
    pub(crate) fn fit(&self, object: &GroupKind) -> Option<Fit> {
        let kind_exact = match self.kind.as_str() {
            "*" => false,
            kind if kind == object.kind => true,
            _ => return None,
        };
        let below = |domain: &str| {
            object
                .group
                .strip_suffix(domain)
                .is_some_and(|sub| sub.len() > 1 && sub.ends_with('.'))
        };
        match (self.group.as_str(), kind_exact) {
            (group, true) if group == object.group => Some(Fit::Exact),
            (group, false) if group == object.group => Some(Fit::ExactGroupAnyKind),
            ("*", true) => Some(Fit::AnyGroupExactKind),
            ("*", false) => Some(Fit::AnyGroupAnyKind),
            (group, kind_exact) => {
                group
                    .strip_prefix("*.")
                    .filter(|domain| below(domain))
                    .map(|_| match kind_exact {
                        true => Fit::BelowGroupExactKind,
                        false => Fit::BelowGroupAnyKind,
                    })
            }
        }
    }
}

/// The closest of a plugin's claims, if any, and which one it is; of equally close ones the first.
pub(crate) fn best_fit(claims: &[Claim], object: &GroupKind) -> Option<(Fit, usize)> {
    let fits = claims
        .iter()
        .enumerate()
        .filter_map(|(index, claim)| Some((claim.fit(object)?, index)));
    fits.max_by_key(|(fit, index)| (*fit, std::cmp::Reverse(*index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_claim_counts() {
        let claim = |group: &str, kind: &str| Claim {
            group: group.into(),
            kind: kind.into(),
        };
        let database = GroupKind::new("db.example.com", "Database");
        let check = |group: &str, kind: &str, want: Option<Fit>| {
            assert_eq!(claim(group, kind).fit(&database), want, "{group}/{kind}")
        };
        check("db.example.com", "Database", Some(Fit::Exact));
        check("*.example.com", "Database", Some(Fit::BelowGroupExactKind));
        check("*", "Database", Some(Fit::AnyGroupExactKind));
        check("db.example.com", "*", Some(Fit::ExactGroupAnyKind));
        check("*.example.com", "*", Some(Fit::BelowGroupAnyKind));
        check("*", "*", Some(Fit::AnyGroupAnyKind));
        check("example.com", "Database", None);
        check("*.ample.com", "Database", None);
        check("db.example.com", "Table", None);
        assert_eq!(
            claim("*.example.com", "*").fit(&GroupKind::new("example.com", "Database")),
            None
        );
        assert_eq!(claim("", "Pod").fit(&GroupKind::new("", "Pod")), Some(Fit::Exact));
        assert_eq!(
            best_fit(&[claim("*", "*"), claim("*", "Database")], &database),
            Some((Fit::AnyGroupExactKind, 1))
        );
    }
}
