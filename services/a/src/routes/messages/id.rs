//! The identifier in a path.

use axum::extract::{FromRequestParts, Path};
use http::StatusCode;
use http::request::Parts;
use runtime::Failure;
use uuid::Uuid;

/// `{id}`, a UUID in its usual form; anything else is 400.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) Uuid);

/// Five groups of hexadecimal digits. Other forms would be other URLs of the same message.
const LENGTH: usize = 36;

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.filter(|Path(text)| text.len() == LENGTH).and_then(|Path(text)| Uuid::try_parse(&text).ok());
        id.map(Self).ok_or_else(|| {
            let detail = "the message's identifier is not a UUID, such as 0199c0de-0000-7000-8000-000000000000";
            Failure::new(StatusCode::BAD_REQUEST, detail).at(parts.uri.path())
        })
    }
}
