"""Which adapter speaks for which provider. SDKs are slow to import, so each loads when first needed."""

from collections.abc import Callable
from importlib import import_module

from chatapp.providers.base import Adapter, Config

ADAPTERS = {
    "openai": "chatapp.providers.openai_responses:OpenAIResponses",
    "anthropic": "chatapp.providers.anthropic_messages:AnthropicMessages",
}


def adapter_class(provider: str) -> Callable[[Config], Adapter]:
    """The adapter for `provider` (a key of ADAPTERS), its SDK imported; KeyError for an unknown one."""
    module, name = ADAPTERS[provider].split(":")
    found: Callable[[Config], Adapter] = getattr(import_module(module), name)
    return found
