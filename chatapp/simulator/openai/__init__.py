"""The OpenAI Responses protocol as the provider speaks it."""
