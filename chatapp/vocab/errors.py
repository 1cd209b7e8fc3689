"""Everything that can go wrong between Stet and a provider, as a tree of named errors.

Adapters build these and hand them over inside `Failed`; they do not escape a stream. `code` is
what is stored, sent to the browser and asserted in tests. `message` is the provider's own words
with secrets removed: it is shown folded, under a plain sentence of ours.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(eq=False)
class ProviderError(Exception):
    """Base of the tree. `status` is the HTTP status, None where none arrived."""

    code: ClassVar[str] = "provider_error"
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed soon. Only used before the first byte."""

    message: str = ""
    status: int | None = None
    request_id: str | None = None
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class RateLimited(ProviderError):
    """Too many requests or tokens (429); `retry_after_seconds` where the provider gave it."""

    code = "rate_limited"
    retryable = True


class Overloaded(ProviderError):
    """The provider has no capacity just now (503, 529, `overloaded_error`)."""

    code = "overloaded"
    retryable = True


class ServerFault(ProviderError):
    """The provider failed inside (500, 502, 504, `server_error`, `api_error`)."""

    code = "server_error"
    retryable = True


class ConnectionFailed(ProviderError):
    """No connection, or it was reset before the first byte of an answer."""

    code = "connection_failed"
    retryable = True


class TimedOut(ProviderError):
    """Nothing arrived for longer than the configured time."""

    code = "timeout"
    retryable = True


class BadKey(ProviderError):
    """The key is missing, wrong, or may not do this (401, 403)."""

    code = "bad_key"


class NoCredit(ProviderError):
    """The account has no credit or its spending cap is reached (402, `billing_error`, `insufficient_quota`)."""

    code = "no_credit"


class UnknownModel(ProviderError):
    """The provider does not know this model, or not for this account (404)."""

    code = "unknown_model"


class ContextTooLong(ProviderError):
    """The request is larger than the model's window."""

    code = "context_too_long"


class PreviousResponseNotFound(ProviderError):
    """The response to chain from has expired, was deleted or belongs to another account."""

    code = "previous_response_not_found"


class Refused(ProviderError):
    """The model or its filter declined to answer; such a call is billed."""

    code = "refused"


class InvalidRequest(ProviderError):
    """The provider rejected the request for another reason: a fault of Stet's or of the instructions."""

    code = "invalid_request"


class BrokenStream(ProviderError):
    """The connection broke in the middle of an answer."""

    code = "broken_stream"


class TruncatedStream(ProviderError):
    """The stream ended in good order but without its terminal event: the answer is not whole."""

    code = "truncated_stream"


class MalformedData(ProviderError):
    """The stream held something that is not what the protocol promises."""

    code = "malformed_data"
