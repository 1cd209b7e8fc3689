"""What every test has: lanes, the network guard, the simulator, Alice and Bob. Rows come from factories.py."""

import ipaddress
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests import factories
from tests.simulator_process import SimulatorAccount, SimulatorProcess

LANES = {
    "postgres": ("STET_TEST_ON_POSTGRES", "needs a PostgreSQL server"),
    "redis": ("STET_TEST_REDIS_URL", "needs a Redis server"),
    "browser": ("STET_TEST_CHROMIUM", "needs Chromium"),
    "live": ("STET_TEST_LIVE", "talks to real providers, costs money"),
}
"""Marker: the variable that opens the lane, and why it is not open without."""


# --- Lanes: what needs a service runs where it is, and is named where it is not ----------------
def _open_lanes(config: pytest.Config) -> set[str]:
    found = {name for name, (variable, _) in LANES.items() if os.environ.get(variable)}
    if "browser" in (config.option.markexpr or "") and shutil.which("chromium"):
        found.add("browser")  # asked for by name, and here
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    opened = _open_lanes(config)
    kept, left_out, counted = [], [], Counter[str]()
    for item in items:
        closed = [lane for lane in LANES if lane not in opened and item.get_closest_marker(lane)]
        if closed:
            left_out.append(item)
            counted[closed[0]] += 1
        else:
            kept.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
    config.stash[NOT_RUN] = dict(counted)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # a worker of xdist: only the controller can speak
        output["not_run"] = session.config.stash.get(NOT_RUN, {})


def pytest_testnodedown(node: Any, error: Any) -> None:
    node.config.stash[NOT_RUN] = getattr(node, "workeroutput", {}).get("not_run", {})


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    # In `make test` the tests for PostgreSQL have a process of their own.
    elsewhere = {"postgres"} if os.environ.get("STET_TEST_POSTGRES_URL") else set()
    for lane, count in config.stash.get(NOT_RUN, {}).items():
        if lane not in elsewhere:
            how = "STET_TEST_LIVE=1 runs them" if lane == "live" else "`make test` runs them"
            terminalreporter.write_line(f"NOT RUN: {count} tests of the lane {lane} ({LANES[lane][1]}; {how}).")


NOT_RUN = pytest.StashKey[dict[str, int]]()


# --- The network guard -------------------------------------------------------------------------
class ForeignConnection(ConnectionError):
    """A test wanted to talk to another machine."""


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def _guarded_sockets() -> Iterator[list[str]]:
    """Every socket of this process refuses other machines, and remembers that it was asked."""
    attempts: list[str] = []
    patch = pytest.MonkeyPatch()

    def guarded(name: str) -> Any:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if not _is_local(address):
                attempts.append(str(address))
                raise ForeignConnection(f"Tests may not connect to {address}.")
            return original(self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_local((name,)):
            attempts.append(str(name))
            raise ForeignConnection(f"Tests may not look up {name}.")
        return look_up(host, *args, **kwargs)

    look_up = socket.getaddrinfo
    patch.setattr(socket.socket, "connect", guarded("connect"))
    patch.setattr(socket.socket, "connect_ex", guarded("connect_ex"))
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield attempts
    patch.undo()


@pytest.fixture(autouse=True)
def no_foreign_network(request: pytest.FixtureRequest, _guarded_sockets: list[str]) -> Iterator[list[str]]:
    """Fails a test that tried to reach another machine, even if the code under test swallowed the refusal."""
    if request.node.get_closest_marker("live"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.conftest._is_local", lambda address: True)
            yield _guarded_sockets
        return
    _guarded_sockets.clear()
    yield _guarded_sockets
    attempts, _guarded_sockets[:] = list(_guarded_sockets), []
    if attempts:
        pytest.fail(f"The test tried to reach {', '.join(attempts)}.")


# --- The simulator and people ------------------------------------------------------------------
@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    """One simulator per worker. Take an `account()` per test: keys share nothing."""
    process = SimulatorProcess()
    yield process
    process.stop()


@pytest.fixture
def account(simulator: SimulatorProcess, settings: Any) -> SimulatorAccount:
    """A fresh account at the simulator, to which both providers' settings point as if it were the real ones."""
    made = simulator.account()
    settings.OPENAI_API_KEY = settings.ANTHROPIC_API_KEY = made.key
    settings.OPENAI_BASE_URL = simulator.openai_base_url
    settings.ANTHROPIC_BASE_URL = simulator.anthropic_base_url
    settings.STET_PROVIDER_TIMEOUT_SECONDS = 5
    return made


@pytest.fixture
def alice(db: None) -> Any:
    return factories.make_user("alice")


@pytest.fixture
def bob(db: None) -> Any:
    return factories.make_user("bob")
