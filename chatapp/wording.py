"""How numbers and ends are said: money, tokens, seconds, and one plain sentence for every end of a turn.

Pure text for page and socket alike; no HTML, no rows written. Figures that no provider reported are said
with "about".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

NANO = 1_000_000_000
MINUS = "−"
NBSP = "\u00a0"


def money(nanousd: int) -> str:
    """Nano-dollars as dollars: four decimals for cents and less, fewer for more; never rounded to nothing."""
    sign, amount = (MINUS, -nanousd) if nanousd < 0 else ("", nanousd)
    if amount == 0:
        return "$0.0000"
    if amount < NANO // 20_000:
        return f"{sign}< $0.0001".replace("−< ", "> −")
    places = 4 if amount < NANO // 10 else 3 if amount < 10 * NANO else 2
    unit = 10 ** (9 - places)
    rounded = (amount + unit // 2) // unit
    return f"{sign}${rounded // 10**places:,}.{rounded % 10**places:0{places}d}"


def per_million(nanousd: int | None) -> str:
    """A price per million tokens, exactly: `$2.00`, `$0.025`."""
    if nanousd is None:
        return "–"
    whole, rest = divmod(nanousd, NANO)
    return f"${whole}.{f'{rest:09d}'.rstrip('0'):0<2}"


def count(number: int) -> str:
    """A count with thousands separated."""
    return f"{number:,}"


def seconds(value: float) -> str:
    """A duration: tenths under ten seconds, then whole seconds, then minutes."""
    if value < 10:
        return f"{value:.1f}{NBSP}s"
    if value < 120:
        return f"{value:.0f}{NBSP}s"
    return f"{value / 60:.0f}{NBSP}min"


class LedgerLine(Protocol):
    """What is needed of a call to say what it cost: the columns of `sessions_store.models.Call`."""

    state: str
    estimated: bool
    simulated: bool
    cost_nanousd: int | None
    without_cache_nanousd: int | None
    read_tokens: int | None
    uncached_tokens: int | None
    output_tokens: int | None

    @property
    def input_tokens(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class CostLine:
    """The line under an answer, in parts as they are shown. `read_share` is read / input tokens, or None."""

    paid: str
    saved: str
    lost: bool
    tokens: str
    seconds: str
    read_share: float | None
    simulated: bool
    estimated: bool
    note: str = ""
    """Why a figure is not the provider's or is missing, or why little came from the cache; '' if all is said."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What some calls cost together, all of them real or all simulated: the money of those whose cost is known, and
    how many there are of every other sort. What nobody knows is counted, never taken for nothing."""

    simulated: bool = False
    calls: int = 0
    paid_nanousd: int = 0
    whole_nanousd: int = 0
    """What the same tokens would have cost without a cache."""
    priced: int = 0
    no_price: int = 0
    unknown: int = 0
    """Ended before the provider reported anything."""
    running: int = 0
    guessed: int = 0
    """Priced, but by an estimate."""

    @property
    def ended(self) -> int:
        return self.calls - self.running

    @property
    def known(self) -> bool:
        """Whether there is an amount to show: a zero is one only if nothing is missing from it."""
        return self.paid_nanousd > 0 or bool(self.priced and not self.no_price and not self.unknown)

    @property
    def saved_nanousd(self) -> int:
        return self.whole_nanousd - self.paid_nanousd

    @property
    def lost(self) -> bool:
        return self.known and self.saved_nanousd < 0


def sum_of(calls: Iterable[LedgerLine]) -> Sum:
    """The sum of calls of one kind."""
    calls = list(calls)
    ended = [call for call in calls if call.state != "open"]
    priced = [call for call in calls if call.cost_nanousd is not None]
    unpriced = [call for call in ended if call.cost_nanousd is None]
    return Sum(
        simulated=any(call.simulated for call in calls),
        calls=len(calls),
        paid_nanousd=sum(call.cost_nanousd or 0 for call in priced),
        whole_nanousd=sum(call.without_cache_nanousd or 0 for call in priced),
        priced=len(priced),
        no_price=sum(call.input_tokens is not None for call in unpriced),
        unknown=sum(call.input_tokens is None for call in unpriced),
        running=len(calls) - len(ended),
        guessed=sum(call.estimated for call in priced),
    )


def paid_words(total: Sum) -> str:
    """A sum in the column that says what was paid: an amount, "about" one, or why there is none; '' before a call
    has ended."""
    if total.known:
        return f"about {money(total.paid_nanousd)}" if total.guessed or total.unknown else money(total.paid_nanousd)
    return "no price" if total.no_price else "unknown" if total.unknown else ""


def cost_words(total: Sum) -> str:
    """As `paid_words`, where nothing beside it says that it is a cost."""
    paid = paid_words(total)
    return "cost unknown" if paid == "unknown" else paid


def percent(part: int, whole: int) -> str:
    """A share, rounded: `83 %`."""
    share = round(100 * part / whole)
    return f"{MINUS if share < 0 else ''}{abs(share)}{NBSP}%"


def sum_notes(total: Sum) -> list[str]:
    """Why an amount is not the provider's, and what it lacks; nothing where there is no amount."""
    notes: list[str] = []
    if not total.known:
        return notes
    if total.guessed == 1:
        notes.append("Estimated: the call ended before the provider reported its final count.")
    elif total.guessed:
        notes.append(f"Estimated: {count(total.guessed)} calls ended before the provider reported their final count.")
    if total.unknown == 1:
        notes.append("One call ended before the provider reported anything; what it billed is not in this sum.")
    elif total.unknown:
        notes.append(
            f"{count(total.unknown)} calls ended before the provider reported anything; "
            "what they billed is not in this sum."
        )
    if total.no_price == 1:
        notes.append("One call has no price; it is not in this sum.")
    elif total.no_price:
        notes.append(f"{count(total.no_price)} calls have no price; they are not in this sum.")
    return notes


