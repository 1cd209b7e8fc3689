"""State per API key. Everything a provider would keep for an organisation is kept here, so keys never meet."""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from .clock import Clock
from .faults import FaultQueue
from .pace import Pace
from .recordings import Recordings

LOG_LENGTH = 2_000
LOG_BODY_BYTES = 128 * 1024 * 1024
"""Requests kept per account, and bytes of their bodies: a demo that runs for weeks must not grow without end."""


@dataclass
class LogEntry:
    """One provider request as it was received, and what became of it."""

    number: int
    provider: str
    method: str
    path: str
    received_at: float
    headers: dict[str, Any]
    body: Any = None
    status: int | None = None
    usage: dict[str, Any] | None = None
    finished: str | None = None
    """completed, cut, client_closed, reset or rejected; None while it runs."""
    fault: str | None = None
    delivered_events: int = 0
    delivered_deltas: int = 0
    cache: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """What the control API shows."""
        return asdict(self)


@dataclass
class Account:
    """All that belongs to one key."""

    key: str
    pace: Pace
    clock: Clock = field(default_factory=Clock)
    faults: FaultQueue = field(default_factory=FaultQueue)
    recordings: Recordings = field(default_factory=Recordings)
    requests: deque[LogEntry] = field(default_factory=deque)
    request_count: int = 0
    _log_bytes: deque[int] = field(default_factory=deque)
    states: dict[str, Any] = field(default_factory=dict)
    """What each provider keeps for the account, by provider name."""

    def log(self, entry: LogEntry, body_bytes: int) -> None:
        """Keeps an entry, and lets the oldest go where there are too many."""
        self.requests.append(entry)
        self._log_bytes.append(body_bytes)
        while len(self.requests) > 1 and (len(self.requests) > LOG_LENGTH or sum(self._log_bytes) > LOG_BODY_BYTES):
            self.requests.popleft()
            self._log_bytes.popleft()

    def clear_log(self) -> None:
        """Forgets all requests; numbers go on."""
        self.requests.clear()
        self._log_bytes.clear()

    @property
    def organization(self) -> str:
        """A name for the account that does not give its key away."""
        return "org-" + hashlib.sha256(self.key.encode()).hexdigest()[:16]


class Accounts:
    """Accounts come into being when their key is first used."""

    def __init__(self, pace: Callable[[], Pace]) -> None:
        self._pace = pace
        self._by_key: dict[str, Account] = {}

    def get(self, key: str) -> Account:
        """The key's account."""
        if key not in self._by_key:
            self._by_key[key] = Account(key, self._pace())
        return self._by_key[key]

    def forget(self, key: str) -> bool:
        """Drops everything of the key; says whether there was anything."""
        return self._by_key.pop(key, None) is not None
