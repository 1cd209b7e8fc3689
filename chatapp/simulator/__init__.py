"""A stand-in for the model providers, on loopback, strict enough to be believed.

It serves the OpenAI Responses and the Anthropic Messages wire protocols, so the vendors' own SDKs talk to it, in tests
and in the demo that needs no key. It is a second witness: it shares no code with the adapters and imports nothing of
the project, only the standard library and h11. What it knows about the providers is written beside each rule with the
page and date it comes from. Nothing here calls a model, a network or a database.
"""

from .server import Server, serve

__all__ = ["Server", "serve"]