def cost_line(calls: Sequence[LedgerLine], took_seconds: float | None) -> CostLine:
    """The sum of some calls in words. Empty `calls`: nothing was sent."""
    total = sum_of(calls)
    paid, saved, lost, note = cost_words(total), "", False, ""
    if total.no_price:
        paid = "no price"
    elif total.known:
        note = " ".join(sum_notes(total))
        if any(call.input_tokens or call.output_tokens for call in calls):
            saved, lost = _saved(total)
    elif total.unknown:
        note = "The provider did not report what was used, so nobody knows yet what it billed."
    tokens, share = _tokens(calls)
    return CostLine(
        paid=paid,
        saved=saved,
        lost=lost,
        tokens=tokens,
        seconds=seconds(took_seconds) if took_seconds is not None else "",
        read_share=share,
        simulated=total.simulated,
        estimated=any(call.estimated for call in calls),
        note=note,
    )


def _saved(total: Sum) -> tuple[str, bool]:
    """`saved $0.0102 (83 %)`: the share is that of the price without a cache."""
    if total.saved_nanousd == 0:
        return "nothing saved", False
    share = f" ({percent(total.saved_nanousd, total.whole_nanousd)})" if total.whole_nanousd else ""
    return f"saved {money(total.saved_nanousd)}{share}", total.lost


def _tokens(calls: Iterable[LedgerLine]) -> tuple[str, float | None]:
    reported = [call for call in calls if call.input_tokens is not None]
    total = sum(call.input_tokens or 0 for call in reported)
    if not reported:
        return "", None
    if total == 0:
        return "", None
    about = "about " if any(call.estimated for call in reported) else ""
    if all(call.read_tokens is None for call in reported):
        return f"{about}{count(total)} tokens, cache not reported", None
    read = sum(call.read_tokens or 0 for call in reported)
    return f"{about}{count(read)} of {count(total)} tokens from cache", read / total


def miss_reason(expected: dict[str, object] | None, line: LedgerLine, minimum: int) -> str:
    """Why a call read little or nothing from the cache, in one sentence; '' where there is nothing to explain."""
    if not expected or not line.input_tokens:
        return ""
    reason, read = expected.get("reason"), line.read_tokens or 0
    if line.input_tokens < minimum and not read:
        return f"{count(line.input_tokens)} tokens: this model caches from {count(minimum)}."
    if read:
        return ""
    if reason == "first":
        lost = (line.without_cache_nanousd or 0) < (line.cost_nanousd or 0)
        return (
            "First turn: writing to the cache costs more than reading plainly. It is paid back when it is read."
            if lost
            else ""
        )
    if reason == "switched":
        return "The model changed, and a cache belongs to one model."
    if reason == "changed":
        return "The instructions changed, and a cache holds only what stands unchanged from the start."
    if reason == "expired":
        idle = expected.get("idle_seconds")
        lifetime = {"5m": "5 minutes", "30m": "30 minutes", "1h": "an hour", "12h": "12 hours"}.get(
            str(expected.get("lifetime")), "about 5 minutes"
        )
        return f"{_pause(int(str(idle)))} passed; this cache lives {lifetime}." if idle is not None else ""
    return ""


