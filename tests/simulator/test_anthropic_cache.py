"""Anthropic's caching rules on small vectors: marks, minimums, looking back, lifetimes, invalidation, diagnostics."""

import threading

import pytest

MARK = {"type": "ephemeral"}
LONG_MARK = {"type": "ephemeral", "ttl": "1h"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


def said(text, mark=None):
    return {"type": "text", "text": text, **({"cache_control": mark} if mark else {})}


def user(*content):
    return {"role": "user", "content": list(content)}


def spent(answer):
    """Uncached, read, written for 5 minutes, written for an hour."""
    usage = answer.usage
    split = usage.cache_creation
    assert usage.cache_creation_input_tokens == split.ephemeral_5m_input_tokens + split.ephemeral_1h_input_tokens
    return (
        usage.input_tokens,
        usage.cache_read_input_tokens,
        split.ephemeral_5m_input_tokens,
        split.ephemeral_1h_input_tokens,
    )


MINIMUMS = {
    "claude-opus-5-5": 512, "claude-haiku-5-5": 512, "claude-opus-4-8": 1_024, "claude-sonnet-5": 1_024,
    "claude-opus-4-7": 2_048, "claude-haiku-4-5": 4_096,
}  # fmt: skip


@pytest.mark.parametrize("model", MINIMUMS)
def test_a_mark_below_the_minimum_is_ignored(sim, filler, model):
    least = MINIMUMS[model]
    for tokens, written in ((least - 1, 0), (least, least)):
        answer = sim.ask_anthropic(model=model, messages=[user(said(filler(tokens), MARK))])
        assert spent(answer) == (tokens - written, 0, written, 0)


def test_what_was_written_is_read_and_what_follows_the_last_mark_is_uncached(sim, filler):
    system = [said(filler(2_000), MARK)]
    assert spent(sim.ask_anthropic(system=system)) == (5, 0, 2_000, 0)
    assert spent(sim.ask_anthropic(system=system)) == (5, 2_000, 0, 0)


def test_without_a_mark_nothing_is_cached_or_read(sim, filler):
    sim.ask_anthropic(system=[said(filler(2_000), MARK)])
    assert spent(sim.ask_anthropic(system=[said(filler(2_000))])) == (2_005, 0, 0, 0)


def test_the_automatic_mark_moves_with_the_conversation(sim, filler):
    first = [user(said(filler(2_000)))]
    assert spent(sim.ask_anthropic(messages=first, cache_control=MARK)) == (0, 0, 2_000, 0)
    longer = [*first, {"role": "assistant", "content": "Hi"}, user(said(filler(500)))]
    assert spent(sim.ask_anthropic(messages=longer, cache_control=MARK)) == (0, 2_000, 504, 0)


@pytest.mark.parametrize(("added", "read"), [(19, 2_000), (20, 0)])
def test_a_mark_looks_back_twenty_positions_its_own_included(sim, filler, added, read):
    sim.ask_anthropic(messages=[user(said(filler(2_000), MARK))])
    blocks = [said(str(number)) for number in range(added - 1)]
    answer = sim.ask_anthropic(messages=[user(said(filler(2_000)), *blocks, said("end", MARK))])
    assert spent(answer)[1] == read


@pytest.mark.parametrize(("rounds", "read"), [(9, 2_000), (10, 0)])
def test_a_run_of_tool_uses_or_of_results_is_one_position(sim, filler, rounds, read):
    start = user(said(filler(2_000), MARK))
    sim.ask_anthropic(messages=[start], tools=[TOOL])
    messages = [user(said(filler(2_000)))]
    for number in range(rounds):
        ids = [f"toolu_{number}_{part}" for part in range(5)]
        uses = [{"type": "tool_use", "id": one, "name": "f", "input": {}} for one in ids]
        results = [{"type": "tool_result", "tool_use_id": one, "content": "x"} for one in ids]
        messages += [{"role": "assistant", "content": uses}, user(*results)]
    messages[-1]["content"].append(said("go on", MARK))
    answer = sim.ask_anthropic(messages=messages, tools=[TOOL])
    assert (spent(answer)[1] > 0) == (read > 0)


def test_a_second_mark_at_the_last_write_reaches_over_any_distance(sim, filler):
    sim.ask_anthropic(messages=[user(said(filler(2_000), MARK))])
    blocks = [said(str(number)) for number in range(40)]
    answer = sim.ask_anthropic(messages=[user(said(filler(2_000), MARK), *blocks, said("end", MARK))])
    assert spent(answer)[1] == 2_000


def test_only_earlier_writes_are_found_not_identical_content(sim, filler):
    sim.ask_anthropic(messages=[user(said(filler(2_000)), said("changes: 1", MARK))])
    answer = sim.ask_anthropic(messages=[user(said(filler(2_000)), said("changes: 2", MARK))])
    assert spent(answer)[1] == 0


@pytest.mark.parametrize(("mark", "lifetime"), [(MARK, 300), (LONG_MARK, 3_600)])
def test_an_entry_lives_from_the_start_of_its_last_request(sim, filler, mark, lifetime):
    system = [said(filler(2_000), mark)]
    sim.ask_anthropic(system=system)
    for _ in range(2):
        sim.advance(lifetime - 5)
        assert spent(sim.ask_anthropic(system=system))[1] == 2_000
    sim.advance(lifetime + 1)
    assert spent(sim.ask_anthropic(system=system))[1] == 0


def test_mixed_lifetimes_are_written_apart(sim, filler):
    system, messages = [said(filler(2_000), LONG_MARK)], [user(said(filler(1_000), MARK), said("x"))]
    assert spent(sim.ask_anthropic(system=system, messages=messages)) == (4, 0, 1_000, 2_000)
    sim.advance(301)
    assert spent(sim.ask_anthropic(system=system, messages=messages)) == (4, 2_000, 1_000, 0)


def test_parallel_first_requests_both_pay_for_the_write(sim, filler):
    sim.control("POST", "pace", {"first_byte_seconds": 0.1})
    system = [said(filler(2_000), MARK)]
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(sim.ask_anthropic(system=system))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [spent(answer) for answer in answers] == [(5, 0, 2_000, 0)] * 2
    assert spent(sim.ask_anthropic(system=system)) == (5, 2_000, 0, 0)


def test_an_entry_can_be_read_as_soon_as_the_response_that_writes_it_began(sim, filler):
    sim.fault("stall", after_deltas=0)
    system = [said(filler(2_000), MARK)]
    with sim.ask_anthropic(system=system, stream=True) as stream:
        assert next(iter(stream)).type == "message_start"
        assert spent(sim.ask_anthropic(system=system))[1] == 2_000


def _levels(filler):
    return {
        "tools": [{**TOOL, "description": filler(1_200, "t"), "cache_control": MARK}],
        "system": [said(filler(1_200, "s"), MARK)],
        "messages": [user(said(filler(1_200, "m"), MARK))],
    }


CHANGES = {
    "the model": ({"model": "claude-sonnet-5"}, 0),
    "a tool": ({"tools": [TOOL]}, 0),
    "the system text": ({"system": [said("x" * 4_800, MARK)]}, 1),
    "the speed": ({"speed": "fast"}, 1),
    "the tool choice": ({"tool_choice": {"type": "none"}}, 2),
    "thinking": ({"thinking": {"type": "adaptive"}}, 2),
    "the effort": ({"output_config": {"effort": "low"}}, 2),
    "an image": ({"messages": [user(said("m" * 4 * 1_197, MARK), PIXEL)]}, 2),
    "the default effort stated": ({"output_config": {"effort": "high"}}, 3),
    "metadata": ({"metadata": {"user_id": "u"}}, 3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_loses_its_level_and_those_below(sim, filler, change):
    fields, kept = CHANGES[change]
    levels = _levels(filler)
    first = sim.ask_anthropic(**levels)
    sums = [0, first.usage.cache_creation_input_tokens - 2_400, first.usage.cache_creation_input_tokens - 1_200,
            first.usage.cache_creation_input_tokens]  # fmt: skip
    assert spent(sim.ask_anthropic(**{**levels, **fields}))[1] == sums[kept]


def test_the_order_of_a_tool_s_keys_matters(sim, filler):
    first = {"a": {"type": "string"}, "b": {"type": "string"}}
    for properties, read in ((first, 0), (dict(reversed(first.items())), 0), (first, 1)):
        schema = {"type": "object", "properties": properties}
        tool = {"name": "f", "description": filler(2_000), "input_schema": schema, "cache_control": MARK}
        assert bool(spent(sim.ask_anthropic(tools=[tool]))[1]) == bool(read)


def test_a_model_that_strips_thinking_does_not_count_it_once_the_next_turn_begins(sim):
    fields = {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    question = user(said("one"))
    first = sim.ask_anthropic(**fields, messages=[question])
    content = [block.model_dump(exclude_none=True) for block in first.content]
    assert [block["type"] for block in content] == ["thinking", "text"]
    counts = [
        sim.ask_anthropic(
            **fields, messages=[question, {"role": "assistant", "content": blocks}, user(said("two"))]
        ).usage.input_tokens
        for blocks in (content, content[1:])
    ]
    assert counts[0] == counts[1]


def test_diagnostics_name_what_changed(sim, filler):
    fields = {"system": [said(filler(2_000), MARK)], "messages": [user(said("one"))]}
    first = sim.ask_anthropic(**fields, diagnostics={"previous_message_id": None})
    assert first.diagnostics.cache_miss_reason is None
    asked = {"diagnostics": {"previous_message_id": first.id}}
    expected = {
        "model_changed": {"model": "claude-sonnet-5"},
        "tools_changed": {"tools": [TOOL]},
        "system_changed": {"system": "other"},
        "messages_changed": {"messages": [user(said("two"))]},
        "unavailable": {"output_config": {"effort": "low"}},
        "previous_message_not_found": {"diagnostics": {"previous_message_id": "msg_0"}},
    }
    for reason, change in expected.items():
        answer = sim.ask_anthropic(**{**fields, **asked, **change})
        assert answer.diagnostics.cache_miss_reason.type == reason
    longer = [user(said("one")), {"role": "assistant", "content": "Hi"}, user(said("two"))]
    start = next(iter(sim.ask_anthropic(**{**fields, **asked, "messages": longer}, stream=True)))
    assert start.message.diagnostics.cache_miss_reason is None


def test_the_log_explains_where_the_cache_was_looked_for(sim, filler):
    sim.ask_anthropic(messages=[user(said(filler(2_000), MARK))])
    sim.ask_anthropic(messages=[user(said(filler(2_000)), said("more", MARK))])
    cache = sim.requests()[-1]["cache"]
    assert cache["looked_at"] == {"messages.0.content.1": ["messages.0.content.1", "messages.0.content.0"]}
    assert cache["matched"] == "messages.0.content.0"
    assert cache["written"] == ["messages.0.content.1"]
