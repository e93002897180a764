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


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if not (is_positive(case) and case.media_type == STRUCTURED and isinstance(body, dict)):
        return
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
    route = f"{case.operation.method.upper()} {case.operation.path}"
    try:
        detail = json.loads(response.content).get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    if kind == "RejectedPositiveData":
        # A cursor is opaque: only what the list itself gave is one.
        if route == "GET /messages" and response.status_code == 400:
            return not detail.startswith("the cursor is none of this list's")
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