def _pause(idle_seconds: int) -> str:
    minutes = idle_seconds // 60
    if minutes < 120:
        return f"{minutes} minutes"
    hours = minutes // 60
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"


@dataclass(frozen=True, slots=True)
class End:
    """What is said where an answer did not simply end. `tone`: `care` (cut, but kept) or `failed`."""

    tone: str
    sentence: str
    detail: str
    actions: tuple[tuple[str, str], ...]
    """(name, label): `continue`, `again`, `model`."""


_AGAIN, _CONTINUE, _MODEL = ("again", "Retry"), ("continue", "Continue"), ("model", "Use another model")

_FAILURES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "rate_limited": ("{provider} asks for fewer requests just now. Nothing was billed.", (_AGAIN, _MODEL)),
    "overloaded": ("{provider} is overloaded. {billed}", (_AGAIN, _MODEL)),
    "server_error": ("{provider} failed inside. {billed}", (_AGAIN, _MODEL)),
    "connection_failed": (
        "No answer came from {provider}: the connection failed. It may or may not have billed the question.",
        (_AGAIN, _MODEL),
    ),
    "timeout": ("{provider} fell silent for too long, so the call was ended. {kept}", (_AGAIN, _MODEL)),
    "bad_key": ("{provider} refused the key. Nothing was billed, and your message is kept.", (_AGAIN, _MODEL)),
    "no_credit": ("The account at {provider} has no credit left. Your message is kept.", (_AGAIN, _MODEL)),
    "unknown_model": ("{model} is not available at {provider}. Nothing was billed.", (_MODEL, _AGAIN)),
    "context_too_long": (
        "The conversation is longer than {model} can read. Nothing was billed; choose a model with a larger window.",
        (_MODEL, _AGAIN),
    ),
    "refused": ("{model} declined to answer this. The call was billed.", (_MODEL, _AGAIN)),
    "invalid_request": ("{provider} rejected the request. Nothing was billed.", (_AGAIN, _MODEL)),
    "previous_response_not_found": ("{provider} no longer knows this conversation.", (_AGAIN,)),
    "broken_stream": ("The connection to {provider} broke in the middle. {kept}", (_CONTINUE, _AGAIN)),
    "truncated_stream": ("{provider} stopped in the middle without a word. {kept}", (_CONTINUE, _AGAIN)),
    "malformed_data": ("{provider} sent something that cannot be read. {kept}", (_AGAIN, _MODEL)),
}

_INCOMPLETE = {
    "max_output_tokens": "The answer reached its limit of tokens.",
    "content_filter": "{provider} cut the answer off: its content filter stepped in.",
    "context_window": "The answer reached the end of what {model} can read.",
    "pause_turn": "{model} paused a long piece of work.",
}


def end_of(
    state: str, reason: str, error: dict[str, object] | None, *, provider: str, model: str, has_text: bool
) -> End | None:
    """How a turn's end is told; None for a completed or unfinished one."""
    kept = "What had arrived is kept." if has_text else "Your message is kept."
    billed = "What had arrived is kept and may be billed." if has_text else "Nothing was billed."
    words = {"provider": provider, "model": model, "kept": kept, "billed": billed}
    if state == "cancelled":
        if has_text:
            return End("care", "You stopped it here. What had arrived is kept and was billed.", "", (_CONTINUE,))
        return End("care", "You stopped it before an answer came.", "", (_AGAIN,))
    if state == "interrupted":
        return End(
            "care",
            f"The server stopped while this was answered. {kept}",
            "",
            (_CONTINUE, ("again", "Answer again")) if has_text else (("again", "Answer again"),),
        )
    if state == "incomplete":
        sentence = _INCOMPLETE.get(reason, "The answer was cut off ({reason}).")
        return End("care", sentence.format(**words, reason=reason), "", (_CONTINUE,))
    if state == "failed":
        code, message = str((error or {}).get("code", "")), str((error or {}).get("message", ""))
        sentence, actions = _FAILURES.get(code, ("Something went wrong here. {kept}", (_AGAIN,)))
        if code == "server_error" and not (error or {}).get("status") and not message:
            sentence = "Stet itself failed here. {kept} The server's log has the details."
        if not has_text:
            actions = tuple(action for action in actions if action != _CONTINUE)
        return End("failed", sentence.format(**words), message, actions)
    return None


def waiting_sentence(code: str, provider: str) -> str:
    """Why a call is about to be tried again."""
    sentence, _ = _FAILURES.get(code, ("{provider} did not answer.", ()))
    return sentence.format(provider=provider, model="", kept="", billed="Nothing was billed.").strip()
