"""Anthropic's endpoints: what is asked, what is answered. Field rules are in validate.py, caching in cache.py."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from .. import script
from ..exchange import Exchange, Rejection
from ..faults import REJECTED
from ..http import Request
from ..tokens import count_text, cut_text
from . import cache, errors, thinking
from .models import MODELS, Model, find
from .prompt import Block, blocks, question
from .reply import MessageReply
from .validate import check_request, check_version

FINGERPRINTS = 500
THINKING_KINDS = ("adaptive", "between_tools", "disabled", "enabled")


@dataclass
class State:
    """What Anthropic keeps for a workspace."""

    prompt_cache: cache.PromptCache = field(default_factory=cache.PromptCache)
    fingerprints: dict[str, cache.Fingerprint] = field(default_factory=dict)

    def remember(self, message_id: str, fingerprint: cache.Fingerprint) -> None:
        """Keeps a fingerprint, and no more than the latest few hundred."""
        self.fingerprints[message_id] = fingerprint
        while len(self.fingerprints) > FINGERPRINTS:
            del self.fingerprints[next(iter(self.fingerprints))]


@dataclass
class Content:
    """Content blocks within a budget of tokens."""

    left_tokens: int
    blocks: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    thinking_tokens: int = 0
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None

    def take(self, wanted: int) -> bool:
        """Spends tokens; False, with stop_reason max_tokens, when they do not suffice."""
        used = min(wanted, self.left_tokens)
        self.left_tokens -= used
        self.tokens += used
        if used < wanted:
            self.stop_reason = "max_tokens"
        return used == wanted


class AnthropicWire:
    """The Messages API."""

    name = "anthropic"
    prefix = "/anthropic"
    request_id_header = "request-id"

    def key(self, headers: dict[str, str]) -> str:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
        if not key:
            raise errors.rejection(401, "authentication is required: send an API key")
        if "invalid" in key:
            raise errors.rejection(401, "invalid API key")
        return key

    def generates(self, request: Request) -> bool:
        return request.method == "POST" and request.path.rstrip("/").endswith("/v1/messages")

    def rejected_by(self, kind: str, retry_after: object) -> Rejection:
        return errors.rejected_by(kind, retry_after)

    def internal_error(self, message: str) -> Rejection:
        return errors.rejection(500, message)

    async def handle(self, exchange: Exchange, path: str) -> None:
        request_id = exchange.headers[self.request_id_header]
        try:
            await self._route(exchange, path)
        except Rejection as rejection:
            rejection.body = {**rejection.body, "request_id": request_id}
            raise

    async def _route(self, exchange: Exchange, path: str) -> None:
        request, fault = exchange.request, exchange.fault
        if fault is not None and fault.kind in REJECTED:
            exchange.entry.fault = fault.kind
            self._note_body(exchange)
            raise errors.rejected_by(fault.kind, fault["retry_after"])
        if request.too_large:
            raise errors.rejection(413, "Request exceeds the maximum allowed number of bytes.")
        version = check_version(request.headers.get("anthropic-version"))
        match request.method, [part for part in path.split("/") if part]:
            case "POST", ["v1", "messages"]:
                await self._create(exchange, version)
            case "POST", ["v1", "messages", "count_tokens"]:
                body, model, used = self._prepare(exchange, version, counting=True)
                cache.marked(used, body)
                await exchange.json(200, {"input_tokens": sum(block.tokens for block in used)})
            case "GET", ["v1", "models"]:
                data = [_model(model) for model in MODELS.values()]
                page = {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}
                await exchange.json(200, page)
            case "GET", ["v1", "models", name]:
                found = find(name)
                if found is None:
                    raise errors.rejection(404, f"model: {name}")
                await exchange.json(200, _model(found))
            case _:
                raise errors.rejection(404, "Not found")

    def _note_body(self, exchange: Exchange) -> Any:
        try:
            exchange.entry.body = exchange.request.json() if exchange.request.body else None
        except ValueError:
            raise errors.invalid("The request body is not valid JSON") from None
        return exchange.entry.body

    def _prepare(
        self, exchange: Exchange, version: str, counting: bool = False
    ) -> tuple[dict[str, Any], Model, list[Block]]:
        body = self._note_body(exchange)
        name = body.get("model") if isinstance(body, dict) else None
        model = find(name) if isinstance(name, str) else None
        check_request(body, model, version, counting)
        assert model is not None
        return body, model, thinking.accepted(blocks(body), body, model, exchange.account.organization)

    async def _create(self, exchange: Exchange, version: str) -> None:
        account = exchange.account
        state: State = account.states.setdefault("anthropic", State())
        body, model, used = self._prepare(exchange, version)
        asked = question(used, body, account.pace.answer_words)
        exchange.hear(asked)
        if exchange.fault is not None and exchange.fault.kind in REJECTED:
            exchange.entry.fault = exchange.fault.kind
            raise errors.rejected_by(exchange.fault.kind, exchange.fault["retry_after"])
        total = sum(block.tokens for block in used)
        if total > model.input_limit_tokens:
            raise errors.too_long(total, model.input_limit_tokens)
        outcome = state.prompt_cache.look(used, body, model, account.clock.now())
        exchange.entry.cache = outcome.explanation
        print_now = cache.fingerprint(used, body, model, outcome)
        content = self._content(exchange, body, model, used, asked)
        message_id = f"msg_{secrets.token_hex(12)}"
        usage = _usage(outcome, content, body)
        message = {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content.blocks,
            "stop_reason": content.stop_reason,
            "stop_sequence": content.stop_sequence,
            "stop_details": content.stop_details,
            "container": None,
            "diagnostics": None,
            "usage": usage,
        }
        if body.get("diagnostics") is not None:
            previous = body["diagnostics"].get("previous_message_id")
            reason = None
            if previous is not None:
                reason = cache.diagnose(state.fingerprints.get(previous), print_now, outcome.read_tokens)
            message["diagnostics"] = {"cache_miss_reason": reason}

        def begin() -> None:
            state.prompt_cache.commit(outcome)
            state.remember(message_id, print_now)

        reply = MessageReply(message, usage, account.pace.deltas, begin, lambda: None)
        await exchange.answer(reply, bool(body.get("stream")))

    def _content(
        self, exchange: Exchange, body: dict[str, Any], model: Model, used: list[Block], asked: script.Question
    ) -> Content:
        content = Content(body["max_tokens"])
        if body["max_tokens"] == 0:
            # Pre-warming: nothing but the cache is written. [Prompt caching, Pre-warming]
            content.stop_reason = "max_tokens"
            return content
        if exchange.fault is not None and exchange.fault.kind == "refused":
            content.stop_reason = "refusal"
            category = exchange.fault["category"]
            content.stop_details = {"type": "refusal", "category": category, "explanation": "Simulated refusal."}
            return content
        if thinking.is_on(body, model):
            text = script.reasoning(asked)
            content.thinking_tokens = min(count_text(text), content.left_tokens)
            content.take(count_text(text))
            shown = text if thinking.is_shown(body, model) else ""
            signature = thinking.sign(shown, used, model, exchange.account.organization)
            content.blocks.append({"type": "thinking", "thinking": shown, "signature": signature})
        answer = script.answer(asked, exchange.account.recordings)
        wanted = (body.get("output_config") or {}).get("format") or {}
        if wanted.get("type") == "json_schema" and not answer.tool_calls:
            answer = script.Answer(script.structured(wanted.get("schema") or {}, answer.text))
        _say(content, answer, body)
        return content


def _say(content: Content, answer: script.Answer, body: dict[str, Any]) -> None:
    if content.stop_reason == "max_tokens":
        return
    text = answer.text
    stops = [(text.find(stop), stop) for stop in body.get("stop_sequences") or [] if stop and stop in text]
    if stops:
        at, content.stop_sequence = min(stops)
        text = text[:at]
        content.stop_reason = "stop_sequence"
    if text:
        room = content.left_tokens
        if not content.take(count_text(text)):
            text, content.stop_sequence = cut_text(text, room), None
        content.blocks.append({"type": "text", "text": text, "citations": None})
    if content.stop_reason != "end_turn":
        return
    single = (body.get("tool_choice") or {}).get("disable_parallel_tool_use")
    for call in answer.tool_calls[: 1 if single else None]:
        if not content.take(count_text(call.name + json.dumps(call.arguments))):
            return
        tool_id = "".join(char if char.isalnum() or char in "_-" else "_" for char in call.id)
        content.blocks.append({"type": "tool_use", "id": tool_id, "name": call.name, "input": call.arguments})
    if answer.tool_calls:
        content.stop_reason = "tool_use"


def _usage(outcome: cache.Outcome, content: Content, body: dict[str, Any]) -> dict[str, Any]:
    """The three input counters add up to the prompt. [SDK types/usage.py]"""
    return {
        "input_tokens": outcome.input_tokens,
        "cache_creation_input_tokens": outcome.write_5m_tokens + outcome.write_1h_tokens,
        "cache_read_input_tokens": outcome.read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": outcome.write_5m_tokens,
            "ephemeral_1h_input_tokens": outcome.write_1h_tokens,
        },
        "output_tokens": content.tokens,
        "output_tokens_details": {"thinking_tokens": content.thinking_tokens},
        "server_tool_use": None,
        "service_tier": "standard",
        "speed": body.get("speed") or "standard",
        "inference_geo": "not_available",
    }


def _model(model: Model) -> dict[str, Any]:
    def supported(value: bool) -> dict[str, bool]:
        return {"supported": value}

    kinds = {kind: supported(kind in model.thinking) for kind in THINKING_KINDS}
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": model.created_at,
        "lifecycle": model.lifecycle,
        "max_input_tokens": model.input_limit_tokens,
        "max_tokens": model.output_limit_tokens,
        "capabilities": {
            "thinking": {"supported": True, "types": kinds},
            "image_input": supported(True),
            "pdf_input": supported(True),
            "structured_outputs": supported(True),
            "citations": supported(False),
            "batch": supported(False),
            "code_execution": supported(False),
        },
    }
