//! Writing data to stdout: as text for people, or as JSON or YAML for programs.
//!
//! Styles are written always; the stream strips them where stdout is no terminal or `NO_COLOR` is set. Text that comes
//! from elsewhere (a commit's author, a plugin's message) goes through [`plain`], so that it cannot move the cursor.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::failure::{CliError, Failure};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For both
    Yaml,
}

/// The `-o` option.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// How the answer is printed
    #[arg(long = "output", short = 'o', value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Prints one value: indented JSON, or one YAML document.
pub(crate) fn one(out: &mut impl Write, format: Format, value: &impl Serialize) -> Result<(), Failure> {
    match format {
        Format::Text | Format::Json => {
            let text = serde_json::to_string_pretty(value).map_err(CliError::Encode)?;
            writeln!(out, "{text}")?;
        }
        Format::Yaml => yaml(out, value)?,
    }
    Ok(())
}

/// Prints many values: one line of JSON each, or one YAML document each.
pub(crate) fn each<T: Serialize>(out: &mut impl Write, format: Format, values: &[T]) -> Result<(), Failure> {
    for value in values {
        match format {
            Format::Text | Format::Json => {
                serde_json::to_writer(&mut *out, value).map_err(from_json)?;
                writeln!(out)?;
            }
            Format::Yaml => {
                writeln!(out, "---")?;
                yaml(out, value)?;
            }
        }
    }
    Ok(())
}

fn yaml(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_value(value).map_err(CliError::Encode)?;
    out.write_all(crate::yaml::text(&value).as_bytes())?;
    Ok(())
}

/// A failed write comes back from serde wrapped.
fn from_json(error: serde_json::Error) -> Failure {
    match error.io_error_kind() {
        Some(kind) => std::io::Error::from(kind).into(),
        None => CliError::Encode(error).into(),
    }
}

/// `text` without characters that a terminal would obey: each shows as its escape.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            // Direction overrides make text read as other text.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.extend(character.escape_unicode()),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

/// The first twelve digits of an object id: enough to find it, and to read it aloud.
/// Of an Application of several sources, those of each.
pub(crate) fn short(revision: &str) -> String {
    sluice_model::revisions::short(revision)
}

/// A URL without the password that some people write into it.
pub(crate) fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((user, host)) if !scheme.is_empty() && user.contains(':') => format!("{scheme}://{host}/{path}"),
        Some(_) | None => url.to_owned(),
    }
}

/// A style by what the word means.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something is not as it should be.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Something is on its way or waits.
pub(crate) const WAITING: Style = AnsiColor::Yellow.on_default();
/// The style of headings.
pub(crate) const STRONG: Style = Style::new().bold();
/// What is less important.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// `word` in `style`.
pub(crate) fn styled(style: Style, word: impl std::fmt::Display) -> String {
    format!("{style}{word}{style:#}")
}

/// Left-aligned columns, two spaces between; the last is not padded, and where it has several lines they stand below each other.
/// Cells are measured before they are styled.
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// A cell of a [`Table`].
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub(crate) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: plain(text.as_ref()),
            style,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// Its text where more follows in its row.
    fn in_one_line(&self) -> String {
        self.text.replace('\n', " ")
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::new())
    }
}

impl Table {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a line of headings.
    pub(crate) fn head(&mut self, headings: &[&str]) {
        self.rows.push(
            headings
                .iter()
                .map(|heading| Cell::new(heading, STRONG))
                .collect(),
        );
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Writes it, every line after `indent`.
    pub(crate) fn write(&self, out: &mut impl Write, indent: &str) -> Result<(), Failure> {
        let rows: Vec<&[Cell]> = self.rows.iter().map(|row| without_empty_end(row)).collect();
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        // What ends its row pushes nothing aside.
        let reach = |row: &&&[Cell], column: usize| row.len() > column + 1;
        let width = |column: usize| {
            let cells = rows
                .iter()
                .filter(|row| reach(row, column))
                .filter_map(|row| row.get(column));
            cells.map(Cell::width).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            let mut line = String::from(indent);
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if index + 1 < row.len() {
                    line.push_str(&styled(cell.style, cell.in_one_line()));
                    line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
                    continue;
                }
                let before: usize = widths.iter().take(index).map(|width| width + 2).sum();
                let margin = format!("\n{indent}{}", " ".repeat(before));
                let lines: Vec<String> = cell.text.lines().map(|text| styled(cell.style, text)).collect();
                line.push_str(&lines.join(&margin));
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

fn without_empty_end(row: &[Cell]) -> &[Cell] {
    let end = row
        .iter()
        .rposition(|cell| !cell.text.is_empty())
        .map_or(0, |last| last + 1);
    row.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::codes;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(plain("a\u{1b}[2Jb\rc\td\u{202e}"), "a\\u{1b}[2Jb\\rc\td\\u{202e}");
    }

    #[test]
    fn what_has_no_json_form_is_our_own_bug() {
        let pairs = std::collections::BTreeMap::from([([1], 2)]);
        for format in [Format::Json, Format::Yaml] {
            let failure = each(&mut Vec::new(), format, &[&pairs]).unwrap_err();
            assert_eq!(failure.codes(), [codes::ENCODE.id], "{format:?}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(
            without_password("https://bot:hunter2@host/a.git"),
            "https://host/a.git"
        );
        for url in [
            "https://host/a@b:c",
            "git@host:a.git",
            "ssh://git@host/a.git",
            "/srv/a.git",
        ] {
            assert_eq!(without_password(url), url);
        }
    }

    #[test]
    fn lines_of_the_last_column_stay_in_it() {
        let mut table = Table::new();
        table.row(vec!["a\nb".into(), "first\n  second".into()]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out, "  ").unwrap();
        let shown = String::from_utf8(out.into_inner()).unwrap();
        assert_eq!(shown, "  a b  first\n         second\n");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut table = Table::new();
        table.head(&["NAME", "SYNC"]);
        table.row(vec!["guestbook".into(), Cell::new("Synced", GOOD)]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out, "").unwrap();
        assert_eq!(
            String::from_utf8(out.into_inner()).unwrap(),
            "NAME       SYNC\nguestbook  Synced\n"
        );
    }
}
