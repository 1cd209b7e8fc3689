"""How fast an account's answers arrive. Speed only: what is said belongs to script.py, what breaks to faults.py."""

import re
from dataclasses import dataclass, fields
from typing import Any

WORD = re.compile(r"\s*\S+\s?|\s+")


@dataclass
class Pace:
    """Adjustable over the control API; every field is a number and zero means none."""

    delta_chars: int = 0
    """Length of a delta; 0 is one word each, with its space."""
    delay_seconds: float = 0.0
    """Pause after each delta."""
    first_byte_seconds: float = 0.0
    """Pause before the response begins. Cache entries become readable when it begins."""
    answer_words: int = 0
    """Length of an ordinary answer; 0 lets the conversation decide."""

    def change(self, wanted: dict[str, Any]) -> None:
        """Takes the named fields over, or raises ValueError and changes nothing."""
        known = {field.name for field in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"unknown field {name!r}; known: {', '.join(sorted(known))}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise ValueError(f"{name} must be a number that is not negative")
        for name, value in wanted.items():
            setattr(self, name, int(value) if name in ("delta_chars", "answer_words") else float(value))

    def deltas(self, text: str) -> list[str]:
        """The text in the pieces that are sent; joined they are the text."""
        if self.delta_chars:
            return [text[at : at + self.delta_chars] for at in range(0, len(text), self.delta_chars)]
        return WORD.findall(text)


def instant() -> Pace:
    """No delay at all: for tests and load."""
    return Pace()


def demo() -> Pace:
    """Quick but visible: a usual answer takes two or three seconds."""
    return Pace(delay_seconds=0.01, first_byte_seconds=0.15)


PACES = {"instant": instant, "demo": demo}
