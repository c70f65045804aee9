//! Objects that were changed after they were signed.

/// The same object with bytes of every line changed, and with lines dropped, doubled, swapped, indented and broken
/// otherwise. `SLUICE_DIFFERENTIAL=full` changes every single byte instead of some in each line.
pub(crate) fn mutations(bytes: &[u8]) -> Vec<Vec<u8>> {
    let is_full = std::env::var("SLUICE_DIFFERENTIAL").is_ok_and(|value| value == "full");
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut all = Vec::new();
    let mut start = 0;
    for (number, line) in lines.iter().enumerate() {
        let end = start + line.len();
        let mut positions: Vec<usize> = match is_full {
            true => (start..end).collect(),
            false => vec![
                start,
                start + 1,
                start + line.len() / 3,
                start + line.len() / 2,
                end - 1,
            ],
        };
        positions.dedup();
        for at in positions.into_iter().filter(|at| *at < end) {
            let mut changed = bytes.to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            all.push(changed);
        }
        let with = |line: &[&[u8]]| {
            [
                &lines[..number].concat(),
                line.concat().as_slice(),
                &lines[number + 1..].concat(),
            ]
            .concat()
        };
        all.push(with(&[]));
        all.push(with(&[line, line]));
        all.push(with(&[b" ", line]));
        all.push(with(&[line.strip_suffix(b"\n").unwrap_or(line), b"\r\n"]));
        if let Some(next) = lines.get(number + 1) {
            let swapped = [
                &lines[..number].concat(),
                *next,
                *line,
                &lines[number + 2..].concat(),
            ]
            .concat();
            all.push(swapped);
        }
        start = end;
    }
    for extra in [b"\0".as_slice(), b"\n", b" ", b"x"] {
        all.push([bytes, extra].concat());
        all.push([extra, bytes].concat());
    }
    all.push(bytes.strip_suffix(b"\n").unwrap_or(bytes).to_vec());
    all.retain(|changed| changed != bytes);
    all
}
