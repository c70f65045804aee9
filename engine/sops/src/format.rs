//! Whether a file is encrypted, and in which form.

/// In which form SOPS wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML, one document or several.
    Yaml,
    /// JSON, one value.
    Json,
    /// Lines of `NAME=value`.
    Dotenv,
    /// Any bytes, in an envelope of JSON.
    Binary,
    /// INI, which is not opened.
    Ini,
}

/// What every encrypted value begins with.
const VALUE: &str = "ENC[AES256_GCM,";

impl Format {
    /// Returns the form of an encrypted file, by its name and, where that does not tell, by what is in it; none if it is not encrypted.
    ///
    /// A file that only mentions SOPS is not encrypted. One that has its marks and is damaged is, so that it is refused and not taken for
    /// plain text.
    pub fn of(path: &str, bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if !text.contains("sops") || !(text.contains(VALUE) || text.contains("mac")) {
            return None;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let yaml = || has_line(text, |line| is_key(line, "sops")).then_some(Self::Yaml);
        let dotenv = || has_line(text, |line| line.starts_with("sops_")).then_some(Self::Dotenv);
        let json =
            |form: Self| (text.trim_start().starts_with('{') && text.contains("\"sops\"")).then_some(form);
        match ending {
            "yaml" | "yml" => yaml().or_else(|| json(Self::Yaml)),
            "json" => json(Self::Json),
            "env" => dotenv(),
            "ini" => has_line(text, |line| line.trim() == "[sops]").then_some(Self::Ini),
            _ => {
                json(Self::Binary).or_else(|| text.contains(VALUE).then(|| yaml().or_else(dotenv)).flatten())
            }
        }
    }
}

fn has_line(text: &str, is: impl Fn(&str) -> bool) -> bool {
    text.lines().any(is)
}

/// True for the line that a top-level key of YAML stands on.
pub(crate) fn is_key(line: &str, key: &str) -> bool {
    let bare = |quote: &str| {
        let rest = line.strip_prefix(quote)?.strip_prefix(key)?.strip_prefix(quote)?;
        rest.trim_start()
            .strip_prefix(':')
            .map(|after| after.is_empty() || after.starts_with([' ', '\t', '\r']))
    };
    ["", "\"", "'"].into_iter().any(|quote| bare(quote) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_marks_is_encrypted() {
        let cases: &[(&str, &str, Option<Format>)] = &[
            (
                "a.yaml",
                "a: ENC[AES256_GCM,data:x]\nsops:\n    mac: x\n",
                Some(Format::Yaml),
            ),
            ("a.yaml", "a: about sops and a mac\n", None),
            ("a.yaml", "spec:\n  sops:\n    mac: x\n", None),
            (
                "a.json",
                "{\"a\": \"ENC[AES256_GCM,x]\", \"sops\": {}}",
                Some(Format::Json),
            ),
            ("a.env", "A=ENC[AES256_GCM,x]\nsops_mac=x\n", Some(Format::Dotenv)),
            (
                "a.ini",
                "[a]\nb = ENC[AES256_GCM,x]\n[sops]\nmac = x\n",
                Some(Format::Ini),
            ),
            (
                "a.bin",
                "{\"data\": \"ENC[AES256_GCM,x]\", \"sops\": {}}",
                Some(Format::Binary),
            ),
            (
                "a.enc",
                "a: ENC[AES256_GCM,x]\nsops:\n    mac: x\n",
                Some(Format::Yaml),
            ),
            ("README.md", "sops writes `sops:` and a mac\n", None),
        ];
        for (path, text, format) in cases {
            assert_eq!(Format::of(path, text.as_bytes()), *format, "{path}: {text}");
        }
    }
}
