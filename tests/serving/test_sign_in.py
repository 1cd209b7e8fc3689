"""The sign-in link: who it lets in, and when it no longer does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from chatapp import sign_in
from sessions_store.models import User

pytestmark = pytest.mark.django_db


def path_of(user: User) -> str:
    return sign_in.make_link(user, "http://127.0.0.1:8000").removeprefix("http://127.0.0.1:8000")


def who_is_in(client: Client) -> str:
    return client.session.get("_auth_user_id", "")


def test_it_signs_in_and_leads_home(client: Client, alice: User) -> None:
    reply = client.get(path_of(alice))

    assert (reply.status_code, reply["Location"]) == (302, "/")
    assert who_is_in(client) == str(alice.pk)
    assert "no-store" in reply["Cache-Control"]


def test_it_works_once(client: Client, alice: User) -> None:
    path = path_of(alice)
    client.get(path)
    other = Client()

    reply = other.get(path)

    assert reply.status_code == 410
    assert "no longer works" in reply.content.decode()
    assert "Sign in with a password" in reply.content.decode()
    assert who_is_in(other) == ""


def test_signing_in_otherwise_voids_it(client: Client, alice: User) -> None:
    path = path_of(alice)
    Client().login(username="alice", password="secret")

    assert client.get(path).status_code == 410


def test_it_works_for_15_minutes(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(alice)
    now = datetime.now(UTC)

    monkeypatch.setattr(signing.time, "time", lambda: (now + timedelta(minutes=15, seconds=5)).timestamp())
    assert client.get(path).status_code == 410

    monkeypatch.setattr(signing.time, "time", lambda: (now + timedelta(minutes=14, seconds=55)).timestamp())
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.7", ""])
def test_from_another_machine_there_is_no_such_page(client: Client, alice: User, address: str) -> None:
    path = path_of(alice)

    assert client.get(path, REMOTE_ADDR=address).status_code == 404
    assert client.get(path).status_code == 302, "and it was not used up"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_every_loopback_address_is_this_machine(client: Client, alice: User, address: str) -> None:
    assert client.get(path_of(alice), REMOTE_ADDR=address).status_code == 302


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_through_a_proxy_on_this_machine_there_is_no_such_page(client: Client, alice: User, header: str) -> None:
    assert client.get(path_of(alice), headers={header: "192.0.2.7"}).status_code == 404


def test_a_look_does_not_use_it_up(client: Client, alice: User) -> None:
    path = path_of(alice)

    assert client.head(path).status_code == 200
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("change", [{"is_active": False}, {"username": None}])
def test_nobody_gets_in_who_may_not(client: Client, alice: User, change: dict[str, Any]) -> None:
    path = path_of(alice)
    if change == {"is_active": False}:
        User.objects.filter(pk=alice.pk).update(is_active=False)
    else:
        alice.delete()

    assert client.get(path).status_code == 410


@pytest.mark.parametrize("token", ["x", "a:b:c", "." * 50, "%00"])
def test_a_forged_link_is_refused(client: Client, db: None, token: str) -> None:
    assert client.get(f"/enter/{token}").status_code == 410


def test_of_two_simultaneous_visits_one_wins(alice: User) -> None:
    first, second = User.objects.get(pk=alice.pk), User.objects.get(pk=alice.pk)

    assert [sign_in._use_up(first), sign_in._use_up(second)] == [True, False]
