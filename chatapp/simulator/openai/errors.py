"""OpenAI's error bodies: {"error": {message, type, param, code}}. [Error codes, July 2026; shapes in SDK 3.54.0]"""

from typing import Any

from ..exchange import Rejection


def body(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    """The one shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def invalid(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Rejection:
    """A request that cannot be served as it is."""
    return Rejection(status, body(message, "invalid_request_error", param, code))


def missing(param: str) -> Rejection:
    """A required parameter that is not there."""
    return invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def unsupported(param: str) -> Rejection:
    """A parameter that exists, but not for this model."""
    return invalid(
        f"Unsupported parameter: '{param}' is not supported with this model.", param, "unsupported_parameter"
    )


def not_simulated(what: str, param: str) -> Rejection:
    """Real at OpenAI, missing here: said plainly rather than ignored."""
    return invalid(f"The simulator does not offer {what}.", param, "simulator_unsupported")


def rejected_by(kind: str, retry_after: object) -> Rejection:
    """The error a fault of that kind stands for."""
    match kind:
        case "rate_limited":
            headers = {} if retry_after is None else {"retry-after": f"{float(str(retry_after)):g}"}
            message = "Rate limit reached for requests. Please try again later."
            return Rejection(429, body(message, "requests", None, "rate_limit_exceeded"), headers)
        case "server_error":
            message = "The server had an error while processing your request. Sorry about that!"
            return Rejection(500, body(message, "server_error", None, "server_error"))
        case "overloaded":
            message = "The engine is currently overloaded, please try again later."
            return Rejection(503, body(message, "server_error", None, "server_is_overloaded"))
        case "bad_key":
            return bad_key("sk-...")
        case "unknown_model":
            return unknown_model("the-model")
    return context_too_long()


def bad_key(shown: str) -> Rejection:
    """401 for a key that is wrong."""
    message = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com."
    return Rejection(401, body(message, "invalid_request_error", None, "invalid_api_key"))


def no_key() -> Rejection:
    """401 without a key."""
    message = "You didn't provide an API key. Provide it in an Authorization header using Bearer auth."
    return Rejection(401, body(message, "invalid_request_error", None, None))


def unknown_model(name: str) -> Rejection:
    """404 with code model_not_found."""
    message = f"The model '{name}' does not exist or you do not have access to it."
    return invalid(message, "model", "model_not_found", 404)


def context_too_long() -> Rejection:
    """400 with code context_length_exceeded."""
    message = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return invalid(message, "input", "context_length_exceeded")


def unknown_previous(response_id: str) -> Rejection:
    """An id that is unknown, expired or another account's. [reported in bigduu/Bamboo-agent#513, maximhq/bifrost#2441;
    Error codes, July 2026, WebSocket mode]"""
    message = f"Previous response with id '{response_id}' not found."
    return invalid(message, "previous_response_id", "previous_response_not_found")
