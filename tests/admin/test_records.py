"""The page of one row: everything can be read, nothing be changed, and no word of anybody becomes HTML."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sessions_store.models import Call, Conversation, Item, ProcessLease, Turn
from tests.admin.pages import READ_ONLY, list_url, page_url
from tests.factories import make_call, make_conversation, make_turn

pytestmark = pytest.mark.every_database

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"
PRICE = {
    "uncached": 2_000_000_000,
    "read": 200_000_000,
    "written_5m": 2_500_000_000,
    "written_30m": None,
    "written_1h": None,
    "written_12h": None,
    "output": 10_000_000_000,
    "source": "a price list",
    "tier": "standard",
}


def every_row(owner: Any) -> dict[str, Any]:
    turn = make_turn(make_conversation(owner))
    return {
        "call": make_call(turn),
        "turn": turn,
        "conversation": turn.conversation,
        "processlease": ProcessLease.objects.create(host="host", pid=1),
    }


@pytest.mark.parametrize("model", READ_ONLY)
def test_rows_cannot_be_added_changed_or_deleted(admin_page: Client, alice: Any, model: str) -> None:
    row = every_row(alice)[model]
    before = type(row).objects.values().get(pk=row.pk)
    address = f"admin:sessions_store_{model}"

    assert admin_page.get(page_url(row)).status_code == 200
    assert admin_page.get(reverse(f"{address}_add")).status_code == 403
    assert admin_page.post(reverse(f"{address}_add"), {}).status_code == 403
    assert admin_page.post(page_url(row), {"model": "x", "title": "x", "host": "x"}).status_code == 403
    assert admin_page.get(reverse(f"{address}_delete", args=[row.pk])).status_code == 403
    assert admin_page.post(reverse(f"{address}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    # What no action is offered for is answered like any other visit to the list.
    admin_page.post(list_url(model), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert type(row).objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize("model", READ_ONLY)
def test_no_page_offers_to_change_anything(admin_page: Client, alice: Any, model: str) -> None:
    row = every_row(alice)[model]
    html = admin_page.get(page_url(row)).content.decode()

    assert 'name="_save"' not in html
    assert "/delete/" not in html
    assert 'name="action"' not in admin_page.get(list_url(model)).content.decode()


@pytest.mark.parametrize("model", [*READ_ONLY, "user"])
def test_a_stranger_is_sent_to_the_login_and_sees_nothing(client: Client, alice: Any, bob: Any, model: str) -> None:
    row = bob if model == "user" else every_row(alice)[model]

    for visitor in (None, alice):
        if visitor:
            client.force_login(visitor)
        for url in (list_url(model), page_url(row)):
            response = client.get(url)
            assert response.status_code == 302
            assert response.headers["Location"].startswith(reverse("admin:login"))


def test_staff_without_permission_see_no_rows(client: Client, alice: Any, bob: Any) -> None:
    bob.is_staff = True
    bob.save()
    client.force_login(bob)

    for model, row in every_row(alice).items():
        assert client.get(list_url(model)).status_code == 403
        assert client.get(page_url(row)).status_code == 403


def test_hostile_words_are_shown_as_words(admin_page: Client, alice: Any) -> None:
    conversation = make_conversation(alice, title=HOSTILE, instructions=HOSTILE, draft=HOSTILE, model=HOSTILE)
    turn = make_turn(conversation, text=HOSTILE, answer=HOSTILE, error={"code": HOSTILE, "message": HOSTILE})
    tool = {"type": "function_call", "name": HOSTILE, "arguments": HOSTILE}
    Item.objects.create(turn=turn, position=2, data=tool, native={"x": HOSTILE})
    Item.objects.create(turn=turn, position=3, data={"type": HOSTILE})
    call = make_call(turn, usage={HOSTILE: HOSTILE}, plan={"x": HOSTILE}, error={"code": HOSTILE}, response_id=HOSTILE)

    for row in (conversation, turn, call):
        for url in (page_url(row), list_url(row._meta.model_name)):
            html = admin_page.get(url).content.decode()
            assert "<script>alert" not in html
            assert "<img src=x" not in html
            assert ESCAPED[:20] in html


def test_words_that_utf8_refuses_are_shown_all_the_same(admin_page: Client, alice: Any) -> None:
    turn = make_turn(make_conversation(alice), text="half \ud83d a face", answer="a NUL \x00 here")
    call = make_call(turn, usage={"\udc00": "\ud83d"}, error={"code": "x", "message": "\ud83d"})

    assert "half \\ud83d a face" in admin_page.get(page_url(turn)).content.decode()
    assert "\\udc00" in admin_page.get(page_url(call)).content.decode()


def test_a_turn_shows_its_items_and_links_its_calls(admin_page: Client, alice: Any) -> None:
    turn = make_turn(make_conversation(alice), text="A *question*", answer="An **answer**")
    call = make_call(turn, simulated=True)
    html = admin_page.get(page_url(turn)).content.decode()

    assert ">A *question*</pre>" in html
    assert ">An **answer**</pre>" in html
    assert page_url(call) in html
    assert "simulated $0.0003" in html


def test_a_call_shows_every_field_and_the_cost_of_every_bucket(admin_page: Client, alice: Any) -> None:
    turn = make_turn(make_conversation(alice))
    call = make_call(
        turn,
        uncached_tokens=100,
        read_tokens=10_000,
        written_5m_tokens=1_000,
        output_tokens=300,
        reasoning_tokens=40,
        price=PRICE,
        cost_nanousd=7_700_000,
        without_cache_nanousd=25_200_000,
        usage={"input_tokens": 11_100},
        plan={"expected": {"read": 10_000}},
        response_id="resp_1",
        request_id="req_1",
        previous_response_id="resp_0",
        account="fingerprint",
        service_tier="standard",
        model_returned="gpt-5-mini-2026",
    )
    response = admin_page.get(page_url(call))
    (buckets, stored) = response.context_data["sections"]

    assert list(buckets.rows) == [
        ("Uncached input", "100", "$2.00", "$0.0002"),
        ("Read from cache", "10,000", "$0.20", "$0.0020"),
        ("Written for 5 minutes", "1,000", "$2.50", "$0.0025"),
        ("Output", "300", "$10.00", "$0.0030"),
        ("of which reasoning", "40", "", ""),
        ("All input", "11,100", "", ""),
        ("Cost of the call", "", "", "$0.0077"),
    ]
    assert [text.title.split(",")[0].split(":")[0] for text in stored.texts] == ["Usage", "Prices used", "Plan"]
    html = response.content.decode()
    for words in ("resp_1", "req_1", "resp_0", "fingerprint", "gpt-5-mini-2026", "$0.0175", "&quot;input_tokens&quot;"):
        assert words in html, words


def test_a_price_of_another_version_does_not_break_the_page(admin_page: Client, alice: Any) -> None:
    call = make_call(make_turn(make_conversation(alice)), price={"tokens": 5})
    html = admin_page.get(page_url(call)).content.decode()

    assert "No price was used" not in html
    assert "cannot be read" in html


def test_a_call_outlives_its_conversation_on_the_page(admin_page: Client, alice: Any) -> None:
    call = make_call(make_turn(make_conversation(alice)))
    Call.objects.update(conversation=None, turn=None)
    Turn.objects.all().delete()
    Conversation.objects.all().delete()

    assert admin_page.get(page_url(call)).status_code == 200
    assert admin_page.get(list_url("call")).status_code == 200


def test_a_conversation_shows_its_sums_and_leads_to_its_calls(admin_page: Client, alice: Any) -> None:
    turn = make_turn(make_conversation(alice, instructions="Be brief."))
    make_call(turn)
    make_call(turn, simulated=True)
    html = admin_page.get(page_url(turn.conversation)).content.decode()

    assert ">$0.0003<" in html
    assert ">simulated $0.0003<" in html
    assert f"{list_url('call')}?q={turn.conversation_id}" in html
    assert page_url(turn) in html
    assert ">Be brief.</pre>" in html


@pytest.mark.parametrize("key", ["0", "nothing", "00000000-0000-0000-0000-000000000000", "9" * 40])
@pytest.mark.parametrize("model", READ_ONLY)
def test_a_row_that_does_not_exist_is_said_so(admin_page: Client, model: str, key: str) -> None:
    response = admin_page.get(reverse(f"admin:sessions_store_{model}_change", args=[key]), follow=True)

    assert response.redirect_chain[0][1] == 302
    assert "exist" in response.content.decode()
