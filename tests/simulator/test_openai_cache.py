"""OpenAI's caching rules on small vectors, from 5.6 on and before."""

import threading

import pytest

NEW, OLD = "gpt-6.2-sol", "gpt-5.4"


def user(text, mark=None):
    part = {"type": "input_text", "text": text}
    if mark:
        part["prompt_cache_breakpoint"] = mark
    return {"role": "user", "content": [part]}


def spent(answer):
    """Cached, written for 30 minutes, written for 12 hours, uncached."""
    details = answer.usage.input_tokens_details
    split = details.cache_write_tokens_details
    return (
        details.cached_tokens,
        split.ttl_30m_tokens,
        split.ttl_12h_tokens,
        answer.usage.input_tokens - details.cached_tokens - details.cache_write_tokens,
    )


EXPLICIT = {"mode": "explicit"}


def test_the_implicit_breakpoint_is_written_once_and_then_read(sim, filler):
    first = sim.ask_openai(input=filler(2_000))
    assert spent(first) == (0, 2_000, 0, 0)
    second = sim.ask_openai(input="Next", previous_response_id=first.id)
    assert second.usage.input_tokens > 2_000
    assert spent(second) == (2_000, second.usage.input_tokens - 2_000, 0, 0)


def test_a_replayed_conversation_reads_what_the_chain_wrote(sim, filler):
    first = sim.ask_openai(input=filler(2_000))
    sent = [user(filler(2_000)), *[item.model_dump(exclude_none=True) for item in first.output], user("Next")]
    assert spent(sim.ask_openai(input=sent, store=False))[0] == 2_000


@pytest.mark.parametrize(("tokens", "written"), [(1_023, 0), (1_024, 1_024)])
def test_a_prefix_below_the_minimum_is_not_cached(sim, filler, tokens, written):
    assert sim.ask_openai(input=filler(tokens)).usage.input_tokens_details.cache_write_tokens == written
    assert sim.ask_openai(input=filler(tokens)).usage.input_tokens_details.cached_tokens == written


def test_instructions_alone_are_not_a_place_to_read_from(sim, filler):
    sim.ask_openai(instructions=filler(2_000), input="one")
    assert spent(sim.ask_openai(instructions=filler(2_000), input="two"))[0] == 0


def test_text_appended_to_the_last_user_message_breaks_the_match(sim, filler):
    sim.ask_openai(input=filler(2_000))
    assert spent(sim.ask_openai(input=filler(2_000) + " more"))[0] == 0


def test_explicit_mode_without_a_breakpoint_caches_nothing(sim, filler):
    for _ in range(2):
        assert spent(sim.ask_openai(input=filler(2_000), prompt_cache_options=EXPLICIT)) == (0, 0, 0, 2_000)


def test_explicit_mode_writes_up_to_its_breakpoint_only(sim, filler):
    items = [user(filler(1_500), EXPLICIT), user(filler(500, "y"))]
    assert spent(sim.ask_openai(input=items, prompt_cache_options=EXPLICIT)) == (0, 1_500, 0, 500)
    assert spent(sim.ask_openai(input=items, prompt_cache_options=EXPLICIT)) == (1_500, 0, 0, 500)


def test_only_the_latest_breakpoints_are_written(sim, filler):
    items = [user(filler(1_100, letter), EXPLICIT) for letter in "abcde"]
    sim.ask_openai(input=items, prompt_cache_options=EXPLICIT)
    assert spent(sim.ask_openai(input=items[:1], prompt_cache_options=EXPLICIT))[0] == 0
    assert spent(sim.ask_openai(input=items[:2], prompt_cache_options=EXPLICIT))[0] == 2_200


def test_lifetimes_can_be_mixed_and_are_reported_apart(sim, filler):
    items = [user(filler(1_500), {"mode": "explicit", "ttl": "12h"}), user(filler(500, "y"))]
    assert spent(sim.ask_openai(input=items)) == (0, 500, 1_500, 0)
    sim.advance(3_600)
    assert spent(sim.ask_openai(input=items)) == (1_500, 500, 0, 0)


