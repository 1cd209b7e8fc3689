"""The promises that the test tooling makes: no foreign network, no lane left out silently, honest last lines."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lanes
from tests.child import Child


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0)])
def test_a_connection_to_another_machine_is_refused_and_noted(address: tuple[object], no_foreign_network: list[str]):
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    with socket.socket(family) as client, pytest.raises(ConnectionError, match="Tests may not connect"):
        client.connect(address)

    assert no_foreign_network == [str(address)]
    no_foreign_network.clear()  # here it was the point


def test_looking_up_another_machine_is_refused_and_noted(no_foreign_network: list[str]) -> None:
    with pytest.raises(ConnectionError, match="Tests may not look up"):
        socket.create_connection(("api.example.com", 443))

    assert no_foreign_network == ["api.example.com"]
    no_foreign_network.clear()


def test_loopback_is_free(no_foreign_network: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()

    assert no_foreign_network == []


SAMPLE = """
import pytest

def test_plain(): pass

@pytest.mark.redis
def test_with_redis(): pass
"""


@pytest.fixture
def sample() -> Iterator[Path]:
    """A test file inside the tree, so that our conftest applies to it."""
    path = Path(__file__).parent / f"sample_{os.getpid()}_lanes.py"
    path.write_text(SAMPLE)
    yield path
    path.unlink()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_lane_that_is_not_run_is_named(sample: Path, workers: str) -> None:
    env = {"STET_TEST_REDIS_URL": "", "PYTEST_XDIST_WORKER": "", "PYTEST_ADDOPTS": ""}
    child = Child([sys.executable, "-m", "pytest", "-q", "-n", workers, str(sample)], env)
    with contextlib.closing(child):
        assert child.exit_code(60) == 0

    assert "NOT RUN: 1 tests of the lane redis (needs a Redis server; `make test` runs them)." in child.output
    assert "1 passed" in child.output


def test_an_open_lane_is_run(sample: Path) -> None:
    env = {"STET_TEST_REDIS_URL": "redis://127.0.0.1:1/0", "PYTEST_XDIST_WORKER": "", "PYTEST_ADDOPTS": ""}
    child = Child([sys.executable, "-m", "pytest", "-q", str(sample)], env)
    with contextlib.closing(child):
        assert child.exit_code(60) == 0

    assert "NOT RUN" not in child.output
    assert "2 passed" in child.output


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip().splitlines()[-1]


COUNTS = {"tests": 10, "failures": 0, "errors": 0, "skipped": 0}
MISSING = {"redis": "`apt-get install --no-install-recommends redis-server` (as root) installs it"}


def test_the_last_line_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert lanes.verdict([0, 0], COUNTS, {}) == 0
    assert last_line(capsys) == "10 passed, 0 failed"


def test_errors_count_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert lanes.verdict([1], {**COUNTS, "failures": 1, "errors": 2, "skipped": 3}, {}) == 1
    assert last_line(capsys) == "4 passed, 3 failed, 3 skipped (named above)"


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("1", 1)])
def test_a_lane_that_cannot_run_is_in_the_last_line_and_fails_in_ci(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ci: str, code: int
) -> None:
    monkeypatch.setenv("CI", ci)

    assert lanes.verdict([0], COUNTS, MISSING) == code
    assert last_line(capsys) == f"10 passed, 0 failed; lane redis NOT RUN: {MISSING['redis']}"


def test_a_run_that_broke_off_is_a_failure_even_if_nothing_was_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert lanes.verdict([3], {**COUNTS, "tests": 0}, {}) == 3


def test_servers_are_ended_when_the_run_breaks_off(tmp_path: Path) -> None:
    code = (
        "import sys, http.server as h; s = h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.BaseHTTPRequestHandler);"
        "s.serve_forever()"
    )
    port = lanes.free_port()

    with (
        pytest.raises(SystemExit),
        lanes.running([sys.executable, "-c", code, str(port)], port, tmp_path / "log"),
    ):
        socket.create_connection(("127.0.0.1", port)).close()
        lanes.interrupted(15, None)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_server_that_does_not_start_makes_its_lane_one_that_cannot_run(tmp_path: Path) -> None:
    with (
        pytest.raises(lanes.CannotRun, match="no such luck"),
        lanes.running([sys.executable, "-c", "exit('no such luck')"], lanes.free_port(), tmp_path / "log"),
    ):
        pass
