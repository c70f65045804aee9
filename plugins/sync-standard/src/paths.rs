//! Lists of fields: pointers, and paths as jq writes them.

/// The entries of a list, separated by commas or ends of lines. A comma within the parentheses, brackets or quotes of a path is part
/// of it.
pub(crate) fn list(text: &str) -> Result<Vec<String>, String> {
    let mut entries: Vec<String> = Vec::new();
    let mut entry = String::new();
    let mut state = State::default();
    for character in text.chars() {
        let separates = character == '\n' || (character == ',' && !state.is_inside());
        if separates {
            entries.push(std::mem::take(&mut entry));
            state = State::default();
            continue;
        }
        entry.push(character);
        // Only paths have such a grammar; in a pointer every character stands for itself.
        if entry.trim_start().starts_with('.') {
            state.read(character);
        }
    }
    entries.push(entry);
    let entries = entries
        .iter()
        .map(|entry| entry.trim())
        .filter(|entry| !entry.is_empty());
    entries
        .map(|entry| match entry.starts_with(['/', '.']) {
            true => Ok(entry.to_owned()),
            false => Err(format!("`{entry}` is neither a pointer (`/…`) nor a path (`.…`)")),
        })
        .collect()
}

/// Where in a path one is.
#[derive(Default)]
struct State {
    open: u32,
    quoted: bool,
    escaped: bool,
}

impl State {
    fn is_inside(&self) -> bool {
        self.quoted || self.open > 0
    }

    fn read(&mut self, character: char) {
        if self.quoted {
            match (self.escaped, character) {
                (false, '\\') => self.escaped = true,
                (false, '"') => self.quoted = false,
                _ => self.escaped = false,
            }
            return;
        }
        match character {
            '"' => self.quoted = true,
            '(' | '[' => self.open += 1,
            ')' | ']' => self.open = self.open.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn commas_within_a_path_are_part_of_it() {
        let check = |text: &str, want: &[&str]| {
            assert_eq!(list(text).expect(text), want, "{text}");
        };
        check("/spec/replicas, /data/a", &["/spec/replicas", "/data/a"]);
        check("/data/a(\n/data/b\"", &["/data/a(", "/data/b\""]);
        check(
            r#".a[] | select(.n == "x, \"y"), .b["k,l"],/c"#,
            &[r#".a[] | select(.n == "x, \"y")"#, r#".b["k,l"]"#, "/c"],
        );
        check(" ,\n", &[]);
        assert!(list("spec.replicas").is_err());
    }
}
