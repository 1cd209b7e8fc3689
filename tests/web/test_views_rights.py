"""Every address × somebody else, nobody, the wrong method, a forged form: none of them does anything."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from chatapp.urls import urlpatterns
from sessions_store import models as rows
from tests import factories

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Route:
    """How an address is used: `form` makes it one that is posted to."""

    form: dict[str, str] | None = None
    public: bool = False
    """Made for people who are not signed in."""
    of_turn: bool = False
    of_conversation: bool = False
    also_deleted: bool = False
    also_needs: tuple[str, ...] = field(default=())

    @property
    def posts(self) -> bool:
        return self.form is not None


def of_conversation(**more: Any) -> Route:
    return Route(of_conversation=True, **more)


def of_turn(**more: Any) -> Route:
    return Route(of_conversation=True, of_turn=True, **more)


CLIENT_ID = {"client_id": "d1b7a3b6-3f57-4a39-8a6c-0a1b2c3d4e5f"}
MESSAGE = {**CLIENT_ID, "text": "Is this mine?", "provider": "openai", "model": "gpt-6.1-sol"}
TURN = "<turn>"

ROUTES = {
    "home": Route(),
    "sidebar": Route(),
    "conversation": of_conversation(),
    "transcript": of_conversation(),
    "sums": of_conversation(),
    "turn": of_turn(),
    "tail": of_turn(),
    "ledger": of_turn(),
    "send": of_conversation(form=MESSAGE),
    "rename": of_conversation(form={"title": "Mine"}),
    "choose_model": of_conversation(form={"choice": "openai:gpt-6.1-sol"}),
    "instructions": of_conversation(form={"instructions": "Be mine."}),
    "show_branch": of_conversation(form={"turn": TURN}),
    "delete": of_conversation(form={}),
    "restore": of_conversation(form={}, also_deleted=True),
    "stop": of_turn(form={}),
    "again": of_turn(form=CLIENT_ID),
    "edit": of_turn(form={**CLIENT_ID, "text": "Mine now"}),
    "go_on": of_turn(form=CLIENT_ID),
    "sign_in": Route(public=True),
    "sign_out": Route(form={}, public=True),
    "enter": Route(public=True),
    "favicon": Route(public=True),
}
"""A row for every address; a view without one fails the first test."""

OWNED = sorted(name for name, route in ROUTES.items() if route.of_conversation)
OF_TURN = sorted(name for name, route in ROUTES.items() if route.of_turn)
POSTS = sorted(name for name, route in ROUTES.items() if route.posts)
READS = sorted(
    name for name, route in ROUTES.items() if not route.posts and name not in ("sign_in", "enter", "favicon")
)
PRIVATE = sorted(name for name, route in ROUTES.items() if not route.public)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def alice(db: None) -> rows.User:
    return factories.make_user("alice")


@pytest.fixture
def bob(db: None) -> rows.User:
    return factories.make_user("bob")


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.OPENAI_API_KEY = settings.ANTHROPIC_API_KEY = "sk-not-used"


@dataclass
class Scene:
    """Alice's conversation with an ended, a running and a waiting turn."""

    conversation: rows.Conversation
    ended: rows.Turn
    running: rows.Turn
    queued: rows.Turn

    def all(self) -> list[rows.Turn]:
        return [self.ended, self.running, self.queued]


@pytest.fixture
def scene(alice: rows.User) -> Scene:
    conversation = factories.make_conversation(alice, title="Hers alone", draft="a draft of hers")
    lease = rows.ProcessLease.objects.create(host="elsewhere", pid=1)
    ended = factories.make_turn(conversation, text="her secret question", answer="her secret answer")
    factories.make_call(ended)
    running = factories.make_turn(conversation, rows.Turn.State.STREAMING, answer=None, lease=lease)
    return Scene(conversation, ended, running, factories.make_turn(conversation, rows.Turn.State.QUEUED))


def address(name: str, conversation: uuid.UUID, turn: uuid.UUID) -> str:
    route = ROUTES[name]
    if name == "enter":
        return reverse("enter", args=["forged"])
    return reverse(
        name, args=[conversation, turn] if route.of_turn else [conversation] if route.of_conversation else []
    )


