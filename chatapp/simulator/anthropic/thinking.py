"""Thinking blocks that come back: signatures, what they are bound to, and when they are dropped.

[Thinking; Preserved thinking; Preserved thinking, Fix a block bound to a different conversation, autumn 2026]
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from . import errors
from .models import Model
from .prompt import Block

SECRET = b"simulated Anthropic"


def is_on(body: dict[str, Any], model: Model) -> bool:
    """Whether the model thinks before it answers this request."""
    kind = (body.get("thinking") or {}).get("type")
    if kind is None:
        return model.thinks_by_default
    return kind in ("adaptive", "enabled")


def is_shown(body: dict[str, Any], model: Model) -> bool:
    """Whether thinking text is returned; otherwise it is empty, with a signature."""
    return ((body.get("thinking") or {}).get("display") or model.display) == "summarized"


def sign(text: str, before: list[Block], model: Model, organization: str) -> str:
    """A signature that binds text to model, account and all that went before."""
    previous = next((block.data["signature"] for block in reversed(before) if block.kind == "thinking"), "")
    data = json.dumps([_digest(text), model.id, organization, _prefix(before), _digest(previous)]).encode()
    return base64.b64encode(hmac.digest(SECRET, data, "sha256")[:16] + data).decode()


def accepted(blocks: list[Block], body: dict[str, Any], model: Model, organization: str) -> list[Block]:
    """The blocks without the thinking this model cannot use; raises where it was tampered with."""
    roles = [message["role"] for message in body["messages"]]
    latest = max((index for index, role in enumerate(roles) if role == "assistant"), default=-1)
    last_user = max((index for index, block in enumerate(blocks) if _starts_turn(block)), default=-1)
    kept: list[Block] = []
    previous: Block | None = None
    for index, block in enumerate(blocks):
        if not block.is_thinking:
            kept.append(block)
            continue
        if block.kind == "thinking":
            readable = _check(block, blocks[:index], previous, latest, model, organization)
            previous = block
            if not readable:
                continue
        stripped = model.strips_thinking and index < last_user
        if is_on(body, model) and not stripped:
            kept.append(block)
    _check_manual(body, kept, latest)
    return kept


def _check(
    block: Block, before: list[Block], previous: Block | None, latest: int, model: Model, organization: str
) -> bool:
    """False for a block of a model this one cannot read, which is dropped without an error. [Preserved thinking]"""
    made = _unsign(block.data["signature"])
    if made is None or made[2] != organization:
        raise errors.invalid(f"{block.path}: Invalid `signature` in `thinking` block")
    if made[0] != _digest(block.data["thinking"]):
        if block.path.startswith(f"messages.{latest}."):
            raise errors.invalid(
                f"{block.path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
                "modified. These blocks must remain as they were in the original response."
            )
        raise errors.invalid(f"{block.path}: Invalid `signature` in `thinking` block")
    if made[1] != model.id:
        return False
    if model.preserves_thinking:
        # The prefix is system, tools and messages before the block; of thinking, only what stands between other
        # thinking may not be left out. [Preserved thinking]
        moved = previous is not None and made[4] != _digest(previous.data["signature"])
        if made[3] != _prefix(before) or moved:
            raise errors.invalid(
                f"{block.path}: Invalid `signature` in `thinking` block. The block is bound to a different "
                "conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "
                '"drop_block".'
            )
    return True


def _check_manual(body: dict[str, Any], kept: list[Block], latest: int) -> None:
    """With manual thinking, a tool loop's last assistant message begins with its thinking. [Thinking]"""
    if (body.get("thinking") or {}).get("type") != "enabled":
        return
    content = [block for block in kept if block.path.startswith(f"messages.{latest}.")]
    in_loop = any(block.kind == "tool_use" for block in content)
    if in_loop and not content[0].is_thinking:
        raise errors.invalid(
            f"messages.{latest}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{content[0].kind}`. When `thinking` is enabled, a final `assistant` message must start with a thinking "
            "block."
        )


def _starts_turn(block: Block) -> bool:
    return block.section == "messages" and block.role == "user" and block.kind != "tool_result"


def _unsign(signature: str) -> list[str] | None:
    try:
        raw = base64.b64decode(signature, validate=True)
        if not hmac.compare_digest(raw[:16], hmac.digest(SECRET, raw[16:], "sha256")[:16]):
            return None
        made: list[str] = json.loads(raw[16:])
        return made
    except ValueError:
        return None


def _prefix(blocks: list[Block]) -> str:
    shown = [[block.section, block.role, block.kind, block.text] for block in blocks if not block.is_thinking]
    return _digest(json.dumps(shown))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
