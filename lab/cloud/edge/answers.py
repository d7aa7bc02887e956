"""Answers of the edge in place of a service, with the bodies that real services send."""

import json

_NEUTRON = {
    409: ("OverQuota", "Quota exceeded for resources."),
    412: ("RevisionNumberConstraintFailed", "Constrained to another revision than the resource has."),
    500: ("HTTPInternalServerError", "Request Failed: internal server error while processing your request."),
}
_BALANCER = (
    b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"
)


def answer(status: int) -> tuple[str, bytes]:
    """The answer with a status.

    Args:
        status: HTTP's.

    Returns:
        Content type and body: Neutron's own JSON where Neutron gives that answer, else a load balancer's page.
    """
    if status in _NEUTRON:
        kind, message = _NEUTRON[status]
        body = {"NeutronError": {"type": kind, "message": message, "detail": ""}}
        return "application/json", json.dumps(body).encode()
    return "text/html", _BALANCER
