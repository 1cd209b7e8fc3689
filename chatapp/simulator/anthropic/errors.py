"""Anthropic's error bodies: {"type": "error", "error": {type, message}, "request_id"}. [Errors]"""

from typing import Any

from ..exchange import Rejection

TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}  # fmt: skip


def body(kind: str, message: str) -> dict[str, Any]:
    """The one shape; the request id is filled in where it is sent."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": None}


def rejection(status: int, message: str, headers: dict[str, str] | None = None) -> Rejection:
    """An error of the type that goes with the status."""
    return Rejection(status, body(TYPES[status], message), headers)


def invalid(message: str) -> Rejection:
    """400 invalid_request_error."""
    return rejection(400, message)


def extra(path: str) -> Rejection:
    """A field the API does not know."""
    return invalid(f"{path}: Extra inputs are not permitted")


def required(path: str) -> Rejection:
    """A field that must be there."""
    return invalid(f"{path}: Field required")


def rejected_by(kind: str, retry_after: object) -> Rejection:
    """The error a fault of that kind stands for."""
    match kind:
        case "rate_limited":
            headers = {} if retry_after is None else {"retry-after": f"{float(str(retry_after)):g}"}
            return rejection(429, "This request would exceed your organization's rate limit.", headers)
        case "server_error":
            return rejection(500, "Internal server error")
        case "overloaded":
            return rejection(529, "Overloaded")
        case "bad_key":
            return rejection(401, "invalid API key")
        case "unknown_model":
            return rejection(404, "model: the-model")
    return too_long(1_234_567, 1_000_000)


def too_long(tokens: int, limit: int) -> Rejection:
    """A prompt beyond the context window."""
    return invalid(f"prompt is too long: {tokens} tokens > {limit} maximum")
