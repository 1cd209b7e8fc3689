"""The process, the control API, accounts that never meet, the request log, speed."""

import json
import signal
import subprocess
import sys

import httpx2
import pytest


def start(*options):
    command = [sys.executable, "-m", "chatapp.simulator", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def end(process):
    process.stdin.close()
    process.stdout.close()


def test_the_process_says_where_it_listens_and_ends_with_its_standard_input():
    process, ready = start("--exit-with-stdin", "--pace=instant")
    assert ready["ready"] is True
    assert ready["openai_base_url"] == f"http://127.0.0.1:{ready['port']}/openai/v1"
    assert ready["anthropic_base_url"] == f"http://127.0.0.1:{ready['port']}/anthropic"
    with httpx2.Client(trust_env=False) as client:
        headers = {"authorization": "Bearer sk-test"}
        assert client.get(f"{ready['openai_base_url']}/models", headers=headers).status_code == 200
    end(process)
    assert process.wait(5) == 0


def test_the_process_ends_on_sigterm_while_its_standard_input_is_open():
    process, _ = start("--exit-with-stdin")
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    end(process)


def test_it_listens_on_loopback_only():
    command = [sys.executable, "-m", "chatapp.simulator", "--host", "0.0.0.0"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_accounts_share_nothing(account, filler):
    one, two = account(), account()
    one.ask_openai(input=filler(2_000))
    one.fault("server_error")
    one.advance(100)
    assert two.ask_openai(input=filler(2_000)).usage.input_tokens_details.cached_tokens == 0
    assert len(two.requests()) == 1
    assert two.control("GET", "")["clock_offset_seconds"] == 0


def test_a_forgotten_account_starts_anew(sim):
    answer = sim.ask_openai()
    assert sim.control("DELETE", "") == {"forgotten": True}
    assert sim.requests() == []
    missing = sim.raw.get(
        f"{sim.openai_base_url}/responses/{answer.id}", headers={"authorization": f"Bearer {sim.key}"}
    )
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("topic", "data"),
    [
        ("clock", {"advance_seconds": -1}),
        ("clock", {"advance_seconds": "1"}),
        ("faults", {"faults": [{"kind": "earthquake"}]}),
        ("faults", {"faults": [{"kind": "stall", "when": 1}]}),
        ("faults", {"faults": [{"kind": "stall", "times": 0}]}),
        ("pace", {"hurry": 1}),
        ("pace", {"delay_seconds": -1}),
        ("script", {"messages": []}),
    ],
)
def test_the_control_api_refuses_what_it_does_not_understand(sim, topic, data):
    answer = sim.raw.post(f"{sim.control_url}/{sim.key}/{topic}", json=data)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_every_request_is_logged_with_what_became_of_it_and_never_with_its_key(sim):
    sim.ask_anthropic()
    list(sim.ask_openai(input="say exactly: a b", stream=True))
    with pytest.raises(Exception, match="x"):
        sim.ask_openai(model="x")
    whole, streamed, refused = sim.requests()
    assert (whole["number"], whole["provider"], whole["path"]) == (1, "anthropic", "/anthropic/v1/messages")
    assert whole["headers"]["anthropic-version"] == "2026-10-21"
    assert whole["headers"]["auth"] == ["authorization"]
    assert whole["body"]["messages"] == [{"role": "user", "content": "Hello"}]
    assert (streamed["status"], streamed["finished"], streamed["delivered_deltas"]) == (200, "completed", 2)
    assert streamed["delivered_events"] == 10
    assert streamed["usage"]["total_tokens"] > 0
    assert (refused["status"], refused["finished"], refused["usage"]) == (404, "rejected", None)
    assert sim.key not in json.dumps([whole, streamed, refused])


def test_deltas_have_the_length_that_was_set(sim):
    sim.control("POST", "pace", {"delta_chars": 4})
    events = sim.ask_openai(input="say exactly: 0123456789", stream=True)
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert pieces == ["0123", "4567", "89"]


def test_unknown_addresses_are_404(sim):
    assert sim.post("openai", "nothing", {}).status_code == 404
    assert sim.post("anthropic", "v1/nothing", {}).json()["error"]["type"] == "not_found_error"
    assert sim.raw.get(sim.control_url.replace("_simulator", "elsewhere")).status_code == 404


def test_text_that_is_no_unicode_is_refused_like_bad_json(sim):
    body = b'{"model": "gpt-6.2-sol", "input": "\\ud800"}'
    headers = {"authorization": f"Bearer {sim.key}", "content-type": "application/json"}
    assert sim.raw.post(f"{sim.openai_base_url}/responses", content=body, headers=headers).status_code == 400


def test_a_long_answer_is_delivered_whole(sim):
    body = {"model": "gpt-6.2-sol", "input": "write 20000 words", "stream": True}
    answer = sim.post("openai", "responses", body)
    assert answer.text.count("event: response.output_text.delta") > 19_000
    assert "event: response.completed" in answer.text
