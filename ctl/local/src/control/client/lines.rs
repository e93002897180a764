//! Reading a stream of lines.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::super::Line;
use super::{Client, read};
use crate::{Error, Event, Events};

/// Longer lines are none of ours.
const MAX_LINE: usize = 16 << 20;

/// The lines of an answer.
#[derive(Debug)]
pub(super) struct Lines {
    body: Incoming,
    /// What has come of the next ones, and how much of it was searched for an end.
    ahead: BytesMut,
    searched: usize,
    /// For what it says when the stream breaks off.
    client: Client,
}

impl Lines {
    pub(super) fn new(body: Incoming, client: Client) -> Self {
        Self { body, ahead: BytesMut::new(), searched: 0, client }
    }

    /// Passes the events on, until the result.
    pub(super) async fn result<T: DeserializeOwned>(mut self, events: Events) -> Result<T, Error> {
        loop {
            match read::<Line<Event, T>>(&self.next().await?)? {
                // Whoever does not take them any more still wants the result.
                Line::Event(event) => drop(events.send(event).await),
                Line::Result(result) => return Ok(result),
                Line::Error(error) => return Err(error),
            }
        }
    }

    /// The events themselves.
    pub(super) fn into_events<T: DeserializeOwned + Send + 'static>(self) -> BoxStream<'static, Result<T, Error>> {
        stream::unfold(Some(self), async |lines| {
            let mut lines = lines?;
            let line = match lines.next().await {
                Ok(line) => read::<Line<T, IgnoredAny>>(&line),
                Err(error) => Err(error),
            };
            match line {
                Ok(Line::Event(event)) => Some((Ok(event), Some(lines))),
                Ok(Line::Result(_)) => None,
                Ok(Line::Error(error)) | Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(end) = self.ahead[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.ahead.split_to(self.searched + end + 1).freeze();
                self.searched = 0;
                return Ok(line);
            }
            self.searched = self.ahead.len();
            if self.searched > MAX_LINE {
                return Err(self.client.lost("it sent a line without end"));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.ahead.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(error)) => return Err(self.client.lost(&error.to_string())),
                None => return Err(self.client.lost("its answer has no end")),
            }
        }
    }
}
