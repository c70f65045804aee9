//! Patterns that name objects: which ones a selective sync is about.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::ObjectRef;

/// `group/kind/namespace/name`, where `*` stands for any text, also within a part: `apps/Deployment/shop/web`,
/// `/ConfigMap/shop/web-*`, `*/*/shop/*`. The core group is empty, and so is the namespace of what has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

/// A text that is no [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not `group/kind/namespace/name`, such as `apps/Deployment/shop/web`, `/ConfigMap/shop/*` or `*/*/*/web`"
)]
pub struct NotASelector(String);

impl Selector {
    /// True where this object is meant.
    pub fn matches(&self, object: &ObjectRef) -> bool {
        fits(&self.group, &object.group)
            && fits(&self.kind, &object.kind)
            && fits(&self.namespace, object.namespace.as_deref().unwrap_or_default())
            && fits(&self.name, &object.name)
    }

    /// True where any of them means this object; everything is meant where there is none.
    pub fn any(selectors: &[Self], object: &ObjectRef) -> bool {
        selectors.is_empty() || selectors.iter().any(|selector| selector.matches(object))
    }
}

impl FromStr for Selector {
    type Err = NotASelector;

    fn from_str(text: &str) -> Result<Self, NotASelector> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [group, kind, namespace, name] if !kind.is_empty() && !name.is_empty() => Ok(Self {
                group: (*group).to_owned(),
                kind: (*kind).to_owned(),
                namespace: (*namespace).to_owned(),
                name: (*name).to_owned(),
            }),
            _ => Err(NotASelector(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Selector {
    type Error = NotASelector;

    fn try_from(text: String) -> Result<Self, NotASelector> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.group, self.kind, self.namespace, self.name)
    }
}

impl JsonSchema for Selector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Selector".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Returns true if `text` is `pattern`, in which every `*` stands for any text, or none.
pub fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place where a part fits leaves the most for those after it.
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("web", "web", true),
            ("web", "webs", false),
            ("*", "", true),
            ("we*b", "web", true),
            ("w*b*", "webby", true),
            ("*web", "web-web", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("", "a", false),
            ("**", "a", true),
            ("apps", "apps", true),
            ("apps", "apps.example.com", false),
            ("*.crossplane.io", "pkg.crossplane.io", true),
            ("*.crossplane.io", "crossplane.io", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("", "apps", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn every_part_has_to_fit() {
        let selector = |text: &str| text.parse::<Selector>().unwrap();
        let web = object("apps", "Deployment", Some("shop"), "web");
        assert!(selector("apps/Deployment/shop/web").matches(&web));
        assert!(selector("*/*/shop/*").matches(&web) && !selector("*/*/other/*").matches(&web));
        assert!(!selector("/Deployment/shop/web").matches(&web));
        let namespace = object("", "Namespace", None, "shop");
        assert!(selector("/Namespace//shop").matches(&namespace));
        assert!(!selector("/Namespace/shop/shop").matches(&namespace));
        assert!(Selector::any(&[], &web) && !Selector::any(&[selector("/*/*/*")], &web));
    }

    #[test]
    fn what_is_no_selector_is_refused_and_what_is_one_is_written_as_read() {
        for wrong in [
            "",
            "web",
            "Deployment/web",
            "apps/v1/Deployment/shop/web",
            "apps//shop/web",
            "a/b/c/",
        ] {
            assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
        }
        let text = "\"apps/Deployment/shop/web-*\"";
        let read: Selector = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(serde_json::from_str::<Selector>("\"web\"").is_err());
    }
}
