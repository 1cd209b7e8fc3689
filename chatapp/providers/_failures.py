"""What went wrong, as one of `chatapp.vocab.errors`: from HTTP answers, error events and exceptions.

Providers and compatible servers share these codes and shapes closely enough for one table. Sources:
OpenAI "Error codes" (July 2026), openai 3.54.0 `types/responses/response_error.py`; Claude "Errors"
(Sep 2026), anthropic 2.12.0 `types/shared/error_details.py`; Open Responses specification
(2026-04-24), "Errors". No message leaves here with a key in it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import anyio
import httpx2
import orjson

from chatapp.vocab.errors import (
    BadKey,
    BrokenStream,
    ConnectionFailed,
    ContextTooLong,
    InvalidRequest,
    MalformedData,
    NoCredit,
    Overloaded,
    PreviousResponseNotFound,
    ProviderError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    UnknownModel,
)

MESSAGE_LIMIT = 2_000
"""Characters of a provider's message that are kept: some servers answer with a whole page."""

SPECIFIC: dict[str, type[ProviderError]] = {
    "billing_error": NoCredit,
    "billing_hard_limit_reached": NoCredit,
    "contract_spend_limit_reached": NoCredit,
    "enforced_spend_limit_reached": NoCredit,
    "insufficient_quota": NoCredit,
    "context_length_exceeded": ContextTooLong,
    "model_context_window_exceeded": ContextTooLong,
    "request_too_large": ContextTooLong,
    "model_not_found": UnknownModel,
    "previous_response_not_found": PreviousResponseNotFound,
    "overloaded_error": Overloaded,
    "server_is_overloaded": Overloaded,
    "slow_down": Overloaded,
    "invalid_api_key": BadKey,
    "organization_on_hold": BadKey,
    "bio_policy": Refused,
    "content_filter": Refused,
    "content_policy_violation": Refused,
    "image_content_policy_violation": Refused,
    "misalignment_policy_violation": Refused,
}
"""Codes and types that say more than the HTTP status they come with."""

BY_STATUS: dict[int, type[ProviderError]] = {
    400: InvalidRequest,
    401: BadKey,
    402: NoCredit,
    403: BadKey,
    404: UnknownModel,
    408: TimedOut,
    409: ServerFault,  # "lock timeout" to both SDKs, which try it again
    413: ContextTooLong,
    422: InvalidRequest,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}

GENERIC: dict[str, type[ProviderError]] = {
    "api_error": ServerFault,
    "conflict_error": ServerFault,
    "model_error": ServerFault,
    "server_error": ServerFault,
    "timeout_error": ServerFault,
    "vector_store_timeout": ServerFault,
    "authentication_error": BadKey,
    "permission_error": BadKey,
    "not_found": UnknownModel,
    "not_found_error": UnknownModel,
    "rate_limit_error": RateLimited,
    "rate_limit_exceeded": RateLimited,
    "too_many_requests": RateLimited,
    "invalid_prompt": InvalidRequest,
    "invalid_request": InvalidRequest,
    "invalid_request_error": InvalidRequest,
}
"""Codes and types that an HTTP status outranks; inside a stream there is none."""

TOO_LONG = re.compile(
    r"prompt is too long|maximum context length|exceeds? the (?:available |model's )?context|context window", re.I
)
NO_CREDIT = re.compile(r"credit balance is too low|exceeded your current quota", re.I)
PREVIOUS = re.compile(r"previous[ _]response", re.I)
KEY_LIKE = re.compile(r"\bsk-[\w-]{8,}|(?<=Bearer )[^\s'\"]+")

NETWORK = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, anyio.EndOfStream, OSError)
"""What the network raises, an SDK wraps before the answer, and nobody wraps in it (TLS errors are OSErrors)."""


class Malformed(Exception):
    """Raised while reading a stream that is not what the protocol promises."""


