"""What is sent and why: marks, chains, expectations, and that each request extends the one before it."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.context.budget import items_tokens, prefix_tokens
from chatapp.context.planner import PastTurn, Plan, front_of, plan
from chatapp.vocab.items import Item, Origin, assistant_message, user_message
from chatapp.vocab.model import CacheRule, ModelSpec
from chatapp.vocab.request import Mark, Request

MINIMUM = 1_024
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MARKED = ModelSpec(
    provider="marking",
    id="marked-1",
    label="Marked 1",
    short_label="Marked",
    context_window=200_000,
    max_output_tokens=8_000,
    cache=CacheRule(MINIMUM, ("5m", "1h"), max_marks=4, lookback_positions=20),
    chains=False,
    source="",
    checked=date(2026, 11, 22),
)
CHAINED = replace(
    MARKED,
    provider="chaining",
    id="chained-1",
    cache=CacheRule(MINIMUM, ("30m",), writes_by_default=True),
    chains=True,
)
LONG = "Keep this in mind. " * 400
"""About 1,900 tokens: worth a cache by itself."""
SHORT = "Be brief."


def thinking(text: str, spec: ModelSpec) -> Item:
    data = {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
    return Item(data, {"type": "thinking", "signature": text}, Origin(spec.provider, spec.id))


@dataclass
class Talk:
    """A conversation that grows by what `plan` decides. `now` is moved by hand."""

    spec: ModelSpec = MARKED
    account: str = "ours"
    instructions: str = SHORT
    past: tuple[PastTurn, ...] = ()
    now: datetime = START
    plans: list[Plan] = field(default_factory=list)

    def plan(self, text: str = "And now?", **changes: Any) -> Plan:
        """What would be sent now."""
        given: dict[str, Any] = {
            "instructions": self.instructions,
            "past": self.past,
            "new": (user_message(text),),
            "spec": self.spec,
            "account": self.account,
            "now": self.now,
            "max_output_tokens": 4_000,
        }
        return plan(**{**given, **changes})

    def say(self, text: str, answer: str = "Fine.", *, stopped: bool = False) -> Plan:
        """Ask and be answered, or stop the answer; ten seconds pass."""
        planned = self.plan(text)
        made = () if stopped else (thinking(f"about {answer}", self.spec),)
        said = (assistant_message(answer),) if answer else ()
        self.past += (
            PastTurn(
                items=(user_message(text), *made, *said),
                provider=self.spec.provider,
                model=self.spec.id,
                account=self.account,
                response_id="" if stopped else f"resp_{len(self.past)}",
                context_tokens=None,
                sent_at=self.now,
                front=planned.front,
            ),
        )
        self.now += timedelta(seconds=10)
        self.plans.append(planned)
        return planned


def places(planned: Plan) -> list[int]:
    return [mark.after for mark in planned.request.marks]


def kinds(items: tuple[Item, ...]) -> list[str]:
    return [item.role or item.type for item in items]


def rendering(request: Request) -> str:
    """The whole context, a line per block; marks and transport fields left out."""
    blocks: list[object] = [request.instructions, list(request.tools)]
    blocks += [[item.data, item.native] for item in request.items]
    return "".join(json.dumps(block, sort_keys=True) + "\n" for block in blocks)


# --- Marks ----------------------------------------------------------------------------------------------


def test_a_first_turn_marks_the_end_of_long_instructions_and_its_own_end() -> None:
    planned = Talk(instructions=LONG).plan()

    assert planned.request.marks == (Mark(-1, "5m"), Mark(0, "5m"))


def test_short_instructions_carry_no_mark_of_their_own() -> None:
    assert places(Talk().plan(LONG)) == [0]


def test_a_later_turn_marks_the_instructions_what_the_last_call_wrote_and_the_new_end() -> None:
    talk = Talk(instructions=LONG)
    talk.say("one")
    assert places(talk.plan()) == [-1, 0, 3]

    talk.say("two")
    assert places(talk.plan()) == [-1, 3, 6]


def test_with_short_instructions_only_what_was_written_and_the_new_end_are_marked() -> None:
    talk = Talk()
    talk.say(LONG)
    talk.say("two")

    assert places(talk.plan()) == [3, 6]


def test_what_the_last_call_was_too_short_to_write_is_not_marked() -> None:
    talk = Talk()
    talk.say("one")

    assert places(talk.plan(LONG)) == [3]


def test_nothing_is_marked_below_the_minimum() -> None:
    talk = Talk()
    talk.say("one")
    planned = talk.plan()

    assert planned.request.marks == ()
    assert (planned.expected.read, planned.expected.written) == (0, 0)


def test_the_providers_own_count_decides_over_the_estimate() -> None:
    talk = Talk()
    talk.say("one")
    talk.past = (replace(talk.past[0], context_tokens=MINIMUM),)

    assert places(talk.plan()) == [3]


@pytest.mark.parametrize(("most", "kept"), [(1, [3]), (2, [0, 3]), (3, [-1, 0, 3]), (4, [-1, 0, 3])])
def test_of_too_many_marks_the_latest_are_kept_and_the_oldest_come_first(most: int, kept: list[int]) -> None:
    talk = Talk(instructions=LONG, spec=replace(MARKED, cache=replace(MARKED.cache, max_marks=most)))
    talk.say("one")

    assert places(talk.plan()) == kept


@pytest.mark.parametrize("rule", [{"writes_by_default": True}, {"max_marks": 0}])
def test_a_provider_that_writes_by_default_or_takes_no_marks_gets_none(rule: dict[str, Any]) -> None:
    talk = Talk(instructions=LONG, spec=replace(MARKED, cache=replace(MARKED.cache, **rule)))
    talk.say("one")

    assert talk.plan().request.marks == ()


def test_after_a_switch_and_back_the_mark_stands_where_this_model_wrote() -> None:
    talk = Talk(instructions=LONG)
    talk.say("one")
    talk.spec = CHAINED
    talk.say("two")
    talk.spec = MARKED
    planned = talk.plan()

    assert places(planned) == [-1, 0, 6]
    assert planned.expected.reason == ""
    assert planned.expected.read == prefix_tokens(LONG, ()) + items_tokens([user_message("one")])


# --- Chains ---------------------------------------------------------------------------------------------


def test_a_chain_goes_on_from_the_last_response_and_sends_only_what_is_new() -> None:
    talk = Talk(spec=CHAINED)
    talk.say("one")
    talk.say("two")
    request = talk.plan("three").request

    assert request.previous_response_id == "resp_1"
    assert request.items == (user_message("three"),)


def test_a_stopped_turn_cannot_be_a_parent_and_is_sent_as_input() -> None:
    talk = Talk(spec=CHAINED)
    talk.say("one")
    talk.say("two", "As far as it", stopped=True)
    request = talk.plan("three").request

    assert request.previous_response_id == "resp_0"
    assert request.items == (*talk.past[1].items, user_message("three"))


def test_without_a_chain_the_whole_past_is_sent() -> None:
    talk = Talk(spec=CHAINED)
    talk.say("one")
    request = talk.plan("two", chain=False).request

    assert request.previous_response_id is None
    assert request.items == (*talk.past[0].items, user_message("two"))


def test_a_provider_that_keeps_no_responses_is_sent_the_whole_past() -> None:
    talk = Talk()
    talk.say("one")
    request = talk.plan("two").request

    assert request.previous_response_id is None
    assert request.items == (*talk.past[0].items, user_message("two"))


def test_another_account_cannot_name_what_this_one_was_told() -> None:
    talk = Talk(spec=CHAINED)
    talk.say("one")
    talk.account = "theirs"
    request = talk.plan("two").request
    assert request.previous_response_id is None
    assert request.items == (*talk.past[0].items, user_message("two"))

    talk.say("two")
    talk.account = "ours"
    request = talk.plan("three").request
    assert request.previous_response_id == "resp_0"
    assert request.items == (*talk.past[1].items, user_message("three"))


def test_another_model_of_the_same_provider_goes_on_from_the_same_chain() -> None:
    talk = Talk(spec=CHAINED)
    talk.say("one")
    talk.spec = replace(CHAINED, id="chained-2")

    assert talk.plan().request.previous_response_id == "resp_0"


def test_after_a_switch_and_back_the_chain_goes_on_and_what_came_between_is_input() -> None:
    talk = Talk(spec=CHAINED)
    talk.say("one")
    talk.spec = MARKED
    between = talk.say("two").request
    talk.spec = CHAINED
    request = talk.plan("three").request

    assert between.previous_response_id is None
    assert kinds(between.items) == ["user", "reasoning", "assistant", "user"]
    assert request.previous_response_id == "resp_0"
    assert request.items == (*talk.past[1].items, user_message("three"))


# --- What is expected, and why --------------------------------------------------------------------------


def test_a_first_turn_is_expected_to_write_and_says_that_it_is_the_first() -> None:
    expected = Talk().plan(LONG).expected

    assert (expected.reason, expected.uncached, expected.read, expected.idle_seconds) == ("first", 0, 0, None)
    assert expected.written == prefix_tokens(SHORT, ()) + items_tokens([user_message(LONG)])


def test_below_the_minimum_all_is_expected_plain() -> None:
    talk = Talk()
    talk.say("one")
    expected = talk.plan().expected

    assert (expected.reason, expected.read, expected.written) == ("below_minimum", 0, 0)
    assert expected.uncached > 0
    assert expected.minimum_tokens == MINIMUM


@pytest.mark.parametrize("spec", [MARKED, CHAINED], ids=["marked", "chained"])
def test_a_later_turn_is_expected_to_read_up_to_the_last_question_and_to_write_the_rest(spec: ModelSpec) -> None:
    talk = Talk(spec=spec, instructions=LONG)
    talk.say("one")
    expected = talk.plan("two").expected
    written = prefix_tokens(LONG, ()) + items_tokens([user_message("one")])

    assert (expected.reason, expected.uncached, expected.read) == ("", 0, written)
    assert expected.written == items_tokens((*talk.past[0].items[1:], user_message("two")))
    assert expected.idle_seconds == 10


@pytest.mark.parametrize(
    ("lifetimes", "seconds"), [(("5m", "1h"), 300), (("30m",), 1_800), (("1h",), 3_600), (("12h",), 43_200), ((), 300)]
)
def test_a_cache_is_expected_for_as_long_as_it_lives_and_no_longer(lifetimes: tuple[str, ...], seconds: int) -> None:
    talk = Talk(instructions=LONG, spec=replace(MARKED, cache=replace(MARKED.cache, lifetimes=lifetimes or ("5m",))))
    if not lifetimes:
        talk.spec = replace(CHAINED, cache=replace(CHAINED.cache, lifetimes=()))
    talk.say("one")
    just = talk.plan(now=START + timedelta(seconds=seconds)).expected
    over = talk.plan(now=START + timedelta(seconds=seconds + 1)).expected

    assert just.reason == "" and just.read > MINIMUM
    assert (over.reason, over.read, over.idle_seconds) == ("expired", 0, seconds + 1)
    assert over.written > MINIMUM


@pytest.mark.parametrize("change", ["provider", "model", "account"])
def test_another_provider_model_or_account_reads_nothing_and_says_switched(change: str) -> None:
    talk = Talk(instructions=LONG)
    talk.say("one")
    if change == "account":
        talk.account = "theirs"
    else:
        talk.spec = CHAINED if change == "provider" else replace(MARKED, id="marked-2")
    expected = talk.plan().expected

    assert (expected.reason, expected.read) == ("switched", 0)


def test_a_turn_that_nobody_began_to_answer_is_no_switch() -> None:
    talk = Talk(instructions=LONG)
    talk.say("one", "", stopped=True)
    talk.past = (replace(talk.past[0], account="", sent_at=None),)

    assert talk.plan().expected.reason == "first"


@pytest.mark.parametrize("spec", [MARKED, CHAINED], ids=["marked", "chained"])
def test_behind_changed_instructions_nothing_is_expected_from_the_cache(spec: ModelSpec) -> None:
    talk = Talk(spec=spec, instructions=LONG)
    talk.say("one")
    talk.instructions = LONG + "In French."
    expected = talk.plan().expected
    assert (expected.reason, expected.read, expected.uncached) == ("changed", 0, 0)
    assert expected.written > MINIMUM

    talk.say("two")
    assert talk.plan().expected.reason == ""
    assert talk.plan().expected.read > MINIMUM


def test_changed_instructions_are_the_reason_even_after_a_long_pause() -> None:
    talk = Talk(instructions=LONG)
    talk.say("one")

    assert talk.plan(instructions=LONG + "In French.", now=START + timedelta(days=1)).expected.reason == "changed"


def test_a_turn_that_does_not_know_its_instructions_is_not_taken_for_changed() -> None:
    talk = Talk(instructions=LONG)
    talk.say("one")
    talk.past = (replace(talk.past[0], front=""),)

    assert talk.plan().expected.reason == ""


def test_the_note_tells_marks_items_front_and_expectation() -> None:
    planned = Talk(instructions=LONG).plan()
    note = json.loads(json.dumps(planned.note()))

    assert note["marks"] == [[-1, "5m"], [0, "5m"]]
    assert (note["items"], note["front"]) == (1, front_of(LONG, ()))
    assert note["expected"]["reason"] == "first"


# --- Thinking behind other instructions -----------------------------------------------------------------


def test_thinking_goes_back_as_long_as_the_instructions_stand() -> None:
    talk = Talk()
    talk.say("one")

    assert kinds(talk.plan().request.items) == ["user", "reasoning", "assistant", "user"]


def test_thinking_from_before_changed_instructions_is_left_out_and_later_thinking_kept() -> None:
    talk = Talk(instructions=LONG)
    talk.say("one")
    talk.instructions = LONG + "In French."
    changed = talk.say("two")
    assert kinds(changed.request.items) == ["user", "assistant", "user"]
    assert places(changed) == [-1, 0, 2]

    after = talk.plan("three").request
    assert kinds(after.items) == ["user", "assistant", "user", "reasoning", "assistant", "user"]
    assert rendering(after).startswith(rendering(changed.request))


def test_thinking_is_left_out_up_to_the_last_turn_with_other_instructions_never_from_the_middle_alone() -> None:
    talk = Talk()
    for instructions in ("A", "B", "A"):
        talk.instructions = instructions
        talk.say(instructions)

    assert kinds(talk.plan().request.items) == [*["user", "assistant"] * 2, "user", "reasoning", "assistant", "user"]


# --- The prefix guarantee -------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "yes", "two\nlines", LONG]) | st.text(max_size=20)
TURNS = st.lists(st.tuples(TEXTS, TEXTS, st.booleans()), min_size=1, max_size=8)


@given(turns=TURNS, instructions=st.sampled_from(["", SHORT, LONG]))
def test_each_request_extends_the_one_before_it(turns: list[tuple[str, str, bool]], instructions: str) -> None:
    talk = Talk(instructions=instructions)
    for question, answer, stopped in turns:
        talk.say(question, answer, stopped=stopped)
    talk.say("the last")

    renderings = [rendering(planned.request) for planned in talk.plans]
    for before, after in zip(renderings, renderings[1:], strict=False):
        assert after.startswith(before) and after != before
    for planned in talk.plans:
        marks = places(planned)
        assert marks == sorted(set(marks)) and len(marks) <= MARKED.cache.max_marks
        assert all(-1 <= place < len(planned.request.items) for place in marks)
        expected = planned.expected
        assert min(expected.uncached, expected.read, expected.written) >= 0


@given(turns=TURNS)
def test_a_chain_and_what_is_sent_with_it_are_the_full_replay(turns: list[tuple[str, str, bool]]) -> None:
    talk = Talk(spec=CHAINED)
    kept: dict[str | None, tuple[Item, ...]] = {None: ()}
    for question, answer, stopped in turns:
        full = talk.plan(question, chain=False).request.items
        request = talk.say(question, answer, stopped=stopped).request
        told = kept[request.previous_response_id] + request.items
        assert told == full
        last = talk.past[-1]
        if last.response_id:
            kept[last.response_id] = told + last.items[1:]
