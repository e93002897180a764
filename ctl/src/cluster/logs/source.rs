//! The log of one container, line by line, from where it was left.

use std::io;
use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use reach::Cluster;

use super::containers::Container;
use super::cursor::Cursor;
use crate::commands::logs::LogLine;

/// What is longer is passed on in pieces of this size.
const LONGEST_LINE: usize = 1 << 20;

/// Which lines are wanted of what is there when the reading begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct First {
    pub(crate) tail: Option<u32>,
    pub(crate) since: Option<Duration>,
}

/// What part of a log a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What is there now.
    Now,
    /// What is there, and what comes.
    Follow,
    /// Of the run before this one.
    Previous,
}

/// A container's log.
#[derive(Debug)]
pub(crate) struct Source {
    api: Api<Pod>,
    container: Container,
    first: First,
    cursor: Cursor,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum Break {
    /// The answer came to its end.
    End,
    Broken(io::Error),
}

impl Source {
    pub(crate) fn new(cluster: &Cluster, container: Container, first: First) -> Self {
        let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        Self { api, container, first, cursor: Cursor::default() }
    }

    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Asks for the lines from the one after the last that `next` gave.
    pub(super) async fn open(&mut self, part: Part) -> Result<Lines, kube::Error> {
        let since_time = self.cursor.resume();
        let first = if since_time.is_some() { First::default() } else { self.first };
        let params = LogParams {
            container: Some(self.container.name.clone()),
            follow: part == Part::Follow,
            previous: part == Part::Previous,
            since_time,
            // Whole seconds, and at least one: zero would be no limit.
            since_seconds: first.since.map(|since| i64::try_from(since.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)),
            tail_lines: first.tail.map(i64::from),
            timestamps: true,
            ..LogParams::default()
        };
        let reader = self.api.log_stream(&self.container.pod, &params).await?;
        Ok(Lines { reader: Box::pin(reader), partial: Vec::new(), time: None })
    }

    /// The next line that is new. May be dropped and called again.
    pub(super) async fn next(&mut self, lines: &mut Lines) -> Result<LogLine, Break> {
        loop {
            let (time, line) = lines.next().await?;
            if time.is_none_or(|time| self.cursor.takes(time, &line)) {
                let Container { service, pod, name, one_of_many, .. } = &self.container;
                let container = one_of_many.then(|| name.clone());
                return Ok(LogLine { time, service: service.clone(), pod: pod.clone(), container, line });
            }
        }
    }
}

/// An answer of the API server, as lines.
pub(super) struct Lines {
    reader: std::pin::Pin<Box<dyn AsyncBufRead + Send>>,
    /// Of a line whose end has not come.
    partial: Vec<u8>,
    /// The time of a line that is passed on in pieces: only its first piece has one.
    time: Option<Timestamp>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("partial", &self.partial.len()).finish_non_exhaustive()
    }
}

impl Lines {
    async fn next(&mut self) -> Result<(Option<Timestamp>, String), Break> {
        loop {
            let piece = self.reader.fill_buf().await.map_err(Break::Broken)?;
            if piece.is_empty() {
                if self.partial.is_empty() {
                    return Err(Break::End);
                }
                // The container ended without a newline.
                return Ok(self.take(false));
            }
            let room = LONGEST_LINE - self.partial.len();
            let newline = piece.iter().take(room).position(|byte| *byte == b'\n');
            let taken = newline.unwrap_or_else(|| piece.len().min(room));
            self.partial.extend_from_slice(&piece[..taken]);
            self.reader.as_mut().consume(taken + usize::from(newline.is_some()));
            if newline.is_some() {
                return Ok(self.take(false));
            }
            if self.partial.len() == LONGEST_LINE {
                return Ok(self.take(true));
            }
        }
    }

    fn take(&mut self, more: bool) -> (Option<Timestamp>, String) {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
        let (time, line) = match self.time.take() {
            Some(time) => (Some(time), text),
            None => split(text),
        };
        self.time = time.filter(|_| more);
        (time, line)
    }
}

/// `2026-01-01T00:00:00.123456789Z the line`
fn split(text: String) -> (Option<Timestamp>, String) {
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    match first.parse() {
        Ok(time) => (Some(time), rest.trim_end_matches('\r').to_owned()),
        Err(_) => (None, text),
    }
}
