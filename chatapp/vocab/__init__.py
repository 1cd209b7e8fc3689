"""The nouns that every other package shares: items, events, usage, requests, models, errors.

Frozen values and pure functions, standard library only. Nothing here knows a provider's wire
format (`chatapp.providers`), a row (`sessions_store`) or a page.
"""
