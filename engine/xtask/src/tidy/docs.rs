//! Documentation that says nothing: a comment of one word, or one that only sends the reader elsewhere.

use std::path::Path;

use anyhow::Result;

/// Returns the places of comments that say nothing.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for folder in ["engine", "tests"] {
        for file in super::files(&root.join(folder), ".rs")? {
            let text = fs_err::read_to_string(&file)?;
            let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            let lines = empty(&text).into_iter();
            findings.extend(lines.map(|(line, says)| format!("{place}:{line}: `{says}` says nothing")));
        }
    }
    Ok(findings)
}

/// Returns the lines, from 1, of documentation that is one word long, or that is "see the summary".
fn empty(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let doc =
        |line: Option<&&str>| line.is_some_and(|line| line.starts_with("///") || line.starts_with("//!"));
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(says) = line.strip_prefix("///").map(str::trim) else {
            continue;
        };
        let alone =
            !doc(index.checked_sub(1).and_then(|before| lines.get(before))) && !doc(lines.get(index + 1));
        let one_word = !says.is_empty() && !says.contains(' ');
        let elsewhere = says.to_lowercase().trim_end_matches('.') == "see the summary";
        if alone && (one_word || elsewhere) {
            found.push((index + 1, (*line).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_word_is_found_and_a_sentence_is_not() {
        let text = "/// Which.\nwhich: u8,\n/// The first line\n/// Second.\nx: u8,\n/// Its name.\nname: String,\n/// See the summary.\ny: u8,\n";
        let lines: Vec<usize> = super::empty(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 8]);
    }
}
