"""What the simulated model says: a deterministic function of the conversation.

Ordinary answers are Markdown with a bit of everything and begin with a line that says they are simulated. A user can
ask for something special at the start of a message:

    say exactly: TEXT     the text, verbatim and unmarked
    count to N            the numbers
    write N words         an answer of that length
    table / code          an answer that is a table, or code in several languages
    call NAME {JSON}      a call of that tool, if the request offers it
    simulate: KIND ...    a fault, see faults.py

A request for a title (its instructions, or its last message, contain "title for this conversation") gets three to six
words; a request to summarise gets a list of what was asked. Recorded conversations come before all of these.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from . import prose
from .faults import KINDS
from .recordings import Recordings, ToolCall, spoken

MARK = "*Simulated answer.*"
TITLE_PHRASE = "title for this conversation"
WORDS_LIMIT = 200_000


@dataclass(frozen=True)
class Turn:
    """A message as the simulated model reads it; a tool result has role `tool`."""

    role: str
    text: str


@dataclass(frozen=True)
class Tool:
    """A function the request offers."""

    name: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Question:
    """All an answer depends on, free of either wire's shapes."""

    system: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    forced_tool: str | None = None
    """A tool's name, or `*` for any."""
    answer_words: int = 0

    @property
    def last_user(self) -> int:
        """Index of the last user message, -1 without one."""
        return max((index for index, turn in enumerate(self.turns) if turn.role == "user"), default=-1)

    @property
    def user_text(self) -> str:
        """Text of the last user message."""
        return self.turns[self.last_user].text if self.last_user >= 0 else ""

    @property
    def is_side_call(self) -> bool:
        """Asks for a title rather than an answer."""
        return (TITLE_PHRASE in self.system and not self.tools) or TITLE_PHRASE in self.user_text


@dataclass(frozen=True)
class Answer:
    """What is said; either part may be empty."""

    text: str
    tool_calls: list[ToolCall] = field(default_factory=list)


def structured(schema: dict[str, Any], text: str) -> str:
    """A JSON object that fits a simple schema, with the answer's first line where a string is wanted."""
    line = next((line for line in text.splitlines() if line and line != MARK), "")
    filled = {name: line if value == "" else value for name, value in _example(schema).items()}
    return json.dumps(filled, ensure_ascii=False)


def seed(question: Question) -> int:
    """The same conversation always gives the same number."""
    text = json.dumps([question.system, [[turn.role, turn.text] for turn in question.turns]])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def answer(question: Question, recordings: Recordings) -> Answer:
    """The reply to a conversation."""
    recorded = _recorded(question, recordings)
    if recorded is not None:
        return recorded
    if question.is_side_call:
        return Answer(_title(question))
    after_tools = bool(question.turns) and question.turns[-1].role == "tool"
    if not after_tools:
        called = _tool_call(question)
        if called is not None:
            return Answer("", [called])
        for text in spoken(question.user_text):
            special = _special(text, seed(question))
            if special is not None:
                return Answer(special)
    if re.match(r"(please )?(summari[sz]e|write a summary|compact)\b", question.user_text.strip(), re.IGNORECASE):
        return Answer(_summary(question))
    body = prose.answer(seed(question), question.user_text, question.answer_words)
    if after_tools:
        body = f"The tool returned:\n\n> {question.turns[-1].text.strip()[:200]}\n\n" + body
    return Answer(f"{MARK}\n\n{body}")


def reasoning(question: Question) -> str:
    """A short thought to show where a request asks for one."""
    topic = " ".join(question.user_text.split()[:8]) or "the request"
    return (
        f"**Reading the question**\n\nThe user asks about: {topic}. A simulated model only pretends to think it over."
    )


def _recorded(question: Question, recordings: Recordings) -> Answer | None:
    if not len(recordings) or question.last_user < 0:
        return None
    before = question.turns[: question.last_user]
    after = question.turns[question.last_user + 1 :]
    rounds = sum(1 for one, next_one in zip(after, after[1:], strict=False) if (one.role, next_one.role) == TOOL_ROUND)
    found = recordings.reply(question.user_text, sum(turn.role == "user" for turn in before), rounds)
    return None if found is None else Answer(*found)


TOOL_ROUND = ("assistant", "tool")
"""Where an assistant's calls end and their results begin."""


def _special(text: str, seed_number: int) -> str | None:
    text = text.strip()
    found = re.match(r"say exactly:[ \n]?", text, re.IGNORECASE)
    if found:
        return text[found.end() :]
    found = re.match(r"count to (\d{1,6})\b", text, re.IGNORECASE)
    if found:
        return MARK + "\n\n" + " ".join(str(number) for number in range(1, int(found[1]) + 1))
    found = re.match(r"write (\d{1,7}) words\b", text, re.IGNORECASE)
    if found:
        return MARK + "\n\n" + prose.words(seed_number % 16, min(int(found[1]), WORDS_LIMIT))
    if re.match(r"table\b", text, re.IGNORECASE):
        return f"{MARK}\n\n{prose.table(seed_number)}"
    if re.match(r"simulate:", text, re.IGNORECASE) and not any(kind in text for kind in KINDS):
        return f"{MARK}\n\nKinds of trouble to ask for:\n\n" + "\n".join(
            f"- `simulate: {kind}`: {what}" for kind, what in KINDS.items()
        )
    if re.match(r"code\b", text, re.IGNORECASE):
        return f"{MARK}\n\n{prose.code(seed_number)}"
    return None


def _tool_call(question: Question) -> ToolCall | None:
    by_name = {tool.name: tool for tool in question.tools}
    call_id = f"call_{seed(question):016x}"
    for text in spoken(question.user_text):
        found = re.match(r"call ([A-Za-z0-9_.-]+)\s*(\{.*\})?\s*$", text.strip(), re.IGNORECASE | re.DOTALL)
        if found and found[1] in by_name:
            try:
                arguments = json.loads(found[2] or "{}")
            except ValueError:
                arguments = {}
            return ToolCall(call_id, found[1], arguments)
    if question.forced_tool is None or not question.tools:
        return None
    tool = by_name.get(question.forced_tool, question.tools[0])
    return ToolCall(call_id, tool.name, _example(tool.schema))


def _example(schema: dict[str, Any]) -> dict[str, Any]:
    """The smallest arguments that a simple schema accepts."""
    empty: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
    properties, required = schema.get("properties"), schema.get("required")
    found: dict[str, Any] = {}
    for name in required if isinstance(required, list) else []:
        rule = properties.get(name) if isinstance(properties, dict) and isinstance(name, str) else None
        if isinstance(rule, dict):
            choices = rule.get("enum")
            example = empty.get(str(rule.get("type")))
            found[name] = choices[0] if isinstance(choices, list) and choices else example
    return found


def _title(question: Question) -> str:
    texts = [turn.text for turn in question.turns if turn.role == "user" and TITLE_PHRASE not in turn.text]
    wanted = re.findall(r"\w[\w'-]*", texts[0])[:6] if texts else []
    while len(wanted) < 3:
        wanted.append(("talk", "about", "something")[len(wanted)])
    title = " ".join(wanted)
    return title[:1].upper() + title[1:]


def _summary(question: Question) -> str:
    asked = [" ".join(turn.text.split()[:14]) for turn in question.turns[: question.last_user] if turn.role == "user"]
    return "*Simulated summary.*\n\n" + "\n".join(f"- The user asked: {text}" for text in asked or ["nothing yet"])
