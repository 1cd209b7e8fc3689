"""OpenAI's endpoints: what is asked, what is answered. Field rules are in validate.py, caching in cache.py."""

import secrets
from typing import Any

from .. import script
from ..exchange import Exchange, Rejection
from ..faults import REJECTED
from ..http import Request
from ..tokens import count_block
from . import cache, context, errors, sealed, validate
from .context import Context
from .models import MODELS, Model, find
from .reply import Output, ResponseReply
from .store import State, Stored

SERVED_TIERS = {"auto": "default", "fast": "priority", "scale": "default"}
"""What the response shows for what was asked, where they differ. [SDK response_create_params.py, service_tier]"""
ECHOED = (
    "max_output_tokens", "max_tool_calls", "previous_response_id", "prompt_cache_key", "prompt_cache_retention",
    "safety_identifier", "temperature", "top_p", "user",
)  # fmt: skip


class OpenAIWire:
    """The Responses API."""

    name = "openai"
    prefix = "/openai"
    request_id_header = "x-request-id"

    def key(self, headers: dict[str, str]) -> str:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise errors.no_key()
        if "invalid" in key:
            raise errors.bad_key(f"{key[:4]}...")
        return key.strip()

    def generates(self, request: Request) -> bool:
        return request.method == "POST" and request.path.rstrip("/").endswith("/v1/responses")

    def rejected_by(self, kind: str, retry_after: object) -> Rejection:
        return errors.rejected_by(kind, retry_after)

    def internal_error(self, message: str) -> Rejection:
        return Rejection(500, errors.body(message, "server_error", None, "server_error"))

    async def handle(self, exchange: Exchange, path: str) -> None:
        fault = exchange.fault
        if fault is not None and fault.kind in REJECTED:
            exchange.entry.fault = fault.kind
            self._note_body(exchange)
            raise errors.rejected_by(fault.kind, fault["retry_after"])
        state: State = exchange.account.states.setdefault("openai", State())
        parts = [part for part in path.split("/") if part]
        match exchange.request.method, parts:
            case "POST", ["v1", "responses"]:
                await self._create(exchange, state)
            case "POST", ["v1", "responses", "input_tokens"]:
                await self._count(exchange, state)
            case "POST", ["v1", "responses", "compact"]:
                await self._compact(exchange, state)
            case "GET", ["v1", "models"]:
                await exchange.json(200, {"object": "list", "data": [_model(model) for model in MODELS.values()]})
            case "GET", ["v1", "models", name]:
                model = find(name)
                if model is None:
                    raise errors.unknown_model(name)
                await exchange.json(200, _model(model))
            case method, ["v1", "responses", response_id, *rest]:
                await self._stored(exchange, state, method, response_id, rest)
            case _:
                message = f"Invalid URL ({exchange.request.method} {path})"
                raise errors.invalid(message, status=404)

    def _note_body(self, exchange: Exchange) -> Any:
        try:
            exchange.entry.body = exchange.request.json() if exchange.request.body else None
        except ValueError:
            raise errors.invalid("We could not parse the JSON body of your request.") from None
        return exchange.entry.body

    def _prepare(
        self, exchange: Exchange, state: State, fields: tuple[str, ...] | None = None
    ) -> tuple[dict[str, Any], Model, Stored | None, list[dict[str, Any]], Context]:
        body = self._note_body(exchange)
        name = body.get("model") if isinstance(body, dict) else None
        model = find(name) if isinstance(name, str) else None
        validate.check_request(body, model, fields)
        assert model is not None
        clock = exchange.account.clock
        previous = body.get("previous_response_id")
        parent = state.parent(previous, clock) if previous is not None else None
        own = context.input_items(body.get("input"))
        chain = parent.context() if parent else []
        built = context.build(chain, own, body, model, exchange.account.organization, state.items)
        return body, model, parent, own, built

    async def _create(self, exchange: Exchange, state: State) -> None:
        account = exchange.account
        body, model, parent, own, built = self._prepare(exchange, state)
        question = context.question(built, body, account.pace.answer_words)
        exchange.hear(question)
        if exchange.fault is not None and exchange.fault.kind in REJECTED:
            exchange.entry.fault = exchange.fault.kind
            raise errors.rejected_by(exchange.fault.kind, exchange.fault["retry_after"])
        if built.tokens > model.input_limit_tokens:
            if body.get("truncation") != "auto":
                raise errors.context_too_long()
            raise errors.not_simulated("truncation that has something to drop", "truncation")
        now = account.clock.now()
        outcome = state.cache.look(built, body, model, now)
        exchange.entry.cache = outcome.explanation
        output = self._output(exchange, body, model, question)
        print_now = cache.fingerprint(built, body, model)
        response = _response(body, model, now, built.removed)
        options = body.get("prompt_cache_options") or {}
        compared = options.get("comparison_response_id")
        if compared is not None:
            before = state.fingerprints.get(compared)
            response["prompt_cache_diagnostics"] = cache.diagnose(before, print_now, outcome.cached_tokens)

        def keep(final: dict[str, Any]) -> None:
            state.remember(final["id"], print_now)
            # Only what reached its end is kept: a response whose client left cannot be built on.
            if body.get("store") is not False:
                state.keep(Stored(final, own, parent, now))

        stream_options = body.get("stream_options") or {}
        reply = ResponseReply(
            response,
            output.items,
            _usage(built.tokens, outcome, output.tokens, output.reasoning_tokens),
            output.incomplete,
            account.pace.deltas,
            lambda: state.cache.commit(outcome),
            keep,
            stream_options.get("include_obfuscation") is not False,
        )
        await exchange.answer(reply, bool(body.get("stream")))

    def _output(self, exchange: Exchange, body: dict[str, Any], model: Model, question: script.Question) -> Output:
        limit = min(body.get("max_output_tokens") or model.output_limit_tokens, model.output_limit_tokens)
        output = Output(model, exchange.account.organization, limit)
        options = body.get("prompt_cache_options") or {}
        if options.get("prewarm"):
            return output
        if exchange.fault is not None and exchange.fault.kind == "refused":
            output.say(script.Answer("I'm sorry, but I can't help with that. (Simulated refusal.)"), True, False)
            return output
        reasoning = body.get("reasoning") or {}
        if reasoning.get("summary") or reasoning.get("effort") not in (None, "none"):
            output.think(script.reasoning(question), bool(reasoning.get("summary")))
        answer = script.answer(question, exchange.account.recordings)
        wanted = (body.get("text") or {}).get("format") or {}
        if wanted.get("type") in ("json_schema", "json_object") and not answer.tool_calls:
            answer = script.Answer(script.structured(wanted.get("schema") or {}, answer.text))
        output.say(answer, False, body.get("parallel_tool_calls") is False)
        return output

    async def _count(self, exchange: Exchange, state: State) -> None:
        *_, built = self._prepare(exchange, state, validate.COUNT_FIELDS)
        await exchange.json(200, {"object": "response.input_tokens", "input_tokens": built.tokens})

    async def _compact(self, exchange: Exchange, state: State) -> None:
        """All user messages and one compaction item. [Compaction; SDK compacted_response.py]"""
        body, model, _, _, built = self._prepare(exchange, state, validate.COMPACT_FIELDS)
        outcome = state.cache.look(built, body, model, exchange.account.clock.now())
        state.cache.commit(outcome)
        exchange.entry.cache = outcome.explanation
        users = [item for item in built.items if item.get("role") == "user"]
        tokens = min(count_block("x" * 800), built.tokens)
        item_id = f"cmp_{secrets.token_hex(24)}"
        content = sealed.Seal(exchange.account.organization, model.id, sealed.digest(item_id), tokens)
        item = {"id": item_id, "type": "compaction", "encrypted_content": sealed.seal(content)}
        usage = _usage(built.tokens, outcome, tokens, 0)
        exchange.entry.usage = usage
        answer = {
            "id": f"resp_{secrets.token_hex(24)}",
            "object": "response.compaction",
            "created_at": int(exchange.account.clock.now()),
            "output": [*users, item],
            "usage": usage,
        }
        await exchange.json(200, answer)

    async def _stored(self, exchange: Exchange, state: State, method: str, response_id: str, rest: list[str]) -> None:
        stored = state.find(response_id, exchange.account.clock)
        if stored is None:
            raise errors.invalid(f"Response with id '{response_id}' not found.", None, None, 404)
        match method, rest:
            case "GET", []:
                if exchange.request.query.get("stream") == "true":
                    message = "Only responses created with background=true and stream=true can be streamed again."
                    raise errors.invalid(message, "stream")
                await exchange.json(200, stored.response)
            case "DELETE", []:
                del state.responses[response_id]
                await exchange.json(200, {"id": response_id, "object": "response", "deleted": True})
            case "GET", ["input_items"]:
                await exchange.json(200, _page(stored.input_items, exchange.request.query))
            case "POST", ["cancel"]:
                # Only background responses can be cancelled. [Background mode]
                raise errors.invalid("Cannot cancel a synchronous response.")
            case _:
                raise errors.invalid(f"Invalid URL ({method} {exchange.request.path})", status=404)


