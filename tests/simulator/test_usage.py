"""Each input token is billed exactly once, whatever is marked, read or written."""

import random

import pytest


def said(rng, text):
    mark = rng.choice([None, None, {"type": "ephemeral"}])
    return {"type": "text", "text": text, **({"cache_control": mark} if mark else {})}


@pytest.mark.parametrize("seed", range(5))
def test_anthropic_s_counters_add_up_to_the_prompt(sim, seed):
    rng = random.Random(seed)
    messages = []
    for number in range(12):
        length = rng.choice([10, 3_000, 8_000])
        messages.append({"role": "user", "content": [{"type": "text", "text": f"{number} " * length}]})
        marked = [{"role": one["role"], "content": [dict(part) for part in one["content"]]} for one in messages]
        for at in rng.sample(range(len(marked)), k=min(4, len(marked))):
            marked[at]["content"][-1].update(said(rng, marked[at]["content"][-1]["text"]))
        fields = {"model": "claude-opus-5", "messages": marked}
        counted = sim.anthropic.messages.count_tokens(**fields).input_tokens
        usage = sim.ask_anthropic(**fields).usage
        parts = (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
        assert min(parts) >= 0
        assert sum(parts) == counted
        sim.advance(rng.choice([1, 200, 400]))
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "Yes."}]})


@pytest.mark.parametrize("seed", range(5))
def test_openai_s_cached_and_written_tokens_are_inside_the_input(sim, seed):
    rng = random.Random(seed)
    previous = None
    for number in range(12):
        part = {"type": "input_text", "text": f"{number} " * rng.choice([10, 3_000, 8_000])}
        if rng.random() < 0.5:
            part["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": rng.choice(["30m", "12h"])}
        fields = {"input": [{"role": "user", "content": [part]}]}
        if previous:
            fields["previous_response_id"] = previous
        answer = sim.ask_openai(**fields, prompt_cache_options={"mode": rng.choice(["implicit", "explicit"])})
        details = answer.usage.input_tokens_details
        split = details.cache_write_tokens_details
        assert details.cache_write_tokens == split.ttl_30m_tokens + split.ttl_12h_tokens
        assert answer.usage.input_tokens - details.cached_tokens - details.cache_write_tokens >= 0
        previous = answer.id
        sim.advance(rng.choice([1, 1_000, 2_000]))
