//! Just enough of HTTP/1.1 to put a CGI program behind it: one request a connection, bodies with a length or in chunks.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
};

use anyhow::{Context as _, Result, bail, ensure};

/// More than any push of a test.
const LARGEST_BODY: u64 = 256 << 20;
const LARGEST_HEAD: u64 = 64 << 10;

/// A request, read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path that was asked for, percent-decoded.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Reads a request; none when the client closes the connection without one.
pub(crate) fn read(stream: &mut (impl Read + Write)) -> Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut head = (&mut reader).take(LARGEST_HEAD);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().context("no method")?.to_owned();
    let target = words.next().context("no target")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (percent_decode(path)?, query.to_owned());

    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        ensure!(head.read_line(&mut line)? > 0, "the head has no end");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    if headers
        .get("expect")
        .is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue"))
    {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if headers
        .get("transfer-encoding")
        .is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked"))
    {
        read_chunks(&mut reader, &mut body)?;
    } else if let Some(length) = headers.get("content-length") {
        let length: u64 = length.parse()?;
        ensure!(length <= LARGEST_BODY, "a body of {length} bytes");
        reader.take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Request {
        method,
        path,
        query,
        headers,
        body,
    }))
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).with_context(|| format!("no chunk size: {line:?}"))?;
        ensure!(body.len() as u64 + size <= LARGEST_BODY, "too large a body");
        reader.by_ref().take(size).read_to_end(body)?;
        // The line's end after a chunk, or the empty line after the last one.
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn percent_decode(text: &str) -> Result<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.unwrap_or(b'?')).to_digit(16));
        match digits {
            [Some(high), Some(low)] => decoded.push(u8::try_from(high * 16 + low)?),
            _ => bail!("{text:?} is not percent-encoded"),
        }
    }
    Ok(String::from_utf8(decoded)?)
}

/// Answers with a status and a line of text.
pub(crate) fn answer(
    stream: &mut impl Write,
    status: &str,
    headers: &[(&str, &str)],
    text: &str,
) -> Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(
        stream,
        "Content-Type: text/plain\r\nContent-Length: {}\r\n",
        text.len()
    )?;
    write!(stream, "Connection: close\r\n\r\n{text}")?;
    Ok(())
}

/// Turns a CGI program's output into an answer, as it comes.
pub(crate) fn answer_with_cgi(stream: &mut impl Write, output: impl Read) -> Result<()> {
    let mut output = BufReader::new(output);
    let mut status = "200 OK".to_owned();
    let mut headers = String::new();
    loop {
        let mut line = String::new();
        ensure!(output.read_line(&mut line)? > 0, "the program's head has no end");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("status") => status = value.trim().to_owned(),
            _ => headers.push_str(&format!("{line}\r\n")),
        }
    }
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n")?;
    std::io::copy(&mut output, stream)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding() {
        assert_eq!(percent_decode("/a%20b/%C3%A9").unwrap(), "/a b/é");
        assert!(percent_decode("/a%2").is_err());
        assert!(percent_decode("/a%zz").is_err());
    }

    #[test]
    fn chunks() {
        let mut body = Vec::new();
        read_chunks(
            &mut "4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n".as_bytes(),
            &mut body,
        )
        .unwrap();
        assert_eq!(body, b"abcdefg");
        assert!(read_chunks(&mut "nonsense\r\n".as_bytes(), &mut body).is_err());
    }
}
