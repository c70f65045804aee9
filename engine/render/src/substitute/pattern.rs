//! Patterns of a shell, on bytes: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` before what stands for itself.

/// Without the shortest or longest beginning that matches a pattern; the whole of it where none does, or where it is no pattern.
pub(super) fn trimmed<'t>(text: &'t [u8], pattern: &[u8], longest: bool) -> &'t [u8] {
    let Some(tokens) = tokens(pattern) else {
        return text;
    };
    let is_match = |length: &usize| text.get(..*length).is_some_and(|head| matches(&tokens, head));
    // What is empty is not looked for.
    let found = match longest {
        true => (1..=text.len()).rev().find(is_match),
        false => (1..=text.len()).find(is_match),
    };
    text.get(found.unwrap_or_default()..).unwrap_or_default()
}

enum Token {
    /// Anything, also nothing.
    Any,
    /// One character.
    One,
    Byte(u8),
    /// One character of these ranges, or of none of them.
    Range(Vec<(u32, u32)>, bool),
}

fn tokens(mut pattern: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    while let Some((&byte, rest)) = pattern.split_first() {
        pattern = rest;
        tokens.push(match byte {
            b'*' => Token::Any,
            b'?' => Token::One,
            b'[' => {
                let is_meant = pattern.first() != Some(&b'^');
                if !is_meant {
                    pattern = pattern.get(1..)?;
                }
                let mut ranges = Vec::new();
                loop {
                    if pattern.first() == Some(&b']') && !ranges.is_empty() {
                        pattern = pattern.get(1..)?;
                        break;
                    }
                    let low = bound(&mut pattern)?;
                    let high = match pattern.first() {
                        Some(b'-') => {
                            pattern = pattern.get(1..)?;
                            bound(&mut pattern)?
                        }
                        _ => low,
                    };
                    ranges.push((low, high));
                }
                Token::Range(ranges, is_meant)
            }
            b'\\' => {
                let (&escaped, rest) = pattern.split_first()?;
                pattern = rest;
                Token::Byte(escaped)
            }
            byte => Token::Byte(byte),
        });
    }
    Some(tokens)
}

/// One end of a range; something has to follow it.
fn bound(pattern: &mut &[u8]) -> Option<u32> {
    let first = *pattern.first()?;
    if matches!(first, b'-' | b']') {
        return None;
    }
    if first == b'\\' {
        *pattern = pattern.get(1..)?;
    }
    let (character, length) = character(pattern)?;
    if character == u32::from(char::REPLACEMENT_CHARACTER) && length == 1 {
        return None;
    }
    *pattern = pattern.get(length..)?;
    (!pattern.is_empty()).then_some(character)
}

/// The first character and its length; a byte that begins none counts as one that cannot be read.
fn character(text: &[u8]) -> Option<(u32, usize)> {
    text.first()?;
    for length in 1..=text.len().min(4) {
        if let Some(head) = text.get(..length)
            && let Ok(head) = std::str::from_utf8(head)
            && let Some(c) = head.chars().next()
        {
            return Some((u32::from(c), length));
        }
    }
    Some((u32::from(char::REPLACEMENT_CHARACTER), 1))
}

/// Goes back to the last `*` only, which is enough.
fn matches(tokens: &[Token], text: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let step = match tokens.get(token) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Token::Any) => {
                back = Some((token + 1, at));
                token += 1;
                continue;
            }
            Some(Token::One) => character(rest).map(|(_, length)| length),
            Some(Token::Byte(byte)) => (rest.first() == Some(byte)).then_some(1),
            Some(Token::Range(ranges, is_meant)) => character(rest).and_then(|(character, length)| {
                let is_in = ranges
                    .iter()
                    .any(|(low, high)| (low..=high).contains(&&character));
                (is_in == *is_meant).then_some(length)
            }),
        };
        match (step, back) {
            (Some(length), _) => {
                token += 1;
                at += length;
            }
            (None, Some((after, from))) if from < text.len() => {
                back = Some((after, from + 1));
                (token, at) = (after, from + 1);
            }
            (None, _) => return false,
        }
    }
}
