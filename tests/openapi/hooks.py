"""What no OpenAPI document can say, so that schemathesis can't know it.

Each rule drops one kind of finding, told by the service's own answer and by nothing wider, or completes one kind of
request. Everything else that schemathesis finds is a failure.
"""

import base64
import json

import schemathesis
from schemathesis.core import NOT_SET
from schemathesis.core.parameters import ParameterLocation

STRUCTURED = "application/cloudevents+json"


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def route_of(case):
    return f"{case.operation.method.upper()} {case.operation.path}"


# The last `next_cursor` of the list, by the `state` that was asked for.
cursors = {}


@schemathesis.hook
def after_call(context, case, response):
    if route_of(case) == "GET /messages" and response.status_code == 200:
        following = response.json().get("next_cursor")
        if following is not None:
            cursors[(case.query or {}).get("state")] = following


@schemathesis.hook
def before_call(context, case, kwargs):
    if not is_positive(case):
        return
    # A cursor is opaque: only what the same list gave is one, and until it gave one there is none.
    if route_of(case) == "GET /messages" and "cursor" in (case.query or {}):
        query = {name: value for name, value in case.query.items() if name != "cursor"}
        known = cursors.get(query.get("state"))
        case.query = query if known is None else {**query, "cursor": known}
    if case.media_type == STRUCTURED and isinstance(case.body, dict):
        complete(case)


def complete(case):
    """Makes an event in structured mode of what has the shape of one."""
    body = case.body
    # CloudEvents has whole numbers without a fraction; to JSON Schema 1.0 is one as well.
    body = {name: int(value) if isinstance(value, float) else value for name, value in body.items()}
    # The Base64 of a JSON object, of which a schema can only say that it is Base64 of JSON.
    if "data_base64" in body:
        data = json.dumps({"was": body["data_base64"]}).encode()
        body["data_base64"] = base64.b64encode(data).decode()
    case.body = body


@schemathesis.hook
def filter_failure(context, failure, case, response):
    kind = type(failure).__name__
    route = route_of(case)
    try:
        detail = json.loads(response.content).get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    if kind == "RejectedPositiveData":
        # Whether a key is new depends on the requests before.
        if route == "POST /messages" and response.status_code == 422:
            return not detail.startswith("this Idempotency-Key came with another body before")
        # The time in an identifier that is made up may be any.
        if route == "POST /messages/{id}/redeliver" and response.status_code == 410:
            return not detail.startswith("the message is older than RETENTION")
    if kind in ("AcceptedNegativeData", "MissingHeaderNotRejected") and route == "POST /events":
        # Parameters belong to a route, not to one of its media types: in structured mode no ce-* header is looked at.
        others = (ParameterLocation.PATH, ParameterLocation.QUERY, ParameterLocation.COOKIE, ParameterLocation.BODY)
        only_headers = not any(case.meta.is_negative_at(location) for location in others)
        if case.media_type == STRUCTURED and case.body is not NOT_SET and only_headers:
            return False
    return True
