"""Content only the provider can read: encrypted reasoning and compaction items.

Sealed text carries what it was made for, so that it can be checked when it comes back, even after a restart.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

SECRET = b"simulated OpenAI"


@dataclass(frozen=True)
class Seal:
    """What a sealed text says about itself."""

    organization: str
    model: str
    digest: str
    """Of the item's visible part."""
    tokens: int


def digest(visible: Any) -> str:
    """Of what the client can see and must not change."""
    return hashlib.sha256(json.dumps(visible, sort_keys=True).encode()).hexdigest()[:24]


def seal(content: Seal) -> str:
    """The opaque text."""
    data = json.dumps([content.organization, content.model, content.digest, content.tokens]).encode()
    mac = hmac.digest(SECRET, data, "sha256")[:16]
    return "gAAAAA" + base64.urlsafe_b64encode(mac + data).decode()


def unseal(text: str) -> Seal | None:
    """What was sealed; None for anything changed or invented."""
    try:
        raw = base64.urlsafe_b64decode(text.removeprefix("gAAAAA"))
        mac, data = raw[:16], raw[16:]
        if not hmac.compare_digest(mac, hmac.digest(SECRET, data, "sha256")[:16]):
            return None
        return Seal(*json.loads(data))
    except (ValueError, TypeError):
        return None