def _response(body: dict[str, Any], model: Model, now: float, removed: list[dict[str, Any]]) -> dict[str, Any]:
    text, options = body.get("text") or {}, body.get("prompt_cache_options") or {}
    tier = body.get("service_tier") or "auto"
    response: dict[str, Any] = {
        "id": f"resp_{secrets.token_hex(24)}",
        "object": "response",
        "created_at": int(now),
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "model": body["model"],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "service_tier": SERVED_TIERS.get(tier, tier),
        "store": body.get("store") is not False,
        "text": {"format": {"type": "text"}, "verbosity": "medium", **text},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "truncation": body.get("truncation") or "disabled",
        **{name: body.get(name) for name in ECHOED},
    }
    if removed:
        response["input_transformations"] = removed
    if model.has_breakpoints:
        response["prompt_cache_options"] = {"mode": "implicit", "ttl": "30m", **options}
        response["prompt_cache_options"].pop("prewarm", None)
    return response


def _usage(input_tokens: int, outcome: cache.Outcome, output_tokens: int, reasoning_tokens: int) -> dict[str, Any]:
    """Cached and written tokens are inside input_tokens. [SDK response_usage.py]"""
    written = outcome.write_30m_tokens + outcome.write_12h_tokens
    details: dict[str, Any] = {"cached_tokens": outcome.cached_tokens, "cache_write_tokens": written}
    if outcome.reports_writes:
        details["cache_write_tokens_details"] = {
            "ttl_30m_tokens": outcome.write_30m_tokens,
            "ttl_12h_tokens": outcome.write_12h_tokens,
        }
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": details,
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }


def _model(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": 1_760_000_000,
        "owned_by": "openai",
        "shutdown_date": model.shutdown_date,
    }


def _page(items: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    ordered = items if query.get("order") == "asc" else items[::-1]
    after = query.get("after")
    if after is not None:
        ids = [item["id"] for item in ordered]
        ordered = ordered[ids.index(after) + 1 :] if after in ids else []
    limit = int(query.get("limit", "20"))
    page = ordered[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": len(ordered) > limit,
    }
