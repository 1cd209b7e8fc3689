"""How a server process ends, and what a reader that does not read costs it."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.child import ROOT, is_running
from tests.serving.conftest import PROGRAM
from tests.waiting import wait_until

FLOOD = 200 * 1024 * 1024


def upgraded(port: int) -> socket.socket:
    """A raw WebSocket that nobody reads."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return client


def test_it_answers_requests(program: Any) -> None:
    _, port = program()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
        assert reply.read() == b"here"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_then_ends_with_0(program: Any, number: signal.Signals) -> None:
    child, _ = program("--turn-seconds", "0.2")

    child.signal(number)

    assert child.exit_code() == 0
    assert child.lines[-3:] == ["draining", "drained", "stopped"]


def test_while_it_drains_nobody_new_gets_in_and_who_is_in_stays(program: Any) -> None:
    child, port = program("--turn-seconds", "30", "--drain", "30")
    with connect(f"ws://127.0.0.1:{port}/") as inside:
        child.signal(signal.SIGTERM)
        child.wait_for("^draining$")

        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

        assert inside.ping().wait(5)


def test_at_the_end_of_the_drain_sockets_are_told_to_come_back(program: Any) -> None:
    child, port = program("--turn-seconds", "0.1")
    with connect(f"ws://127.0.0.1:{port}/") as inside:
        child.signal(signal.SIGTERM)

        with pytest.raises(ConnectionClosed) as closed:
            inside.recv(10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert child.exit_code() == 0


def test_a_second_ctrl_c_ends_it_at_once(program: Any) -> None:
    child, _ = program("--turn-seconds", "60", "--drain", "60")
    child.signal(signal.SIGINT)
    child.wait_for("^draining$")
    before = time.monotonic()

    child.signal(signal.SIGINT)

    assert child.exit_code() == 130
    assert time.monotonic() - before < 5


def test_it_ends_when_its_parent_was_killed(program: Any) -> None:
    # A shell-like parent that cannot pass anything on, because it is killed with SIGKILL.
    code = f"import subprocess, sys; subprocess.run([sys.executable, {PROGRAM!r}, '--end-with-parent'])"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        while parent.stdout.readline() != "ready\n":
            pass
        (server,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()

    wait_until(lambda: not is_running(int(server)), "the server has noticed")


def test_a_reader_that_never_reads_costs_little_memory(program: Any) -> None:
    child, port = program("--flood", str(FLOOD))
    with upgraded(port):
        stalled = child.wait_for(r"^stalled (\d+) (\d+)$", seconds=60)

        sent, megabytes = int(stalled.group(1)), int(stalled.group(2))
        assert sent < FLOOD / 4, "it did not wait for the reader"
        assert megabytes < 150, "a bare process has 60 to 80"


def test_a_slow_reader_gets_everything_once_it_reads(program: Any) -> None:
    child, port = program("--flood", str(FLOOD // 4))
    with upgraded(port) as client:
        child.wait_for(r"^stalled ")

        received = 0
        while received < FLOOD // 4 and (data := client.recv(1 << 20)):
            received += len(data)

        child.wait_for(rf"^sent {FLOOD // 4}$")


def test_a_reader_that_leaves_while_we_wait_for_it_is_let_go(program: Any) -> None:
    child, port = program("--flood", str(FLOOD))
    client = upgraded(port)
    child.wait_for(r"^stalled ")

    client.close()

    child.wait_for(r"^disconnected$")


def test_a_reader_that_never_reads_does_not_hold_up_the_end(program: Any) -> None:
    child, port = program("--flood", str(FLOOD))
    with upgraded(port):
        child.wait_for(r"^stalled ")

        child.signal(signal.SIGTERM)

        assert child.exit_code() == 0
