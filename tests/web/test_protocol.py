"""docs/protocol.md and the code say the same: types, error codes, close codes."""

import re
from pathlib import Path

from chatapp.live import frames, hub

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def table_rows(text: str) -> list[list[str]]:
    """The rows of a section's tables, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0] not in ("type", "code", "close code") and not set(row[0]) <= {"-"}]


def named(text: str) -> set[str]:
    """What stands in backticks in the first cells."""
    return {name for row in table_rows(text) for name in re.findall(r"`([^`]+)`", row[0])}


def test_every_client_frame_is_in_the_table_and_nothing_else() -> None:
    assert named(section("Client frames")) == frames.CLIENT_FRAMES


def test_every_server_frame_is_in_a_table_and_nothing_else() -> None:
    tables = named(section("Server frames about a turn")) | named(section("Server frames about conversations"))

    assert tables == frames.SERVER_FRAMES


def test_every_error_code_is_in_the_table_with_its_status() -> None:
    listed = {row[0].strip("`"): int(row[1]) for row in table_rows(section("Error codes of the server"))}

    assert listed == frames.ERROR_CODES


def test_every_close_code_is_in_the_table() -> None:
    beginning = PAGE[: PAGE.index("\n## ")]

    assert {int(row[0]) for row in table_rows(beginning)} == {
        hub.FAULT,
        hub.RESTARTING,
        hub.NOT_READY,
        hub.NOT_SIGNED_IN,
        hub.NOT_FOUND,
        hub.TOO_MUCH,
    }


def test_the_fields_of_a_cost_are_those_the_page_lists() -> None:
    paragraph = PAGE[PAGE.index("`cost` holds") :].split("\n\n")[0]
    listed = set(re.findall(r"`([a-z_]+)`", paragraph)) - {"cost"}

    assert set(frames.cost_frame([])["cost"]) == listed


def test_a_frame_of_every_kind_that_tests_heard_is_one_the_page_names() -> None:
    # The consumer answers exactly the frames that the table lists.
    from chatapp.consumers import _HANDLERS  # noqa: PLC0415 - private: what it handles is what the page promises

    assert set(_HANDLERS) == frames.CLIENT_FRAMES
