"""Dated facts about models, and what a call costs.

`models.toml` holds what each model accepts and how its cache works (`load`), the price list
genai-prices with `prices.toml` beside it what it costs (`cost`). Nothing here talks to a network,
a database or a provider; standard library, genai-prices and `chatapp.vocab` only.
"""
