"""What every adapter is: the seam between the turn engine and a wire protocol."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from chatapp.vocab.events import StreamEvent
from chatapp.vocab.request import Request


@dataclass(frozen=True, slots=True)
class Config:
    """How to reach a provider. `timeout_seconds` bounds the wait for the next byte, not the whole answer."""

    key: str
    base_url: str | None = None
    timeout_seconds: float = 120.0
    connect_timeout_seconds: float = 10.0

    def __repr__(self) -> str:
        """Without the key: this may end in a log."""
        return f"Config(base_url={self.base_url!r})"


class Adapter(Protocol):
    """One connection pool to one provider account, made once per process and event loop.

    The adapter class is called with a `Config`. `stream` makes exactly one attempt: retrying is
    the engine's business, because each attempt is a line in the ledger.
    """

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """Send `request`; yield frames and `Reported`, then exactly one `Done` or `Failed`.

        Never raises for anything the provider or network does. Closing the generator
        (`aclose()`, or cancelling the task that awaits it) closes the upstream connection at once.
        """
        ...

    async def aclose(self) -> None:
        """Close the pool."""
        ...
