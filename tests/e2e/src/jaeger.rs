//! Jaeger's answer about a trace, or that of the receiver in `msctl up`, read past msctl: what the scenarios check msctl's
//! tree against.

use std::collections::HashMap;

use serde_json::Value;

use crate::{Run, Scenario};

/// One span of a trace: who made it, its name, and its parent's id when it has one.
#[derive(Debug, Clone)]
pub struct Span {
    pub id: String,
    pub parent: Option<String>,
    pub service: String,
    pub name: String,
    pub resource: HashMap<String, String>,
}

/// The spans of `trace`, from the query API of the Jaeger in the scenario's namespace.
pub fn spans(scenario: &Scenario, trace: &str) -> Result<Vec<Span>, String> {
    let path = format!("/api/v1/namespaces/{}/services/jaeger:16686/proxy/api/traces/{trace}", scenario.namespace);
    let run = scenario.kubectl(&["get", "--raw", &path]);
    if run.code != Some(0) {
        return Err(run.stderr);
    }
    read(&run.json())
}

/// The spans of the one trace in an answer of the query API.
pub fn read(answer: &Value) -> Result<Vec<Span>, String> {
    let trace = &answer["data"][0];
    let spans = trace["spans"].as_array().ok_or("no such trace yet")?;
    Ok(spans.iter().map(|span| parse(span, &trace["processes"])).collect())
}

fn parse(span: &Value, processes: &Value) -> Span {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let process = &processes[text(&span["processID"])];
    let references = span["references"].as_array().into_iter().flatten();
    Span {
        id: text(&span["spanID"]),
        parent: references
            .filter(|reference| reference["refType"] == "CHILD_OF")
            .map(|reference| text(&reference["spanID"]))
            .next(),
        service: text(&process["serviceName"]),
        name: text(&span["operationName"]),
        resource: process["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|tag| (text(&tag["key"]), text(&tag["value"])))
            .collect(),
    }
}

/// `true` when the spans make one tree: one root, and every other span's parent is there.
pub fn is_whole(spans: &[Span]) -> bool {
    let roots = spans.iter().filter(|span| span.parent.is_none()).count();
    let known = |id: &String| spans.iter().any(|span| &span.id == id);
    roots == 1 && spans.iter().filter_map(|span| span.parent.as_ref()).all(known)
}

/// The services on the way from the root to `span`, root first, each once in a row.
pub fn path(spans: &[Span], span: &Span) -> Vec<String> {
    let mut path = vec![span.service.clone()];
    let mut at = span.clone();
    while let Some(parent) = at.parent.as_ref().and_then(|id| spans.iter().find(|span| &span.id == id)) {
        if path.last() != Some(&parent.service) {
            path.push(parent.service.clone());
        }
        at = parent.clone();
    }
    path.reverse();
    path
}

/// The id of the trace that a command printed the tree of.
#[track_caller]
pub fn printed_id(run: &Run) -> String {
    let is_trace_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let printed = format!("{}{}", run.stdout, run.stderr);
    let id = printed.split(|c: char| !c.is_ascii_alphanumeric()).find(is_trace_id);
    id.unwrap_or_else(|| panic!("no trace id\n{run}")).to_owned()
}