def use(client: Client, name: str, conversation: uuid.UUID, turn: uuid.UUID, **more: Any) -> Any:
    route = ROUTES[name]
    if route.form is None:
        return client.get(address(name, conversation, turn), **more)
    form = {key: str(turn) if value == TURN else value for key, value in route.form.items()}
    return client.post(address(name, conversation, turn), form, **more)


def dump() -> list[Any]:
    """Everything that belongs to anybody."""
    models = (rows.Conversation, rows.Turn, rows.Item, rows.Call, rows.StreamLog)
    return [list(model.objects.order_by("pk").values()) for model in models]


def signed_in(user: rows.User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def test_every_address_has_its_row_here() -> None:
    patterns = [pattern for pattern in urlpatterns if isinstance(pattern, URLPattern)]
    resolvers = [pattern for pattern in urlpatterns if not isinstance(pattern, URLPattern)]

    assert {pattern.name for pattern in patterns} == set(ROUTES)
    assert [str(resolver.pattern) for resolver in resolvers] == ["admin/"]
    for pattern in patterns:
        route, converters = ROUTES[pattern.name or ""], pattern.pattern.converters
        assert ("conversation" in converters, "turn" in converters) == (route.of_conversation, route.of_turn)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
@pytest.mark.parametrize("name", OWNED)
def test_a_stranger_finds_nothing_and_changes_nothing(
    scene: Scene, bob: rows.User, name: str, headers: dict[str, str]
) -> None:
    before = dump()
    for turn in scene.all() if ROUTES[name].of_turn or name == "show_branch" else [scene.ended]:
        reply = use(signed_in(bob), name, scene.conversation.pk, turn.pk, headers=headers)
        assert reply.status_code == 404
        assert b"secret" not in reply.content and b"Hers" not in reply.content
    assert dump() == before


@pytest.mark.parametrize("name", OWNED)
def test_what_does_not_exist_is_answered_like_what_belongs_to_somebody_else(
    scene: Scene, bob: rows.User, name: str
) -> None:
    nothing = use(signed_in(bob), name, uuid.uuid4(), uuid.uuid4()) if name != "send" else None
    if nothing is not None:
        theirs = use(signed_in(bob), name, scene.conversation.pk, scene.ended.pk)
        assert (nothing.status_code, _without_token(nothing)) == (404, _without_token(theirs))


def _without_token(reply: Any) -> bytes:
    return re.sub(rb'"X-CSRFToken": "[^"]*"', b"", reply.content)


@pytest.mark.parametrize("name", [*OF_TURN, "show_branch"])
def test_a_turn_of_hers_is_not_reached_through_a_conversation_of_his(scene: Scene, bob: rows.User, name: str) -> None:
    own = factories.make_conversation(bob)
    before = dump()
    for turn in scene.all():
        assert use(signed_in(bob), name, own.pk, turn.pk).status_code == 404
    assert dump() == before


@pytest.mark.parametrize("name", sorted({*OF_TURN, "show_branch"}))
def test_a_turn_is_not_reached_through_another_conversation_of_its_owner(
    scene: Scene, alice: rows.User, name: str
) -> None:
    other = factories.make_conversation(alice)

    assert use(signed_in(alice), name, other.pk, scene.ended.pk).status_code == 404


@pytest.mark.parametrize("name", OWNED)
def test_a_deleted_conversation_is_gone_for_its_owner_too_until_it_is_restored(
    scene: Scene, alice: rows.User, name: str
) -> None:
    rows.Conversation.objects.filter(pk=scene.conversation.pk).update(deleted_at=scene.conversation.created_at)
    before = dump()
    reply = use(signed_in(alice), name, scene.conversation.pk, scene.ended.pk)

    if ROUTES[name].also_deleted:
        assert reply.status_code == 302
    else:
        assert reply.status_code == 404
        assert dump() == before


@pytest.mark.parametrize("name", PRIVATE)
def test_nobody_is_sent_to_sign_in_and_changes_nothing(scene: Scene, name: str) -> None:
    before = dump()
    where = address(name, scene.conversation.pk, scene.ended.pk)
    reply = use(Client(), name, scene.conversation.pk, scene.ended.pk)

    assert (reply.status_code, reply.headers["Location"]) == (302, f"{reverse('sign_in')}?next={where}")
    assert dump() == before


@pytest.mark.parametrize("name", POSTS)
def test_what_changes_something_cannot_be_asked_for_by_a_link(scene: Scene, alice: rows.User, name: str) -> None:
    client = signed_in(alice)
    before = dump()
    for method in (client.get, client.head, client.put, client.delete):
        assert method(address(name, scene.conversation.pk, scene.ended.pk)).status_code == 405
    assert dump() == before
    assert client.get(reverse("home")).status_code == 200  # signed in still


@pytest.mark.parametrize("name", READS)
def test_what_only_reads_takes_no_form(scene: Scene, alice: rows.User, name: str) -> None:
    assert signed_in(alice).post(address(name, scene.conversation.pk, scene.ended.pk)).status_code == 405


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
@pytest.mark.parametrize("name", POSTS)
def test_a_form_without_its_token_does_nothing(
    scene: Scene, alice: rows.User, name: str, headers: dict[str, str]
) -> None:
    before = dump()
    client = signed_in(alice, enforce_csrf_checks=True)

    assert use(client, name, scene.conversation.pk, scene.ended.pk, headers=headers).status_code == 403
    assert dump() == before
    assert client.get(reverse("home")).status_code == 200


@pytest.fixture
def tokened(alice: rows.User) -> Iterator[tuple[Client, str]]:
    client = signed_in(alice, enforce_csrf_checks=True)
    page = client.get(reverse("home")).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    yield client, token[1]


@pytest.mark.parametrize("name", sorted(set(POSTS) - {"sign_out"}))
def test_its_owner_may_with_the_pages_token(scene: Scene, tokened: tuple[Client, str], name: str) -> None:
    client, token = tokened
    reply = use(client, name, scene.conversation.pk, scene.ended.pk, headers={**HTMX, "X-CSRFToken": token})

    assert reply.status_code == 204, reply.content


@pytest.mark.parametrize("name", sorted(set(READS)))
def test_its_owner_may_read(scene: Scene, alice: rows.User, name: str) -> None:
    for headers in ({}, HTMX):
        reply = use(signed_in(alice), name, scene.conversation.pk, scene.ended.pk, headers=headers)
        assert reply.status_code == 200
        assert "no-store" in reply.headers["Cache-Control"]


def test_the_admin_is_for_staff_alone(scene: Scene, alice: rows.User) -> None:
    assert Client().get("/admin/").status_code == 302
    assert signed_in(alice).get("/admin/").status_code == 302
    assert b"secret" not in signed_in(alice).get("/admin/", follow=True).content


# --- Signing in and out -------------------------------------------------------------------------------


def test_a_person_signs_in_by_name_and_password(alice: rows.User) -> None:
    client = Client()
    assert client.get(reverse("sign_in")).status_code == 200
    wrong = client.post(reverse("sign_in"), {"username": "alice", "password": "no"})
    assert (wrong.status_code, b"alert" in wrong.content) == (200, True)
    right = client.post(reverse("sign_in"), {"username": "alice", "password": "secret"})

    assert (right.status_code, right.headers["Location"]) == (302, reverse("home"))
    assert client.get(reverse("home")).status_code == 200
    assert client.get(reverse("sign_in")).status_code == 302  # signed in already


def test_signing_in_leads_back_where_one_was_going_but_not_to_another_site(alice: rows.User) -> None:
    form = {"username": "alice", "password": "secret"}
    there = reverse("conversation", args=[uuid.uuid4()])

    assert Client().post(reverse("sign_in"), {**form, "next": there}).headers["Location"] == there
    for foreign in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert Client().post(reverse("sign_in"), {**form, "next": foreign}).headers["Location"] == reverse("home")


def test_somebody_deactivated_cannot_sign_in_or_go_on(alice: rows.User) -> None:
    client = signed_in(alice)
    rows.User.objects.filter(pk=alice.pk).update(is_active=False)

    assert client.get(reverse("home")).status_code == 302
    assert Client().post(reverse("sign_in"), {"username": "alice", "password": "secret"}).status_code == 200


def test_signing_out_ends_the_session(alice: rows.User) -> None:
    client = signed_in(alice)
    assert client.post(reverse("sign_out")).headers["Location"] == reverse("sign_in")

    assert client.get(reverse("home")).status_code == 302


@pytest.mark.parametrize("path", ["sign-up", "signup", "register", "accounts/signup/", "accounts/register/"])
def test_nobody_can_sign_up(db: None, path: str) -> None:
    assert Client().get(f"/{path}").status_code == 404
