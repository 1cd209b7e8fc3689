"""Recorded conversations to answer from. The format is one JSON object a conversation, roles user, assistant, tool.

A reply is looked up by the exact text of the last user message, told apart by the number of user messages before it;
inside a turn, the answer to the nth round of tool results is the nth assistant message after that user message.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """A call the simulated model makes."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A user message in a recording."""

    conversation: int
    message: int
    users_before: int


class Recordings:
    """All conversations an account has loaded."""

    def __init__(self) -> None:
        self._conversations: list[list[dict[str, Any]]] = []
        self._places: dict[str, list[Place]] = {}

    def __len__(self) -> int:
        return len(self._conversations)

    def load(self, data: Any) -> None:
        """Adds a conversation, or raises ValueError."""
        messages = data.get("messages") if isinstance(data, dict) else None
        if not isinstance(messages, list) or not messages:
            raise ValueError("a recording needs messages")
        for message in messages:
            if not isinstance(message, dict) or message.get("role") not in ("user", "assistant", "tool"):
                raise ValueError("each message needs a role: user, assistant or tool")
            if not isinstance(message.get("content"), str):
                raise ValueError("each message's content must be a string")
        conversation = len(self._conversations)
        self._conversations.append(messages)
        users = 0
        for index, message in enumerate(messages):
            if message["role"] == "user":
                self._places.setdefault(message["content"], []).append(Place(conversation, index, users))
                users += 1

    def reply(self, user_text: str, users_before: int, rounds: int) -> tuple[str, list[ToolCall]] | None:
        """What the recording answers after `rounds` rounds of tool results, or None where it knows nothing."""
        place = self._find(user_text, users_before)
        if place is None:
            return None
        skipped = 0
        for message in self._conversations[place.conversation][place.message + 1 :]:
            if message["role"] == "user":
                return None
            if message["role"] == "assistant":
                if skipped == rounds:
                    calls = [
                        ToolCall(call["id"], call["name"], call.get("arguments") or {})
                        for call in message.get("tool_calls") or []
                    ]
                    return message["content"], calls
                skipped += 1
        return None

    def _find(self, user_text: str, users_before: int) -> Place | None:
        # A client may put a line of its own (a date, say) before what the user typed, so the text after the first
        # line and after the first blank line are tried as well.
        for text in spoken(user_text):
            places = self._places.get(text)
            if places:
                return next((place for place in places if place.users_before == users_before), places[0])
        return None


def spoken(user_text: str) -> list[str]:
    """What the user may have typed: the whole text, or what follows a first line or a first blank line."""
    return [user_text, *(rest for mark in ("\n", "\n\n") for _, found, rest in [user_text.partition(mark)] if found)]