class Failures:
    """Makes errors for one account: knows the key that must not be told.

    `response_id_sent` is the `previous_response_id` of the call, if it had one: servers word its loss
    in many ways, and only a call that chained can mean it. `started`: an answer had begun to arrive.
    """

    def __init__(self, key: str) -> None:
        # Shorter ones are placeholders for keyless servers, and would blot out ordinary words.
        self._secrets = sorted({secret for secret in (key, key.strip()) if len(secret) >= 4}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """`text` without the account's key or anything that looks like one, and not too long."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return KEY_LIKE.sub("[key]", text)[:MESSAGE_LIMIT]

    def from_exception(
        self, error: Exception, *, started: bool, request_id: str | None, response_id_sent: str | None
    ) -> ProviderError:
        """Any exception of an SDK, the network, or our own reading."""
        response = getattr(error, "response", None)
        if isinstance(response, httpx2.Response):
            return self._from_response(response, response_id_sent)
        # SDKs wrap the network's exceptions, in words that say less.
        wrapped = error.__cause__
        cause = wrapped if isinstance(wrapped, NETWORK) and not isinstance(error, NETWORK) else error
        kind = "" if isinstance(cause, Malformed) else type(cause).__name__
        message = self.redact(": ".join(part for part in (kind, str(cause)) if part))
        return self._kind(cause, started)(message, request_id=request_id)

    @staticmethod
    def _kind(cause: Exception, started: bool) -> type[ProviderError]:
        match cause:
            case Malformed() | httpx2.DecodingError():
                return MalformedData
            case httpx2.TimeoutException() | TimeoutError():
                return TimedOut
            case httpx2.LocalProtocolError() | httpx2.InvalidURL() | httpx2.UnsupportedProtocol() if not started:
                return InvalidRequest
            case _ if isinstance(cause, NETWORK):
                return BrokenStream if started else ConnectionFailed
            case TypeError() | ValueError() | LookupError() if not started:
                return InvalidRequest  # ours or an SDK's check of a request that cannot be sent
            case _:
                return ProviderError

    def from_event(
        self, event: Mapping[str, Any], *, request_id: str | None, response_id_sent: str | None
    ) -> ProviderError:
        """An error event or the `error` of a failed response, nested (`{"error": {...}}`) or flat."""
        return self._from_body(event, None, response_id_sent)(
            self._message(event), request_id=request_id or _text(event.get("request_id"))
        )

    def _from_response(self, response: httpx2.Response, response_id_sent: str | None) -> ProviderError:
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            text = response.text.strip()
            body = {"error": "" if text.startswith("<") else text}
        if not isinstance(body, dict):
            body = {"error": body}
        headers = response.headers
        return self._from_body(body, response.status_code, response_id_sent)(
            self._message(body) or f"HTTP {response.status_code} {response.reason_phrase}".strip(),
            status=response.status_code,
            request_id=headers.get("x-request-id") or headers.get("request-id"),
            retry_after_seconds=retry_after_seconds(headers),
        )

    def _message(self, body: Mapping[str, Any]) -> str:
        message = _fields(body).get("message") or ""
        return self.redact(message if isinstance(message, str) else orjson.dumps(message).decode())

    def _from_body(
        self, body: Mapping[str, Any], status: int | None, response_id_sent: str | None
    ) -> type[ProviderError]:
        fields = _fields(body)
        details = fields.get("details")
        codes = [fields.get("code"), details.get("error_code") if isinstance(details, dict) else None]
        codes = [code for code in (*codes, fields.get("type")) if isinstance(code, str)]
        message = str(fields.get("message") or "")
        for code in codes:
            if code in SPECIFIC:
                return SPECIFIC[code]
        if response_id_sent and status in (None, 400, 404, 422):
            named = fields.get("param") == "previous_response_id" or PREVIOUS.search(message)
            if named or response_id_sent in message:
                return PreviousResponseNotFound
        if status in (None, 400, 422) and TOO_LONG.search(message):
            return ContextTooLong
        if NO_CREDIT.search(message):
            return NoCredit
        if status is not None:
            return BY_STATUS.get(status, ServerFault if status >= 500 else InvalidRequest)
        for code in codes:
            if code in GENERIC:
                return GENERIC[code]
        return ServerFault


def _fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`code`, `type`, `param`, `message` of an error body in any of its shapes.

    `{"error": {...}}`, `{"error": "text"}` (Ollama), `{"detail": ...}` (FastAPI), or flat.
    """
    inner = body.get("error")
    if isinstance(inner, dict):
        return inner
    if inner is not None:
        return {"message": inner}
    if body.get("message") is None and "detail" in body:
        return {**body, "message": body["detail"]}
    return body


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    try:
        seconds = float(headers["retry-after-ms"]) / 1000
    except (KeyError, ValueError):
        value = headers.get("retry-after", "")
        try:
            seconds = float(value)
        except ValueError:
            try:
                date = parsedate_to_datetime(value)
            except (TypeError, ValueError):
                return None
            seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
            return max(0.0, seconds)
    return seconds if isfinite(seconds) and seconds >= 0 else None
