"""Which adapter speaks for which provider. SDKs are slow to import, so each loads when first needed."""

from importlib import import_module

from chatapp.providers.base import Adapter, Config

ADAPTERS = {
    "openai": "chatapp.providers.openai_responses:OpenAIResponses",
    "anthropic": "chatapp.providers.anthropic_messages:AnthropicMessages",
}


def make_adapter(provider: str, config: Config) -> Adapter:
    """A new adapter for `provider` (a key of ADAPTERS); KeyError for an unknown one."""
    module, name = ADAPTERS[provider].split(":")
    adapter: Adapter = getattr(import_module(module), name)(config)
    return adapter
