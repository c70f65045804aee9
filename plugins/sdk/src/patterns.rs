//! Names with `*` in them, as settings write them.

/// Whether a name fits a pattern, in which `*` stands for any letters, or none.
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place where a part fits leaves the most for those after it.
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit() {
        for (pattern, name, wanted) in [
            ("apps", "apps", true),
            ("apps", "apps.example.com", false),
            ("*.crossplane.io", "pkg.crossplane.io", true),
            ("*.crossplane.io", "crossplane.io", false),
            ("*", "", true),
            ("*", "Thing", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("", "apps", false),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
