"""What is said above the lists: the cost and the savings of all filtered rows."""

from typing import Any

import pytest
from django.test import Client

from sessions_store.models import Call
from tests.admin.pages import totals
from tests.factories import make_call, make_conversation, make_turn

pytestmark = pytest.mark.every_database


@pytest.fixture
def turn(alice: Any) -> Any:
    return make_turn(make_conversation(alice))


def test_real_and_simulated_money_are_never_added_and_real_money_comes_first(admin_page: Client, turn: Any) -> None:
    make_call(turn, simulated=True, cost_nanousd=5_000_000, without_cache_nanousd=20_000_000)
    make_call(turn, cost_nanousd=1_000_000, without_cache_nanousd=4_000_000)
    make_call(turn, cost_nanousd=2_000_000, without_cache_nanousd=2_000_000)

    assert totals(admin_page) == [
        "Real cost $0.0030 saved $0.0030 (50 %) 2 calls",
        "Simulated $, never billed cost $0.0050 saved $0.0150 (75 %) 1 call",
    ]


def test_what_the_sum_lacks_is_counted_beside_it(admin_page: Client, turn: Any) -> None:
    make_call(turn, cost_nanousd=1_000_000, without_cache_nanousd=1_000_000)
    make_call(turn, cost_nanousd=None, without_cache_nanousd=None)
    make_call(turn, Call.State.FAILED)
    make_call(turn, Call.State.OPEN)

    assert totals(admin_page) == [
        "Real cost about $0.0010 saved $0.0000 (0 %) 4 calls, 1 with no price, 1 of unknown cost, 1 still open"
    ]


def test_a_sum_with_an_estimate_in_it_says_about(admin_page: Client, turn: Any) -> None:
    make_call(turn, estimated=True, cost_nanousd=1_000_000, without_cache_nanousd=1_000_000)

    assert totals(admin_page) == ["Real cost about $0.0010 saved $0.0000 (0 %) 1 call, 1 estimated"]


def test_without_any_price_there_is_no_zero(admin_page: Client, turn: Any) -> None:
    make_call(turn, cost_nanousd=None, without_cache_nanousd=None)

    assert totals(admin_page) == ["Real cost no price saved – 1 call, 1 with no price"]


def test_nothing_paid_beside_an_unknown_cost_is_unknown_and_not_zero(admin_page: Client, turn: Any) -> None:
    make_call(turn, Call.State.FAILED, uncached_tokens=0, cost_nanousd=0, without_cache_nanousd=0)
    make_call(turn, Call.State.CANCELLED)

    assert totals(admin_page) == ["Real cost unknown saved – 2 calls, 1 of unknown cost"]


def test_money_lost_by_caching_is_shown_as_lost(admin_page: Client, turn: Any) -> None:
    make_call(turn, cost_nanousd=5_000_000, without_cache_nanousd=4_000_000)

    assert totals(admin_page) == ["Real cost $0.0050 saved −$0.0010 (−25 %) 1 call"]


def test_totals_are_of_all_filtered_rows_and_not_of_one_page(admin_page: Client, turn: Any) -> None:
    for _ in range(60):
        make_call(turn, cost_nanousd=1_000_000, without_cache_nanousd=2_000_000)
    make_call(turn, provider="anthropic", cost_nanousd=7_000_000, without_cache_nanousd=7_000_000)

    assert totals(admin_page, provider="openai", p=2) == ["Real cost $0.0600 saved $0.0600 (50 %) 60 calls"]


def test_a_list_without_rows_has_no_totals(admin_page: Client, turn: Any) -> None:
    assert totals(admin_page) == []


def test_conversations_are_summed_with_their_titles_and_never_with_those_left_out(
    admin_page: Client, turn: Any, bob: Any
) -> None:
    make_call(turn, cost_nanousd=1_000_000, without_cache_nanousd=2_000_000)
    make_call(turn, purpose="title", cost_nanousd=1_000_000, without_cache_nanousd=1_000_000)
    make_call(turn, simulated=True)
    make_call(make_turn(make_conversation(bob)), cost_nanousd=9_000_000, without_cache_nanousd=9_000_000)

    assert totals(admin_page, "conversation", owner__id__exact=turn.owner_id) == [
        "Real cost $0.0020 saved $0.0010 (33 %) 2 calls",
        "Simulated $, never billed cost $0.0003 saved $0.0003 (50 %) 1 call",
    ]
