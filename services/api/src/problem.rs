//! The body of every error answer (RFC 9457).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A problem detail: the body of an answer of the type `application/problem+json`.
///
/// Members and their meaning are those of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457#section-3.1);
/// `trace_id` is the extension member that ties the answer to its trace and to the service's log lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI that identifies the kind of problem; `about:blank` when the status says it all.
    #[serde(rename = "type", default = "about_blank")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uri-reference", required = true))]
    pub kind: Cow<'static, str>,
    /// A short summary of the kind; for `about:blank` the status's own phrase.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = true))]
    pub title: Cow<'static, str>,
    /// The answer's HTTP status code, repeated for whoever sees the body alone.
    #[cfg_attr(feature = "openapi", schema(minimum = 400, maximum = 599))]
    pub status: u16,
    /// What went wrong this time, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub detail: Option<String>,
    /// The path of the request that met the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uri-reference"))]
    pub instance: Option<String>,
    /// The trace the request belongs to: 32 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
    pub trace_id: Option<String>,
}

impl Problem {
    /// The media type of a problem.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// The kind of a problem that its status describes well enough.
    pub const ABOUT_BLANK: &'static str = "about:blank";

    /// A problem of the kind `about:blank`: `status` (an HTTP status code) and its phrase as `title`.
    pub fn new(status: u16, title: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: about_blank(), title: title.into(), status, detail: None, instance: None, trace_id: None }
    }

    /// The same problem, saying what went wrong this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same problem, naming the path that met it.
    #[must_use]
    pub fn with_instance(mut self, path: impl Into<String>) -> Self {
        self.instance = Some(path.into());
        self
    }

    /// The same problem, tied to its trace where there is one.
    #[must_use]
    pub fn with_trace_id(mut self, trace_id: Option<String>) -> Self {
        self.trace_id = trace_id;
        self
    }
}

fn about_blank() -> Cow<'static, str> {
    Cow::Borrowed(Problem::ABOUT_BLANK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_with_the_members_of_the_rfc() {
        let problem = Problem::new(404, "Not Found")
            .with_detail("no route for /nowhere")
            .with_instance("/nowhere")
            .with_trace_id(Some("4bf92f3577b34da6a3ce929d0e0e4736".into()));

        let json = serde_json::to_value(&problem).unwrap();

        assert_eq!(
            json,
            serde_json::json!({
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "no route for /nowhere",
                "instance": "/nowhere",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            })
        );
    }

    #[test]
    fn members_that_are_absent_are_left_out_and_read_back_as_their_defaults() {
        let json = serde_json::to_string(&Problem::new(503, "Service Unavailable")).unwrap();
        assert!(!json.contains("detail") && !json.contains("trace_id"), "{json}");

        let read: Problem = serde_json::from_str(r#"{"status":503}"#).unwrap();
        assert_eq!(read.kind, Problem::ABOUT_BLANK);
        assert_eq!(read.detail, None);
    }

    #[test]
    fn a_problem_with_members_of_its_own_is_still_read() {
        let read: Problem =
            serde_json::from_str(r#"{"type":"https://example.org/out-of-stock","title":"x","status":409,"items":3}"#)
                .unwrap();

        assert_eq!(read.status, 409);
        assert_eq!(read.kind, "https://example.org/out-of-stock");
    }
}
