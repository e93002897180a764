//! The part of Jaeger's query API that readers of traces need.
//!
//! <https://www.jaegertracing.io/docs/latest/architecture/apis/#internal-http-json>

use std::sync::Arc;

use http::{Response, StatusCode};
use http_body_util::Either;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::Answer;
use super::exchange::{Body, whole};
use crate::Store;

const JSON: &str = "application/json";
/// Traces of a search that names no limit.
const LIMIT: usize = 100;
/// What narrows a search in Jaeger and would be ignored here: an answer that is too wide would be taken for a right one.
const NOT_HERE: [&str; 6] = ["operation", "tag", "tags", "minDuration", "maxDuration", "traceID"];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    Trace(String),
    Search,
    Services,
}

impl Question {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/api/")?.split('/').collect::<Vec<_>>()[..] {
            ["traces"] => Some(Self::Search),
            ["traces", id] if !id.is_empty() => Some(Self::Trace(decode(id))),
            ["services"] => Some(Self::Services),
            _ => None,
        }
    }
}

pub(super) fn answer(store: &Arc<Store>, question: &Question, query: &str) -> Response<Body> {
    match question {
        Question::Trace(id) => trace(store, id),
        Question::Search => match Search::read(query) {
            Ok(search) => {
                let traces = store.latest(&search.service, search.from, search.to, search.limit);
                found(store, traces)
            }
            Err(why) => fault(StatusCode::BAD_REQUEST, &why),
        },
        Question::Services => {
            let services = store.services();
            let total = services.len();
            envelope(StatusCode::OK, &json!(services), total, &Value::Null)
        }
    }
}

fn trace(store: &Arc<Store>, id: &str) -> Response<Body> {
    let digits = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(id) = digits.then(|| u128::from_str_radix(id, 16).ok()).flatten() else {
        return fault(StatusCode::BAD_REQUEST, "a trace id has up to 32 hex digits");
    };
    match store.find(id) {
        Some(trace) => found(store, vec![trace]),
        None => fault(StatusCode::NOT_FOUND, "trace not found"),
    }
}

fn found(store: &Arc<Store>, traces: Vec<crate::store::Handle>) -> Response<Body> {
    whole(StatusCode::OK, JSON, "").map(|_| Either::Right(Answer::new(store.clone(), traces)))
}

fn fault(status: StatusCode, message: &str) -> Response<Body> {
    envelope(status, &Value::Null, 0, &json!([{"code": status.as_u16(), "msg": message}]))
}

fn envelope(status: StatusCode, data: &Value, total: usize, errors: &Value) -> Response<Body> {
    let envelope = json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors});
    whole(status, JSON, envelope.to_string())
}

/// Which traces are searched for.
#[derive(Debug, PartialEq, Eq)]
struct Search {
    service: String,
    limit: usize,
    /// Nanoseconds since 1970, both inclusive.
    from: u64,
    to: u64,
}

impl Search {
    fn read(query: &str) -> Result<Self, String> {
        let mut search = Self { service: String::new(), limit: LIMIT, from: 0, to: u64::MAX };
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = decode(&value.replace('+', " "));
            if value.is_empty() {
                continue;
            }
            match name {
                "service" => search.service = value,
                "limit" => search.limit = number(name, &value)?,
                "start" => search.from = number::<u64>(name, &value)?.saturating_mul(1000),
                // To the end of the microsecond.
                "end" => search.to = number::<u64>(name, &value)?.saturating_mul(1000).saturating_add(999),
                name if NOT_HERE.contains(&name) => {
                    return Err(format!(
                        "traces can't be searched for by `{name}` here: by service, start and end only"
                    ));
                }
                _ => {}
            }
        }
        if search.service.is_empty() {
            return Err("parameter 'service' is required".to_owned());
        }
        Ok(search)
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{value}` is no whole number for parameter '{name}'"))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_says_the_service_and_the_time() {
        let search = Search::read("service=my%20service%26x&limit=20&raw=true&start=5&end=7").unwrap();
        let wanted = Search { service: "my service&x".to_owned(), limit: 20, from: 5_000, to: 7_999 };
        assert_eq!(search, wanted);
        assert_eq!(Search::read("service=a").unwrap().limit, LIMIT);
    }

    #[test]
    fn a_search_that_can_not_be_answered_rightly_is_refused() {
        assert_eq!(Search::read("limit=20").unwrap_err(), "parameter 'service' is required");
        assert!(Search::read("service=a&limit=x").unwrap_err().contains("'limit'"));
        assert!(Search::read("service=a&operation=GET%20%2F").unwrap_err().contains("`operation`"));
    }

    #[test]
    fn only_jaegers_paths_are_questions() {
        assert_eq!(Question::of("/api/traces/2f"), Some(Question::Trace("2f".to_owned())));
        for path in ["/", "/api", "/api/traces/", "/api/traces/1/2", "/search", "/api/dependencies"] {
            assert_eq!(Question::of(path), None, "{path}");
        }
    }
}
