//! Logs of the double's pods: whole, from a time on, the last lines, followed, of the run before.

use std::collections::BTreeMap;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use http::{Response, StatusCode};
use serde_json::json;

use super::answer::{AnswerBody, problem, text, whole};
use super::selector::parameter;

#[derive(Default)]
struct Log {
    /// Lines with their time.
    lines: Vec<String>,
    previous: Vec<String>,
    followers: Vec<UnboundedSender<Result<String, ()>>>,
    /// The queries.
    asked: Vec<String>,
}

/// By the pod's name.
#[derive(Default)]
pub(super) struct Logs(BTreeMap<String, Log>);

impl Logs {
    pub(super) fn write(&mut self, pod: &str, second: &str, line: &str) {
        let log = self.0.entry(pod.to_owned()).or_default();
        let line = format!("2026-01-01T00:00:{second}Z {line}\n");
        log.followers.retain(|follower| follower.unbounded_send(Ok(line.clone())).is_ok());
        log.lines.push(line);
    }

    /// Text as it is: a line may come in pieces.
    pub(super) fn write_piece(&mut self, pod: &str, piece: &str) {
        let log = self.0.entry(pod.to_owned()).or_default();
        log.followers.retain(|follower| follower.unbounded_send(Ok(piece.to_owned())).is_ok());
        match log.lines.last_mut().filter(|line| !line.ends_with('\n')) {
            Some(line) => line.push_str(piece),
            None => log.lines.push(piece.to_owned()),
        }
    }

    pub(super) fn hang_up(&mut self, pod: &str) {
        self.0.entry(pod.to_owned()).or_default().followers.clear();
    }

    pub(super) fn asked(&self, pod: &str) -> Vec<String> {
        self.0.get(pod).map(|log| log.asked.clone()).unwrap_or_default()
    }

    pub(super) fn end(&mut self, pod: &str) {
        let log = self.0.entry(pod.to_owned()).or_default();
        log.followers.clear();
        log.previous = std::mem::take(&mut log.lines);
    }

    pub(super) fn lose(&mut self, pod: &str) {
        for follower in self.0.entry(pod.to_owned()).or_default().followers.drain(..) {
            let _ = follower.unbounded_send(Err(()));
        }
    }

    pub(super) fn answer(&mut self, path: &str, query: &str) -> Response<AnswerBody> {
        let pod = path.rsplit('/').next().unwrap_or_default();
        let Some(log) = self.0.get_mut(pod) else { return whole(StatusCode::OK, &json!("the last line")) };
        log.asked.push(query.to_owned());
        let previous = parameter(query, "previous").is_some();
        if previous && log.previous.is_empty() {
            let code = StatusCode::BAD_REQUEST;
            return whole(code, &problem(code, "previous terminated container not found"));
        }
        let since = parameter(query, "sinceTime").unwrap_or_default();
        let all = if previous { &log.previous } else { &log.lines };
        // Times of one width compare as texts do.
        let since = since.trim_end_matches('Z');
        let mut lines: Vec<String> = all.iter().filter(|line| line.as_str() >= since).cloned().collect();
        if let Some(tail) = parameter(query, "tailLines").and_then(|tail| tail.parse::<usize>().ok()) {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let later = parameter(query, "follow").map(|_| {
            let (follower, later) = unbounded();
            log.followers.push(follower);
            later
        });
        text(lines.concat(), later)
    }
}
