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
pub(in crate::cluster) const LONGEST_LINE: usize = 1 << 20;

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

/// Where a log begins that no line is known of yet.
#[derive(Debug, Clone, Copy)]
enum Begin {
    /// What is wanted of it was not read yet.
    Asked(First),
    /// There was nothing to read: what comes is new, from this time on. Without one the log was empty.
    From(Option<Timestamp>),
}

/// A container's log.
#[derive(Debug)]
pub(crate) struct Source {
    api: Api<Pod>,
    container: Container,
    begin: Begin,
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
        let begin = match first {
            First { tail: None, since: None } => Begin::From(None),
            limited => Begin::Asked(limited),
        };
        Self { api, container, begin, cursor: Cursor::default() }
    }

    /// Only some lines are wanted of what is there, and they were not read yet.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self.begin, Begin::Asked(_)) && self.cursor.is_new()
    }

    /// No line of it was read.
    pub(super) fn is_new(&self) -> bool {
        self.cursor.is_new()
    }

    /// A run that began after the reading did: every line of it is wanted.
    pub(super) fn new_run(&mut self) {
        self.begin = Begin::From(None);
    }

    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Asks for the lines from the one after the last that `next` gave.
    pub(super) async fn open(&mut self, part: Part) -> Result<Lines, kube::Error> {
        let (since_time, first) = match (self.cursor.resume(), self.begin) {
            (Some(time), _) => (Some(time), First::default()),
            (None, Begin::From(time)) => (time, First::default()),
            (None, Begin::Asked(first)) => (None, first),
        };
        // Without any line nobody would know where to go on, in the time of the node's clock.
        let hidden = first.tail == Some(0);
        let tail = if hidden { Some(1) } else { first.tail };
        // Whole seconds, as the API server takes it.
        let since = first.since.and_then(|since| Timestamp::now().checked_sub(since).ok());
        let since = since.and_then(|since| Timestamp::from_second(since.as_second()).ok());
        let params = LogParams {
            container: Some(self.container.name.clone()),
            follow: part == Part::Follow,
            previous: part == Part::Previous,
            since_time,
            // Whole seconds, and at least one: zero would be no limit.
            since_seconds: first.since.map(|since| i64::try_from(since.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)),
            tail_lines: tail.map(i64::from),
            timestamps: true,
            ..LogParams::default()
        };
        let reader = self.api.log_stream(&self.container.pod, &params).await?;
        Ok(Lines { reader: Box::pin(reader), partial: Vec::new(), time: None, since, hidden })
    }

    /// The next line that is new. May be dropped and called again.
    pub(super) async fn next(&mut self, lines: &mut Lines) -> Result<LogLine, Break> {
        loop {
            match lines.next().await {
                Ok((time, line)) => {
                    if let Some(line) = self.take(time, line, lines.hidden) {
                        return Ok(line);
                    }
                }
                Err(Break::End) => {
                    if let Some(time) = lines.partial_time() {
                        self.cursor.begin(time);
                    }
                    if let Begin::Asked(_) = self.begin {
                        self.begin = Begin::From(lines.since);
                    }
                    return Err(Break::End);
                }
                Err(broken @ Break::Broken(_)) => return Err(broken),
            }
        }
    }

    /// After the end: the last line if it has no newline. It is whole only if nothing more is written; else it comes
    /// again with the rest of it.
    pub(super) fn rest(&mut self, lines: &mut Lines) -> Option<LogLine> {
        if lines.partial.is_empty() {
            return None;
        }
        let (time, line) = lines.take(false);
        self.take(time, line, lines.hidden)
    }

    /// A line, if it is new and wanted.
    fn take(&mut self, time: Option<Timestamp>, line: String, hidden: bool) -> Option<LogLine> {
        if !time.is_none_or(|time| self.cursor.takes(time, &line)) || hidden {
            return None;
        }
        let Container { service, pod, name, one_of_many, .. } = &self.container;
        let container = one_of_many.then(|| name.clone());
        Some(LogLine { time, service: service.clone(), pod: pod.clone(), container, line })
    }
}

/// An answer of the API server, as lines.
pub(super) struct Lines {
    reader: std::pin::Pin<Box<dyn AsyncBufRead + Send>>,
    /// Of a line whose end has not come.
    partial: Vec<u8>,
    /// The time of a line that is passed on in pieces: only its first piece has one.
    time: Option<Timestamp>,
    /// The oldest that was asked for by its age.
    since: Option<Timestamp>,
    /// Its lines only tell where to go on.
    hidden: bool,
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
                return Err(Break::End);
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

    /// Of the line whose end has not come.
    fn partial_time(&self) -> Option<Timestamp> {
        let time = self.partial.split(|byte| *byte == b' ').next()?;
        self.time.or_else(|| std::str::from_utf8(time).ok()?.parse().ok())
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