def test_an_entry_lives_thirty_minutes_from_its_last_use(sim, filler):
    sim.ask_openai(input=filler(2_000))
    for _ in range(3):
        sim.advance(1_790)
        assert spent(sim.ask_openai(input=filler(2_000)))[0] == 2_000
    sim.advance(1_801)
    assert spent(sim.ask_openai(input=filler(2_000))) == (0, 2_000, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-6.1-sol"},
        {"parallel_tool_calls": False},
        {"text": {"verbosity": "low"}},
        {"reasoning": {"effort": "high"}},
        {"service_tier": "flex"},
        {"prompt_cache_key": "other"},
        {"instructions": "Be brief"},
        {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_setting_misses(sim, filler, change):
    sim.ask_openai(input=filler(2_000))
    assert spent(sim.ask_openai(input=filler(2_000), **change))[0] == 0


def test_the_order_of_a_tool_s_keys_matters(sim, filler):
    tools = [{"type": "function", "name": "f", "parameters": {"a": 1, "b": 2}, "strict": False}]
    other = [{"type": "function", "name": "f", "parameters": {"b": 2, "a": 1}, "strict": False}]
    sim.ask_openai(input=filler(2_000), tools=tools)
    assert spent(sim.ask_openai(input=filler(2_000), tools=other))[0] == 0


def test_twenty_earlier_message_ends_are_looked_at(sim, filler):
    sim.ask_openai(input=[user(filler(2_000))])
    small = [user(str(number)) for number in range(21)]
    assert spent(sim.ask_openai(input=[user(filler(2_000)), *small[:20]]))[0] == 2_000
    fresh = [user(f"other {number}") for number in range(21)]
    assert spent(sim.ask_openai(input=[user(filler(2_000)), *fresh]))[0] == 0


def test_parallel_first_requests_both_write(sim, filler):
    sim.control("POST", "pace", {"first_byte_seconds": 0.1})
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(sim.ask_openai(input=filler(2_000)))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [spent(answer) for answer in answers] == [(0, 2_000, 0, 0)] * 2


def test_an_older_model_reports_no_writes_and_rounds_to_128(sim, filler):
    first = sim.ask_openai(model=OLD, input=filler(1_500))
    assert first.usage.input_tokens_details.cache_write_tokens == 0
    assert first.usage.input_tokens_details.cache_write_tokens_details is None
    second = sim.ask_openai(model=OLD, input=[user(filler(1_500)), user("more")])
    assert second.usage.input_tokens_details.cached_tokens == 1_408


def test_an_older_model_forgets_after_five_idle_minutes_unless_a_day_was_asked_for(sim, filler):
    for retention, pause, cached in ((None, 301, 0), ("24h", 80_000, 1_408)):
        fields = {"model": OLD, "input": filler(1_500, "a" if retention else "b")}
        if retention:
            fields["prompt_cache_retention"] = retention
        sim.ask_openai(**fields)
        sim.advance(pause)
        assert sim.ask_openai(**fields).usage.input_tokens_details.cached_tokens == cached


def test_in_memory_entries_end_after_an_hour_even_in_use(sim, filler):
    cached = []
    for _ in range(14):
        answer = sim.ask_openai(model=OLD, input=filler(1_500))
        cached.append(answer.usage.input_tokens_details.cached_tokens)
        sim.advance(290)
    assert cached == [0] + [1_408] * 12 + [0]


def test_gpt_5_5_caches_in_steps_of_2048_for_a_day(sim, filler):
    sim.ask_openai(model="gpt-5.5", input=filler(5_000))
    sim.advance(80_000)
    assert sim.ask_openai(model="gpt-5.5", input=filler(5_000)).usage.input_tokens_details.cached_tokens == 4_096


def test_diagnostics_name_what_changed(sim, filler):
    first = sim.ask_openai(input=filler(2_000))
    options = {"comparison_response_id": first.id}
    hit = sim.ask_openai(input="Next", previous_response_id=first.id, prompt_cache_options=options)
    assert hit.prompt_cache_diagnostics.type == "cache_hit"
    miss = sim.ask_openai(input=filler(2_000), reasoning={"effort": "high"}, prompt_cache_options=options)
    assert miss.prompt_cache_diagnostics.reason == "reasoning_effort_changed"
    changed = sim.ask_openai(input=filler(2_000, "z"), prompt_cache_options=options)
    assert changed.prompt_cache_diagnostics.reason == "input_changed"
    assert changed.prompt_cache_diagnostics.cache_missed_tokens == 2_000
    unknown = sim.ask_openai(prompt_cache_options={"comparison_response_id": "resp_0"})
    assert unknown.prompt_cache_diagnostics.type == "comparison_response_not_found"


def test_the_log_explains_where_the_cache_was_looked_for(sim, filler):
    sim.ask_openai(input=filler(2_000))
    sim.ask_openai(input=[user(filler(2_000)), user("more")])
    cache = sim.requests()[-1]["cache"]
    assert cache["matched"] == "context[0].content[0]"
    assert cache["written"] == ["context[1].content[0]"]
