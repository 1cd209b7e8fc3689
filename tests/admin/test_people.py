"""People: inviting, deactivating, and what even staff may not do to others."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from sessions_store.models import User
from tests.admin.pages import page_url
from tests.factories import make_call, make_conversation, make_turn, make_user

pytestmark = pytest.mark.every_database

ADD = "admin:sessions_store_user_add"
PASSWORD = "a long enough passphrase"


def fields_of(user: User, **changes: Any) -> dict[str, Any]:
    """What the form of `user` sends, with some of it changed; None leaves a tick out."""
    sent = {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        **{name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name)},
    }
    return {name: value for name, value in {**sent, **changes}.items() if value is not None}


def delete_url(user: User) -> str:
    return reverse("admin:sessions_store_user_delete", args=[user.pk])


@pytest.fixture
def helper(client: Client, db: None) -> Client:
    """The browser of someone on the staff who may invite and change people, but is no superuser."""
    user = make_user("helper", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_user", "change_user", "delete_user"]))
    client.force_login(user)
    return client


def test_the_owner_invites_somebody_who_can_then_sign_in(admin_page: Client) -> None:
    sent = {"username": "carol", "email": "carol@example.org", "password1": PASSWORD, "password2": PASSWORD}
    response = admin_page.post(reverse(ADD), sent)

    carol = User.objects.get(username="carol")
    assert response.headers["Location"] == page_url(carol)
    assert (carol.email, carol.is_active, carol.is_staff, carol.is_superuser) == (
        "carol@example.org",
        True,
        False,
        False,
    )
    assert Client().login(username="carol", password=PASSWORD)


def test_a_weak_or_mistyped_password_is_refused(admin_page: Client) -> None:
    for first, second in (("12345", "12345"), (PASSWORD, "another passphrase"), ("", "")):
        response = admin_page.post(reverse(ADD), {"username": "carol", "password1": first, "password2": second})
        assert response.status_code == 200
    assert not User.objects.filter(username="carol").exists()


def test_the_owner_deactivates_somebody(admin_page: Client, alice: Any) -> None:
    assert admin_page.post(page_url(alice), fields_of(alice, is_active=None)).status_code == 302

    alice.refresh_from_db()
    assert not alice.is_active
    assert not Client().login(username="alice", password="secret")


def test_the_owner_sets_a_new_password_for_somebody(admin_page: Client, alice: Any) -> None:
    url = reverse("admin:auth_user_password_change", args=[alice.pk])
    assert admin_page.get(url).status_code == 200
    sent = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert admin_page.post(url, sent).status_code == 302

    assert Client().login(username="alice", password=PASSWORD)


def test_deleting_somebody_with_calls_is_refused_with_the_reason(admin_page: Client, alice: Any) -> None:
    make_call(make_turn(make_conversation(alice)))

    for visit in (
        admin_page.get(delete_url(alice), follow=True),
        admin_page.post(delete_url(alice), {"post": "yes"}, follow=True),
    ):
        assert visit.redirect_chain == [(page_url(alice), 302)]
        assert "alice cannot be deleted: 1 conversation and 1 call of theirs" in visit.content.decode()
    assert User.objects.filter(pk=alice.pk).exists()


def test_somebody_who_never_wrote_can_be_deleted(admin_page: Client, alice: Any) -> None:
    assert admin_page.get(delete_url(alice)).status_code == 200
    assert admin_page.post(delete_url(alice), {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=alice.pk).exists()


def test_words_that_arrive_between_question_and_answer_refuse_the_deletion_too(
    admin_page: Client, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_conversation(alice)
    # The check before the question found nothing, nor did Django's own list of what stands in the way.
    monkeypatch.setattr("chatapp.admin.people._holds_rows", lambda user: False)
    monkeypatch.setattr("chatapp.admin.people.PersonAdmin.get_deleted_objects", lambda *_: ([], {}, set(), []))
    response = admin_page.post(delete_url(alice), {"post": "yes"}, follow=True)

    assert "alice cannot be deleted: 1 conversation of theirs" in response.content.decode()


@pytest.mark.parametrize("right", ["is_active", "is_staff", "is_superuser"])
def test_nobody_takes_their_own_rights_away(admin_page: Client, owner: Any, right: str) -> None:
    response = admin_page.post(page_url(owner), fields_of(owner, **{right: None}))

    assert "You cannot" in response.content.decode()
    owner.refresh_from_db()
    assert getattr(owner, right)
    assert admin_page.get(delete_url(owner)).status_code == 403


def test_staff_cannot_make_anybody_more_than_they_are(helper: Client, alice: Any) -> None:
    sent = fields_of(alice, is_staff="on", is_superuser="on", email="alice@example.org")
    permission = Permission.objects.get(codename="view_call")
    assert helper.post(page_url(alice), {**sent, "user_permissions": [permission.pk]}).status_code == 302

    alice.refresh_from_db()
    assert (alice.email, alice.is_staff, alice.is_superuser) == ("alice@example.org", False, False)
    assert not alice.user_permissions.exists()


def test_staff_cannot_change_or_delete_the_owner_or_set_their_password(helper: Client, owner: Any) -> None:
    password_url = reverse("admin:auth_user_password_change", args=[owner.pk])

    assert helper.post(page_url(owner), fields_of(owner, email="x@example.org")).status_code == 403
    assert helper.get(delete_url(owner)).status_code == 403
    assert helper.post(password_url, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert not Client().login(username="owner", password=PASSWORD)


def test_the_owner_lets_staff_see_the_ledger(admin_page: Client, alice: Any) -> None:
    permission = Permission.objects.get(codename="view_call")
    sent = fields_of(alice, is_staff="on")
    assert admin_page.post(page_url(alice), {**sent, "user_permissions": [permission.pk]}).status_code == 302
    browser = Client()
    browser.force_login(User.objects.get(pk=alice.pk))

    assert browser.get(reverse("admin:sessions_store_call_changelist")).status_code == 200
    assert browser.get(reverse("admin:sessions_store_turn_changelist")).status_code == 403


def test_only_what_opens_something_can_be_granted(admin_page: Client, alice: Any) -> None:
    permission = Permission.objects.get(codename="delete_call")
    response = admin_page.post(page_url(alice), {**fields_of(alice), "user_permissions": [permission.pk]})

    assert response.status_code == 200
    assert not alice.user_permissions.exists()
