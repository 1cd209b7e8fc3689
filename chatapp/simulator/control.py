"""The control API under /_simulator: clock, faults, request log, recordings, pace. Provider rules do not belong here.

Faults match requests that generate an answer (POST /responses, POST /messages) and, with `path`, any request whose path
ends so; there only the kinds that are answered with a status have an effect.

GET    /_simulator/fault-kinds
GET    /_simulator/{key}                 counters
DELETE /_simulator/{key}                 forget the account
POST   /_simulator/{key}/clock           {"advance_seconds": n}
POST   /_simulator/{key}/faults          {"faults": [{"kind": ..., "times": 1, ...}]}     DELETE clears them
GET    /_simulator/{key}/faults
GET    /_simulator/{key}/requests        every provider request        DELETE clears the log
POST   /_simulator/{key}/script          a recorded conversation; DELETE forgets them
POST   /_simulator/{key}/pace            {"delta_chars": n, "delay_seconds": s, "first_byte_seconds": s, ...}
"""

from dataclasses import asdict
from typing import Any

from .accounts import Account, Accounts
from .faults import DEFAULTS, KINDS, parse_fault
from .http import Request
from .recordings import Recordings

PREFIX = "/_simulator"


def handle(accounts: Accounts, request: Request) -> tuple[int, Any]:
    """Status and JSON body."""
    parts = [part for part in request.path.removeprefix(PREFIX).split("/") if part]
    if parts == ["fault-kinds"]:
        return 200, {"kinds": KINDS, "defaults": DEFAULTS}
    if not parts or len(parts) > 2:
        return 404, {"error": "use /_simulator/{key}/{clock|faults|requests|script|pace}"}
    key, topic = parts[0], parts[1] if len(parts) == 2 else ""
    if not topic and request.method == "DELETE":
        return 200, {"forgotten": accounts.forget(key)}
    try:
        data = request.json() if request.method == "POST" else None
        return _act(accounts.get(key), topic, request.method, data)
    except ValueError as error:
        return 400, {"error": str(error)}


def _act(account: Account, topic: str, method: str, data: Any) -> tuple[int, Any]:
    match method, topic:
        case "GET", "":
            return 200, {"requests": account.request_count, "clock_offset_seconds": account.clock.offset_seconds}
        case "POST", "clock":
            seconds = data.get("advance_seconds") if isinstance(data, dict) else None
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise ValueError("advance_seconds must be a number")
            account.clock.advance(seconds)
            return 200, {"now": account.clock.now(), "offset_seconds": account.clock.offset_seconds}
        case "POST", "faults":
            wanted = data.get("faults") if isinstance(data, dict) else None
            if not isinstance(wanted, list):
                raise ValueError("faults must be a list")
            account.faults.waiting += [parse_fault(one) for one in wanted]
            return 200, {"waiting": [asdict(fault) for fault in account.faults.waiting]}
        case "GET", "faults":
            return 200, {"waiting": [asdict(fault) for fault in account.faults.waiting]}
        case "DELETE", "faults":
            account.faults.waiting.clear()
            return 200, {"waiting": []}
        case "GET", "requests":
            return 200, {"requests": [entry.as_json() for entry in account.requests]}
        case "DELETE", "requests":
            account.clear_log()
            return 200, {"requests": []}
        case "POST", "script":
            account.recordings.load(data)
            return 200, {"conversations": len(account.recordings)}
        case "DELETE", "script":
            account.recordings = Recordings()
            return 200, {"conversations": 0}
        case "POST", "pace":
            if not isinstance(data, dict):
                raise ValueError("send an object")
            account.pace.change(data)
            return 200, asdict(account.pace)
        case "GET", "pace":
            return 200, asdict(account.pace)
    return 404, {"error": f"nothing at {method} {topic or '/'}"}
