"""Pages and actions, one verb per view. Everything works without JavaScript; htmx gets fragments and 204s.

Every view that names a conversation or a turn looks it up among the signed-in person's own: a stranger's is
not found.
"""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from chatapp import forms, fragments
from chatapp.live.frames import ERROR_CODES, seen
from chatapp.live.runtime import runtime
from chatapp.turns.ask import (
    CONTINUE_TEXT,
    AskError,
    NotYours,
    Question,
    ask,
    check_model,
    question_text,
    return_queue,
    take_back,
)
from sessions_store import models as rows
from sessions_store.models.conversation import TITLE_CHARS

MAX_INSTRUCTIONS_CHARS = 100_000


class SignedInRequest(HttpRequest):
    """A request behind `login_required` and the htmx middleware, for the type checker."""

    user: rows.User
    htmx: HtmxDetails


def _conversation(request: SignedInRequest, conversation_id: uuid.UUID) -> rows.Conversation:
    found = rows.Conversation.objects.of(request.user.pk).filter(pk=conversation_id).first()
    if found is None:
        raise Http404
    return found


def _turn(request: SignedInRequest, conversation_id: uuid.UUID, turn_id: uuid.UUID) -> rows.Turn:
    turns = rows.Turn.objects.of(request.user.pk).select_related("conversation")
    found = turns.filter(pk=turn_id, conversation_id=conversation_id).first()
    if found is None:
        raise Http404
    return found


