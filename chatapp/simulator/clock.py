"""Movable time. Lifetimes of caches and stored responses use this clock and no other."""

import time


class Clock:
    """Real time plus an offset that only grows, one per account, so that parallel tests never meet."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as this account sees them."""
        return time.time() + self.offset_seconds

    def advance(self, seconds: float) -> None:
        """Moves on; providers never go back in time, so neither does this."""
        if seconds < 0:
            raise ValueError("time only moves forward")
        self.offset_seconds += seconds
