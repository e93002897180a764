//! As little HTTP/1.1 as a load needs: what is measured is the service, on the same two cores.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// For a request that is no part of a load.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 32;

/// Reads whole messages, requests or answers, from a connection that is kept.
#[derive(Debug)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    filled: usize,
    /// How long the message is that was read last.
    used: usize,
}

/// What matters of a message's head.
#[derive(Debug)]
pub(crate) struct Head {
    /// 0 for a request.
    pub(crate) status: u16,
    length: usize,
    /// The value of the header that was asked for, as a range of the message.
    header: Option<std::ops::Range<usize>>,
}

/// A whole message, as it was written.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) status: u16,
    pub(crate) bytes: &'a [u8],
    /// The value of the header that was asked for.
    pub(crate) header: Option<&'a str>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; 8 * 1024], filled: 0, used: 0 }
    }

    /// The next message with the value of `header` (in lower case); `None` when the peer has closed between two messages.
    pub(crate) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        header: &str,
    ) -> io::Result<Option<Message<'_>>> {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        let head = loop {
            if let Some(head) = parse(&self.buffer[..self.filled], header)?
                && head.length <= self.filled
            {
                break head;
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(2 * self.filled, 0);
            }
            let read = stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return if self.filled == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            self.filled += read;
        };
        self.used = head.length;
        let header = head.header.and_then(|range| std::str::from_utf8(&self.buffer[range]).ok());
        Ok(Some(Message { status: head.status, bytes: &self.buffer[..head.length], header }))
    }
}

/// `None` while the head is incomplete.
fn parse(bytes: &[u8], wanted: &str) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (parsed, status) = if bytes.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut headers);
        (response.parse(bytes).map_err(io::Error::other)?, response.code.unwrap_or(0))
    } else {
        (httparse::Request::new(&mut headers).parse(bytes).map_err(io::Error::other)?, 0)
    };
    let httparse::Status::Complete(head) = parsed else { return Ok(None) };
    let (mut body, mut found) = (0, None);
    for header in headers.iter().take_while(|header| !header.name.is_empty()) {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|value| value.parse().ok());
            body = length.ok_or_else(|| io::Error::other("a Content-Length that is no number"))?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(io::Error::other("a body without a Content-Length"));
        } else if header.name.eq_ignore_ascii_case(wanted) {
            let start = header.value.as_ptr().addr() - bytes.as_ptr().addr();
            found = Some(start..start + header.value.len());
        }
    }
    Ok(Some(Head { status, length: head + body, header: found }))
}

/// One request on a connection of its own: the status and the body.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((status.ok_or_else(|| io::Error::other("no status"))?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls by hand: a slice is always ready.
    fn read_all(bytes: &[u8], header: &str) -> Vec<(u16, String, Option<String>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut reader, mut input, mut all) = (Reader::new(), bytes, Vec::new());
            while let Some(message) = reader.next(&mut input, header).await.unwrap() {
                let text = String::from_utf8(message.bytes.to_vec()).unwrap();
                all.push((message.status, text, message.header.map(str::to_owned)));
            }
            all
        })
    }

    #[test]
    fn messages_are_told_apart_by_their_length() {
        let first = "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nLocation: /messages/1\r\n\r\n{}";
        let second = "POST /events HTTP/1.1\r\nce-id: 7\r\nContent-Length: 0\r\n\r\n";

        let all = read_all(format!("{first}{second}").as_bytes(), "location");

        assert_eq!(all, [(202, first.to_owned(), Some("/messages/1".to_owned())), (0, second.to_owned(), None)]);
    }

    #[test]
    fn a_message_longer_than_the_buffer_is_read_whole() {
        let message = format!("HTTP/1.1 200 OK\r\ncontent-length: 30000\r\n\r\n{}", "x".repeat(30_000));

        assert_eq!(read_all(message.as_bytes(), "")[0].1, message);
    }
}
