"""The Anthropic Messages protocol as the provider speaks it."""
