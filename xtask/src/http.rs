//! One GET over plain HTTP/1.1: enough to see whether a server of ours is up, and how long its answer is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// No answer here is longer.
const MAX_ANSWER: u64 = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the server answered.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

/// Gets `url` (`http://HOST:PORT/PATH`), with a bearer token if there is one. The connection is closed after it.
pub(crate) fn get(url: &str, bearer: Option<&str>) -> Result<Answer> {
    let rest = url.strip_prefix("http://").context("only http:// here")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let authorization = bearer.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n{authorization}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(|| format!("asking {url}"))?;
    read_answer(BufReader::new(stream.take(MAX_ANSWER)))
        .with_context(|| format!("reading the answer of {url}"))
}

/// Not every server closes the connection when it is asked to, so a stated length is all that is waited for.
fn read_answer(mut reader: impl BufRead) -> Result<Answer> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("this is no status line: {line:?}"))?;
    let mut length = None;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            bail!("the answer ended within its headers");
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.trim().parse::<u64>().context("its length is no number")?);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => reader.take(length).read_to_end(&mut body)?,
        None => reader.read_to_end(&mut body)?,
    };
    Ok(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_stated_length_or_with_the_connection() {
        let stated = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200";
        let answer = read_answer(stated.as_slice()).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (401, b"{}".as_slice()));
        let open = b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\nall of it";
        assert_eq!(read_answer(open.as_slice()).unwrap().body, b"all of it");
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        for text in
            ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"]
        {
            assert!(read_answer(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
