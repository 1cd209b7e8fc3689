"""Which provider accounts this installation can reach, and one adapter for each.

An account is a base URL and a key. Its fingerprint stands in the ledger: a response id or a cache is worth
something only with the account that made it.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

from django.conf import settings
from django.utils import timezone

from chatapp.catalog.cost import price_of
from chatapp.catalog.load import default_model, models
from chatapp.providers.base import Adapter, Config
from chatapp.providers.registry import ADAPTERS, adapter_class
from chatapp.vocab.usage import Usage

LABELS = {"openai": "OpenAI", "anthropic": "Anthropic"}
"""How providers call themselves."""

SIMULATOR_KEY = "stet-demo"
"""The simulator keeps one account per key; this is the one that people chat with."""


class SimulatorAddress(TypedDict):
    """Where the simulator listens: base URL by provider."""

    openai: str
    anthropic: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider account that can be called."""

    provider: str
    config: Config
    simulated: bool

    @property
    def account(self) -> str:
        """Fingerprint of base URL and key: 16 hex digits, from which neither can be found."""
        return _fingerprint(self.provider, self.config.base_url or "", self.config.key)


@lru_cache(maxsize=64)
def _fingerprint(provider: str, base_url: str, key: str) -> str:
    secret = settings.SECRET_KEY.encode()
    return hashlib.blake2b(f"{provider}\n{base_url}\n{key}".encode(), key=secret[:64], digest_size=8).hexdigest()


_simulator: SimulatorAddress | None = None


def use_simulator(address: SimulatorAddress | None) -> None:
    """Say where the simulator listens (None: nowhere). Every provider without a key of its own then goes there,
    unless a real one is set for another provider."""
    global _simulator  # one simulator per process, known only once it has started
    _simulator = address


def wants_simulator() -> bool:
    """Whether this installation should simulate: asked for, or nothing real is configured."""
    if settings.STET_SIMULATOR != "auto":
        return bool(settings.STET_SIMULATOR == "on")
    return not any(_own_config(provider) for provider in ADAPTERS)


def _own_config(provider: str) -> Config | None:
    """Key and base URL from the settings; None where neither is set."""
    key = getattr(settings, f"{provider.upper()}_API_KEY")
    base_url = getattr(settings, f"{provider.upper()}_BASE_URL")
    if not key and not base_url:
        return None
    return Config(key=key or "none", base_url=base_url or None, timeout_seconds=settings.STET_PROVIDER_TIMEOUT_SECONDS)


def connection_to(provider: str) -> Connection | None:
    """The account to use for `provider`; None where none is configured."""
    if provider not in ADAPTERS:
        return None
    if wants_simulator():
        if _simulator is None:
            return None
        base_url = _simulator["openai"] if provider == "openai" else _simulator["anthropic"]
        config = Config(key=SIMULATOR_KEY, base_url=base_url, timeout_seconds=settings.STET_PROVIDER_TIMEOUT_SECONDS)
        return Connection(provider, config, simulated=True)
    config_of_own = _own_config(provider)
    return Connection(provider, config_of_own, simulated=False) if config_of_own else None


def reachable_providers() -> list[str]:
    """Providers whose models can be offered, in the catalog's order. The simulator counts before it has started."""
    if wants_simulator():
        return list(dict.fromkeys(spec.provider for spec in models()))
    return [provider for provider in dict.fromkeys(spec.provider for spec in models()) if _own_config(provider)]


def warm_up() -> None:
    """Import what the first call needs: SDKs and the price list take a second, in which nobody should wait."""
    for provider in reachable_providers():
        adapter_class(provider)
        price_of(provider, default_model(provider).id, Usage(uncached=0), timezone.now())


class AdapterPool:
    """Adapters by account, made when first needed; one pool per event loop."""

    def __init__(self) -> None:
        self._adapters: dict[tuple[str, str], Adapter] = {}

    def get(self, connection: Connection) -> Adapter:
        """The adapter for this account."""
        key = (connection.provider, connection.account)
        if key not in self._adapters:
            self._adapters[key] = adapter_class(connection.provider)(connection.config)
        return self._adapters[key]

    async def aclose(self) -> None:
        """Close every connection."""
        for adapter in self._adapters.values():
            await adapter.aclose()
        self._adapters.clear()
