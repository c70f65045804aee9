//! Pointers into objects and into entries of lists.

/// What a rule's tests read: each pointer once, in the order in which it was met.
pub(crate) struct Fields(Vec<String>);

impl Fields {
    /// With one that is always read.
    pub(crate) fn new(first: &str) -> Self {
        Self(vec![first.to_owned()])
    }

    pub(crate) fn list(&self) -> &[String] {
        &self.0
    }

    fn index(&mut self, pointer: &str) -> usize {
        match self.0.iter().position(|known| known == pointer) {
            Some(index) => index,
            None => {
                self.0.push(pointer.to_owned());
                self.0.len() - 1
            }
        }
    }
}

/// A pointer of the object, or of the entry that is looked at, as a `Place`.
pub(crate) fn place(text: &str, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    match text.starts_with('.') {
        true if is_in_list => Ok(format!("Place::Entry({})", entry(text)?)),
        true => Err(format!("`{text}`: there is no entry outside of `where`")),
        false => Ok(format!("Place::Field({})", fields.index(pointer(text)?))),
    }
}

/// A pointer that begins at the object.
pub(crate) fn pointer(text: &str) -> Result<&str, String> {
    let is_one = text.starts_with("/metadata/") || text.starts_with("/spec") || text.starts_with("/status");
    let is_closed = text.matches('[').count() == text.matches(']').count();
    match is_one && is_closed && !text.ends_with('/') && !text.contains([' ', '{', '|']) {
        true => Ok(text),
        false => Err(format!(
            "`{text}` is no pointer to something of /metadata, /spec or /status"
        )),
    }
}

/// `.` or a pointer that begins with `./`, as steps.
pub(crate) fn entry(text: &str) -> Result<String, String> {
    if text == "." {
        return Ok("&[]".to_owned());
    }
    let path = text
        .strip_prefix("./")
        .filter(|path| !path.is_empty() && !path.ends_with('/'))
        .ok_or_else(|| format!("`{text}` is no pointer into an entry"))?;
    let plain = |text: &str| text.replace("~1", "/").replace("~0", "~");
    let step = |segment: &str| match segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(selector) => match selector.split_once('=') {
            Some((key, wanted)) => Ok(format!("Step::Where({:?}, {:?})", plain(key), plain(wanted))),
            None => Err(format!("`{segment}` picks nothing")),
        },
        None => Ok(format!("Step::Key({:?})", plain(segment))),
    };
    let steps = path.split('/').map(step).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("&[{}]", steps.join(", ")))
}
