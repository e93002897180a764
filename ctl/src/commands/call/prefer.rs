//! `--async`: the preference for an answer before the work is done.
//!
//! <https://www.rfc-editor.org/rfc/rfc7240#section-4.1>

use http::header::AsHeaderName;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::error::Error;

pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RESPOND_ASYNC: &str = "respond-async";

/// Adds the preference beside those of the command line. A request for nothing but an answer cannot be answered before
/// its work is done.
pub(super) fn respond_async(headers: &mut HeaderMap, method: &Method, body: &[u8]) -> Result<(), Error> {
    if method.is_safe() && body.is_empty() {
        return Err(Error::usage(format!("--async makes no sense with {method}"))
            .why("it asks for an answer before the work is done, and the answer is all there is to do")
            .next("give the request a body with --data, or say --request POST"));
    }
    if !names(headers, &PREFER) {
        headers.append(PREFER, HeaderValue::from_static(RESPOND_ASYNC));
    }
    Ok(())
}

/// What to say of an answer to a request that preferred it early; `None` when that was applied, or went wrong anyway.
pub(super) fn not_applied(head: &Parts) -> Option<String> {
    let status = head.status;
    if names(&head.headers, &PREFERENCE_APPLIED) || status.is_client_error() || status.is_server_error() {
        return None;
    }
    Some(match status {
        StatusCode::ACCEPTED => format!("answered {status} without Preference-Applied: it may have waited first"),
        _ => format!("answered synchronously ({status}, without Preference-Applied): --async had no effect"),
    })
}

/// Whether one of the header's preferences is `respond-async`; parameters and other preferences may stand beside it.
fn names(headers: &HeaderMap, name: impl AsHeaderName) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.any(|one| one.split([';', '=']).next().unwrap_or_default().trim().eq_ignore_ascii_case(RESPOND_ASYNC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExitCode;

    fn preferred(given: &[&'static str]) -> Vec<String> {
        let mut headers: HeaderMap = given.iter().map(|value| (PREFER, HeaderValue::from_static(value))).collect();
        respond_async(&mut headers, &Method::POST, b"").unwrap();
        headers.get_all(PREFER).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    fn said(status: u16, applied: Option<&str>) -> Option<String> {
        let mut response = http::Response::builder().status(status);
        if let Some(applied) = applied {
            response = response.header("Preference-Applied", applied);
        }
        not_applied(&response.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_preference_is_added_once_beside_others() {
        assert_eq!(preferred(&[]), ["respond-async"]);
        assert_eq!(preferred(&["wait=5"]), ["wait=5", "respond-async"]);
        assert_eq!(preferred(&["wait=5, Respond-Async"]), ["wait=5, Respond-Async"]);
    }

    #[test]
    fn a_request_for_nothing_but_an_answer_is_refused() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let error = respond_async(&mut HeaderMap::new(), &method, b"").unwrap_err();
            assert_eq!(error.code(), ExitCode::Usage);
            assert!(error.to_string().contains("--data"), "{error}");
        }
        for (method, body) in [(Method::GET, "{}"), (Method::PUT, "{}"), (Method::POST, ""), (Method::DELETE, "")] {
            assert_eq!(respond_async(&mut HeaderMap::new(), &method, body.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn an_answer_that_does_not_say_that_it_came_early_is_told() {
        assert_eq!(said(202, Some("respond-async")), None);
        assert_eq!(said(202, Some("wait=5,  RESPOND-ASYNC ; x=1")), None);
        assert!(said(201, None).unwrap().contains("synchronously (201 Created"));
        assert!(said(200, Some("wait=5")).unwrap().contains("synchronously"));
        // Accepted is not done: it did not answer synchronously, whatever it waited for.
        assert!(said(202, None).unwrap().contains("may have waited"));
        assert_eq!(said(503, None), None);
    }
}
