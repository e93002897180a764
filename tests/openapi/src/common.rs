//! What is the same in both documents: the server's own refusals, which meet every route, and the answers that
//! annotations refer to.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// What can meet any request before or beside its handler, by status. A route that has an answer of its own with one of
/// them keeps its own description.
const REFUSALS: [(&str, &str); 6] = [
    ("400", "BadHead"),
    ("408", "TooSlow"),
    ("414", "TargetTooLong"),
    ("431", "HeadTooLarge"),
    ("503", "NoConnectionFree"),
    ("505", "OtherProtocol"),
];

/// Every shared answer: a problem, with the header that belongs to its status.
const ANSWERS: [(&str, &str, Header); 10] = [
    ("BadHead", "The request's head is malformed or contradicts itself.", Header::None),
    ("TooSlow", "The request's head or body did not arrive in time.", Header::None),
    ("BodyTooLarge", "The body has more than 65,536 bytes.", Header::None),
    ("TargetTooLong", "The request's target has more than 65,534 bytes.", Header::None),
    ("OtherMediaType", "The body's media type is not one of those that are taken.", Header::Accept),
    ("HeadTooLarge", "The request's head has more than 16 KiB or more than 100 lines.", Header::None),
    (
        "Broken",
        "What the database holds can't be read, or it refused the row. Trying again does not help.",
        Header::None,
    ),
    ("NoConnectionFree", "All connections of this replica are taken.", Header::RetryAfter),
    (
        "DatabaseAway",
        "The database can't be used now, the service has none, or there is too much to do; `detail` says which. Nothing \
         was stored, unless `detail` says that it was, or that the answer was lost.",
        Header::RetryAfter,
    ),
    ("OtherProtocol", "The request is not HTTP/1.1 or HTTP/1.0.", Header::None),
];

#[derive(Clone, Copy, Debug)]
enum Header {
    None,
    Accept,
    RetryAfter,
}

/// The document as it is published: `generated`, with [`REFUSALS`] in every operation, and with what the generator has
/// no word for.
pub fn complete(generated: &OpenApi) -> Value {
    let mut document = serde_json::to_value(generated).expect("a document of strings and maps");
    let answers = ANSWERS.map(|(name, description, header)| (name.to_owned(), problem(description, header)));
    document["components"]["responses"] = Value::Object(answers.into_iter().collect());
    let paths = document["paths"].as_object_mut().expect("paths");
    for operation in paths.values_mut().flat_map(|path| path.as_object_mut().expect("operations").values_mut()) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            forget_null(&mut parameter["schema"]);
        }
        let answers = operation["responses"].as_object_mut().expect("responses");
        for (status, name) in REFUSALS {
            answers.entry(status).or_insert_with(|| json!({"$ref": format!("#/components/responses/{name}")}));
        }
        answers.sort_keys();
        answers.values_mut().for_each(require_headers);
    }
    refers_to_what_is_there(&document, &document);
    document
}

/// The generator collects the schemas of bodies by itself, and leaves out those of parameters.
fn refers_to_what_is_there(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is not there");
            }
            members.values().for_each(|member| refers_to_what_is_there(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| refers_to_what_is_there(document, item)),
        _ => {}
    }
}

/// An optional parameter is left out; the generator would have it `null` as well, which no query and no header can be.
fn forget_null(schema: &mut Value) {
    if let Some([one, null]) = schema.get("oneOf").and_then(Value::as_array).map(Vec::as_slice)
        && *null == json!({"type": "null"})
    {
        *schema = one.clone();
    } else if let Some([one, null]) = schema.get("type").and_then(Value::as_array).map(Vec::as_slice)
        && null == "null"
    {
        schema["type"] = one.clone();
    }
}

/// A header that an answer describes is always there, unless its description says when.
fn require_headers(answer: &mut Value) {
    for header in answer.get_mut("headers").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        let conditional = header["description"].as_str().is_some_and(|text| text.starts_with("When "));
        header["required"] = (!conditional).into();
    }
}

fn problem(description: &str, header: Header) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    let mut answer = json!({
        "description": description,
        "content": {(api::Problem::CONTENT_TYPE): {"schema": schema}},
    });
    let (name, description, schema) = match header {
        Header::None => return answer,
        Header::Accept => ("Accept", "The media types that are taken.", json!({"type": "string"})),
        Header::RetryAfter => {
            ("Retry-After", "Seconds after which another try may succeed.", json!({"type": "integer", "minimum": 1}))
        }
    };
    answer["headers"] = json!({(name): {"description": description, "required": true, "schema": schema}});
    answer
}
