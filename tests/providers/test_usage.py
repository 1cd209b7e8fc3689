"""Token counts: both providers' words for the same truths give the same buckets."""

from typing import Any

import pytest

from chatapp.providers.anthropic_messages import usage_from as anthropic_usage
from chatapp.providers.openai_responses import usage_from as openai_usage
from chatapp.vocab.usage import Usage

TRUTHS = {
    # name: (uncached, read, written for the shorter time, for the longer, output, reasoning)
    "nothing cached": (1_000, 0, 0, 0, 50, 0),
    "all but the tail read": (30, 4_096, 0, 0, 200, 120),
    "a first write": (12, 0, 2_048, 0, 7, 7),
    "read and written for both lifetimes": (5, 100_000, 2_000, 30_000, 8_000, 1),
    "an empty answer": (1, 0, 0, 0, 0, 0),
    "no token uncached": (0, 999, 1, 0, 3, 0),
}


def in_openai_words(truth: tuple[int, ...]) -> dict[str, Any]:
    uncached, read, short, long, output, reasoning = truth
    total = uncached + read + short + long
    return {
        "input_tokens": total,
        "input_tokens_details": {
            "cached_tokens": read,
            "cache_write_tokens": short + long,
            "cache_write_tokens_details": {"ttl_30m_tokens": short, "ttl_12h_tokens": long},
        },
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": total + output,
    }


def in_anthropic_words(truth: tuple[int, ...]) -> dict[str, Any]:
    uncached, read, short, long, output, reasoning = truth
    return {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": reasoning},
    }


@pytest.mark.parametrize("name", TRUTHS)
def test_both_providers_tell_the_same_truth(name: str) -> None:
    uncached, read, short, long, output, reasoning = truth = TRUTHS[name]

    of_openai = openai_usage(in_openai_words(truth))
    of_anthropic = anthropic_usage(in_anthropic_words(truth))

    same = {"uncached": uncached, "read": read, "output": output, "reasoning": reasoning}
    assert of_openai == Usage(**same, written_30m=short, written_12h=long)
    assert of_anthropic == Usage(**same, written_5m=short, written_1h=long)
    assert of_openai.total_input == of_anthropic.total_input == uncached + read + short + long


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        pytest.param(None, None, id="no usage"),
        pytest.param({}, None, id="an empty usage"),
        pytest.param({"total_tokens": 3}, None, id="nothing that is counted"),
        pytest.param({"input_tokens": 9, "output_tokens": 2}, Usage(uncached=9, output=2), id="no details"),
        pytest.param(
            {"input_tokens": 9, "input_tokens_details": None, "output_tokens_details": None},
            Usage(uncached=9),
            id="null details",
        ),
        pytest.param(
            {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}},
            Usage(uncached=2, read=4, written_30m=3),
            id="a write without lifetimes is of 30 minutes",
        ),
        pytest.param(
            {
                "input_tokens": 9,
                "input_tokens_details": {
                    "cache_write_tokens": 5,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_12h_tokens": 2},
                },
            },
            Usage(uncached=4, written_30m=3, written_12h=2),
            id="a write beyond its lifetimes is of 30 minutes",
        ),
        pytest.param({"input_tokens_details": {"cached_tokens": 4}}, Usage(read=4), id="no total"),
        pytest.param(
            {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}, None, id="more cached than sent"
        ),
        pytest.param(
            {
                "input_tokens": 90,
                "input_tokens_details": {
                    "cache_write_tokens": 5,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 5, "ttl_12h_tokens": 5},
                },
            },
            None,
            id="more written by lifetime than in all",
        ),
        pytest.param(
            {"output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 4}},
            None,
            id="more reasoning than output",
        ),
        pytest.param({"input_tokens": -1}, None, id="a negative count"),
        pytest.param({"input_tokens": "9"}, None, id="a count in words"),
        pytest.param({"input_tokens": 1.5}, None, id="half a token"),
        pytest.param({"input_tokens": 9, "input_tokens_details": [1]}, None, id="details of another shape"),
        pytest.param([1], None, id="another shape"),
    ],
)
def test_openai_usage_reads(raw: Any, usage: Usage | None) -> None:
    assert openai_usage(raw) == usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        pytest.param(None, None, id="no usage"),
        pytest.param({}, None, id="an empty usage"),
        pytest.param({"input_tokens": 9, "output_tokens": 2}, Usage(uncached=9, output=2), id="no cache counts"),
        pytest.param(
            {"input_tokens": 9, "cache_read_input_tokens": None, "cache_creation": None, "output_tokens_details": None},
            Usage(uncached=9),
            id="null counts",
        ),
        pytest.param(
            {"input_tokens": 2, "cache_creation_input_tokens": 7}, Usage(uncached=2, written_5m=7), id="no split"
        ),
        pytest.param(
            {
                "input_tokens": 2,
                "cache_creation_input_tokens": 900,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 500},
            },
            Usage(uncached=2, written_5m=400, written_1h=500),
            id="a write beyond the split is of 5 minutes",
        ),
        pytest.param(
            {"cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}},
            Usage(written_5m=1, written_1h=2),
            id="a split alone",
        ),
        pytest.param(
            {"cache_creation_input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 2}},
            None,
            id="more in the split than in all",
        ),
        pytest.param({"input_tokens": -1}, None, id="a negative count"),
        pytest.param({"input_tokens": "9"}, None, id="a count in words"),
        pytest.param({"input_tokens": 9, "cache_creation": 3}, None, id="a split of another shape"),
        pytest.param("many", None, id="another shape"),
    ],
)
def test_anthropic_usage_reads(raw: Any, usage: Usage | None) -> None:
    assert anthropic_usage(raw) == usage
