"""What stands around the transcript: the list of conversations, the picker, the account."""

import uuid
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from chatapp.catalog.load import default_model, model_label, offered
from chatapp.catalog.load import model as catalog_model
from chatapp.fragments.turns import TurnView
from chatapp.live.frames import (
    conversation_total,
    is_unread,
)
from chatapp.live.totals import total_parts
from chatapp.turns.connections import LABELS, reachable_providers, wants_simulator
from sessions_store import models as rows

LIST_LENGTH = 200
"""Conversations in the sidebar; older ones stay reachable by their address."""


def sidebar_groups(owner_id: int, current: uuid.UUID | None) -> list[dict[str, Any]]:
    """The conversations of a person by day of their last message, newest first."""
    conversations = rows.Conversation.objects.of(owner_id).order_by("-changed_at")[:LIST_LENGTH]
    running = set(
        rows.Turn.objects.filter(
            owner_id=owner_id, state__in=[rows.Turn.State.QUEUED, rows.Turn.State.STREAMING]
        ).values_list("conversation_id", flat=True)
    )
    today = timezone.localdate()
    groups: dict[str, list[dict[str, Any]]] = {}
    for conversation in conversations:
        label = day_label(timezone.localtime(conversation.changed_at).date(), today)
        groups.setdefault(label, []).append(
            {
                "id": conversation.pk,
                "title": str(conversation),
                "current": conversation.pk == current,
                "unread": is_unread(conversation) and conversation.pk != current,
                "running": conversation.pk in running,
            }
        )
    return [{"label": label, "rows": listed} for label, listed in groups.items()]


def day_label(day: date, today: date) -> str:
    """The heading under which a day stands in the list."""
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day > today - timedelta(days=7):
        return "Last 7 days"
    return day.strftime("%B") if day.year == today.year else day.strftime("%B %Y")


def model_choices(provider: str, model_id: str) -> list[dict[str, Any]]:
    """What the picker offers: the models of every provider that can be reached."""
    providers = reachable_providers()
    return [
        {
            "provider": spec.provider,
            "provider_label": LABELS.get(spec.provider, spec.provider),
            "id": spec.id,
            "choice": f"{spec.provider}:{spec.id}",
            "label": spec.label,
            "short_label": spec.short_label,
            "current": (spec.provider, spec.id) == (provider, model_id),
        }
        for spec in offered(timezone.localdate())
        if spec.provider in providers
    ]


def first_choice(owner_id: int) -> tuple[str, str]:
    """Provider and model of a new conversation: those of the last one, else the catalog's default; ('', '') if
    no provider can be reached."""
    providers = reachable_providers()
    last = rows.Conversation.objects.of(owner_id).order_by("-created_at").first()
    if last and last.provider in providers and catalog_model(last.provider, last.model):
        return last.provider, last.model
    if not providers:
        return "", ""
    preferred = "anthropic" if "anthropic" in providers else providers[0]
    return preferred, default_model(preferred).id


def account_view(user: rows.User) -> dict[str, Any]:
    """The person, and what this month cost: real money if a real call has ended, else simulated."""
    start = timezone.localtime().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    total = total_parts(rows.Call.objects.of(user.pk).filter(started_at__gte=start))
    return {
        "name": user.display_name,
        "spend": f"{start:%B} {total['paid']}" if total else "Nothing spent yet",
        "saved": total["saved"] if total else "",
        "is_staff": user.is_staff,
    }


def page_context(
    user: rows.User, conversation: rows.Conversation, *, is_new: bool, turns: Iterable[TurnView] = ()
) -> dict[str, Any]:
    """Everything the chat page shows of a conversation, or of one that its first message will make."""
    return {
        "conversation": {
            "id": conversation.pk,
            "title": conversation.title,
            "is_new": is_new,
            "provider": conversation.provider,
            "model": conversation.model,
            "revision": conversation.revision,
            "instructions": conversation.instructions,
            "draft": conversation.draft,
            "total": None if is_new else conversation_total(conversation.pk),
        },
        "turns": list(turns),
        "sidebar": sidebar_groups(user.pk, None if is_new else conversation.pk),
        "models": model_choices(conversation.provider, conversation.model),
        "account": account_view(user),
        "client_id": uuid.uuid4(),
        "simulated": wants_simulator(),
        "model_label": model_label(conversation.provider, conversation.model) if conversation.model else "no model",
        "model_short_label": model_label(conversation.provider, conversation.model, short=True)
        if conversation.model
        else "no model",
    }
