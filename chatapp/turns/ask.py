"""Starting a turn: whatever the door (socket, form), this saves the row, and the runner finds it there."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from chatapp.catalog.load import model as catalog_model
from chatapp.turns.connections import reachable_providers
from chatapp.turns.history import save_items
from chatapp.vocab.items import text_of, user_message
from sessions_store import models as rows
from sessions_store.models.conversation import TITLE_CHARS

HEAD = "head"
"""In place of a parent: the end of the transcript, queued turns included."""

CONTINUE_TEXT = "Please go on exactly where you stopped."
"""What Continue says: models since 2026 no longer take the beginning of an answer to go on from."""


@dataclass
class AskError(Exception):
    """A turn that cannot be started; `code` is one of docs/protocol.md, `sentence` is for people."""

    code: str
    sentence: str
    param: str | None = None


class NotYours(Exception):
    """No such conversation or turn, or somebody else's: the same answer for both."""


@dataclass(frozen=True, slots=True)
class Question:
    """A cleaned message on its way to become a turn. Made by `chatapp.forms`.

    `parent` is a turn's id, None for the root, or HEAD. `provider` and `model` are '' to keep what the
    conversation has.
    """

    client_id: uuid.UUID
    conversation_id: uuid.UUID
    text: str
    parent: uuid.UUID | str | None = HEAD
    provider: str = ""
    model: str = ""


def ask(owner_id: int, question: Question, now: datetime) -> tuple[rows.Turn, bool]:
    """Save a queued turn; (turn, whether it is new). The same client id gives the same turn again.

    Raises NotYours and AskError.
    """
    for last_try in (False, True):
        known = _known(owner_id, question.client_id)
        if known is not None:
            return known, False
        try:
            with transaction.atomic():
                return _save(owner_id, question, now), True
        except IntegrityError:
            # Another door was quicker, with the same message or with another first one for a new conversation.
            # What it wrote stands now: the second look finds it.
            if last_try:
                raise
    raise AssertionError("unreachable")


def _known(owner_id: int, client_id: uuid.UUID) -> rows.Turn | None:
    return rows.Turn.objects.filter(owner_id=owner_id, client_id=client_id).select_related("conversation").first()


def _save(owner_id: int, question: Question, now: datetime) -> rows.Turn:
    _check_rate(owner_id, now)
    conversation = _conversation(owner_id, question, now)
    turns = rows.Turn.objects.filter(conversation=conversation)
    last = turns.order_by("-number").first()
    if question.parent == HEAD:
        waiting = turns.filter(state=rows.Turn.State.QUEUED).order_by("-number").first()
        parent_id = waiting.pk if waiting else conversation.head_id
    else:
        parent_id = None
        if question.parent is not None:
            parent = turns.filter(pk=question.parent).first()
            if parent is None:
                raise NotYours
            parent_id = parent.pk
    turn = rows.Turn.objects.create(
        conversation=conversation,
        owner_id=owner_id,
        client_id=question.client_id,
        number=last.number + 1 if last else 1,
        parent_id=parent_id,
        provider=conversation.provider,
        model=conversation.model,
        created_at=now,
    )
    save_items(turn.pk, None, [user_message(question.text)])
    rows.Conversation.touch(conversation.pk, now, changed_at=now, seen_at=now, draft="")
    return turn


def _conversation(owner_id: int, question: Question, now: datetime) -> rows.Conversation:
    """The conversation, locked; made by its first message."""
    found = rows.Conversation.objects.select_for_update().filter(pk=question.conversation_id).first()
    if found is not None:
        if found.owner_id != owner_id or found.deleted_at is not None:
            raise NotYours
        named = (question.provider, question.model)
        if any(named) and named != (found.provider, found.model):
            check_model(question.provider, question.model)
            found.provider, found.model = question.provider, question.model
            found.save(update_fields=["provider", "model"])
        check_model(found.provider, found.model)
        return found
    check_model(question.provider, question.model)
    return rows.Conversation.objects.create(
        pk=question.conversation_id,
        owner_id=owner_id,
        title=first_words(question.text),
        provider=question.provider,
        model=question.model,
        created_at=now,
        changed_at=now,
        touched_at=now,
        seen_at=now,
    )


def check_model(provider: str, model_id: str) -> None:
    """AskError `unknown_model` unless this model is known and its provider can be reached."""
    if catalog_model(provider, model_id) is None or provider not in reachable_providers():
        raise AskError("unknown_model", "This model is not available here. Choose another one.", "model")


def _check_rate(owner_id: int, now: datetime) -> None:
    recent = rows.Turn.objects.filter(owner_id=owner_id, created_at__gt=now - timedelta(minutes=1)).count()
    if recent >= settings.STET_MESSAGES_PER_MINUTE:
        raise AskError(
            "rate_limited",
            f"More than {settings.STET_MESSAGES_PER_MINUTE} messages in a minute. Wait a moment and send it again.",
        )


def first_words(text: str) -> str:
    """A title until a better one is made: the beginning of the first line."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 60 else line[:59].rsplit(" ", 1)[0][: TITLE_CHARS - 1] + "…"


def question_text(turn: rows.Turn) -> str:
    """What the person wrote in this turn."""
    item = rows.Item.objects.filter(turn=turn, position=0).first()
    return text_of(item.data) if item else ""


def own_turn(owner_id: int, turn_id: uuid.UUID) -> rows.Turn:
    """A turn of this person; NotYours for any other."""
    turn = rows.Turn.objects.of(owner_id).filter(pk=turn_id).select_related("conversation").first()
    if turn is None:
        raise NotYours
    return turn


def return_queue(conversation_id: uuid.UUID, now: datetime) -> list[tuple[uuid.UUID, str]]:
    """Take back what waits behind a turn that was stopped or failed; (turn, text) in order.

    The texts go into the conversation's draft, so that they outlive the page.
    """
    back = []
    waiting = rows.Turn.objects.filter(conversation_id=conversation_id, state=rows.Turn.State.QUEUED)
    for turn in waiting.order_by("number"):
        if rows.Turn.objects.move(
            turn.pk, rows.Turn.State.QUEUED, rows.Turn.State.CANCELLED, reason="returned", ended_at=now
        ):
            back.append((turn.pk, question_text(turn)))
    if back:
        _into_draft(conversation_id, [text for _, text in back], now)
    return back


def _into_draft(conversation_id: uuid.UUID, texts: list[str], now: datetime) -> None:
    conversation = rows.Conversation.locked(conversation_id)
    rows.Conversation.touch(conversation_id, now, draft="\n\n".join(filter(None, [conversation.draft, *texts])))


def take_back(turn: rows.Turn, now: datetime) -> str | None:
    """Take back one queued turn, its text into the draft; the text, or None if it has started."""
    with transaction.atomic():
        rows.Conversation.locked(turn.conversation_id)
        if not rows.Turn.objects.move(
            turn.pk, rows.Turn.State.QUEUED, rows.Turn.State.CANCELLED, reason="returned", ended_at=now
        ):
            return None
        # What queued behind it hangs on its parent now: a returned turn is never sent.
        rows.Turn.objects.filter(parent=turn, state=rows.Turn.State.QUEUED).update(parent_id=turn.parent_id)
        text = question_text(turn)
        _into_draft(turn.conversation_id, [text], now)
        return text
