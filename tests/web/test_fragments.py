"""Ledger and sums as pages show them: equal to the calls to the nano-dollar, real and simulated apart."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chatapp import fragments, wording
from chatapp.catalog.cost import cost
from chatapp.fragments.page import day_label
from chatapp.live.frames import conversation_total
from chatapp.vocab.model import Price
from chatapp.vocab.usage import BUCKETS, Usage
from sessions_store import models as rows
from tests import factories

pytestmark = pytest.mark.django_db

NOTHING = {f"{bucket}_tokens": None for bucket in BUCKETS} | {"cost_nanousd": None, "without_cache_nanousd": None}

PRICE = {
    "uncached": 2_500_000_003,
    "read": 250_000_001,
    "written_5m": 3_125_000_007,
    "written_30m": None,
    "written_1h": 5_000_000_009,
    "written_12h": None,
    "output": 15_000_000_011,
    "source": "a list",
    "tier": "standard",
}
USAGES = [
    {"uncached": 3, "read": 0, "written_5m": 4_091, "output": 7, "reasoning": 5},
    {"uncached": 11, "read": 4_091, "written_5m": 513, "written_1h": 77, "output": 1_001, "reasoning": 0},
    {"uncached": 1, "read": 9_999_999, "output": 1},
]


@pytest.fixture
def turn() -> rows.Turn:
    return factories.make_turn(factories.make_conversation(factories.make_user("alice")))


def priced(turn: rows.Turn, usage: dict[str, int], **fields: Any) -> rows.Call:
    """A call closed with this usage, at PRICE."""
    worth = cost(Usage(**usage), Price(**PRICE))
    assert worth is not None
    buckets = {f"{bucket}_tokens": tokens for bucket, tokens in usage.items()}
    money = {"price": PRICE, "cost_nanousd": worth.total, "without_cache_nanousd": worth.without_cache}
    return factories.make_call(turn, **{**NOTHING, **buckets, **money, **fields})


def make(turn: rows.Turn, **fields: Any) -> rows.Call:
    return factories.make_call(turn, **{**NOTHING, **fields})


def test_the_ledgers_dollars_add_up_to_what_the_calls_were_stored_with(
    turn: rows.Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [priced(turn, usage) for usage in USAGES]
    monkeypatch.setattr(wording, "money", str)  # exact figures instead of rounded ones
    totals = fragments.ledger_view(turn)["totals"]

    paid = sum(call.cost_nanousd or 0 for call in calls)
    whole = sum(call.without_cache_nanousd or 0 for call in calls)
    assert sum(int(cell["text"]) for cell in totals["cells"]) == paid == int(totals["paid"])
    assert (int(totals["without_cache"]), int(totals["saved"])) == (whole, whole - paid)
    assert totals["lost"] is (whole < paid)


def test_the_ledger_has_a_row_per_call_and_a_column_per_bucket_that_was_used(turn: rows.Turn) -> None:
    for usage in USAGES:
        priced(turn, usage)
    view = fragments.ledger_view(turn)

    assert [column["key"] for column in view["columns"]] == ["uncached", "read", "written_5m", "written_1h", "output"]
    (group,) = view["groups"]
    assert [row["label"] for row in group["rows"]] == ["1 answers", "2 answers", "3 answers"]
    assert [cell["text"] for cell in group["rows"][1]["cells"]] == ["11", "4,091", "513", "77", "1,001"]
    assert group["prices"] == [
        wording.per_million(PRICE[name]) for name in ("uncached", "read", "written_5m", "written_1h", "output")
    ]
    assert "5 tokens of call 1's output were thinking." in view["notes"]


def test_calls_at_another_price_stand_in_a_group_of_their_own(turn: rows.Turn) -> None:
    priced(turn, USAGES[0])
    priced(turn, USAGES[1], price={**PRICE, "source": "another list"})
    priced(turn, USAGES[2], model_returned="another-model")

    assert [len(group["rows"]) for group in fragments.ledger_view(turn)["groups"]] == [1, 1, 1]


def test_calls_without_a_price_show_tokens_and_never_zero_dollars(turn: rows.Turn) -> None:
    make(turn, uncached_tokens=100, output_tokens=5)
    view = fragments.ledger_view(turn)

    assert view["groups"][0]["rows"][0]["cells"][0]["text"] == "100"
    assert view["totals"]["paid"] == "no price"
    assert "$" not in str(view)
    sums = fragments.sums_view(turn.conversation)
    assert sums["total"]["paid"] == sums["rows"][0]["paid"] == "no price"
    assert "$" not in str(sums)
    total = conversation_total(turn.conversation_id)
    assert total is not None and total["text"] == "no price"
    foot = fragments.foot_view(turn, list(rows.Call.objects.all()))
    assert foot is not None and (foot.paid, foot.saved) == ("no price", "")


def test_what_is_estimated_or_unknown_is_said_to_be_so(turn: rows.Turn) -> None:
    priced(turn, USAGES[0], state=rows.Call.State.CANCELLED, estimated=True)
    make(turn, state=rows.Call.State.FAILED, error={"code": "broken_stream", "message": "gone", "status": None})
    view = fragments.ledger_view(turn)

    first, second = view["groups"][0]["rows"] + view["groups"][1]["rows"]
    assert (first["label"], second["label"]) == ("1 was stopped", "2 failed: broken stream")
    assert first["paid"].startswith("about $") and view["totals"]["paid"].startswith("about $")
    assert (second["paid"], second["error"]) == ("–", "gone")
    assert [note for note in view["notes"] if note.startswith("Call 1 is estimated")]
    assert [note for note in view["notes"] if note.startswith("Call 2 ended before")]
    foot = fragments.foot_view(turn, list(rows.Call.objects.order_by("pk")))
    assert foot is not None and foot.paid.startswith("about $")


def test_sums_name_every_purpose_and_add_up(turn: rows.Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "money", str)
    calls = [
        priced(turn, usage, purpose=purpose)
        for usage, purpose in zip(
            USAGES, (rows.Call.Purpose.REPLY, rows.Call.Purpose.REPLY, rows.Call.Purpose.TITLE), strict=True
        )
    ]
    rows.Call.objects.filter(pk=calls[2].pk).update(turn=None)
    sums = fragments.sums_view(turn.conversation)

    assert [row["label"] for row in sums["rows"]] == ["1 turn, every version", "Title"]
    paid = sum(call.cost_nanousd or 0 for call in calls)
    saved = sum(call.saved_nanousd or 0 for call in calls)
    assert sum(int(row["paid"]) for row in sums["rows"]) == paid == int(sums["total"]["paid"])
    assert sum(int(row["saved"]) for row in sums["rows"]) == saved == int(sums["total"]["saved"])


@pytest.mark.parametrize("real_first", [True, False])
def test_real_and_simulated_money_are_never_added_up(turn: rows.Turn, real_first: bool) -> None:
    real = {"cost_nanousd": 1_000_000_000, "without_cache_nanousd": 3_000_000_000}
    simulated = {"cost_nanousd": 5_000_000_000, "without_cache_nanousd": 9_000_000_000, "simulated": True}
    for fields in (real, simulated) if real_first else (simulated, real):
        factories.make_call(factories.make_turn(turn.conversation), **fields)
    total = conversation_total(turn.conversation_id)
    sums = fragments.sums_view(turn.conversation)
    account = fragments.account_view(turn.owner)

    assert total is not None
    assert (total["paid"], total["saved"], total["simulated"]) == ("$1.000", "saved $2.000", False)
    assert (sums["total"], sums["simulated"]) == ({"paid": "$1.000", "saved": "$2.000", "tone": "saved"}, False)
    assert sums["besides"] == "and simulated $5.000, never billed"
    assert account["spend"].endswith(" $1.000") and account["saved"] == "saved $2.000"


def test_simulated_money_alone_is_shown_as_such(turn: rows.Turn) -> None:
    factories.make_call(turn, simulated=True)
    total = conversation_total(turn.conversation_id)
    foot = fragments.foot_view(turn, list(rows.Call.objects.all()))

    assert total is not None and total["paid"].startswith("simulated $") and total["simulated"]
    sums = fragments.sums_view(turn.conversation)
    assert (sums["simulated"], sums["besides"]) == (True, "")
    assert "simulated $" in fragments.account_view(turn.owner)["spend"]
    assert foot is not None and foot.simulated


ROUGHLY = {"cost_nanousd": 1_000_000_000, "without_cache_nanousd": 3_000_000_000, "estimated": True}


@pytest.mark.parametrize("fields", [ROUGHLY, ROUGHLY | {"simulated": True}], ids=["real", "simulated"])
def test_every_total_with_an_estimate_in_it_says_about(turn: rows.Turn, fields: dict[str, Any]) -> None:
    factories.make_call(turn, **fields)
    total = conversation_total(turn.conversation_id)
    sums = fragments.sums_view(turn.conversation)
    account = fragments.account_view(turn.owner)

    assert total is not None and total["paid"] == ("simulated " if "simulated" in fields else "") + "about $1.000"
    assert sums["total"]["paid"] == sums["rows"][0]["paid"] == "about $1.000"
    assert sums["notes"] == ["Estimated: the call ended before the provider reported its final count."]
    assert account["spend"].endswith(total["paid"])


def test_every_total_with_a_call_of_unknown_cost_in_it_says_about(turn: rows.Turn) -> None:
    factories.make_call(turn)
    make(turn, state=rows.Call.State.CANCELLED)
    total = conversation_total(turn.conversation_id)
    sums = fragments.sums_view(turn.conversation)

    assert total is not None and total["paid"] == "about $0.0003"
    assert sums["total"]["paid"] == fragments.ledger_view(turn)["totals"]["paid"] == "about $0.0003"
    assert sums["notes"] == ["One call ended before the provider reported anything; what it billed is not in this sum."]
    assert fragments.account_view(turn.owner)["spend"].endswith(" about $0.0003")


@pytest.mark.parametrize("turned_away", [True, False], ids=["after a refusal", "alone"])
def test_an_unknown_cost_is_nowhere_said_to_be_nothing(turn: rows.Turn, turned_away: bool) -> None:
    if turned_away:
        priced(turn, {"uncached": 0, "read": 0, "output": 0}, state=rows.Call.State.FAILED)
    make(turn, state=rows.Call.State.CANCELLED)
    foot = fragments.foot_view(turn, list(rows.Call.objects.order_by("pk")))
    total = conversation_total(turn.conversation_id)
    sums = fragments.sums_view(turn.conversation)
    totals = fragments.ledger_view(turn)["totals"]

    assert foot is not None and (foot.paid, foot.saved) == ("cost unknown", "")
    assert total is not None and total["text"] == "cost unknown"
    assert sums["total"] == {"paid": "unknown", "saved": "–", "tone": ""}
    assert fragments.account_view(turn.owner)["spend"].endswith(" cost unknown")
    assert (totals["paid"], totals["without_cache"], totals["saved"]) == ("unknown", "–", "")
    assert "$" not in f"{total}{sums}{totals}"


def test_before_a_call_has_ended_there_is_no_total(turn: rows.Turn) -> None:
    make(turn, state=rows.Call.State.OPEN)

    assert conversation_total(turn.conversation_id) is None
    assert fragments.sums_view(turn.conversation)["rows"] == []
    assert fragments.account_view(turn.owner)["spend"] == "Nothing spent yet"
    assert fragments.ledger_view(turn)["totals"]["paid"] == "–"


def test_the_account_counts_this_month_and_this_person(turn: rows.Turn) -> None:
    factories.make_call(turn, started_at=timezone.now() - timedelta(days=40))
    factories.make_call(factories.make_turn(factories.make_conversation(factories.make_user("bob"))))

    assert fragments.account_view(turn.owner)["spend"] == "Nothing spent yet"


def test_a_turn_is_shown_with_its_place_among_its_versions(turn: rows.Turn) -> None:
    talk = turn.conversation
    talk.head = None
    second = factories.make_turn(talk, answer="Otherwise.")
    factories.make_turn(talk, rows.Turn.State.CANCELLED, parent=None, reason="returned")
    view = fragments.turn_view(second)

    assert (view.version, view.versions, view.earlier_id, view.later_id) == (2, 2, turn.pk, None)


def test_a_change_of_model_stands_between_two_turns(turn: rows.Turn) -> None:
    talk = turn.conversation
    factories.make_turn(talk, provider="anthropic", model="claude-sonnet-5-5")
    first, second = fragments.transcript(talk)

    assert first.divider is None
    assert second.divider and second.divider.startswith("Switched from")


TODAY = date(2026, 11, 18)


@pytest.mark.parametrize(
    ("day", "label"),
    [
        (TODAY + timedelta(days=1), "Today"),
        (TODAY, "Today"),
        (TODAY - timedelta(days=1), "Yesterday"),
        (TODAY - timedelta(days=6), "Last 7 days"),
        (TODAY - timedelta(days=7), "November"),
        (date(2026, 2, 3), "February"),
        (date(2025, 12, 31), "December 2025"),
    ],
)
def test_days_have_names_in_the_list(day: date, label: str) -> None:
    assert day_label(day, TODAY) == label