def _done(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """After an action: 204 for htmx, whose page hears the news by its socket; else back to the page."""
    runtime.news_from_thread()
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("conversation", conversation_id)


def _refused(request: SignedInRequest, error: AskError, conversation_id: uuid.UUID | None = None) -> HttpResponse:
    """An input that cannot be taken, said in one sentence; the browser's Back keeps what was typed."""
    status = ERROR_CODES[error.code]
    if request.htmx:
        return HttpResponse(error.sentence, status=status, content_type="text/plain; charset=utf-8")
    context = {
        "title": "That could not be done",
        "sentence": error.sentence,
        "link_url": reverse("conversation", args=[conversation_id]) if conversation_id else reverse("home"),
        "link_label": "Back",
    }
    return render(request, "message.html", context, status=status)


def _page(request: SignedInRequest, context: dict[str, Any]) -> HttpResponse:
    context["limits"] = {
        "message_chars": settings.STET_MAX_MESSAGE_CHARS,
        "frame_bytes": settings.STET_MAX_FRAME_BYTES,
    }
    context.setdefault("deleted", None)
    return render(request, "chat/page.html", context)


# --- Pages ------------------------------------------------------------------------------------------


@login_required
@never_cache
@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """A new conversation: nothing is saved before its first message."""
    provider, model = fragments.first_choice(request.user.pk)
    blank = rows.Conversation(pk=uuid.uuid4(), owner=request.user, provider=provider, model=model)
    context = fragments.page_context(request.user, blank, is_new=True)
    try:
        deleted_id = uuid.UUID(request.GET.get("deleted", ""))
    except ValueError:
        deleted_id = None
    if deleted_id:
        context["deleted"] = (
            rows.Conversation.objects.filter(pk=deleted_id, owner=request.user, deleted_at__isnull=False)
            .values("id", "title")
            .first()
        )
    return _page(request, context)


@login_required
@never_cache
@require_safe
def conversation(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """A conversation, whole, as its rows say it."""
    found = _conversation(request, conversation)
    seen(found.pk, timezone.now())
    turns = fragments.transcript(found)
    return _page(request, fragments.page_context(request.user, found, is_new=not turns, turns=turns))


class SignIn(auth_views.LoginView):
    template_name = "sign_in.html"
    redirect_authenticated_user = True


sign_out = require_POST(auth_views.LogoutView.as_view())


# --- Fragments --------------------------------------------------------------------------------------


@login_required
@never_cache
@require_safe
def sidebar(request: SignedInRequest) -> HttpResponse:
    """The list of conversations."""
    try:
        current = uuid.UUID(request.GET.get("current", ""))
    except ValueError:
        current = None
    context = {
        "sidebar": fragments.sidebar_groups(request.user.pk, current),
        "account": fragments.account_view(request.user),
    }
    return render(request, "chat/_sidebar.html", context)


@login_required
@never_cache
@require_safe
def transcript(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """The turns alone, for a page that has missed something."""
    found = _conversation(request, conversation)
    context = fragments.page_context(request.user, found, is_new=False, turns=fragments.transcript(found))
    return render(request, "chat/_transcript.html", context)


@login_required
@never_cache
@require_safe
def turn(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """One turn."""
    return _turn_fragment(request, conversation, turn, "chat/_turn.html")


@login_required
@never_cache
@require_safe
def tail(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """What stands under an answer when it has ended: how, and what it cost."""
    return _turn_fragment(request, conversation, turn, "chat/_tail.html")


def _turn_fragment(
    request: SignedInRequest, conversation_id: uuid.UUID, turn_id: uuid.UUID, template: str
) -> HttpResponse:
    found = _turn(request, conversation_id, turn_id)
    context = fragments.page_context(request.user, found.conversation, is_new=False)
    return render(request, template, {**context, "turn": fragments.turn_view(found)})


@login_required
@never_cache
@require_safe
def ledger(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """The calls behind a cost line: a fragment for htmx, a page of its own without."""
    found = _turn(request, conversation, turn)
    context = {
        "ledger": fragments.ledger_view(found),
        "turn": fragments.turn_view(found),
        "conversation": {"id": found.conversation_id, "title": str(found.conversation)},
    }
    return render(request, "chat/_ledger.html" if request.htmx else "chat/ledger.html", context)


@login_required
@never_cache
@require_safe
def sums(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """What the conversation cost, by purpose."""
    found = _conversation(request, conversation)
    context = {
        "sums": fragments.sums_view(found),
        "conversation": {"id": found.pk, "title": str(found)},
    }
    return render(request, "chat/_sums.html" if request.htmx else "chat/sums.html", context)


# --- Actions ----------------------------------------------------------------------------------------


@login_required
@require_POST
def send(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """The door for a page without JavaScript."""
    try:
        ask(request.user.pk, forms.question_from_form(request.POST, conversation), timezone.now())
    except NotYours:
        raise Http404 from None
    except AskError as error:
        known = rows.Conversation.objects.of(request.user.pk).filter(pk=conversation).exists()
        return _refused(request, error, conversation if known else None)
    return _done(request, conversation)


@login_required
@require_POST
def again(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """The same question once more, as a new version beside this one."""
    found = _turn(request, conversation, turn)
    return _ask_beside(request, found, question_text(found))


@login_required
@require_POST
def edit(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """Another question in this one's place, as a new version."""
    found = _turn(request, conversation, turn)
    try:
        text = forms.clean_text(forms.text_field(request.POST, "text").replace("\r\n", "\n"))
    except AskError as error:
        return _refused(request, error, conversation)
    return _ask_beside(request, found, text)


@login_required
@require_POST
def go_on(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """Let the model continue an answer that was cut off."""
    found = _turn(request, conversation, turn)
    return _ask(request, conversation, CONTINUE_TEXT, found.pk)


def _ask_beside(request: SignedInRequest, turn: rows.Turn, text: str) -> HttpResponse:
    return _ask(request, turn.conversation_id, text, turn.parent_id)


def _ask(request: SignedInRequest, conversation_id: uuid.UUID, text: str, parent_id: uuid.UUID | None) -> HttpResponse:
    try:
        client_id = forms.uuid_field(request.POST, "client_id")
        question = Question(client_id=client_id, conversation_id=conversation_id, text=text, parent=parent_id)
        ask(request.user.pk, question, timezone.now())
    except NotYours:  # deleted a moment ago
        raise Http404 from None
    except AskError as error:
        return _refused(request, error, conversation_id)
    return _done(request, conversation_id)


@login_required
@require_POST
def stop(request: SignedInRequest, conversation: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """Stop a running turn, or take back one that waits."""
    found = _turn(request, conversation, turn)
    if found.state == rows.Turn.State.QUEUED:
        take_back(found, timezone.now())
    running = rows.Turn.objects.filter(pk=found.pk, state=rows.Turn.State.STREAMING)
    running.update(stop_requested_at=timezone.now())
    runtime.stop_turn_from_thread(found.pk)
    return _done(request, conversation)


@login_required
@require_POST
def show_branch(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """Show another version: the newest end of the branch through it becomes the head."""
    found = _conversation(request, conversation)
    try:
        chosen = _turn(request, conversation, forms.uuid_field(request.POST, "turn"))
    except AskError as error:
        return _refused(request, error, conversation)
    if chosen.reason == "returned":
        raise Http404
    if chosen.state != rows.Turn.State.QUEUED:  # what waits stands at the end already, whichever version is shown
        rows.Conversation.touch(found.pk, timezone.now(), head=rows.Turn.leaf_below(chosen))
    return _done(request, conversation)


@login_required
@require_POST
def rename(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """Give a title; an empty one is refused."""
    found = _conversation(request, conversation)
    title = " ".join(request.POST.get("title", "").split())[:TITLE_CHARS]
    try:
        forms.check_characters(title, "title")
        if not title:
            raise AskError("invalid_field", "A title needs at least one character.", "title")
    except AskError as error:
        return _refused(request, error, conversation)
    rows.Conversation.touch(found.pk, timezone.now(), title=title, titled_by=rows.Conversation.TitledBy.USER)
    return _done(request, conversation)


@login_required
@require_POST
def choose_model(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """Let another model answer from the next message on."""
    found = _conversation(request, conversation)
    provider, _, model = request.POST.get("choice", "").partition(":")
    try:
        check_model(provider, model)
    except AskError as error:
        return _refused(request, error, conversation)
    rows.Conversation.touch(found.pk, timezone.now(), provider=provider, model=model)
    return _done(request, conversation)


@login_required
@require_POST
def instructions(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """Set what stands before every message."""
    found = _conversation(request, conversation)
    text = request.POST.get("instructions", "").replace("\r\n", "\n").strip()
    try:
        forms.check_characters(text, "instructions")
        if len(text) > MAX_INSTRUCTIONS_CHARS:
            raise AskError("message_too_long", f"Instructions may have {MAX_INSTRUCTIONS_CHARS:,} characters.")
    except AskError as error:
        return _refused(request, error, conversation)
    rows.Conversation.touch(found.pk, timezone.now(), instructions=text)
    return _done(request, conversation)


@login_required
@require_POST
def delete(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """Put a conversation away; Undo brings it back. What runs in it is stopped, what waits goes into its draft."""
    found = _conversation(request, conversation)
    now = timezone.now()
    with transaction.atomic():
        return_queue(found.pk, now)
        rows.Conversation.touch(found.pk, now, deleted_at=now)
    running = rows.Turn.objects.filter(conversation=found, state=rows.Turn.State.STREAMING)
    running.update(stop_requested_at=now)
    for turn_id in running.values_list("pk", flat=True):
        runtime.stop_turn_from_thread(turn_id)
    runtime.news_from_thread()
    target = f"{reverse('home')}?deleted={found.pk}"
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return redirect(target)


@login_required
@require_POST
def restore(request: SignedInRequest, conversation: uuid.UUID) -> HttpResponse:
    """Undo a deletion."""
    found = rows.Conversation.objects.filter(pk=conversation, owner_id=request.user.pk).first()
    if found is None:
        raise Http404
    rows.Conversation.touch(found.pk, timezone.now(), deleted_at=None)
    runtime.news_from_thread()
    target = reverse("conversation", args=[found.pk])
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return redirect(target)
